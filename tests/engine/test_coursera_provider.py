"""The provider against a platform that answers from a table and remembers what it was asked."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
import trio
import trio.testing

from coursefs.errors import BadReply, CoursefsError, Gone, NotAllowed, NotSignedIn, RouteGone, Unreachable, UsageError
from coursefs.model import Course, File, Item, Page, Remote
from coursefs.providers import registry
from coursefs.providers.base import Account, Provider
from coursefs.providers.coursera import CourseraClient
from coursefs.transport import Transport

BASE = "https://www.coursera.org"
CDN = "https://cdn.example"
COURSE = Course(key="C1", slug="some-course", title="Some Course", url=f"{BASE}/learn/some-course")
END = 4_000_000_000
LOCKED = httpx.Response(403, json={"errorCode": "auth.perms", "message": "Item is locked", "details": None})
SIGNED_OUT = httpx.Response(403, json={"errorCode": "Not Authorized", "message": None, "details": None})
NOT_THERE = httpx.Response(404, json={"message": "", "statusCode": 404})
WEB_PAGE = httpx.Response(200, html="<!doctype html><title>Coursera</title>")
RANDOM = httpx.Response(400, text="Confused deputy attack detected.")

Answer = httpx.Response | Callable[[httpx.Request], httpx.Response]


def good(elements: Iterable[Any] = (), linked: dict[str, Any] | None = None, paging: object = None) -> httpx.Response:
    return httpx.Response(200, json={"elements": list(elements), "paging": paging, "linked": linked})


def copy_of(answer: httpx.Response) -> httpx.Response:
    return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


class Platform:
    """Answers by path below /api/; a list is answered one after the other, the last one for ever."""

    def __init__(self, answers: dict[str, Answer | list[Answer]]) -> None:
        self.answers = answers
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/api/")
        if path == "/robots.txt":  # no network answers in its place (`coursefs.transport.portals`)
            return httpx.Response(200, text="User-agent: *")
        if "ids" in request.url.params and path not in self.answers:  # several at once: it takes one at a time
            return httpx.Response(405, json={"msg": "Routing error: 'multi-get' not implemented"})
        self.requests.append(request)
        answer = self.answers[request.url.path.removeprefix("/api/")]
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        return copy_of(answer) if isinstance(answer, httpx.Response) else answer(request)

    @property
    def paths(self) -> Counter[str]:
        return Counter(request.url.path.removeprefix("/api/") for request in self.requests)


@asynccontextmanager
async def signed_in(
    answers: dict[str, Answer | list[Answer]], account: str = "coursera", **settings: str
) -> AsyncIterator[tuple[Provider, Platform]]:
    platform = Platform(answers)
    secrets = {"cauth": "SECRET", "expires": "1800000000"}
    async with Transport(http_transport=httpx.MockTransport(platform)) as transport:
        yield registry.platform("coursera").create(Account(account, settings, secrets), transport), platform


def item(item_id: str, type_name: str = "lecture", locked: str | None = None) -> Item:
    return Item(f"item/{item_id}", item_id.upper(), item_id, 1, type_name, f"{BASE}/x", locked, {"item_id": item_id})


def video_reply(number: int = 1) -> httpx.Response:
    sources = {"720p": {"mp4VideoUrl": f"{CDN}/v{number}.mp4?Expires={END}&Signature=x"}}
    subtitles = {"en": f"/api/subtitleAssetProxy.v1/s?expiry={END}000&hmac=x&fileExtension=srt"}
    texts = {"en": f"/api/subtitleAssetProxy.v1/s?expiry={END}000&hmac=y&fileExtension=txt"}
    video = {"sources": {"byResolution": sources}, "subtitles": subtitles, "subtitlesTxt": texts}
    return good([{}], {"onDemandVideos.v1": [video]})


def wrappers(*asset_ids: str) -> httpx.Response:
    rows = [{"id": f"w{one}", "typeName": "asset", "definition": {"assetId": one}} for one in asset_ids]
    return good([{}], {"openCourseAssets.v1": rows})


def assets_reply(request: httpx.Request) -> httpx.Response:
    ids = request.url.params["ids"].split(",")
    return good(
        {"id": one, "name": f"{one}.pdf", "url": {"url": f"{CDN}/{one}.pdf?Expires={END}", "expires": END * 1000}}
        for one in reversed(ids)
    )


def reading_reply(*asset_ids: str) -> httpx.Response:
    value = "<co-content><text>Hello</text>" + "".join(f'<img assetId="{one}"/>' for one in asset_ids) + "</co-content>"
    return good([{}], {"openCourseAssets.v1": [{"id": "r", "typeName": "cml", "definition": {"value": value}}]})


def lectures(*ids: str) -> dict[str, Answer | list[Answer]]:
    answers: dict[str, Answer | list[Answer]] = {"assets.v1": assets_reply}
    for one in ids:
        answers[f"onDemandLectureVideos.v1/C1~{one}"] = video_reply()
        answers[f"onDemandLectureAssets.v1/C1~{one}/"] = wrappers(f"{one}1", f"{one}2")
    return answers


def names(files: Sequence[File] | CoursefsError) -> list[str]:
    assert not isinstance(files, CoursefsError), files
    return [file.key.partition("/")[2] for file in files]


def remote(files: Sequence[File] | CoursefsError, key: str) -> Remote:
    assert not isinstance(files, CoursefsError), files
    body = next(file.body for file in files if file.key == key)
    assert isinstance(body, Remote)
    return body


async def test_who_am_i() -> None:
    async with signed_in({"adminUserPermissions.v1": good([{"id": 1000001}])}) as (provider, platform):
        identity = await provider.whoami()
    assert (identity.user_id, identity.expires) == ("1000001", 1800000000.0)
    headers = platform.requests[0].headers
    assert headers["cookie"] == "CAUTH=SECRET"
    assert headers["accept"] == "application/json"
    assert headers["x-requested-with"] == "XMLHttpRequest"
    assert headers["referer"] == "https://www.coursera.org/"


async def test_an_answer_without_an_id_is_a_bad_one() -> None:
    async with signed_in({"adminUserPermissions.v1": good([])}) as (provider, _):
        with pytest.raises(BadReply, match="which user this is"):
            await provider.whoami()


async def test_every_page_of_enrolments_is_read_and_joined() -> None:
    def enrolment(course_id: str, **fields: object) -> dict[str, object]:
        return {"id": f"1~{course_id}", "userId": 1, "courseId": course_id, "role": "LEARNER", **fields}

    def course(course_id: str, course_type: str = "v2.ondemand") -> dict[str, object]:
        return {"id": course_id, "slug": f"slug-{course_id}", "name": f"Name {course_id} ", "courseType": course_type}

    pages: list[Answer] = [
        good([enrolment("b", enrolledTimestamp=1500000000123), enrolment("a")],
             {"courses.v1": [course("a")]}, {"next": "x 2"}),
        good([enrolment("old"), enrolment("no", role="NOT_ENROLLED")],
             {"courses.v1": [course("old", "v1.session"), course("no"), course("b")]}, {"next": "200", "total": 6}),
        good([enrolment("a"), enrolment("bare")], None, {}),
    ]  # fmt: skip
    async with signed_in({"memberships.v1": pages}) as (provider, platform):
        courses = await provider.courses()
    assert [parse_qs(request.url.query.decode())["start"] for request in platform.requests] == [["0"], ["x 2"], ["200"]]
    assert courses == [
        Course("b", "slug-b", "Name b", f"{BASE}/learn/slug-b", 1500000000123 * 10**6),
        Course("a", "slug-a", "Name a", f"{BASE}/learn/slug-a"),
        Course("old", "slug-old", "Name old", f"{BASE}/learn/slug-old", hidden=True),
        Course("bare", "bare", "bare", None, hidden=True),
    ]


async def test_pages_that_go_in_a_circle_end() -> None:
    pages: list[Answer] = [good([], None, {"next": "1"}), good([], None, {"next": "0"})]
    async with signed_in({"memberships.v1": pages}) as (provider, platform):
        with pytest.raises(BadReply, match="does not end"):
            await provider.courses()
    assert len(platform.requests) == 2


async def test_the_outline_takes_one_request_and_two_for_what_is_beside_it() -> None:
    linked = {
        "onDemandCourseMaterialModules.v1": [{"id": "M", "name": "Week 1", "slug": "week-1", "lessonIds": ["L"]}],
        "onDemandCourseMaterialLessons.v1": [{"id": "L", "name": "Start", "slug": "start", "itemIds": ["a"]}],
    }
    answer = good([{"id": "C1", "moduleIds": ["M"]}], linked)
    answers: dict[str, Answer | list[Answer]] = {
        "onDemandCourseMaterials.v2/": answer,
        "onDemandReferences.v1/": good(),
        "courses.v1": good([{"id": "C1", "primaryLanguages": ["de"]}]),
    }
    async with signed_in(answers) as (provider, platform):
        outline = await provider.outline(COURSE)
    assert outline is not None
    (found,) = outline.sections[0].sections[0].items
    assert (found.key, found.details) == ("item/a", {"item_id": "a", "language": "de"})
    assert outline.items == ()
    request, *others = platform.requests
    (look,) = (one for one in others if "References" in one.url.path)
    (language,) = (one for one in others if "courses" in one.url.path)
    assert (language.url.params["ids"], language.url.params["fields"]) == ("C1", "primaryLanguages")
    assert (look.url.params["courseId"], look.url.params["limit"]) == ("C1", "1")
    assert request.url.params["slug"] == "some-course"
    assert request.url.params["showLockedItems"] == "true"


async def test_a_course_that_is_not_there_is_gone() -> None:
    async with signed_in({"onDemandCourseMaterials.v2/": good([])}) as (provider, _):
        with pytest.raises(Gone):
            await provider.outline(COURSE)


async def test_a_lesson_costs_two_requests_a_lecture_and_one_for_all_attachments() -> None:
    answers = lectures("a", "b", "c")
    answers["onDemandSupplements.v1/C1~r"] = reading_reply("p", "a1")
    items = [
        item("a"),
        item("b"),
        item("c"),
        item("r", "supplement"),
        item("q", "quiz"),
        item("z", locked="no"),
        item("?", ""),
    ]
    async with signed_in(answers) as (provider, platform):
        files = await provider.files(COURSE, items)
    assert platform.paths == dict.fromkeys(answers, 1)
    asked = next(request for request in platform.requests if request.url.path == "/api/assets.v1").url.params["ids"]
    assert sorted(asked.split(",")) == ["a1", "a2", "b1", "b2", "c1", "c2", "p"]
    assert list(files) == [one.key for one in items]
    expected = ["a/video", "a/subtitle/en.srt", "a/transcript/en.txt", "a/asset/a1", "a/asset/a2"]
    assert names(files["item/a"]) == expected
    assert names(files["item/r"]) == ["r/page", "r/asset/p", "r/asset/a1"]
    assert [names(files[f"item/{one}"]) for one in "qz?"] == [["q/link"], ["z/link"], ["?/link"]]


async def test_many_attachments_are_asked_for_in_batches_of_fifty() -> None:
    answers = lectures("a")
    answers["onDemandLectureAssets.v1/C1~a/"] = wrappers(*(f"n{number}" for number in range(101)))
    async with signed_in(answers) as (provider, platform):
        files = await provider.files(COURSE, [item("a")])
    assert platform.paths["assets.v1"] == 3
    assert len(names(files["item/a"])) == 3 + 101


async def test_locked_items_are_never_asked_for() -> None:
    async with signed_in({}) as (provider, platform):
        files = await provider.files(COURSE, [item("a", locked="needs a paid enrolment"), item("b", "exam")])
    assert platform.requests == []
    (locked,) = files["item/a"]  # type: ignore[misc]  # an error would fail right here
    assert isinstance(locked.body, Page) and "needs a paid enrolment" in locked.body.html


async def test_settings_choose_formats_and_duplicates() -> None:
    mixed = {"id": "m", "name": "Talk.extended-description-mixed.mp4", "url": {"url": f"{CDN}/m"}}
    answers = lectures("a") | {"onDemandLectureAssets.v1/C1~a/": wrappers("m"), "assets.v1": good([mixed])}
    reply = video_reply()
    body = reply.json()
    body["linked"]["onDemandVideos.v1"][0]["subtitlesVtt"] = {
        "en": f"/api/subtitleAssetProxy.v1/s?expiry={END}000&hmac=v"
    }
    answers["onDemandLectureVideos.v1/C1~a"] = httpx.Response(200, json=body)
    async with signed_in(answers, subtitle_formats="vtt", duplicates="true") as (provider, _):
        files = (await provider.files(COURSE, [item("a")]))["item/a"]
        assert names(files) == ["a/video", "a/caption/en.vtt", "a/asset/m"]
        source = await provider.source(COURSE, remote(files, "item/a/caption/en.vtt"), fresh=False)
        assert source.url == f"{BASE}/api/subtitleAssetProxy.v1/s?expiry={END}000&hmac=v"
    async with signed_in(answers) as (provider, _):
        files = (await provider.files(COURSE, [item("a")]))["item/a"]
    assert names(files) == ["a/video", "a/subtitle/en.srt", "a/transcript/en.txt"]


@pytest.mark.parametrize(
    "settings", [{"subtitle_formats": "srt\npdf"}, {"duplicates": "yes"}, {"requests_per_second": "0"}]
)
async def test_settings_that_make_no_sense(settings: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=next(iter(settings))):
        async with signed_in({}, **settings):
            pass


@pytest.mark.parametrize(
    ("path", "answer", "error"),
    [
        ("onDemandLectureVideos.v1/C1~b", LOCKED, NotAllowed),
        ("onDemandLectureVideos.v1/C1~b", NOT_THERE, Gone),
        ("onDemandLectureVideos.v1/C1~b", WEB_PAGE, RouteGone),
        ("onDemandLectureAssets.v1/C1~b/", httpx.Response(500), BadReply),
    ],
)
async def test_one_bad_item_leaves_the_others_alone(
    path: str, answer: httpx.Response, error: type[CoursefsError], autojump_clock: trio.testing.MockClock
) -> None:
    async with signed_in(lectures("a", "b") | {path: answer}) as (provider, _):
        files = await provider.files(COURSE, [item("a"), item("b")])
    assert type(files["item/b"]) is error
    assert "a/video" in names(files["item/a"])


async def test_an_asset_request_that_may_be_better_next_time_fails_those_who_need_it(
    autojump_clock: trio.testing.MockClock,
) -> None:
    answers = lectures("a", "b") | {"assets.v1": httpx.Response(503), "onDemandLectureAssets.v1/C1~b/": NOT_THERE}
    async with signed_in(answers) as (provider, _):
        files = await provider.files(COURSE, [item("a"), item("b")])
    assert isinstance(files["item/a"], BadReply)
    assert names(files["item/b"]) == ["b/video", "b/subtitle/en.srt", "b/transcript/en.txt"]


@pytest.mark.parametrize("path", ["assets.v1", "onDemandLectureAssets.v1/C1~a/"])
@pytest.mark.parametrize("answer", [WEB_PAGE, LOCKED])
async def test_a_lecture_can_be_watched_though_its_attachments_are_refused(path: str, answer: httpx.Response) -> None:
    async with signed_in(lectures("a") | {path: answer, "assetUrls.v1": WEB_PAGE}) as (provider, _):
        files = await provider.files(COURSE, [item("a")])
    assert names(files["item/a"]) == ["a/video", "a/subtitle/en.srt", "a/transcript/en.txt", "a/attachments"]


async def test_an_ended_sign_in_stands_against_all() -> None:
    answers = lectures("a", "b") | {"onDemandLectureVideos.v1/C1~b": SIGNED_OUT}
    async with signed_in(answers, account="uni") as (provider, _):
        with pytest.raises(NotSignedIn) as caught:
            await provider.files(COURSE, [item("a"), item("b")])
    assert str(caught.value) == (
        "uni: the sign-in is no longer accepted; sign in again: coursefs login coursera --account uni --cauth …"
    )


async def test_no_network_stands_against_all(autojump_clock: trio.testing.MockClock) -> None:
    def broken(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    async with signed_in(lectures("a") | {"assets.v1": broken}) as (provider, _):
        with pytest.raises(Unreachable):
            await provider.files(COURSE, [item("a")])


async def test_without_a_cookie_nothing_is_asked() -> None:
    platform = Platform({})
    async with Transport(http_transport=httpx.MockTransport(platform)) as transport:
        with pytest.raises(NotSignedIn, match="coursera: not signed in; sign in: coursefs login coursera --cauth"):
            await CourseraClient(transport, "").memberships()
    assert platform.requests == []


async def test_a_refusal_at_random_is_asked_again(autojump_clock: trio.testing.MockClock) -> None:
    answers: dict[str, Answer | list[Answer]] = {"adminUserPermissions.v1": [RANDOM, RANDOM, good([{"id": 7}])]}
    async with signed_in(answers) as (provider, platform):
        assert (await provider.whoami()).user_id == "7"
    assert len(platform.requests) == 3
    assert trio.current_time() > 0.3


async def test_a_refusal_that_stays_is_not_asked_for_ever(autojump_clock: trio.testing.MockClock) -> None:
    async with signed_in({"adminUserPermissions.v1": RANDOM}) as (provider, platform):
        with pytest.raises(BadReply, match="HTTP 400"):
            await provider.whoami()
    assert len(platform.requests) == 5


async def test_listing_and_reading_a_lecture_asks_once() -> None:
    async with signed_in(lectures("a")) as (provider, platform):
        files = (await provider.files(COURSE, [item("a")]))["item/a"]
        asked = len(platform.requests)
        video = await provider.source(COURSE, remote(files, "item/a/video"), fresh=False)
        subtitle = await provider.source(COURSE, remote(files, "item/a/subtitle/en.srt"), fresh=False)
        transcript = await provider.source(COURSE, remote(files, "item/a/transcript/en.txt"), fresh=False)
        slides = await provider.source(COURSE, remote(files, "item/a/asset/a1"), fresh=False)
    assert len(platform.requests) == asked
    assert (video.url, video.expires) == (f"{CDN}/v1.mp4?Expires={END}&Signature=x", END)
    assert subtitle.url == f"{BASE}/api/subtitleAssetProxy.v1/s?expiry={END}000&hmac=x&fileExtension=srt"
    assert transcript.url == f"{BASE}/api/subtitleAssetProxy.v1/s?expiry={END}000&hmac=y&fileExtension=txt"
    assert (subtitle.expires, transcript.expires) == (END, END)
    assert (slides.url, slides.expires) == (f"{CDN}/a1.pdf?Expires={END}", END)
    assert not any(one.headers for one in (video, subtitle, transcript, slides))


async def test_a_refused_url_is_asked_for_anew() -> None:
    answers = lectures("a")
    answers["onDemandLectureVideos.v1/C1~a"] = [video_reply(1), video_reply(2)]
    async with signed_in(answers) as (provider, platform):
        files = (await provider.files(COURSE, [item("a")]))["item/a"]
        video, slides = remote(files, "item/a/video"), remote(files, "item/a/asset/a1")
        assert (await provider.source(COURSE, video, fresh=True)).url.startswith(f"{CDN}/v2.mp4")
        assert (await provider.source(COURSE, video, fresh=False)).url.startswith(f"{CDN}/v2.mp4")
        await provider.source(COURSE, slides, fresh=True)
    assert platform.paths["onDemandLectureVideos.v1/C1~a"] == 2
    assert platform.requests[-1].url.params["ids"] == "a1"


async def test_a_listing_asks_anew() -> None:
    async with signed_in(lectures("a")) as (provider, platform):
        await provider.files(COURSE, [item("a")])
        await provider.files(COURSE, [item("a")])
    assert set(platform.paths.values()) == {2}


async def test_concurrent_readers_of_a_lecture_share_one_request() -> None:
    locator = {"what": "video", "course_id": "C1", "item_id": "a", "resolution": "720p", "container": "mp4"}
    urls: set[str] = set()
    async with signed_in(lectures("a")) as (provider, platform):

        async def read() -> None:
            urls.add((await provider.source(COURSE, Remote("video/C1~a/720p.mp4", locator), fresh=False)).url)

        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(read)
    assert platform.paths == {"onDemandLectureVideos.v1/C1~a": 1}
    assert len(urls) == 1


@pytest.mark.parametrize(
    "locator",
    [
        {"what": "video", "resolution": "1080p", "container": "mp4"},
        {"what": "video", "resolution": "720p", "container": "webm"},
        {"what": "subtitle", "language": "de"},
        {"what": "transcript", "language": "de"},
    ],
)
async def test_what_a_lecture_no_longer_offers_is_gone(locator: dict[str, str]) -> None:
    async with signed_in(lectures("a")) as (provider, _):
        with pytest.raises(Gone, match=r"no longer offers x\.y"):
            await provider.source(COURSE, Remote("v/x.y", {"course_id": "C1", "item_id": "a", **locator}), fresh=False)


async def test_an_asset_that_is_no_longer_there_is_gone() -> None:
    async with signed_in({"assets.v1": good([])}) as (provider, _):
        with pytest.raises(Gone):
            await provider.source(COURSE, Remote("asset/a", {"what": "asset", "asset_id": "a"}), fresh=False)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080/x", "https://localhost/x", "https://[::1/x"])
async def test_a_platform_elsewhere_cannot_point_to_this_machine(url: str) -> None:
    async with signed_in({"assets.v1": good([{"id": "a", "name": "x", "url": {"url": url}}])}) as (provider, _):
        with pytest.raises(BadReply):
            await provider.source(COURSE, Remote("asset/a", {"what": "asset", "asset_id": "a"}), fresh=False)


async def test_a_platform_on_this_machine_can() -> None:
    url = "http://127.0.0.1:8080/x"
    answers: dict[str, Answer | list[Answer]] = {"assets.v1": good([{"id": "a", "name": "x", "url": {"url": url}}])}
    async with signed_in(answers, base_url="http://127.0.0.1:8000/") as (provider, platform):
        source = await provider.source(COURSE, Remote("asset/a", {"what": "asset", "asset_id": "a"}), fresh=False)
    assert source.url == url
    assert str(platform.requests[0].url).startswith("http://127.0.0.1:8000/api/assets.v1?")


async def test_the_cookie_goes_to_no_other_host() -> None:
    elsewhere = httpx.Response(302, headers={"location": "https://evil.example/api/adminUserPermissions.v1"})
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return copy_of(elsewhere) if request.url.host == "www.coursera.org" else good([{"id": 7}])

    async with Transport(http_transport=httpx.MockTransport(answer)) as transport:
        await CourseraClient(transport, "SECRET").whoami()
    assert [request.url.host for request in seen] == ["www.coursera.org", "evil.example"]
    assert "SECRET" in str(seen[0].headers.raw)
    assert "SECRET" not in str(seen[1].headers.raw) + str(seen[1].url)


async def test_a_cookie_that_the_platform_sets_is_not_sent_back() -> None:
    answer = good([{"id": 7}])
    answer.headers["set-cookie"] = "csrf=1; Domain=.coursera.org; Path=/"
    async with signed_in({"adminUserPermissions.v1": answer}) as (provider, platform):
        await provider.whoami()
        await provider.whoami()
    assert platform.requests[1].headers["cookie"] == "CAUTH=SECRET"


async def test_the_settings_limit_how_often_the_platform_is_asked(autojump_clock: trio.testing.MockClock) -> None:
    answer = good([{"id": 7}])
    async with signed_in({"adminUserPermissions.v1": answer}, requests_per_second="2") as (provider, _):
        for _ in range(34):
            await provider.whoami()
    assert trio.current_time() == pytest.approx(2.0)


def test_no_repr_of_an_account_shows_its_cookie() -> None:
    account = Account("coursera", {}, {"cauth": "SECRET"})
    provider = registry.platform("coursera").create(account, Transport())
    assert "SECRET" not in repr(account) + repr(provider) + json.dumps(str(vars(provider)))
