"""Where a language model may be let out to: rules about addresses, of plain data.

A text that a model reads may tell it to read the cloud's metadata service, a neighbour's machine or a port of this
one. So what it asks for is a public web page or nothing. These rules resolve no name and open nothing: `download`
resolves, asks here, and connects to the very address that was asked about.
"""

import ipaddress
from collections.abc import Container

import httpx2

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

WEB_PORTS = (80, 443)
"""Anything else is a service that was not made to be read by strangers."""

LONGEST_URL = 2_000
"""Characters of an address that a model may write: enough for any page, too few to carry a file out."""

_UNICAST = ipaddress.ip_network("2000::/3")
"""All of IPv6 that is given out to the public; the rest is local, reserved, multicast or a way to write IPv4."""

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
"""How a network without IPv4 writes an IPv4 address (RFC 6052); the last four bytes are that address."""

# Public by their numbers, and yet no public web: what `is_global` lets through, in one Python version or in all.
_NOT_THE_WEB = tuple(
    ipaddress.ip_network(network)
    for network in (
        "192.0.0.0/24",  # protocol assignments; Oracle's metadata service
        "192.88.99.0/24",  # 6to4 relays
        "168.63.129.16/32",  # Azure's metadata service
        "2001::/23",  # protocol assignments, Teredo among them
        "2002::/16",  # 6to4: an IPv4 address in other clothes
        "3fff::/20",  # documentation
    )
)

_LOCAL_NAMES = ("localhost", "local", "internal", "intranet", "lan", "home", "corp", "private", "arpa", "onion")
"""Last parts of names that no public page has. What such a name resolves to is judged too; a proxy may not."""


class WebError(Exception):
    """A page or a search that cannot be had; the message is a sentence that the model can act on."""


def globally_routable(address: Address) -> bool:
    """Whether an address belongs to the public internet, in whatever form it is written."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is not None:
            return globally_routable(inner)
        if address not in _UNICAST or address.scope_id is not None:
            return False
    if any(address in network for network in _NOT_THE_WEB if network.version == address.version):
        return False
    return address.is_global and not address.is_multicast


def check(text: str, ports: Container[int] = WEB_PORTS) -> httpx2.URL:
    """The address as it may be asked for, as far as its words tell; what its host resolves to is looked at later.

    Raises:
        WebError: it is no address of a public web page.
    """
    try:
        url = httpx2.URL(text.strip())
    except (httpx2.InvalidURL, ValueError) as error:
        raise WebError(f"{text[:200]!r} is no web address: {error}") from None
    if url.scheme not in ("http", "https"):
        raise WebError(f"only http:// and https:// pages can be read, not {text[:200]!r}")
    if not url.host or "%" in url.host or len(url.host) > 253:
        raise WebError(f"{text[:200]!r} names no host that can be asked")
    if url.userinfo:
        raise WebError(f"an address with a user name or a password in it is not read: leave it out ({url.host})")
    if port_of(url) not in ports:
        raise WebError(f"port {port_of(url)} of {url.host} is not read: only pages on the ports 80 and 443 are")
    if ":" not in url.host and not url.host[-1].isdigit() and _local(url.host):
        raise WebError(f"{url.host} is a name of a private network: only public web pages can be read")
    return url


def port_of(url: httpx2.URL) -> int:
    """The port that a request for `url` goes to."""
    return url.port if url.port is not None else 443 if url.scheme == "https" else 80


def _local(name: str) -> bool:
    labels = name.rstrip(".").lower().split(".")
    return len(labels) < 2 or labels[-1] in _LOCAL_NAMES
