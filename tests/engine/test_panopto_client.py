"""The client by itself: every read-only method of it, without a mount."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from coursefs.demo.panopto.tree import Playlist, made_guid
from coursefs.errors import BadReply, Gone, NotAllowed, RouteGone
from coursefs.providers.base import HasRoutes
from coursefs.transport import Transport
from tests.engine.campus import campus, client_of, folder, held, session

BIOLOGY = folder("Biology 101")
SPRING = folder("Spring", BIOLOGY)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "film.mp4"
    path.write_bytes(b"film" * 1000)
    return path


async def test_folders_recordings_and_playlists(film: Path) -> None:
    lectures = [session("Lecture one", SPRING, film), session("Lecture two", SPRING, film)]
    revision = Playlist(made_guid("p"), "Revision", BIOLOGY.id, (lectures[1].id, lectures[0].id))
    async with campus(held([BIOLOGY, SPRING], lectures, [revision])) as it:
        client = it.client()
        assert (await client.folder(SPRING.id)).parent_name == "Biology 101"
        assert [one.name for one in await client.children(BIOLOGY.id)] == ["Spring"]
        assert [one.name for one in await client.children()] == ["Biology 101"]
        assert [one.name for one in await client.search_folders("spr")] == ["Spring"]
        assert await client.creator_folders() == []
        assert [one.name for one in await client.sessions(SPRING.id)] == ["Lecture one", "Lecture two"]
        assert [one.id for one in await client.search_sessions("two")] == [lectures[1].id]
        assert await client.viewed_sessions() == []
        assert [one.name for one in await client.playlists(BIOLOGY.id)] == ["Revision"]
        assert (await client.playlist(revision.id)).name == "Revision"
        assert [one.id for one in await client.playlist_sessions(revision.id)] == list(revision.sessions)
        listed = (await client.sessions(SPRING.id))[0]
        assert listed.download_url == ""
        assert "/Podcast/Download/" in (await client.session(listed.id)).download_url
        for ask in (client.folder, client.session, client.playlist):
            with pytest.raises(Gone):
                await ask(made_guid("nothing"))
        assert {request.method for request in it.hosts.requests} == {"GET"}


async def test_a_recording_is_downloaded_whole(film: Path, tmp_path: Path) -> None:
    lecture = session("Lecture", BIOLOGY, film)
    async with campus(held([BIOLOGY], [lecture])) as it:
        client = it.client()
        assert (await client.session_headers(lecture.id))["content-length"] == "4000"
        to, told = tmp_path / "out" / "lecture.mp4", []
        to.parent.mkdir()
        await client.download(lecture.id, to, lambda done, total: told.append((done, total)))
        assert to.read_bytes() == film.read_bytes()
        assert told[-1] == (4000, 4000)
        assert list(to.parent.iterdir()) == [to]


async def test_what_is_not_given_leaves_nothing_behind(film: Path, tmp_path: Path) -> None:
    off = session("Off", BIOLOGY, film, download=False)
    none = session("None", BIOLOGY)
    async with campus(held([BIOLOGY], [off, none])) as it:
        client = it.client()
        to = tmp_path / "out" / "lecture.mp4"
        to.parent.mkdir()
        for one in (off, none):
            with pytest.raises(NotAllowed):
                await client.download(one.id, to)
            with pytest.raises(NotAllowed):
                await client.session_headers(one.id)
        assert list(to.parent.iterdir()) == []


async def test_a_cookie_that_has_ended_is_renewed_once(film: Path, tmp_path: Path) -> None:
    lecture = session("Lecture", BIOLOGY, film)
    async with campus(held([BIOLOGY], [lecture])) as it:
        client = it.client()
        for ask in (
            lambda: client.download(lecture.id, tmp_path / "a.mp4"),
            lambda: client.session_headers(lecture.id),
        ):
            await ask()
            client._cookie._since -= 3600.0  # as after a while
            it.panopto.sign_ins.end_cookies()
            await ask()
        assert (tmp_path / "a.mp4").read_bytes() == film.read_bytes()


async def test_a_download_that_breaks_off_leaves_nothing_behind(film: Path, tmp_path: Path) -> None:
    lecture = session("Lecture", BIOLOGY, film)
    async with campus(held([BIOLOGY], [lecture])) as it:
        hosts = it.hosts

        async def cut(request: httpx.Request) -> httpx.Response:
            if "/Podcast/" in request.url.path:
                return httpx.Response(200, headers={"content-length": "4000"}, stream=httpx.ByteStream(b"short"))
            return await hosts.handle_async_request(request)

        async with Transport(http_transport=httpx.MockTransport(cut)) as it.transport:
            with pytest.raises(BadReply, match="less than it announced"):
                await it.client().download(lecture.id, tmp_path / "lecture.mp4")
        assert not [one for one in tmp_path.iterdir() if "lecture" in one.name]


async def test_which_routes_are_there_is_remembered(film: Path) -> None:
    async with campus(held([BIOLOGY], [session("Lecture", BIOLOGY, film)])) as it:
        provider = it.provider()
        assert isinstance(provider, HasRoutes) and provider.routes() == []
        await provider.courses()
        with pytest.raises(Gone):
            await client_of(provider).folder(made_guid("nothing"))
        asked = len(it.hosts.requests)
        assert {(route.name, route.trouble) for route in provider.routes()} == {  # some were asked at the same time
            ("folder search (/Panopto/api/v1/folders/search)", None),
            ("sub-folders (/Panopto/api/v1/folders/{id}/children)", None),
            ("folder (/Panopto/api/v1/folders/{id})", None),  # that it has no such folder is an answer
        }
        assert len(it.hosts.requests) == asked


async def test_a_route_that_is_gone_is_told_until_it_is_back() -> None:
    replies = [httpx.Response(404, html="<html>"), httpx.Response(200, json={"Results": []})]
    answering = httpx.MockTransport(lambda _: replies.pop(0))
    async with campus(held([])) as it, Transport(http_transport=answering) as it.transport:
        client = it.client()
        with pytest.raises(RouteGone):
            await client.viewed_sessions()
        (route,) = client.routes()
        assert route.trouble is not None and "no longer has this route (HTTP 404)" in route.trouble
        await client.viewed_sessions()
        assert [route.trouble for route in client.routes()] == [None]
