"""Unsolicited neighbour advertisements: IPv6's gratuitous ARP."""

import ipaddress
import socket
import struct

from actium_amphora_agent.desired import Interface
from actium_amphora_agent.traffic import Traffic

_EVERYBODY = "ff02::1"
_ADVERTISEMENT, _OVERRIDE, _TARGETS_LINK_ADDRESS = 136, 0x20, 2
_HOPS = 255
"""Neighbours believe nothing that may have come through a router."""


def advertise(traffic: Traffic, card: Interface, vip: str) -> None:
    """
    Tell everybody on the card's network once that the VIP is here now.

    Raises:
        OSError, Trouble: it could not be sent.
    """
    with traffic.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as link:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, card.name.encode())
        link.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, _HOPS)
        link.bind((vip, 0))
        link.sendto(advertisement(vip, card.mac), (_EVERYBODY, 0))


def advertisement(vip: str, mac: str) -> bytes:
    """The message; the kernel puts the checksum in."""
    head = struct.pack(">BBHB3x", _ADVERTISEMENT, 0, 0, _OVERRIDE)
    option = struct.pack(">BB", _TARGETS_LINK_ADDRESS, 1) + bytes.fromhex(mac.replace(":", ""))
    return head + ipaddress.IPv6Address(vip).packed + option
