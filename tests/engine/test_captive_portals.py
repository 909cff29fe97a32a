"""Captive portals: a network that answers in place of every host, over real sockets and with all three platforms."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import trio
import trio.testing

from coursefs.catalog import Ages
from coursefs.errors import CaptivePortal, CoursefsError
from coursefs.library import ROOT, Library, LibrarySettings, open_library
from coursefs.model import Wanted
from coursefs.transport import Reply, Transport
from coursefs.transport.hosts import Origin
from coursefs.transport.portals import Portals, is_page, is_same_page
from tests.engine.openedx_world import lms
from tests.engine.platforms import PLATFORMS, film_below, write_film
from tests.engine.web import redirect, reply, web

#: seconds within which all is well after somebody has signed in to the network
SOON = 5.0
SAID = r"the network shows its own sign-in page \(captive portal\): open a browser and sign in to the network"


def page(path: str, status: str = "200 OK") -> bytes:
    text = f"<!DOCTYPE html><html><head><title>Free Wi-Fi</title></head><body>Sign in to see {path}</body></html>"
    return reply(text.encode(), "Content-Type: text/html", status=status)


KINDS: dict[str, Callable[[str], bytes]] = {
    "a page at every address": page,
    "a redirect to its own host": lambda path: page(path) if path.startswith("/portal") else redirect(f"{HOST}/portal"),
    "a redirect into the network": lambda path: redirect("http://192.168.7.1/portal"),
    "a page with 401": lambda path: page(path, "401 Unauthorized"),
    "a page with 403": lambda path: page(path, "403 Forbidden"),
    "a page with 404": lambda path: page(path, "404 Not Found"),
    "a status": lambda path: reply(b"<html>", status="511 Network Authentication Required"),
}
HOST = "http://localhost:1"  # the portal's own, wherever its name leads


@dataclass
class Way:
    """Where connections lead: to their hosts, or to a portal that answers in their place."""

    portal: int = 0  # its port
    is_there: bool = False

    async def open(self, host: str, port: int) -> trio.SocketStream:
        return await trio.open_tcp_stream("127.0.0.1", self.portal if self.is_there else port)

    def begin(self, transport: Transport) -> None:
        """The machine moves into the network of the portal: its connections end there."""
        self.is_there = True
        assert transport._http1 is not None
        transport._http1.idle.close_all()
        for connection in transport._http1._in_use:
            connection._socket.shutdown(socket.SHUT_RDWR)


@asynccontextmanager
async def way(kind: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Way]:
    async with web(lambda path, _: KINDS[kind](path), host="127.0.0.1") as there:
        found = Way(there.port)
        monkeypatch.setattr("coursefs.transport.connecting.open_stream", found.open)
        yield found


async def everything(library: Library, inode: int = ROOT, path: str = "") -> dict[str, int]:
    """All that is listed, with inode numbers."""
    found: dict[str, int] = {}
    for node in await library.files.children(inode):
        found[f"{path}/{node.name}"] = node.inode
        if node.is_directory:
            found |= await everything(library, node.inode, f"{path}/{node.name}")
    return found


async def update(library: Library) -> None:
    async for _ in library.courses.update([]):
        pass


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", PLATFORMS)
async def test_a_portal_is_named_takes_nothing_away_and_is_over_at_once(
    name: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = tmp_path / "film.mp4"
    write_film(film, 200_000)
    async with way(kind, monkeypatch) as network, PLATFORMS[name](film, tmp_path) as account:
        settings = LibrarySettings(tmp_path / "catalogue", tmp_path / "cache", [account], Wanted())
        async with open_library(settings) as library:
            before = await everything(library)
            video = await film_below(library)
            assert video is not None
            handle = await library.files.open(video)

            network.begin(library._transport)
            for _ in range(3):
                with pytest.raises(CaptivePortal, match=SAID):
                    await library.courses.refresh("one")
                with pytest.raises(CoursefsError, match=SAID):
                    await update(library)
                with pytest.raises(CaptivePortal, match=SAID):
                    await handle.read(0, 4096)
            (status,) = library.status().accounts
            assert isinstance(status.trouble, CaptivePortal)
            assert [route.trouble for route in status.routes if route.trouble] == []
            assert await everything(library) == before

            network.is_there = False
            with trio.fail_after(SOON):
                assert len(await handle.read(0, 4096)) == 4096
                await library.courses.refresh("one")
            with trio.fail_after(10 * SOON):  # it asks for much, one after the other
                await update(library)
            assert await everything(library) == before
            assert library.status().accounts[0].trouble is None
            handle.close()


async def test_what_is_old_is_refreshed_a_moment_after_the_portal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not a minute, as after other failures of the platform."""
    monkeypatch.setattr("coursefs.catalog.refresh_errors._PORTAL", 0.2)
    film = tmp_path / "film.mp4"
    film.write_bytes(b"film")
    async with way("a page at every address", monkeypatch) as network, PLATFORMS["panopto"](film, tmp_path) as account:
        settings = LibrarySettings(
            tmp_path / "catalogue", tmp_path / "cache", [account], Wanted(), ages=Ages(courses=0.0)
        )
        async with open_library(settings) as library:
            await library.files.children(ROOT)
            network.begin(library._transport)
            with pytest.raises(CaptivePortal):
                await library.courses.refresh("one")
            network.is_there = False
            with trio.fail_after(SOON):
                while library._tree.refresher.trouble("one") is not None:
                    await library.files.children(ROOT)
                    await trio.testing.wait_all_tasks_blocked()


async def test_the_page_of_a_portal_is_no_text_of_a_unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of Open edX are web pages themselves."""
    async with lms() as world, way("a page at every address", monkeypatch) as network:
        provider = world.provider(world.learner())
        (course,) = [course for course in await provider.courses() if "Far" in course.title]
        outline = await provider.outline(course)
        assert outline is not None
        items = [item for section in outline.sections[0].sections for item in section.items]
        await provider.files(course, items)
        network.begin(world.transport)
        with pytest.raises(CaptivePortal):
            await provider.files(course, items)


# -- what is a portal ------------------------------------------------------------------------------------------------


async def test_a_route_that_the_platform_has_removed_is_no_portal() -> None:
    """Its web site answers for what is not there with a page of its own."""

    def answer(path: str, _: bytes) -> bytes:
        if path == "/robots.txt":
            return reply(b"User-agent: *")
        return reply(b"<html><title>Campus</title>", "Content-Type: text/html")

    async with web(answer) as there, Transport(read_timeout=5.0) as transport:
        assert (await transport.fetch(there.url("/api"), data=True)).status == 200
        assert (await transport.fetch(there.url("/api"))).status == 200
        assert there.asked == ["/api", "/robots.txt", "/api"]


async def test_a_site_that_answers_every_address_with_its_page_is_no_portal() -> None:
    """A web application of one page: `/robots.txt` gets it as well, but the data are there still."""

    def answer(path: str, _: bytes) -> bytes:
        return reply(b"{}") if path == "/data" else reply(b"<html><title>Campus</title>")

    async with web(answer) as there, Transport(read_timeout=5.0) as transport:
        assert (await transport.fetch(there.url("/data"), data=True)).body == b"{}"
        for _ in range(3):
            assert (await transport.fetch(there.url("/removed"), data=True)).status == 200
        assert there.asked == ["/data", "/removed", "/robots.txt", "/data", "/removed", "/removed"]


async def test_a_sign_in_page_in_place_of_data_is_not_the_page_of_a_portal() -> None:
    """The site answers every address with its page, and asks for a sign-in where data are: no cookie is sent there."""

    def answer(path: str, head: bytes) -> bytes:
        if path != "/data":
            return reply(b"<html><title>Campus</title>")
        return reply(b"{}") if b"cookie: " in head.lower() else reply(b"<html><title>Sign in</title>")

    async with web(answer) as there, Transport(read_timeout=5.0) as transport:
        await transport.fetch(there.url("/data"), headers={"Cookie": "CAUTH=secret"}, data=True)
        assert (await transport.fetch(there.url("/removed"), data=True)).status == 200


async def test_a_page_in_place_of_data_that_were_there_is_a_portal() -> None:
    is_there = False

    def answer(path: str, _: bytes) -> bytes:
        return reply(b"<html><title>Free Wi-Fi</title>") if is_there or path != "/data" else reply(b"{}")

    async with web(answer) as there, Transport(read_timeout=5.0) as transport:
        await transport.fetch(there.url("/data"), data=True)
        is_there = True
        with pytest.raises(CaptivePortal):
            await transport.fetch(there.url("/data"), data=True)


def denied(title: str, status: str = "403 Forbidden") -> bytes:
    return reply(f"<html><title>{title}</title>".encode(), "Content-Type: text/html", status=status)


BLOCKED = denied("Blocked by policy")


async def test_a_refusal_at_every_address_of_one_host_is_no_portal() -> None:
    """For example a server that answers inside a campus only; another host still answers."""

    def media(path: str, _: bytes) -> bytes:
        return reply(b"film") if path == "/film" else reply(b"", status="404 Not Found")

    async with (
        web(lambda *_: BLOCKED) as campus,
        web(media) as host,
        Transport(read_timeout=5.0) as transport,
    ):
        assert (await transport.fetch(campus.url("/api"), data=True)).status == 403  # no other host is known yet
        await transport.fetch(host.url("/film"), data=True)
        transport.portals.note_answer(Origin.of(campus.url("/")))  # an hour ago
        for _ in range(3):
            assert (await transport.fetch(campus.url("/api"), data=True)).status == 403
            await transport.portals.require_no_denial(campus.url("/film"))
        assert campus.asked.count("/robots.txt") == 1 and host.asked == ["/film", "/robots.txt"]


@pytest.mark.parametrize(
    "page",
    [
        denied("404 Not Found", "404 Not Found"),  # nginx, Apache
        denied("Page not found | Campus", "404 Not Found"),  # two sites of one operator
        reply(b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", status="403 Forbidden"),  # S3
        denied("403 Forbidden"),
    ],
)
async def test_two_hosts_that_refuse_alike_what_is_not_there_are_no_portal(page: bytes) -> None:
    """Of neither is there a `/robots.txt`, and one no longer has a file; data come as before."""

    def answer(path: str, _: bytes) -> bytes:
        return reply(b"{}") if path == "/data" else page

    async with web(answer) as one, web(answer) as other, Transport(read_timeout=5.0) as transport:
        for host in (other, one):
            await transport.fetch(host.url("/data"), data=True)
        assert (await transport.fetch(one.url("/removed"), data=True)).status >= 403
        await transport.portals.require_no_denial(one.url("/film"))


@pytest.mark.parametrize("page", [denied("403 Forbidden"), denied(""), reply(b"<Error>", status="403 Forbidden")])
async def test_the_usual_pages_of_two_hosts_that_refuse_all_are_no_portal(page: bytes) -> None:
    """For example without the cookies that were sent before."""

    def answer(path: str, head: bytes) -> bytes:
        return reply(b"{}") if b"cookie: " in head.lower() else page

    async with web(answer) as one, web(answer) as other, Transport(read_timeout=5.0) as transport:
        for host in (other, one):
            await transport.fetch(host.url("/data"), headers={"Cookie": "CAUTH=secret"}, data=True)
        assert (await transport.fetch(one.url("/data"), data=True)).status == 403


async def test_a_refused_file_of_a_host_whose_other_addresses_answer_is_no_portal() -> None:
    def answer(path: str, _: bytes) -> bytes:
        return BLOCKED if path == "/film" else reply(b"User-agent: *")

    async with web(answer) as there, web(lambda *_: reply(b"{}")) as other, Transport(read_timeout=5.0) as transport:
        await transport.fetch(other.url("/data"), data=True)
        await transport.portals.require_no_denial(there.url("/film"))
        assert there.asked == ["/robots.txt"] and other.asked == ["/data"]


async def test_a_host_whose_other_addresses_lead_into_the_network_refuses_itself() -> None:
    """Unless another host leads there as well."""
    lost, is_lost = redirect("http://192.168.7.1/portal"), False

    def answer(path: str, _: bytes) -> bytes:
        return lost if is_lost else reply(b"{}")

    async with web(lambda *_: lost) as there, web(answer) as other, Transport(read_timeout=5.0) as transport:
        await transport.fetch(other.url("/data"), data=True)
        await transport.portals.require_no_denial(there.url("/film"))
        is_lost = True
        transport.portals._controls.clear()  # a moment later
        with pytest.raises(CaptivePortal):
            await transport.portals.require_no_denial(there.url("/film"))


async def test_the_same_refusal_by_two_hosts_in_place_of_data_is_a_portal() -> None:
    is_there = False

    def answer(path: str, _: bytes) -> bytes:
        return BLOCKED if is_there else reply(b"{}")

    async with web(answer) as one, web(answer) as other, Transport(read_timeout=5.0) as transport:
        await transport.fetch(other.url("/data"), data=True)
        is_there = True
        with pytest.raises(CaptivePortal):
            await transport.fetch(one.url("/data"), data=True)
        with pytest.raises(CaptivePortal):
            await transport.portals.require_no_denial(one.url("/film"))
        assert other.asked == ["/data", "/robots.txt", "/data"]


async def test_a_refusal_stays_one_where_the_other_host_does_not_answer() -> None:
    async with web(lambda *_: BLOCKED) as there, Transport(read_timeout=5.0) as transport:
        transport.portals.note_answer(Origin("http", "127.0.0.1", 1))
        transport.portals.note_data("http://127.0.0.1:1/data")
        assert (await transport.fetch(there.url("/data"), data=True)).status == 403


async def test_a_refusal_stays_one_where_its_host_answers_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each such host is waited for once, and not for long."""
    monkeypatch.setattr("coursefs.transport.portals._PATIENCE", 0.2)

    def answer(path: str, _: bytes) -> bytes:
        return b"" if path == "/robots.txt" else BLOCKED

    async with (
        web(answer) as one,
        web(answer) as another,
        web(lambda *_: reply(b"{}")) as other,
        Transport(read_timeout=5.0) as transport,
    ):
        await transport.fetch(other.url("/data"), data=True)
        for there in (one, another):
            assert (await transport.fetch(there.url("/api"), data=True)).status == 403
            await transport.portals.require_no_denial(there.url("/film"))
            assert there.asked == ["/api", "/robots.txt"]


def test_few_hosts_are_remembered_and_those_that_answered_last() -> None:
    portals = Portals(lambda _: trio.sleep_forever(), lambda: None)
    for number in [*range(20), 14]:
        portals.note_answer(Origin("https", f"host-{number}", 443))
    assert [origin.host for origin in portals._hosts] == [f"host-{n}" for n in (12, 13, 15, 16, 17, 18, 19, 14)]


async def test_what_is_asked_to_find_out_carries_no_credentials_and_is_asked_once_for_many() -> None:
    heads: list[bytes] = []

    def answer(path: str, head: bytes) -> bytes:
        if path == "/robots.txt":
            heads.append(head)
        return reply(b"<html><title>Free Wi-Fi</title>")

    async def ask(transport: Transport) -> None:
        with pytest.raises(CaptivePortal):
            await transport.fetch(there.url("/api"), headers={"Cookie": "CAUTH=secret"}, data=True)

    async with web(answer) as there, Transport(read_timeout=5.0) as transport, trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(ask, transport)
    assert len(heads) == 1 and b"secret" not in heads[0]


def answered(url: str, body: bytes, status: int = 200) -> Reply:
    return Reply(url, status, httpx.Headers(), body)


SITE, PORTAL = b"<title>Campus</title>", b"<html><TITLE id=t>\n Free  Wi-Fi </TITLE>"


@pytest.mark.parametrize(
    ("one", "control", "is_portal"),
    [
        (answered("https://x/api", PORTAL), answered("https://x/robots.txt", b"<title>Free Wi-Fi</title>x"), True),
        (answered("https://x/api", PORTAL), answered("https://x/robots.txt", SITE), False),
        (answered("https://x/api", PORTAL), answered("https://x/robots.txt", b"User-agent: *"), False),
        (answered("https://x/api", PORTAL), answered("https://x/robots.txt", PORTAL, 404), False),
        (answered("https://w/in", PORTAL + b"1"), answered("https://w/in", SITE), True),
        (answered("https://sso/in", PORTAL), answered("https://x/robots.txt", PORTAL), False),
        (answered("https://x/api", b"<html>"), answered("https://x/robots.txt", b"<html>"), True),
        (answered("https://x/api", PORTAL, 403), answered("https://x/robots.txt", PORTAL, 403), True),
        (answered("https://x/api", PORTAL, 401), answered("https://x/robots.txt", PORTAL, 403), False),
        (answered("https://x/api", PORTAL, 500), answered("https://x/robots.txt", PORTAL, 500), False),
    ],
)
def test_the_same_page_for_something_else_is_a_portal(one: Reply, control: Reply, is_portal: bool) -> None:
    assert is_same_page("https://x/api", one, control) is is_portal


@pytest.mark.parametrize(
    ("reply_url", "control_url", "is_portal"),
    [
        ("https://x/robots.txt", "https://y/robots.txt", True),
        ("https://w/in", "https://w/in", True),
        ("https://w/in?x", "https://y/robots.txt", False),
    ],
)
def test_the_same_page_for_another_host_is_a_portal(reply_url: str, control_url: str, is_portal: bool) -> None:
    asked = "https://x/robots.txt", "https://y/robots.txt"
    reply, control = answered(reply_url, PORTAL, 403), answered(control_url, PORTAL, 403)
    assert is_same_page(asked[0], reply, control, asked[1]) is is_portal


@pytest.mark.parametrize(
    ("body", "found"), [(b"\xef\xbb\xbf\r\n <html>", True), (b"{}", False), (b"", False), (b"<?xml", True)]
)
def test_what_a_page_is(body: bytes, found: bool) -> None:
    assert is_page(answered("https://x/", body)) is found
