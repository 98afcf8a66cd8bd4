"""Telling the neighbours where a VIP is now: gratuitous ARP, and unsolicited neighbour advertisements, which are IPv6's."""

import ipaddress
import socket
import struct

from actium_amphora_agent.desired import Interface
from actium_amphora_agent.traffic import Traffic

_EVERYBODY = "ff02::1"
_ADVERTISEMENT, _OVERRIDE, _TARGETS_LINK_ADDRESS = 136, 0x20, 2
_HOPS = 255
"""Neighbours believe nothing that may have come through a router."""


_BROADCAST = b"\xff" * 6
_ARP_PROTOCOL, _IPV4_PROTOCOL = 0x0806, 0x0800
_ETHERNET, _REQUEST = 1, 1


def tell(traffic: Traffic, card: Interface, vip: str) -> None:
    """
    Tell everybody on the card's network once that the VIP is here now.

    Raises:
        OSError, Trouble: it could not be sent.
    """
    if ":" in vip:
        _advertise(traffic, card, vip)
        return
    with traffic.socket(socket.AF_PACKET, socket.SOCK_RAW) as link:
        link.bind((card.name, 0))
        link.send(gratuitous_arp(vip, card.mac))


def gratuitous_arp(vip: str, mac: str) -> bytes:
    """The whole frame: the VIP asks for itself."""
    own, address = _bytes(mac), ipaddress.IPv4Address(vip).packed
    head = struct.pack(">HHBBH", _ETHERNET, _IPV4_PROTOCOL, len(own), len(address), _REQUEST)
    return _BROADCAST + own + struct.pack(">H", _ARP_PROTOCOL) + head + own + address + _BROADCAST + address


def _advertise(traffic: Traffic, card: Interface, vip: str) -> None:
    with traffic.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as link:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, card.name.encode())
        link.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, _HOPS)
        link.bind((vip, 0))
        link.sendto(advertisement(vip, card.mac), (_EVERYBODY, 0))


def advertisement(vip: str, mac: str) -> bytes:
    """The message; the kernel puts the checksum in."""
    head = struct.pack(">BBHB3x", _ADVERTISEMENT, 0, 0, _OVERRIDE)
    option = struct.pack(">BB", _TARGETS_LINK_ADDRESS, 1) + _bytes(mac)
    return head + ipaddress.IPv6Address(vip).packed + option


def _bytes(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))
