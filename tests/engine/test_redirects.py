"""Where redirects may lead: to the Internet, and to no place that the host itself could not be asked at."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from coursefs.errors import BadReply
from coursefs.transport import Transport
from coursefs.transport.hosts import Reach, reach_of
from tests.engine.web import Authority, redirect, reply, web

Names = Callable[..., object]


@pytest.mark.parametrize(
    ("host", "reach"),
    [
        ("www.coursera.org", Reach.PUBLIC),
        ("8.8.8.8", Reach.PUBLIC),
        ("2606:4700::1111", Reach.PUBLIC),
        ("198.18.0.7", Reach.PUBLIC),
        ("10.0.0.1", Reach.PRIVATE),
        ("172.31.255.255", Reach.PRIVATE),
        ("192.168.1.1", Reach.PRIVATE),
        ("100.64.0.1", Reach.PRIVATE),
        ("fc00::1", Reach.PRIVATE),
        ("fd12:3456::1", Reach.PRIVATE),
        ("::ffff:10.0.0.1", Reach.PRIVATE),
        ("[::ffff:192.168.1.1]", Reach.PRIVATE),
        ("64:ff9b::a00:1", Reach.PRIVATE),
        ("2002:a00:1::", Reach.PRIVATE),
        ("127.0.0.1", Reach.MACHINE),
        ("127.255.0.1", Reach.MACHINE),
        ("127.1", Reach.MACHINE),
        ("0x7f000001", Reach.MACHINE),
        ("2130706433", Reach.MACHINE),
        ("0177.0.0.1", Reach.MACHINE),
        ("::1", Reach.MACHINE),
        ("::", Reach.MACHINE),
        ("::ffff:127.0.0.1", Reach.MACHINE),
        ("::127.0.0.1", Reach.MACHINE),
        ("0.0.0.0", Reach.MACHINE),
        ("169.254.169.254", Reach.MACHINE),
        ("fe80::1", Reach.MACHINE),
        ("fe80::1%eth0", Reach.MACHINE),
        ("224.0.0.1", Reach.MACHINE),
        ("255.255.255.255", Reach.MACHINE),
        ("LOCALHOST", Reach.MACHINE),
        ("localhost.", Reach.MACHINE),
        ("x.localhost", Reach.MACHINE),
    ],
)
def test_who_can_reach_a_host(host: str, reach: Reach) -> None:
    assert reach_of(host) is reach


def public(answer: Callable[[httpx.Request], httpx.Response]) -> Transport:
    """A transport for which every host answers so; hosts have no addresses."""
    return Transport(http_transport=httpx.MockTransport(answer), read_timeout=5.0)


@pytest.mark.parametrize(
    "target",
    [
        "https://127.0.0.1/f?sig=secret",
        "https://localhost/f",
        "http://localhost:1/f",
        "http://127.0.0.1:631/f",
        "https://[::1]/f",
        "https://[::ffff:127.0.0.1]/f",
        "https://0.0.0.0/f",
        "https://10.0.0.1/f",
        "https://192.168.1.1/f",
        "https://100.64.0.1/f",
        "https://169.254.169.254/latest/meta-data",
        "https://[fd00::1]/f",
        "https://127.1/f",
        "https://2130706433/f",
        "//192.168.1.1/f",
    ],
)
async def test_a_public_host_leads_into_no_network(target: str) -> None:
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        return httpx.Response(302, headers={"location": target})

    async with public(answer) as transport:
        with pytest.raises(BadReply, match=r"^platform\.org: redirects to an address that is not safe") as caught:
            async with transport.stream("https://platform.org/"):
                pass
    assert asked == ["platform.org"]
    assert "secret" not in str(caught.value)


async def test_a_host_in_a_private_network_leads_into_it_but_not_to_this_machine() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "10.0.0.9":
            return httpx.Response(200, content=b"film")
        where = "https://10.0.0.9/f" if request.url.path == "/near" else "https://127.0.0.1/f"
        return httpx.Response(302, headers={"location": where})

    async with public(answer) as transport:
        assert (await transport.fetch("https://192.168.7.7/near")).body == b"film"
        with pytest.raises(BadReply, match="not safe"):
            await transport.fetch("https://192.168.7.7/machine")


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What names mean while a test lasts."""
    found = {"localhost": "127.0.0.1"}
    asked = socket.getaddrinfo

    def getaddrinfo(host: object, *args: object, **kwargs: object) -> object:
        name = host.decode() if isinstance(host, bytes) else str(host)
        return asked(found.get(name, name), *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return found


async def test_a_name_that_means_an_address_inside_is_found_out_before_anything_is_asked(
    names: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The first host has, for coursefs, an address of everybody's; the second has one of this machine."""
    tls = Authority(monkeypatch, tmp_path).server("platform.test", "inside.test")
    names |= {"platform.test": "127.0.0.1", "inside.test": "127.0.0.2"}
    monkeypatch.setattr("coursefs.transport.connecting.reach_of", seen_from_outside)
    monkeypatch.setattr("coursefs.transport.client.reach_of", seen_from_outside)

    def answer(path: str, _: bytes) -> bytes:
        return reply(b"secret of the machine") if path == "/inside" else redirect(f"https://inside.test:{port}/inside")

    async with web(answer, tls, host="0.0.0.0") as there, Transport(read_timeout=5.0) as transport:
        port = there.port
        with pytest.raises(BadReply, match="not safe"):
            async with transport.stream(there.url("/", "platform.test")):
                pytest.fail("answered")
        assert there.asked == ["/"]


async def test_a_name_that_means_another_address_when_it_is_looked_up_again_leads_nowhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """DNS rebinding: the checked answer names everybody's address, the next one an address of this machine."""
    tls = Authority(monkeypatch, tmp_path).server("platform.test", "inside.test")
    answers = {"platform.test": ["127.0.0.1"], "inside.test": ["127.0.0.1", "127.0.0.2"]}
    asked = socket.getaddrinfo

    def getaddrinfo(host: object, *args: object, **kwargs: object) -> object:
        name = host.decode() if isinstance(host, bytes) else str(host)
        known = answers.get(name, [name])
        return asked(known.pop(0) if len(known) > 1 else known[0], *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr("coursefs.transport.connecting.reach_of", seen_from_outside)
    monkeypatch.setattr("coursefs.transport.client.reach_of", seen_from_outside)

    def answer(path: str, _: bytes) -> bytes:
        return reply(b"secret of the machine") if path == "/inside" else redirect(f"https://inside.test:{port}/inside")

    async with web(answer, tls, host="0.0.0.0") as there, Transport(read_timeout=5.0) as transport:
        port = there.port
        with pytest.raises(BadReply, match="not safe"):
            async with transport.stream(there.url("/", "platform.test")):
                pytest.fail("answered")
        assert there.asked == ["/"]
    assert answers["inside.test"] == ["127.0.0.2"]


def seen_from_outside(host: str) -> Reach:
    return Reach.PUBLIC if host == "127.0.0.1" else reach_of(host)


async def test_a_server_whose_own_name_means_this_machine_may_lead_to_it(
    names: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As in a test installation: its name is public, its address is not."""
    tls = Authority(monkeypatch, tmp_path).server("campus.test", "media.campus.test")
    names |= {"campus.test": "127.0.0.1", "media.campus.test": "127.0.0.2"}

    def answer(path: str, _: bytes) -> bytes:
        return reply(b"film") if path == "/film" else redirect(f"https://media.campus.test:{port}/film")

    async with web(answer, tls, host="0.0.0.0") as there, Transport(read_timeout=5.0) as transport:
        port = there.port
        async with transport.stream(there.url("/", "campus.test")) as response:
            assert b"".join([part async for part in response.aiter_raw()]) == b"film"


async def test_https_leads_to_no_plain_http_on_the_same_machine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tls = Authority(monkeypatch, tmp_path).server("localhost")
    async with web(lambda *_: reply(b"plain")) as plain:
        async with web(lambda *_: redirect(plain.url()), tls) as there, Transport(read_timeout=5.0) as transport:
            with pytest.raises(BadReply, match="not safe"):
                await transport.fetch(there.url())
        assert plain.asked == []


async def test_the_demo_leads_from_one_port_of_this_machine_to_another() -> None:
    async with (
        web(lambda *_: reply(b"film")) as media,
        web(lambda *_: redirect(media.url("/f"))) as there,
        Transport(read_timeout=5.0) as transport,
    ):
        assert (await transport.fetch(there.url())).body == b"film"


async def test_a_circle_of_redirects_ends() -> None:
    async with web(lambda path, _: redirect(f"{path}x")) as there, Transport(read_timeout=5.0) as transport:
        with pytest.raises(BadReply, match="too many redirects"):
            await transport.fetch(there.url())
        assert len(there.asked) == 6
