"""Which addresses a language model may read: rules on plain data.

A text that a model reads may tell it to read the cloud's metadata service, another machine of the network or a port of
this one. So only public web pages are allowed. These rules resolve no name and open nothing: `download` resolves, asks
here, and connects to exactly the address that it asked about.
"""

import ipaddress
from collections.abc import Container

import httpx2

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

WEB_PORTS = (80, 443)
"""Other ports may belong to services that are not meant for the public."""

LONGEST_URL = 2_000
"""Characters of an address by a model: enough for any page, too few to leak a file."""

_UNICAST = ipaddress.ip_network("2000::/3")
"""All of IPv6 that is assigned to the public; the rest is local, reserved, multicast or another form of IPv4."""

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
"""How a network without IPv4 writes an IPv4 address (RFC 6052); the last four bytes are that address."""

# Not the public web, although `is_global` says so in some or all versions of Python.
_NOT_THE_WEB = tuple(
    ipaddress.ip_network(network)
    for network in (
        "192.0.0.0/24",  # protocol assignments; Oracle's metadata service
        "192.88.99.0/24",  # 6to4 relays
        "168.63.129.16/32",  # Azure's metadata service
        "2001::/23",  # protocol assignments, Teredo among them
        "2002::/16",  # 6to4: another form of an IPv4 address
        "3fff::/20",  # documentation
    )
)

_LOCAL_NAMES = ("localhost", "local", "internal", "intranet", "lan", "home", "corp", "private", "arpa", "onion")
"""Top-level names that no public page has. What a name resolves to is checked too, but a proxy may not do that."""


class WebError(Exception):
    """A page or a search that failed; the message is a sentence that the model can act on."""


def globally_routable(address: Address) -> bool:
    """Whether an address belongs to the public internet, whatever form it is written in."""
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
    """The address, if its text allows it; what its host resolves to is checked later.

    Raises:
        WebError: it is not the address of a public web page.
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
