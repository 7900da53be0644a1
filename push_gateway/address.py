"""Owns telling from which address a client comes, also behind a proxy."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from websockets.http11 import Request

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

SITE = 64
"""Bits of an IPv6 address that stand for one client: whoever has one address has all with the same first 64."""


def address_of(request: Request, peer: str, trusted: Sequence[Network]) -> str:
    """By what a client's handshakes are counted.

    Each proxy adds to `X-Forwarded-For` where it was asked from. What stands left of the last that is no proxy of ours,
    the client may have made up; and if the peer is none, all of it.
    """
    way = [part.strip() for value in request.headers.get_all("X-Forwarded-For") for part in value.split(",")]
    address = _parsed(peer)
    while address is not None and way and any(address in network for network in trusted):
        if (before := _parsed(way.pop())) is None:
            break
        address = before
    match address:
        case None:
            return peer
        case IPv6Address():
            return str(IPv6Network((address, SITE), strict=False))
    return str(address)


def _parsed(text: str) -> Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
