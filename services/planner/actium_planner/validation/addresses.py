"""Addresses and their families: what a load balancer's addresses can take and reach."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from actium_shared.wishes import LoadBalancer

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def families(balancer: LoadBalancer) -> frozenset[int]:
    """Give the IP versions of the load balancer's addresses; both while its driver has not told the address yet."""
    if not balancer.vip.address:
        return frozenset((4, 6))
    addresses = (parsed(vip.address) for vip in (balancer.vip, *balancer.additional_vips))
    return frozenset(address.version for address in addresses if address is not None)


def parsed(text: str) -> Address | None:
    """Give the address, or nothing where the text is none."""
    try:
        return ip_address(text)
    except ValueError:
        return None


def parsed_network(text: str) -> Network | None:
    """Give the network, or nothing where the text is none."""
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def unmapped(address: Address) -> Address:
    """Give the IPv4 address that an IPv6 one stands for, or the address itself."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
