"""What the environment says of proxies, also where it makes no sense."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursefs.transport.proxies import proxies_from


def url(**environ: str) -> str | None:
    """Where https://www.coursera.org is asked, or what is wrong with the variable."""
    proxy = proxies_from(environ).of("www.coursera.org", 443)
    return None if proxy is None else proxy.trouble or proxy.url


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("http://proxy:3128", "http://proxy:3128"),
        ("http://proxy:3128/", "http://proxy:3128"),
        ("HTTP://Proxy:3128", "http://proxy:3128"),
        ("proxy:3128", "http://proxy:3128"),
        ("foo", "http://foo:1080"),
        ("https://proxy", "https://proxy:443"),
        ("socks://127.0.0.1:7891/", "socks5h://127.0.0.1:7891"),
        ("socks5://127.0.0.1", "socks5://127.0.0.1:1080"),
        ("socks5h://[::1]:9050", "socks5h://[::1]:9050"),
        ("http://me:p%40ss@proxy:3128", "http://me:p%40ss@proxy:3128"),
        (" http://proxy:3128 ", "http://proxy:3128"),
        ("", None),
        ("   ", None),
    ],
)
def test_proxies_that_can_be_used(value: str, expected: str | None) -> None:
    assert url(https_proxy=value) == url(HTTPS_PROXY=value) == url(all_proxy=value) == url(ALL_PROXY=value) == expected


@pytest.mark.parametrize(
    "value",
    [
        "socks4://127.0.0.1:1080",
        "ftp://secret@proxy:21",
        "://",
        "http://",
        "http://:3128",
        "http://proxy:99999",
        "http://proxy:port",
        "http://[::1",
        "http://[secret]:1",
        "http://a b:1",
        "http://user:secret@",
        "\x00",
        "http://proxy\nX: secret",
        "http://" + "a" * 300 + ".secret",
        "file:///etc/secret",
        "http://xn--\udcff:1",
    ],
)
def test_what_cannot_be_used_is_said_without_what_it_holds(value: str) -> None:
    proxy = proxies_from({"ALL_PROXY": value}).of("www.coursera.org", 443)
    assert proxy is not None
    assert proxy.variable == "ALL_PROXY"
    assert proxy.trouble is not None
    assert proxy.trouble.isprintable()
    for shown in (proxy.trouble, str(proxy), repr(proxy)):
        assert "secret" not in shown


@pytest.mark.parametrize(
    ("scheme", "shown"),
    [
        ("socks4", "socks4"),
        ("SOCKS4A", "SOCKS4A"),
        ("ninechars", "ninechars"),
        ("tencharsss", "what it says"),
        ("pass-word", "what it says"),
        ("ätherweb", "what it says"),
        ("", "what it says"),
    ],
)
def test_an_unknown_kind_is_named_if_it_is_a_word_of_at_most_nine_letters(scheme: str, shown: str) -> None:
    """What is longer, or no word, may be a password that stands in the wrong place."""
    assert url(https_proxy=f"{scheme}://proxy:1") == (
        f"unknown kind of proxy {shown}: use http, https, socks5 or socks5h"
    )


def test_a_password_is_shown_nowhere() -> None:
    proxy = proxies_from({"https_proxy": "http://me:secret@proxy:3128"}).of("x.org", 443)
    assert proxy is not None
    assert str(proxy) == "proxy:3128 (https_proxy)"
    assert "secret" not in repr(proxy)
    assert "secret" not in repr(proxies_from({"https_proxy": "http://me:secret@proxy:3128"}))


def test_which_variable_counts() -> None:
    assert url(https_proxy="a", HTTPS_PROXY="b", all_proxy="c") == "http://a:1080"
    assert url(https_proxy="", HTTPS_PROXY="b", all_proxy="c") == "http://b:1080"
    assert url(HTTP_PROXY="a", http_proxy="b", ftp_proxy="c") is None  # plain http goes to this machine alone


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.9.1", "[::1]", "LOCALHOST"])
def test_this_machine_is_never_asked_through_a_proxy(host: str) -> None:
    assert proxies_from({"https_proxy": "proxy"}).of(host, 443) is None


@pytest.mark.parametrize(
    ("no_proxy", "direct", "not_direct"),
    [
        ("example.com", ["example.com", "www.example.com", "EXAMPLE.COM."], ["badexample.com", "example.com.evil.org"]),
        (".example.com", ["example.com", "a.b.example.com"], ["xexample.com"]),
        ("*.example.com", ["www.example.com"], ["example.org"]),
        ("*", ["example.com", "10.1.2.3", "[::2]"], []),
        ("a.org, b.org;c", ["a.org"], ["c.org"]),
        ("a.org b.org\tc.org,,", ["a.org", "b.org", "c.org"], ["d.org"]),
        ("::1,::2", ["[::2]", "::2"], ["[::3]", "2.org"]),
        ("[fd00::5]", ["[fd00::5]"], ["[fd00::6]"]),
        ("10.0.0.0/8,192.168.1.7", ["10.1.2.3", "192.168.1.7"], ["11.0.0.1", "192.168.1.8", "10.org"]),
        ("fd00::/8", ["[fd12::1]"], ["[fe80::1]", "10.0.0.1"]),
        ("example.com:8443", [], ["example.com"]),
        ("example.com:443,https://b.org/", ["example.com", "b.org"], []),
        ("http://c.org:443/x", [], ["c.org"]),
        ("/,:,[,://,@,*x*", [], ["example.com", "x.org"]),
        ("", [], ["example.com"]),
    ],
)
def test_hosts_that_are_asked_directly(no_proxy: str, direct: list[str], not_direct: list[str]) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        found = proxies_from({"https_proxy": "proxy", name: no_proxy})
        assert [host for host in direct if found.of(host, 443) is not None] == []
        assert [host for host in not_direct if found.of(host, 443) is None] == []


def test_an_exception_that_names_no_host_is_said() -> None:
    found = proxies_from({"https_proxy": "proxy", "NO_PROXY": "a.org,[secret:"})
    assert found.passed_over == ("NO_PROXY: an entry without a host name is ignored",)


@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=20))
def test_no_text_raises_anything(value: str, exceptions: str, host: str) -> None:
    proxies_from({"all_proxy": value, "no_proxy": exceptions}).of(host, 443)
    proxies_from({"all_proxy": f"socks5://{value}", "no_proxy": exceptions}).of(host, 443)
