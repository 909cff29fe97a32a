"""Reading Panopto with a browser's cookies: the same tree as by the API, in few requests, whatever a server is like."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
from trio.testing import MockClock

from coursefs.demo.panopto.tree import Holdings, Playlist, made_guid
from coursefs.demo.panopto.web import Manners
from coursefs.errors import CoursefsError, Gone, NotAllowed, NotSignedIn
from coursefs.model import Course, File, Item, Outline, Page, ProvisionalFiles, Wanted
from coursefs.providers.panopto.provider import PanoptoProvider
from coursefs.providers.panopto.web_reader import WebReader
from coursefs.testing import check_provider
from coursefs.transport import Transport
from tests.engine.campus import (
    CDN,
    SERVER,
    campus,
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
#: every combination of what servers differ in as to folders
SERVERS = [
    Manners(lists_folders=folders, lists_all_depths=depths, admits_children=children)
    for folders, depths, children in itertools.product((False, True), repeat=3)
]


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


def university(film: Path, srt: Path) -> Holdings:
    lectures = [
        session("Lecture 1", BIOLOGY, film, captions={0: srt}),
        session("Lecture 2.mp4", SPRING, film, start=None),
        session("In the evening", SPRING, film, start="2024-01-10T02:30:00.120Z"),
        session("In summer", LABS, film, start="2024-07-02T03:30:00Z"),
        session("Tomorrow", LABS, None, duration=0.0),
    ]
    revision = Playlist(made_guid("p"), "Revision", SPRING.id, (lectures[1].id, lectures[0].id))
    return held([DEPARTMENT, BIOLOGY, SPRING, LABS], lectures, [revision])


async def whole_tree(made: PanoptoProvider) -> tuple[list[Course], list[Outline]]:
    courses = list(await made.courses())
    outlines = [await made.outline(one) for one in courses]
    return courses, [one for one in outlines if one is not None]


def shape(courses: list[Course], outlines: list[Outline]) -> object:
    """Whatever names, inode numbers and dates are made of."""
    found = [
        (item.key, item.title, item.slug, item.position, item.type_name, item.url, dict(item.details))
        for outline in outlines
        for item in items_of(outline)
    ]
    named = [(one.key, one.title, one.slug, one.url) for one in courses]
    return named, [sorted(paths_of(one)) for one in outlines], sorted(found, key=str)


# --- the tree


@pytest.mark.parametrize("manners", SERVERS, ids=str)
async def test_the_tree_is_that_of_the_api(film: Path, srt: Path, manners: Manners, autojump_clock: MockClock) -> None:
    async with campus(university(film, srt), manners=manners) as it:
        by_api = await whole_tree(it.provider())
        it.hosts.requests.clear()
        by_browser = await whole_tree(it.browser())
        assert shape(*by_browser) == shape(*by_api)
        assert paths_of(by_browser[1][0]).count("3/4 Spring/2024-01-10 In the evening") == 1
        assert it.hosts.paths("/api/v1/") == []
        assert {request.url.path.rpartition("/")[2] for request in it.hosts.requests if request.method == "POST"} <= {
            "GetSessions", "GetFolders",
        }  # fmt: skip


@pytest.mark.parametrize(
    "manners",
    [
        Manners(zone="Europe/Berlin"),
        Manners(zone="Asia/Kolkata"),
        Manners(zone="Pacific/Auckland"),
        Manners(zone="Asia/Kathmandu"),  # of none of the zones that are tried first
        Manners(in_utc=True),
    ],
    ids=str,
)
@pytest.mark.parametrize("settings", [{}, {"timezone": "America/New_York"}, {"timezone": "Asia/Kolkata"}], ids=str)
async def test_the_days_are_those_of_the_api_wherever_the_rooms_are(
    film: Path, srt: Path, manners: Manners, settings: dict[str, Any], autojump_clock: MockClock
) -> None:
    async with campus(university(film, srt), manners=manners) as it:
        by_api = await whole_tree(it.provider(**settings))
        it.hosts.requests.clear()
        assert shape(*await whole_tree(it.browser(**settings))) == shape(*by_api)
        assert len(it.hosts.paths("DeliveryInfo")) <= 3


async def test_where_no_viewer_tells_the_time_the_clock_of_the_room_counts(
    film: Path, srt: Path, autojump_clock: MockClock
) -> None:
    async with campus(university(film, srt)) as it:
        hosts = it.hosts

        async def refused(request: httpx.Request) -> httpx.Response:
            if "DeliveryInfo" in request.url.path:
                return httpx.Response(200, json={"ErrorCode": 7, "ErrorMessage": "no"})
            return await hosts.handle_async_request(request)

        async with Transport(http_transport=httpx.MockTransport(refused)) as it.transport:
            _, (outline,) = await whole_tree(it.browser())
    assert "3/4 Spring/2024-01-09 In the evening" in paths_of(outline)


async def test_what_was_shared_with_the_user_is_a_course_of_its_own(film: Path, autojump_clock: MockClock) -> None:
    private = folder("Private", hidden=True)
    both, mine = session("Both", BIOLOGY, film, shared=True), session("Mine", private, film, shared=True)
    async with campus(held([DEPARTMENT, BIOLOGY, private], [both, mine])) as it:
        made = it.browser()
        courses, outlines = await whole_tree(made)
        assert [one.title for one in courses] == ["Biology 101", "Shared with me"]
        assert [paths_of(one) for one in outlines] == [
            ["2024-01-09 Both"],
            ["2024-01-09 Both", "2024-01-09 Mine"],
        ]
        assert (await made.outline(courses[1])) == outlines[1]
        files = await made.files(courses[1], outlines[1].items)
        assert all(not isinstance(some, CoursefsError) for some in files.values())


async def test_folders_that_may_not_be_listed_are_shown_by_their_recordings(
    film: Path, autojump_clock: MockClock
) -> None:
    course = folder("My course", DEPARTMENT, closed=True)
    async with campus(held([DEPARTMENT, course, BIOLOGY], [session("Lecture", course, film)])) as it:
        courses, outlines = await whole_tree(it.browser())
        shown = {one.title: paths_of(outline) for one, outline in zip(courses, outlines, strict=True)}
        assert shown == {"Biology 101": [], "My course": ["2024-01-09 Lecture"]}


async def test_archived_recordings_say_so_and_are_not_asked(film: Path, autojump_clock: MockClock) -> None:
    async with campus(held([BIOLOGY], [session("Old", BIOLOGY, film, archived=True)])) as it:
        made = it.browser()
        course, outline = await only_course(made)
        it.hosts.requests.clear()
        (some,) = (await made.files(course, outline.items)).values()
        assert not isinstance(some, (ProvisionalFiles, CoursefsError))
        (page,) = some
        assert page.title == "no file" and isinstance(page.body, Page) and "archived" in page.body.html
        assert it.hosts.requests == []


async def test_skipped_folders_are_not_shown(film: Path, autojump_clock: MockClock) -> None:
    users = folder("Users")
    async with campus(held([BIOLOGY, SPRING, LABS, users], [session("Lecture", LABS, film)])) as it:
        made = it.browser(skip_folders="Users\nBiology 101/3-4 Spring/Labs")
        courses, outlines = await whole_tree(made)
        assert {one.title: one.hidden for one in courses} == {"Biology 101": False, "Users": True}
        assert paths_of(outlines[0]) == ["3/4 Spring/"]


async def test_folders_that_go_in_a_circle_come_once(autojump_clock: MockClock) -> None:
    ring = [replace(BIOLOGY, parent=LABS.id), SPRING, LABS]
    async with campus(held(ring), manners=Manners(lists_all_depths=True)) as it:
        courses, outlines = await whole_tree(it.browser())
        assert len(courses) == 1 and len(paths_of(outlines[0])) == 2


async def test_an_id_names_a_folder_and_one_that_is_not_there_is_gone(autojump_clock: MockClock) -> None:
    async with campus(held([BIOLOGY])) as it:
        made = it.browser()
        assert [one.title for one in await made.resolve(BIOLOGY.id.upper())] == ["Biology 101"]
        with pytest.raises(Gone):
            await made.resolve(made_guid("nothing"))


# --- how much is asked


@pytest.mark.parametrize("manners", SERVERS, ids=str)
async def test_three_hundred_folders_come_within_twenty_seconds_and_never_meet_a_429(
    film: Path, manners: Manners, autojump_clock: MockClock
) -> None:
    top = folder("Faculty")
    middle = [folder(f"Course {number:02d}", top) for number in range(29)]
    leaves = [folder(f"Week {number:02d}", middle[number % 29]) for number in range(270)]
    sessions = [session(f"Lecture {number}", leaves[number % 270], film) for number in range(1000)]
    async with campus(held([top, *middle, *leaves], sessions), manners=manners) as it:
        made = it.browser()
        taken = await seconds(whole_tree(made))
        _, (outline,) = await whole_tree(made)
        assert len(paths_of(outline)) == 29 + 270 + 1000
        assert taken < 20
        assert 429 not in it.hosts.statuses and it.panopto.counter.refused == 0


async def test_a_top_folder_with_a_hundred_sub_folders_is_listed_at_once(film: Path, autojump_clock: MockClock) -> None:
    weeks = [folder(f"Week {number:03d}", BIOLOGY) for number in range(100)]
    sessions = [session("Lecture", week, film) for week in weeks]
    async with campus(held([BIOLOGY, *weeks], sessions)) as it:
        made = it.browser()
        (course,) = await made.courses()
        asked = len(it.hosts.requests)
        outline = await made.outline(course)
        assert outline is not None and len(outline.sections) == 100
        assert len(it.hosts.requests) - asked <= 3  # about the clock of the rooms


async def test_a_server_with_more_than_can_be_listed_at_once_is_read_folder_by_folder(
    film: Path, srt: Path, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    monkeypatch.setattr("coursefs.providers.panopto.web_folders._MOST_PAGES", 0)
    async with campus(university(film, srt)) as it:
        by_api = await whole_tree(it.provider())
        assert shape(*await whole_tree(it.browser())) == shape(*by_api)


async def test_a_page_is_not_the_last_because_it_is_short(film: Path, autojump_clock: MockClock) -> None:
    sessions = [session(f"Lecture {number}", BIOLOGY, film) for number in range(600)]
    async with campus(held([BIOLOGY], sessions)) as it:
        hosts = it.hosts

        async def shortened(request: httpx.Request) -> httpx.Response:
            response = await hosts.handle_async_request(request)
            if request.url.path.endswith("GetSessions"):
                await response.aread()
                content = response.json()
                content["d"]["Results"] = content["d"]["Results"][1:]  # one that the user may not see
                return httpx.Response(200, json=content)
            return response

        async with Transport(http_transport=httpx.MockTransport(shortened)) as it.transport:
            _, (outline,) = await whole_tree(it.browser())
    assert len(outline.items) == 597


# --- files


async def test_what_is_looked_at_is_shown_as_by_the_api(film: Path, srt: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty.srt"
    empty.write_text("")
    auto = tmp_path / "auto.srt"
    auto.write_text("[Auto-generated transcript. Edits may have been applied.]\n\n" + srt.read_text())
    sessions = [
        session("plain", BIOLOGY, film),
        session("spoken", BIOLOGY, film, captions={0: srt, 4: srt, 5: srt}),
        session("auto", BIOLOGY, film, captions={0: auto}),
        session("blank", BIOLOGY, film, captions={0: empty}),
        session("none", BIOLOGY, None),
        session("sound", BIOLOGY, None, audio=film),
        session("coming", BIOLOGY, None, duration=0.0),
        session("titled", BIOLOGY, film, chapters=((0.0, "Start"),), ai_chapters=((5.0, "A machine says"),)),
        session("machine", BIOLOGY, film, ai_chapters=((0.0, "Opening"), (9.5, "More"))),
    ]
    async with campus(held([BIOLOGY], sessions)) as it:
        shown: list[dict[str, object]] = []
        for made in (it.provider(wanted=Wanted(("de", "en"))), it.browser(wanted=Wanted(("de", "en")))):
            course, outline = await only_course(made)
            it.hosts.requests.clear()
            shown.append(dict(await made.files(course, outline.items)))
        assert shown[0] == shown[1]
        assert len(it.hosts.paths("DeliveryInfo")) == 8
        assert not it.hosts.paths("/api/v1/") + it.hosts.paths("/Api/") + it.hosts.paths("/Podcast/")
        texts = {
            item.title.split()[1]: file.body.html
            for item in outline.items
            for file in shown[1][item.key]  # type: ignore[attr-defined]
            if file.extension == ".chapters.txt"
        }
        assert texts == {
            "titled": "CHAPTER01=00:00:00.000\nCHAPTER01NAME=Start\n",
            "machine": "CHAPTER01=00:00:00.000\nCHAPTER01NAME=Opening\nCHAPTER02=00:00:09.500\nCHAPTER02NAME=More\n",
        }
        assert {
            request.url.params["refreshAuthCookie"] for request in it.hosts.requests if "Delivery" in request.url.path
        } == {"true"}


async def test_a_recording_that_is_gone_is_its_own_trouble(film: Path) -> None:
    async with campus(held([BIOLOGY], [session("Lecture", BIOLOGY, film)])) as it:
        made = it.browser()
        course, outline = await only_course(made)
        gone = Item("session/x", "x", "x", None, "session", details={"session_id": made_guid("nothing")})
        files = await made.files(course, [*outline.items, gone])
        assert isinstance(files["session/x"], Gone)
        assert isinstance(files[outline.items[0].key], list)


# --- bytes


async def film_of(made: PanoptoProvider) -> File:
    course, outline = await only_course(made)
    (some,) = (await made.files(course, outline.items)).values()
    assert not isinstance(some, CoursefsError)
    return next(file for file in some if file.extension == ".mp4")


COURSE = Course(BIOLOGY.id, "b", "Biology 101")


async def test_the_cookie_goes_to_the_server_and_not_to_the_media_host(film: Path) -> None:
    async with campus(held([BIOLOGY], [session("Lecture", BIOLOGY, film)])) as it:
        made = it.browser()
        source = await made.source(COURSE, remote_of(await film_of(made)), fresh=False)
        it.hosts.requests.clear()
        assert (await it.transport.fetch(source.url, headers=source.headers)).body == film.read_bytes()
        first, second = it.hosts.requests
        assert str(first.url).startswith(SERVER) and ".ASPXAUTH=" in first.headers["cookie"]
        assert str(second.url).startswith(CDN) and "cookie" not in second.headers


@pytest.mark.parametrize("browser", [True, False])
async def test_where_the_page_has_no_film_the_viewer_s_is_taken(film: Path, browser: bool) -> None:
    async with campus(held([BIOLOGY], [session("Lecture", BIOLOGY, film, streams_only=True)])) as it:
        made = it.browser() if browser else it.provider()
        remote = remote_of(await film_of(made))
        source = await made.source(COURSE, remote, fresh=False)
        assert (await it.transport.fetch(source.url, headers=source.headers)).status == 404
        source = await made.source(COURSE, remote, fresh=True)
        assert source.url.startswith(CDN) and not source.once and source.headers == {}
        for _ in range(2):
            assert (await it.transport.fetch(source.url, headers=source.headers)).body == film.read_bytes()
        # the next one is asked for there at once, and one whose URL has ended is renewed
        it.hosts.requests.clear()
        assert (await made.source(COURSE, remote, fresh=False)).url.startswith(CDN)
        assert it.hosts.paths("/Podcast/") == []
        it.panopto.deliveries.end_streams()
        assert (await it.transport.fetch(source.url)).status == 403
        source = await made.source(COURSE, remote, fresh=True)
        assert (await it.transport.fetch(source.url)).body == film.read_bytes()


@pytest.mark.parametrize("streams_only", [True, False])
@pytest.mark.parametrize("browser", [True, False])
async def test_there_is_no_way_around_downloads_that_are_switched_off(
    film: Path, browser: bool, streams_only: bool
) -> None:
    lecture = session("Lecture", BIOLOGY, film, download=False, streams_only=streams_only)
    async with campus(held([BIOLOGY], [lecture])) as it:
        made = it.browser() if browser else it.provider()
        remote = remote_of(await film_of(made))
        for fresh in (True, False):
            with pytest.raises(NotAllowed, match="does not offer this recording for download"):
                await made.source(COURSE, remote, fresh=fresh)
        assert [request for request in it.hosts.requests if request.url.host == "cdn.example.net"] == []


# --- the sign-in


async def test_who_am_i(film: Path, autojump_clock: MockClock) -> None:
    async with campus(held([BIOLOGY], [session("Lecture", BIOLOGY, film)])) as it:
        made = it.browser()
        identity = await made.whoami()
        assert identity == await made.whoami()
        assert identity.name == "Ada Learner"
        it.vault.secrets = it.panopto.sign_ins.grant()
        assert (await it.provider().whoami()).user_id == identity.user_id


async def test_where_the_viewer_does_not_tell_the_user_the_home_page_is_proof(
    film: Path, autojump_clock: MockClock
) -> None:
    async with campus(held([BIOLOGY], [session("Lecture", BIOLOGY, film)])) as it:
        hosts = it.hosts

        async def silent(request: httpx.Request) -> httpx.Response:
            if "DeliveryInfo" in request.url.path:
                return httpx.Response(200, json={"Delivery": {"SessionName": "Lecture"}})
            return await hosts.handle_async_request(request)

        async with Transport(http_transport=httpx.MockTransport(silent)) as it.transport:
            made = it.browser()
            assert (await made.whoami()).user_id
            it.panopto.sign_ins.end_cookies()
            with pytest.raises(NotSignedIn):
                await made.whoami()


async def test_where_there_is_no_recording_the_home_page_is_proof(autojump_clock: MockClock) -> None:
    async with campus(held([BIOLOGY])) as it:
        made = it.browser()
        assert (await made.whoami()).user_id
        it.panopto.sign_ins.end_cookies()
        with pytest.raises(NotSignedIn):
            await made.whoami()


@pytest.mark.parametrize("refusal", ["redirect", "page", "status", "nothing"])
async def test_a_sign_in_that_has_ended_says_so_and_asks_no_more(
    film: Path, refusal: str, autojump_clock: MockClock
) -> None:
    async with campus(held([BIOLOGY], [session("Lecture", BIOLOGY, film)]), manners=Manners(refusal=refusal)) as it:
        it.panopto.media.pages = refusal == "page"
        made = it.browser()
        course, outline = await only_course(made)
        remote = remote_of(await film_of(made))
        it.panopto.sign_ins.end_cookies()
        await trio.sleep(120)

        async def outlined() -> None:
            if refusal != "nothing":  # there the outline is empty, which the catalogue believes after `whoami` alone
                await made.outline(course)
            raise NotSignedIn("--account campus https://campus.example.edu")

        for ask in (
            made.courses,
            made.whoami,
            outlined,
            lambda: made.files(course, outline.items),
            lambda: made.source(course, remote, fresh=True),
        ):
            with pytest.raises(NotSignedIn, match=r"--account campus|https://campus.example.edu") as caught:
                await ask()
            for secret in it.vault.secrets.values():
                assert secret not in str(caught.value)
        it.hosts.requests.clear()
        with pytest.raises(NotSignedIn):
            await made.source(course, remote, fresh=False)
        assert it.hosts.requests == []


async def test_a_cookie_that_the_server_renews_is_renewed_in_silence_and_kept(film: Path) -> None:
    async with campus(held([BIOLOGY], [session("Lecture", BIOLOGY, film)])) as it:
        made = it.browser(keeps=True)
        await made.courses()
        old = dict(it.vault.secrets)
        it.panopto.sign_ins.end_cookies(renewable=True)
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(made.courses)
        assert len(it.hosts.paths("Login.aspx")) <= 2
        assert it.vault.secrets["aspxauth"] != old["aspxauth"]
        assert (await it.kept_browser().whoami()).name == "Ada Learner"


async def test_a_cookie_that_the_viewer_renews_is_kept_now_and_then(film: Path) -> None:
    sessions = [session(f"Lecture {number}", BIOLOGY, film) for number in range(4)]
    async with campus(held([BIOLOGY], sessions)) as it:
        made = it.browser(keeps=True)
        course, outline = await only_course(made)
        await made.files(course, outline.items)
        assert it.vault.saved == 1
        assert isinstance(made._reader, WebReader)
        made._reader.client.session._stored_at -= 3600.0  # as after a while
        await made.files(course, outline.items)
        assert it.vault.saved == 2


async def test_a_later_sign_in_is_taken_up_and_not_written_over(film: Path) -> None:
    async with campus(held([BIOLOGY], [session("Lecture", BIOLOGY, film)])) as it:
        made = it.browser(keeps=True)
        await made.courses()
        it.panopto.sign_ins.end_cookies()
        with pytest.raises(NotSignedIn):
            await made.courses()
        cookies = it.panopto.sign_ins.browser()
        it.vault.secrets |= {"aspxauth": cookies[".ASPXAUTH"], "csrf_token": cookies["csrfToken"]}
        assert len(await made.courses()) == 1
        # one that was stored while this one still works stays
        newer = it.panopto.sign_ins.browser()
        it.vault.secrets |= {"aspxauth": newer[".ASPXAUTH"], "csrf_token": newer["csrfToken"]}
        await film_of(made)
        assert it.vault.secrets["aspxauth"] == newer[".ASPXAUTH"]


async def test_the_sign_in_of_another_user_is_not_taken(film: Path) -> None:
    async with campus(held([BIOLOGY], [session("Lecture", BIOLOGY, film)])) as it:
        it.browser()
        it.vault.secrets["user_id"] = "me"
        made = it.kept_browser()
        it.panopto.sign_ins.end_cookies()
        cookies = it.panopto.sign_ins.browser()
        it.vault.secrets = {"aspxauth": cookies[".ASPXAUTH"], "csrf_token": "", "user_id": "you"}
        with pytest.raises(NotSignedIn):
            await made.courses()


async def test_the_token_against_forged_requests_is_found_where_it_was_not_given(film: Path) -> None:
    async with campus(held([BIOLOGY], [session("Lecture", BIOLOGY, film)])) as it:
        it.browser()
        it.vault.secrets["csrf_token"] = "wrong"
        for _ in range(2):
            made = it.kept_browser()
            assert len((await only_course(made))[1].items) == 1
            it.vault.secrets["csrf_token"] = ""


async def test_one_route_that_refuses_the_cookie_does_not_end_the_sign_in(
    film: Path, autojump_clock: MockClock
) -> None:
    async with campus(held([BIOLOGY], [session("Lecture", BIOLOGY, film)])) as it:
        hosts = it.hosts

        async def odd(request: httpx.Request) -> httpx.Response:
            if request.url.path.endswith("/Api/Folders"):
                return httpx.Response(401)
            return await hosts.handle_async_request(request)

        async with Transport(http_transport=httpx.MockTransport(odd)) as it.transport:
            made = it.browser()
            assert (await made.whoami()).name == "Ada Learner"
            courses, (outline,) = await whole_tree(made)  # by its recordings alone
            assert [one.title for one in courses] == ["Biology 101"] and len(outline.items) == 1


@pytest.mark.parametrize("path", ["/Api/Folders", "/GetFolders", "/GetSessions"])
async def test_an_error_that_may_pass_makes_nothing_seem_gone(
    film: Path, srt: Path, path: str, autojump_clock: MockClock
) -> None:
    async with campus(university(film, srt), manners=Manners(lists_folders=True)) as it:
        hosts, fails = it.hosts, False

        async def failing(request: httpx.Request) -> httpx.Response:
            if fails and request.url.path.endswith(path):
                return httpx.Response(503)
            return await hosts.handle_async_request(request)

        async with Transport(http_transport=httpx.MockTransport(failing)) as it.transport:
            made = it.browser()
            before = await whole_tree(made)
            fails = True
            with pytest.raises(CoursefsError):
                await made.courses()
            fails = False
            assert shape(*await whole_tree(made)) == shape(*before)


@pytest.mark.parametrize("path", ["/Api/Folders", "/GetFolders"])
@pytest.mark.parametrize("status", [404, 405, 500, 401, 403])
async def test_a_service_that_a_server_does_not_have_is_done_without(
    film: Path, srt: Path, path: str, status: int, autojump_clock: MockClock
) -> None:
    async with campus(university(film, srt), manners=Manners(lists_folders=True, lists_all_depths=True)) as it:
        hosts = it.hosts
        before = await whole_tree(it.browser())

        async def without(request: httpx.Request) -> httpx.Response:
            if request.url.path.endswith(path):
                return httpx.Response(status, html="<html>no</html>")
            return await hosts.handle_async_request(request)

        async with Transport(http_transport=httpx.MockTransport(without)) as it.transport:
            assert shape(*await whole_tree(it.browser())) == shape(*before)


@pytest.mark.parametrize("renewable", [True, False])
@pytest.mark.parametrize("is_at_home", [True, False])
async def test_a_public_recording_is_no_proof_of_a_sign_in(
    film: Path, renewable: bool, is_at_home: bool, autojump_clock: MockClock
) -> None:
    async with campus(held([BIOLOGY], [session("Lecture", BIOLOGY, film)])) as it:
        hosts, ended = it.hosts, False

        async def public(request: httpx.Request) -> httpx.Response:
            is_known = request.headers.get("cookie", "").partition("=")[2].partition(";")[0] in living()
            if ended and not is_known and "DeliveryInfo" in request.url.path:
                return httpx.Response(200, json={"Delivery": {"SessionName": "Lecture"}, "UserId": None})
            if ended and not is_known and "GetSessions" in request.url.path:
                row = {"DeliveryID": made_guid("x"), "SessionName": "Lecture"}
                return httpx.Response(200, json={"d": {"Results": [row], "TotalNumber": 1}})
            if ended and is_at_home and "Login.aspx" in request.url.path and not renewable:
                return httpx.Response(302, headers={"location": "/Panopto/Pages/Home.aspx"})
            if ended and is_at_home and "Home.aspx" in request.url.path and not renewable:
                return httpx.Response(200, html="<html>")
            return await hosts.handle_async_request(request)

        def living() -> set[str]:
            return it.panopto.sign_ins._cookies

        async with Transport(http_transport=httpx.MockTransport(public)) as it.transport:
            made = it.browser()
            identity = await made.whoami()
            assert identity.name == "Ada Learner"
            ended = True
            it.panopto.sign_ins.end_cookies(renewable=renewable)
            if renewable:
                assert await made.whoami() == identity
            else:
                with pytest.raises(NotSignedIn):
                    await made.whoami()


async def test_a_viewer_that_sends_to_the_sign_in_page_loses_no_cookie(film: Path, autojump_clock: MockClock) -> None:
    async with campus(held([BIOLOGY], [session("Lecture", BIOLOGY, film)])) as it:
        hosts = it.hosts

        async def redirecting(request: httpx.Request) -> httpx.Response:
            response = await hosts.handle_async_request(request)
            if "DeliveryInfo" in request.url.path:
                await response.aread()
                if response.json().get("ErrorCode") == 2:
                    back = "/Panopto/Pages/Auth/Login.aspx?ReturnUrl=/Panopto/Pages/Viewer/DeliveryInfo.aspx"
                    return httpx.Response(302, headers={"location": back})
            return response

        async with Transport(http_transport=httpx.MockTransport(redirecting)) as it.transport:
            made = it.browser()
            course, outline = await only_course(made)
            it.panopto.sign_ins.end_cookies(renewable=True)
            (some,) = (await made.files(course, outline.items)).values()
            assert not isinstance(some, CoursefsError)


async def test_a_fault_is_not_asked_again(autojump_clock: MockClock) -> None:
    async with campus(held([BIOLOGY])) as it:
        made = it.browser()
        for _ in range(3):
            assert len(await made.courses()) == 1
        assert len(it.hosts.paths("GetFolders")) == 1
        assert it.transport.surprises.found == []


async def test_it_keeps_the_protocol() -> None:
    top = folder("Biology")
    clip = min((Path(__file__).parents[2] / "coursefs" / "demo" / "courses").rglob("*.mp4"))
    async with campus(held([top], [session(f"Lecture {number}", top, clip) for number in range(3)])) as it:
        checked = await check_provider(it.browser(), it.transport)
    assert checked.courses == 1 and checked.items == 3 and checked.contents == 3
