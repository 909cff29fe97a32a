"""The provider against a strict sample server: the true tree, few requests, and nothing given away."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
import trio
from trio.testing import MockClock

from coursefs.base.foreground import background_work
from coursefs.demo.panopto.tree import Playlist, made_guid
from coursefs.errors import BadReply, CoursefsError, Gone, NotAllowed, NotSignedIn, Unreachable
from coursefs.model import Course, File, Item, Kind, Outline, ProvisionalFiles, Remote, Wanted
from coursefs.transport import Transport
from tests.engine.campus import (
    CDN,
    SERVER,
    campus,
    client_of,
    folder,
    held,
    items_of,
    only_course,
    paths_of,
    remote_of,
    seconds,
    session,
)

DEPARTMENT = folder("Department", hidden=True)
BIOLOGY = folder("Biology 101", DEPARTMENT)
SPRING = folder("3/4 Spring", BIOLOGY)
LABS = folder("Labs", SPRING)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "film.mp4"
    path.write_bytes(b"film" * 1000)
    return path


@pytest.fixture
def srt(tmp_path: Path) -> Path:
    path = tmp_path / "film.srt"
    path.write_text("1\n00:00:01,000 --> 00:00:02,000\nHello\n")
    return path


def named(files: object) -> list[str]:
    assert isinstance(files, (list, ProvisionalFiles)), files
    return [f"{file.key.split('/', 2)[2]} {file.extension}" for file in files]


# --- the tree


async def test_who_am_i(autojump_clock: MockClock) -> None:
    async with campus(held([BIOLOGY])) as it:
        identity = await it.provider().whoami()
        assert identity.user_id == "5c4b3a29-0000-4000-8000-0de300000001"
        assert len(it.hosts.requests) == 1
        assert it.hosts.requests[0].headers["authorization"].startswith("Bearer ")
        assert "cookie" not in it.hosts.requests[0].headers


async def test_folders_whose_parent_cannot_be_read_are_the_courses(autojump_clock: MockClock) -> None:
    own = folder("My folder")
    async with campus(held([DEPARTMENT, BIOLOGY, SPRING, LABS, own])) as it:
        courses = await it.provider().courses()
        assert [(one.title, one.key, one.slug) for one in courses] == [
            ("Biology 101", BIOLOGY.id, "biology-101"),
            ("My folder", own.id, "my-folder"),
        ]
        assert courses[0].url == f"{SERVER}/Panopto/Pages/Sessions/List.aspx#folderID=%22{BIOLOGY.id}%22"


async def test_a_parent_that_refuses_is_not_asked_again_and_one_that_is_only_unlisted_is_found(
    autojump_clock: MockClock,
) -> None:
    faculty = folder("Faculty", unlisted=True)
    inner = folder("Inner", faculty)
    async with campus(held([faculty, inner, DEPARTMENT, BIOLOGY]), lists_top=False) as it:
        provider = it.provider()
        for _ in range(2):
            assert [one.title for one in await provider.courses()] == ["Biology 101", "Faculty"]
        assert it.hosts.paths(f"/folders/{DEPARTMENT.id}") == [f"/Panopto/api/v1/folders/{DEPARTMENT.id}"]


@pytest.mark.parametrize("lists_top", [True, False])
async def test_all_pages_are_read_whether_or_not_the_top_is_listed(autojump_clock: MockClock, lists_top: bool) -> None:
    folders = [folder(f"Course {number:02d}") for number in range(60)]
    async with campus(held(folders), lists_top=lists_top) as it:
        assert len(await it.provider().courses()) == 60
        assert len(it.hosts.paths("/folders/search")) == 4  # three with folders, and the empty one


async def test_a_listing_that_repeats_itself_ends_and_one_without_end_is_refused(
    autojump_clock: MockClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if "search" in request.url.path:
            number = int(request.url.params["pageNumber"]) if endless else 0
            return httpx.Response(200, json={"Results": [{"Id": made_guid(str(number)), "Name": "x"}]})
        return httpx.Response(200, json={"Results": []})

    monkeypatch.setattr("coursefs.providers.panopto.client._MOST_PAGES", 30)
    async with campus(held([])) as it:
        transport = Transport(http_transport=httpx.MockTransport(answer))
        async with transport:
            it.transport = transport
            endless = False
            assert len(await it.provider().courses()) == 1
            endless = True
            with pytest.raises(BadReply, match="does not end"):
                await it.client().search_folders("*")


async def test_the_tree_is_the_true_one(autojump_clock: MockClock, film: Path) -> None:
    sessions = [
        session("Lecture 1", BIOLOGY, film),
        session("Lecture 2.mp4", SPRING, film, start=None),
        session("Tomorrow", LABS, None, duration=0.0),
    ]
    revision = Playlist(made_guid("p"), "Revision", SPRING.id, (sessions[1].id, sessions[0].id))
    async with campus(held([DEPARTMENT, BIOLOGY, SPRING, LABS], sessions, [revision])) as it:
        course, outline = await only_course(it.provider())
        assert course.title == "Biology 101"
        assert paths_of(outline) == [
            "2024-01-09 Lecture 1",
            "3/4 Spring/",
            "3/4 Spring/Lecture 2",
            "3/4 Spring/Labs/",
            "3/4 Spring/Labs/2024-01-09 Tomorrow",
            "3/4 Spring/Revision/",
            "3/4 Spring/Revision/Lecture 2",
            "3/4 Spring/Revision/2024-01-09 Lecture 1",
        ]
        assert it.hosts.paths("/api/v1/sessions/") == []  # listings alone
        assert [item.position for item in items_of(outline)] == [None, None, None, 1, 2]


async def test_folders_that_go_in_a_circle_come_once(autojump_clock: MockClock) -> None:
    async with campus(held([BIOLOGY])) as it:
        children = {BIOLOGY.id: [SPRING, LABS], SPRING.id: [BIOLOGY, LABS], LABS.id: [SPRING, LABS]}

        def answer(request: httpx.Request) -> httpx.Response:
            number = int(request.url.params["pageNumber"])
            found = children[request.url.path.split("/")[5]] if request.url.path.endswith("/children") else []
            return httpx.Response(
                200, json={"Results": [] if number else [{"Id": one.id, "Name": one.name} for one in found]}
            )

        async with Transport(http_transport=httpx.MockTransport(answer)) as it.transport:
            outline = await it.provider().outline(Course(BIOLOGY.id, "b", "Biology 101"))
        assert outline is not None
        assert sorted(paths_of(outline)) == ["3/4 Spring/", "Labs/"]


async def test_skipped_folders_are_neither_shown_nor_asked(autojump_clock: MockClock) -> None:
    users, drafts = folder("Users"), folder("Drafts", SPRING)
    everything = held([DEPARTMENT, BIOLOGY, SPRING, LABS, users, drafts])
    async with campus(everything) as it:
        provider = it.provider(skip_folders="Users\nBiology 101/3-4 Spring/Labs")
        courses = await provider.courses()
        assert {one.title: one.hidden for one in courses} == {"Biology 101": False, "Users": True}
        outline = await provider.outline(courses[0])
        assert outline is not None
        assert paths_of(outline) == ["3/4 Spring/", "3/4 Spring/Drafts/"]
        assert it.hosts.paths(LABS.id) == []


async def test_a_sub_folder_that_is_refused_is_empty_and_a_course_that_is_fails(autojump_clock: MockClock) -> None:
    async with campus(held([BIOLOGY, SPRING])) as it:
        provider = it.provider()
        course = Course(BIOLOGY.id, "b", "Biology 101")
        refused = SPRING.id

        def answer(request: httpx.Request) -> httpx.Response:
            if refused in request.url.path:
                return httpx.Response(403)
            found = (
                [SPRING] if request.url.path.endswith("/children") and request.url.params["pageNumber"] == "0" else []
            )
            return httpx.Response(200, json={"Results": [{"Id": one.id, "Name": one.name} for one in found]})

        async with Transport(http_transport=httpx.MockTransport(answer)) as it.transport:
            provider = it.provider()
            outline = await provider.outline(course)
            assert outline is not None and paths_of(outline) == ["3/4 Spring/"]
            refused = BIOLOGY.id
            with pytest.raises(NotAllowed):
                await provider.outline(course)


async def test_a_broken_answer_for_one_folder_fails_the_whole_so_that_nothing_seems_gone(
    autojump_clock: MockClock,
) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if SPRING.id in request.url.path:
            return httpx.Response(400, json={"Error": {"Message": "?"}})
        found = [SPRING] if request.url.path.endswith("/children") and request.url.params["pageNumber"] == "0" else []
        return httpx.Response(200, json={"Results": [{"Id": one.id, "Name": one.name} for one in found]})

    async with campus(held([])) as it, Transport(http_transport=httpx.MockTransport(answer)) as it.transport:
        with pytest.raises(BadReply):
            await it.provider().outline(Course(BIOLOGY.id, "b", "Biology 101"))


async def test_an_address_or_an_id_names_a_folder(autojump_clock: MockClock) -> None:
    async with campus(held([BIOLOGY])) as it:
        provider = it.provider()
        (course,) = await provider.courses()
        assert course.url is not None
        for text in (
            course.url,
            BIOLOGY.id.upper(),
            f'{SERVER}/Panopto/Pages/Sessions/List.aspx#folderID="{BIOLOGY.id}"',
        ):
            assert await provider.resolve(text) == [course]
        for text in ("biology", "https://elsewhere.example/#folderID=" + BIOLOGY.id, SERVER):
            assert await provider.resolve(text) == []


# --- files


async def test_what_is_looked_at_is_asked_for_and_shown_as_it_is(
    autojump_clock: MockClock, film: Path, srt: Path, tmp_path: Path
) -> None:
    empty = tmp_path / "empty.srt"
    empty.write_text("")
    sessions = [
        session("plain", BIOLOGY, film),
        session("spoken", BIOLOGY, film, captions={0: srt, 4: srt, 5: srt}),
        session("blank", BIOLOGY, film, captions={0: empty}),
        session("none", BIOLOGY, None),
        session("sound", BIOLOGY, None, audio=film),
        session("off", BIOLOGY, film, download=False),
        session("coming", BIOLOGY, None, duration=0.0),
    ]
    async with campus(held([BIOLOGY], sessions)) as it:
        provider = it.provider(wanted=Wanted(("de", "en")))
        course, outline = await only_course(provider)
        files = await provider.files(course, outline.items)
        shown = {item.title.split()[1]: named(files[item.key]) for item in outline.items}
        assert shown == {
            "plain": ["video .mp4"],
            "spoken": ["video .mp4", "captions/de .de.srt", "captions/en .en.srt"],
            "blank": ["video .mp4"],
            "none": ["link .html"],
            "sound": ["audio .m4a"],
            "off": ["video .mp4"],
            "coming": ["link .html"],
        }
        assert len(it.hosts.paths("legacyLogin")) == 1
        assert len(it.hosts.paths("/api/v1/sessions/")) == 6
        assert it.hosts.paths("/Podcast/") == []


async def test_a_folder_of_hundreds_is_listed_by_its_listing_alone(autojump_clock: MockClock, film: Path) -> None:
    sessions = [session(f"Lecture {number}", BIOLOGY, film) for number in range(200)]
    async with campus(held([BIOLOGY], sessions)) as it:
        provider = it.provider()
        course, outline = await only_course(provider)
        it.hosts.requests.clear()
        files = await provider.files(course, outline.items)
        assert len(files) == 200
        assert all(isinstance(one, ProvisionalFiles) and named(one) == ["video .mp4"] for one in files.values())
        assert it.hosts.requests == []


async def test_a_recording_that_is_gone_is_its_own_trouble(autojump_clock: MockClock, film: Path) -> None:
    async with campus(held([BIOLOGY], [session("Lecture", BIOLOGY, film)])) as it:
        provider = it.provider()
        course, outline = await only_course(provider)
        gone = Item("session/x", "x", "x", None, "session", details={"session_id": made_guid("nothing")})
        files = await provider.files(course, [*outline.items, gone])
        assert isinstance(files["session/x"], Gone)
        assert named(files[outline.items[0].key]) == ["video .mp4"]


async def test_without_a_network_nothing_is_said_of_any_recording(autojump_clock: MockClock) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no network")

    item = Item("session/x", "x", "x", None, "session", details={"session_id": made_guid("x")})
    async with campus(held([])) as it, Transport(http_transport=httpx.MockTransport(answer)) as it.transport:
        with pytest.raises(Unreachable):
            await it.provider().files(Course("c", "c", "C"), [item])


async def test_where_the_viewer_says_nothing_the_recordings_own_captions_are_looked_for(
    autojump_clock: MockClock, srt: Path, film: Path
) -> None:
    async with campus(held([BIOLOGY], [session("Lecture", BIOLOGY, film, default_captions=srt)])) as it:
        provider = it.provider()
        course, outline = await only_course(provider)
        hosts = it.hosts

        async def refused(request: httpx.Request) -> httpx.Response:
            if "DeliveryInfo" in request.url.path:
                return httpx.Response(200, json={"ErrorCode": 7, "ErrorMessage": "no"})
            return await hosts.handle_async_request(request)

        async with Transport(http_transport=httpx.MockTransport(refused)) as it.transport:
            files = await it.provider().files(course, outline.items)
        assert named(files[outline.items[0].key]) == ["video .mp4", "captions/own .srt"]


# --- bytes


async def test_a_download_goes_with_the_cookie_to_the_server_and_without_it_to_the_media_host(film: Path) -> None:
    async with campus(held([BIOLOGY], [session("Lecture", BIOLOGY, film)])) as it:
        provider = it.provider()
        course, outline = await only_course(provider)
        files = (await provider.files(course, outline.items))[outline.items[0].key]
        assert not isinstance(files, CoursefsError)
        source = await provider.source(course, remote_of(files[0]), fresh=False)
        assert source.once and source.guarded
        assert "ASPXAUTH" not in repr(source)
        it.hosts.requests.clear()
        reply = await it.transport.fetch(source.url, headers=source.headers)
        assert (reply.status, reply.body) == (200, film.read_bytes())
        first, second = it.hosts.requests
        assert str(first.url).startswith(SERVER) and ".ASPXAUTH=" in first.headers["cookie"]
        assert str(second.url).startswith(CDN) and "cookie" not in second.headers
        assert "authorization" not in {*first.headers, *second.headers}


async def test_a_download_that_is_switched_off_says_so(film: Path) -> None:
    async with campus(held([BIOLOGY], [session("Lecture", BIOLOGY, film, download=False)])) as it:
        provider = it.provider()
        course, outline = await only_course(provider)
        video = Remote("video/x", {"what": "video", "session_id": outline.items[0].details["session_id"]})
        source = await provider.source(course, video, fresh=False)
        assert (await it.transport.fetch(source.url, headers=source.headers)).status == 403
        for fresh in (True, False):  # and once it was said, the platform is not asked again
            asked = len(it.hosts.requests)
            with pytest.raises(NotAllowed, match="does not offer this recording for download"):
                await provider.source(course, video, fresh=fresh)
        assert len(it.hosts.requests) == asked
        assert len(it.hosts.paths("legacyLogin")) == 1


async def test_a_cookie_that_has_ended_is_renewed_once_for_all(film: Path, srt: Path) -> None:
    sessions = [session(f"Lecture {number}", BIOLOGY, film, captions={0: srt}) for number in range(5)]
    async with campus(held([BIOLOGY], sessions)) as it:
        provider = it.provider()
        course, outline = await only_course(provider)
        files = await provider.files(course, outline.items)
        client_of(provider)._cookie._since -= 3600.0  # as after a while
        it.panopto.sign_ins.end_cookies()
        it.hosts.requests.clear()

        async def get(file: File) -> None:
            source = await provider.source(course, remote_of(file), fresh=True)
            assert (await it.transport.fetch(source.url, headers=source.headers)).status == 200

        async with trio.open_nursery() as nursery:
            for some in files.values():
                assert not isinstance(some, CoursefsError)
                for file in some:
                    nursery.start_soon(get, file)
        assert len(it.hosts.paths("legacyLogin")) == 1
        assert it.hosts.paths("Login.aspx") == []


async def test_captions_and_slides_have_addresses_too(film: Path, srt: Path, tmp_path: Path) -> None:
    slide = tmp_path / "1.jpg"
    slide.write_bytes(b"\xff\xd8jpeg")
    lecture = session("Lecture", BIOLOGY, film, captions={4: srt}, slides=(slide,), chapters=((0.0, "Start"),))
    async with campus(held([BIOLOGY], [lecture])) as it:
        provider = it.provider(slides="true")
        course, outline = await only_course(provider)
        files = (await provider.files(course, outline.items))[outline.items[0].key]
        assert not isinstance(files, CoursefsError)
        _, captions, chapters, image = files
        assert (captions.kind, chapters.extension, image.kind) == (Kind.SUBTITLE, ".chapters.txt", Kind.IMAGE)
        for file, body in ((captions, srt.read_bytes()), (image, slide.read_bytes())):
            source = await provider.source(course, remote_of(file), fresh=False)
            assert source.guarded and not source.once
            reply = await it.transport.fetch(source.url, headers=source.headers)
            assert reply.body == body
        with pytest.raises(Gone):
            await provider.source(course, Remote("x", {"what": "other", "session_id": "x"}), fresh=False)


# --- sign-in


async def test_an_access_token_is_renewed_before_it_ends_and_kept(film: Path) -> None:
    async with campus(held([BIOLOGY])) as it:
        it.vault.secrets["access_expires"] = "1"
        old = dict(it.vault.secrets)
        provider = it.provider()
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(provider.courses)
        assert it.vault.saved == 1
        assert it.vault.secrets["refresh_token"] != old["refresh_token"]
        assert it.vault.secrets["client_secret"] == old["client_secret"]
        assert len(it.hosts.paths("/connect/token")) == 1
        assert 401 not in it.hosts.statuses


async def test_a_refused_token_is_renewed_once(film: Path) -> None:
    async with campus(held([BIOLOGY])) as it:
        it.panopto.sign_ins.end_access()
        assert len(await it.provider().courses()) == 1
        assert len(it.hosts.paths("/connect/token")) == 1


async def test_a_sign_in_that_has_ended_says_so_and_asks_no_more(film: Path) -> None:
    async with campus(held([BIOLOGY])) as it:
        it.panopto.sign_ins.end_access()
        it.panopto.sign_ins.end_refresh()
        with pytest.raises(NotSignedIn, match=r"coursefs login panopto --server … --account campus") as caught:
            await it.provider().courses()
        for secret in it.vault.secrets.values():
            assert secret not in str(caught.value)
        assert len(it.hosts.paths("/connect/token")) == 1


async def test_who_signs_in_again_need_not_mount_again() -> None:
    async with campus(held([BIOLOGY])) as it:
        it.panopto.sign_ins.end_access()
        it.panopto.sign_ins.end_refresh()
        provider = it.provider()
        with pytest.raises(NotSignedIn):
            await provider.courses()
        it.vault.secrets |= it.panopto.sign_ins.grant()
        assert len(await provider.courses()) == 1


async def test_what_another_process_has_renewed_is_taken() -> None:
    async with campus(held([BIOLOGY])) as it:
        mine = it.provider()
        it.panopto.sign_ins.end_access()
        await it.provider().courses()  # another process: renews, and keeps
        assert len(await mine.courses()) == 1
        assert len(it.hosts.paths("/connect/token")) == 1


async def test_without_any_sign_in_no_request_is_made() -> None:
    async with campus(held([BIOLOGY])) as it:
        it.vault.secrets.clear()
        with pytest.raises(NotSignedIn):
            await it.provider().courses()
        assert it.hosts.requests == []


async def test_a_renewal_is_not_lost_with_who_waited_for_it() -> None:
    async with campus(held([BIOLOGY])) as it:
        it.panopto.sign_ins.end_access()
        provider = it.provider()
        with trio.move_on_after(0) as scope:
            await provider.courses()
        assert scope.cancelled_caught
        assert len(await provider.courses()) == 1


# --- how often


async def test_a_tree_of_three_hundred_folders_never_meets_a_429(autojump_clock: MockClock, film: Path) -> None:
    top = folder("Faculty")
    middle = [folder(f"Course {number:02d}", top) for number in range(29)]
    leaves = [folder(f"Week {number:02d}", middle[number % 29]) for number in range(270)]
    sessions = [session(f"Lecture {number}", leaves[number % 270], film) for number in range(300)]
    async with campus(held([top, *middle, *leaves], sessions)) as it:
        provider = it.provider()
        _, outline = await only_course(provider)
        assert len(paths_of(outline)) == 29 + 270 + 300
        assert 429 not in it.hosts.statuses and it.panopto.counter.refused == 0


async def test_a_listing_that_a_program_waits_for_goes_before_the_background(autojump_clock: MockClock) -> None:
    tops = [folder(f"Course {number:03d}") for number in range(60)]
    async with campus(held(tops)) as it:
        provider = it.provider()
        courses = await provider.courses()

        async def outline(course: Course) -> None:
            assert isinstance(await provider.outline(course), Outline)

        async with trio.open_nursery() as nursery:
            with background_work():
                for course in courses[1:]:
                    nursery.start_soon(outline, course)
            await trio.sleep(30)
            assert await seconds(outline(courses[0])) < 10
            nursery.cancel_scope.cancel()
        assert it.panopto.counter.refused == 0


async def test_a_429_is_obeyed_by_all(autojump_clock: MockClock, film: Path) -> None:
    async with campus(held([BIOLOGY]), windows=((1, 20.0),)) as it:
        client = it.client()
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(client.folder, BIOLOGY.id)
        assert it.panopto.counter.refused <= 4
        assert it.hosts.statuses.count(200) == 3


async def test_two_accounts_with_one_client_share_its_limits(autojump_clock: MockClock) -> None:
    async with campus(held([BIOLOGY])) as it:
        one, two = it.client(), it.client()
        assert one._limits is two._limits
        assert client_of(it.provider(client_id="another"))._limits is not one._limits
