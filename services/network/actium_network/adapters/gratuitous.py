"""Telling everybody on a link that an address is here now: unasked, by ARP or by IPv6's neighbour advertisement."""

import logging
import socket
import struct
from ipaddress import IPv4Address, IPv6Address

log = logging.getLogger(__name__)

_ARP, _IPV4, _ETHERNET, _REQUEST = 0x0806, 0x0800, 1, 1
_ADVERTISEMENT, _OVERRIDE, _TARGETS_LINK_ADDRESS = 136, 0x20, 2
_HOPS = 255
"""Neighbours believe nothing that may have come through a router."""


def tell(link: str, address: str) -> None:
    """Tell once, from the calling thread's namespace. Not to be heard is no harm: who does not know it yet asks."""
    try:
        if ":" in address:
            _advertise(link, address)
        else:
            _announce(link, address)
    except OSError as exc:
        log.warning("address not announced", extra={"address": address, "error": str(exc)})


def _announce(link: str, address: str) -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        raw.bind((link, 0))
        mac, own = raw.getsockname()[4], IPv4Address(address).packed
        everybody = b"\xff" * len(mac)
        head = struct.pack(">HHBBH", _ETHERNET, _IPV4, len(mac), len(own), _REQUEST)
        raw.send(everybody + mac + struct.pack(">H", _ARP) + head + mac + own + everybody + own)


def _advertise(link: str, address: str) -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        raw.bind((link, 0))
        mac = raw.getsockname()[4]
    option = struct.pack(">BB", _TARGETS_LINK_ADDRESS, 1) + mac
    message = struct.pack(">BBHB3x", _ADVERTISEMENT, 0, 0, _OVERRIDE) + IPv6Address(address).packed + option
    with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as speaker:
        speaker.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, link.encode())
        speaker.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, _HOPS)
        speaker.sendto(message, ("ff02::1", 0, 0, socket.if_nametoindex(link)))
