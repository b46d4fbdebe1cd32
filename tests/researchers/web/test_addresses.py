"""The web for a language model: which addresses it may reach, by which names, redirects and proxies."""

import ipaddress
import shutil
import ssl

import pytest

from loop import VERSION
from loop.researchers.web import Web, WebError
from loop.researchers.web.addresses import check, globally_routable
from loop.researchers.web.download import USER_AGENT
from tests.researchers.web.sites import Site, here, self_signed


@pytest.mark.parametrize(
    "address",
    [
        *("8.8.8.8", "1.1.1.1", "151.101.3.42", "100.128.0.1"),
        *("2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"),
    ],
)
def test_public_addresses_are_public_in_every_form(address: str) -> None:
    assert globally_routable(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.255.255.254", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
        *("169.254.169.254", "100.64.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.192", "192.0.0.9"),
        *("192.0.2.1", "192.88.99.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
        *("::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:0:7f00:1", "fe80::1"),
        *("fe80::1%eth0", "2606:4700::1111%eth0", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "ff0e::1"),
        *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1", "2001::1", "2001:db8::1", "2002:7f00:1::"),
        *("3fff::1", "5f00::1", "100::1"),
    ],
)
def test_addresses_of_this_machine_and_its_neighbours_are_not_public(address: str) -> None:
    assert not globally_routable(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("file:///etc/passwd", "only http:// and https://"),
        ("ftp://example.com/", "only http:// and https://"),
        ("gopher://example.com/", "only http:// and https://"),
        ("data:text/plain,hello", "only http:// and https://"),
        ("example.com/page", "only http:// and https://"),
        ("http://user:pass@example.com/", "user name or a password"),
        ("http://token@example.com/", "user name or a password"),
        ("http://169.254.169.254\\@example.com/", "user name or a password"),
        ("http://example.com:22/", "port 22"),
        ("https://example.com:6379/", "port 6379"),
        ("http://example.com:0/", "port 0"),
        ("http:///page", "names no host"),
        ("http://" + "a." * 150 + "com/", "names no host"),
        ("http://[fe80::1%25eth0]/", "names no host"),
        ("http://ex%61mple.com/", "names no host"),
        ("http://localhost/", "private network"),
        ("http://LOCALHOST./", "private network"),
        ("http://a.localhost/", "private network"),
        ("http://intranet/", "private network"),
        ("http://metadata.google.internal/", "private network"),
        ("http://printer.local/", "private network"),
        ("http://①②⑦.0.0.1/", "no web address"),
        ("http://exa\nmple.com/", "no web address"),
        ("http://[::1/", "no web address"),
    ],
)
def test_an_address_is_refused_by_its_words(url: str, why: str) -> None:
    with pytest.raises(WebError, match=why):
        check(url)


@pytest.mark.parametrize(
    "url",
    ["http://example.com", " https://arxiv.org/abs/1706.03762 ", "https://example.com:443/", "http://1.1.1.1/a?b"],
)
def test_an_address_of_a_public_page_is_let_through(url: str) -> None:
    assert check(url).host in url


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001", "0.0.0.0", "0"),
        *("[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "169.254.169.254"),
        *("2852039166", "10.0.0.1", "[fd00:ec2::254]"),
    ],
)
async def test_no_way_to_write_a_private_address_gets_through(host: str) -> None:
    with pytest.raises(WebError, match=r"not on the public internet|is no web address"):
        await Web().page(f"http://{host}/latest/meta-data/")


async def test_a_name_that_means_a_private_address_is_refused_and_nobody_is_asked(site: Site, web: Web, names) -> None:
    names["inside.example"] = [["10.0.0.1"]]
    names["both.example"] = [["127.0.0.1", "192.168.0.1"]]
    for host in names:
        with pytest.raises(WebError, match=f"{host} is not on the public internet"):
            await web.page(site.url("/", host))
    assert site.asked == []


async def test_a_name_is_resolved_once_and_that_very_address_is_asked(site: Site, web: Web, names) -> None:
    names["rebinds.example"] = [["127.0.0.1"], ["127.0.0.2"], ["10.0.0.1"]]
    site.says("/", "public words")
    assert "public words" in await web.page(site.url("/", "rebinds.example"))
    assert names["rebinds.example"] == [["127.0.0.2"], ["10.0.0.1"]]
    assert site.asked[0][1]["Host"] == f"rebinds.example:{site.server_port}"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
async def test_a_certificate_is_held_against_the_name_and_not_the_address(
    site: Site, names, tmp_path, monkeypatch
) -> None:
    key, certificate = self_signed(tmp_path, "named.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    site.socket = context.wrap_socket(site.socket, server_side=True)
    site.says("/", "over TLS")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    names["named.example"] = names["other.example"] = [["127.0.0.1"]]
    web = here()
    assert "over TLS" in await web.page(f"https://named.example:{site.server_port}/")
    with pytest.raises(WebError, match=r"other\.example.*cannot be reached.*certificate"):
        await web.page(f"https://other.example:{site.server_port}/")


async def test_the_product_itself_allows_no_server_of_this_machine(site: Site) -> None:
    site.says("/", "secret")
    with pytest.raises(WebError, match="only pages on the ports 80 and 443"):
        await Web().page(site.url("/"))
    with pytest.raises(WebError, match="not on the public internet"):
        await Web(ports=range(1, 65536)).page(site.url("/"))
    assert site.asked == []


async def test_an_address_too_long_to_be_innocent_is_refused(site: Site, web: Web) -> None:
    with pytest.raises(WebError, match="2,000 at most"):
        await web.page(site.url("/?" + "a" * 2000))
    assert site.asked == []


# Redirects


async def test_redirects_are_followed_to_a_page_that_may_be_read(site: Site, web: Web) -> None:
    site.says("/there/page", "arrived")
    site.sends_on("/there/second", "page")
    assert (
        await web.page(site.sends_on("/first", "/there/second")) == f"{site.url('/there/page')}, page 1 of 1\n\narrived"
    )


@pytest.mark.parametrize(
    "to",
    [
        *("http://169.254.169.254/latest/meta-data/", "http://[::1]:{port}/", "http://2130706434:{port}/"),
        *(
            "file:///etc/passwd",
            "http://localhost:{port}/",
            "http://me:secret@127.0.0.1:{port}/",
            "//10.0.0.1/",
            "http://[",
        ),
    ],
)
async def test_a_redirect_is_checked_like_an_address(site: Site, web: Web, to: str) -> None:
    with pytest.raises(WebError, match=r"redirects to|not on the public internet"):
        await web.page(site.sends_on("/", to.format(port=site.server_port)))
    assert len(site.asked) == 1


async def test_a_circle_of_redirects_ends(site: Site, web: Web) -> None:
    with pytest.raises(WebError, match="redirects more than 5 times"):
        await web.page(site.sends_on("/", "/"))
    assert len(site.asked) == 6


async def test_nothing_of_this_machine_goes_along(site: Site, web: Web) -> None:
    site.says("/there", "words")
    await web.page(site.sends_on("/", "/there"))
    for _, headers in site.asked:
        assert {"Cookie", "Authorization", "Referer"}.isdisjoint(headers)
        assert headers["User-Agent"] == USER_AGENT
    assert VERSION in USER_AGENT and "looptop" in USER_AGENT


async def test_a_proxy_of_the_environment_is_asked_and_resolves_names(site: Site, monkeypatch, names) -> None:
    monkeypatch.setenv("http_proxy", site.url(""))
    site.says("/page", "by way of the proxy")
    names["inside.example"] = [["10.0.0.1"]]
    assert "by way of the proxy" in await Web().page("http://far.example/page")
    assert site.asked[0][0] == "http://far.example/page"
    for host in ("inside.example", "2130706433", "169.254.169.254", "metadata.google.internal"):
        with pytest.raises(WebError, match=r"not on the public internet|private network"):
            await Web().page(f"http://{host}/page")
    assert len(site.asked) == 1
