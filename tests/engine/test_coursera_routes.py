"""Routes that the platform has removed: what is asked instead, what is remembered, and what is said."""

from __future__ import annotations

import httpx
import pytest
import trio
import trio.testing

from coursefs.errors import BadReply, NotAllowed, NotSignedIn, RouteGone
from coursefs.model import Item
from coursefs.providers.base import HasRoutes, Provider
from tests.engine.test_coursera_provider import (
    BASE,
    COURSE,
    LOCKED,
    NOT_THERE,
    SIGNED_OUT,
    WEB_PAGE,
    Answer,
    assets_reply,
    good,
    item,
    names,
    reading_reply,
    remote,
    signed_in,
    video_reply,
    wrappers,
)

ROUTING_ERROR = httpx.Response(405, json={"msg": "Routing error: 'get-all' not implemented"})
NOT_FOUND_PAGE = httpx.Response(404, html="<!doctype html><title>Not found</title>")
BAD_REQUEST = httpx.Response(400, json={"errorCode": "request.validation"})
GONE = [WEB_PAGE, ROUTING_ERROR, NOT_FOUND_PAGE]

OLD_TREE = {
    "id": "C1",
    "courseMaterial": {
        "elements": [{"id": "M", "elements": [{"id": "L", "elements": [{"id": "a", "name": "A", "slug": "a"}]}]}]
    },
}
V2, V1, NESTED = "onDemandCourseMaterials.v2/", "onDemandCourseMaterials.v1/", "opencourse.v1/course/some-course"
TAB, INFO = "onDemandReferences.v1/", "courses.v1"


def tree_reply() -> httpx.Response:
    linked = {"onDemandCourseMaterialItems.v1": [{"id": "a", "moduleId": "M", "name": "A"}]}
    return good([{"id": "C1", "moduleIds": ["M"]}], linked)


def troubles(provider: Provider) -> dict[str, bool]:
    assert isinstance(provider, HasRoutes)
    return {route.name: route.trouble is not None for route in provider.routes()}


@pytest.mark.parametrize("gone", GONE)
async def test_a_removed_tree_is_asked_for_by_the_old_routes(gone: httpx.Response) -> None:
    async with signed_in({V2: gone, V1: tree_reply(), TAB: good(), INFO: good()}) as (provider, platform):
        outline = await provider.outline(COURSE)
    assert outline is not None and outline.sections[0].items[0].key == "item/a"
    assert list(platform.paths)[:2] == [V2, V1]
    assert troubles(provider) == {
        "resources (onDemandReferences.v1)": False,
        "course (courses.v1)": False,
        "course materials (onDemandCourseMaterials.v2)": True,
        "course materials (onDemandCourseMaterials.v1)": False,
    }


@pytest.mark.parametrize("gone", [*GONE, NOT_THERE, BAD_REQUEST])
async def test_the_oldest_tree_comes_last(gone: httpx.Response) -> None:
    nested = httpx.Response(200, json=OLD_TREE)
    answers: dict[str, Answer | list[Answer]] = {V2: WEB_PAGE, V1: gone, NESTED: nested, TAB: good(), INFO: good()}
    async with signed_in(answers) as (provider, platform):
        outline = await provider.outline(COURSE)
    assert outline is not None and outline.sections[0].sections[0].items[0].key == "item/a"
    assert list(platform.paths)[:3] == [V2, V1, NESTED]
    assert platform.requests[2].url.params["showLockedItems"] == "true"


@pytest.mark.parametrize("gone", [*GONE, NOT_THERE, BAD_REQUEST])
async def test_without_any_tree_the_message_says_what_to_do(gone: httpx.Response) -> None:
    async with signed_in({V2: WEB_PAGE, V1: gone, NESTED: gone}, account="uni") as (provider, _):
        with pytest.raises(RouteGone) as caught:
            await provider.outline(COURSE)
    assert str(caught.value) == (
        "course materials: the platform has removed the route that coursefs uses, and the older ones with it "
        "(onDemandCourseMaterials.v2, onDemandCourseMaterials.v1, opencourse.v1/course); the present ones need a "
        "session: coursefs login coursera --account uni --cauth …"
    )


@pytest.mark.parametrize(("answer", "error"), [(SIGNED_OUT, NotSignedIn), (LOCKED, NotAllowed)])
async def test_what_is_refused_is_not_asked_for_by_other_routes(answer: httpx.Response, error: type[Exception]) -> None:
    async with signed_in({V2: answer}) as (provider, platform):
        with pytest.raises(error):
            await provider.outline(COURSE)
    assert list(platform.paths) == [V2]


async def test_a_server_in_trouble_has_removed_nothing(autojump_clock: trio.testing.MockClock) -> None:
    async with signed_in({V2: httpx.Response(503)}) as (provider, platform):
        with pytest.raises(BadReply):
            await provider.outline(COURSE)
    assert list(platform.paths) == [V2]
    assert troubles(provider) == {}


async def test_a_removed_route_rests_for_a_while(autojump_clock: trio.testing.MockClock) -> None:
    async with signed_in({V2: WEB_PAGE, V1: tree_reply(), TAB: good(), INFO: good()}) as (provider, platform):
        for _ in range(10):
            await provider.outline(COURSE)
        assert platform.paths == {V2: 3, V1: 10, TAB: 10, INFO: 10}, "after three such answers it is useless to ask"
        await trio.sleep(1000)
        platform.answers[V2] = good([{"id": "C1", "moduleIds": []}])
        await provider.outline(COURSE)
        await provider.outline(COURSE)
    assert platform.paths == {V2: 5, V1: 10, TAB: 12, INFO: 12}, "it is tried again, and then used again"
    assert troubles(provider)["course materials (onDemandCourseMaterials.v2)"] is False


async def test_the_trouble_of_a_route_does_not_say_its_name_again() -> None:
    async with signed_in({V2: WEB_PAGE, V1: tree_reply(), TAB: good(), INFO: good()}) as (provider, _):
        await provider.outline(COURSE)
        assert isinstance(provider, HasRoutes)
        (gone,) = [route for route in provider.routes() if route.trouble is not None]
    assert gone.name == "course materials (onDemandCourseMaterials.v2)"
    assert gone.trouble == "the platform no longer has this route (HTTP 200)"


async def test_one_odd_item_leaves_its_route_to_the_others() -> None:
    answers: dict[str, Answer | list[Answer]] = {"assets.v1": assets_reply}
    for one in ("a", "b", "c", "d", "e", "f"):
        answers[f"onDemandSupplements.v1/C1~{one}"] = WEB_PAGE if one in "ace" else reading_reply()
    async with signed_in(answers) as (provider, _):
        for one in ("a", "b", "c", "d", "e", "f"):
            files = (await provider.files(COURSE, [item(one, "supplement")]))[f"item/{one}"]
            assert isinstance(files, RouteGone) if one in "ace" else names(files) == [f"{one}/page"]


def old_lecture(item_id: str = "a") -> Item:
    details = {"item_id": item_id, "video_id": "V", "wrapper_ids": "w1,w2"}
    return Item(f"item/{item_id}", "A", "a", 1, "lecture", f"{BASE}/x", None, details)


def old_video() -> httpx.Response:
    source = {"resolution": "540p", "formatSources": {"video/mp4": "https://cdn.example/old.mp4?Expires=4000000000"}}
    return httpx.Response(
        200, json={"sources": [source], "subtitles": {"en": "/api/s"}, "posters": [], "playlists": {}}
    )


async def test_a_lecture_by_the_old_routes() -> None:
    answers: dict[str, Answer | list[Answer]] = {
        "onDemandLectureVideos.v1/C1~a": WEB_PAGE,
        "opencourse.v1/video/V": old_video(),
        "onDemandLectureAssets.v1/C1~a/": WEB_PAGE,
        "openCourseAssets.v1/w1": good([{"id": "w1", "typeName": "asset", "definition": {"assetId": "s1"}}]),
        "openCourseAssets.v1/w2": good([{"id": "w2", "typeName": "url", "definition": {"url": "https://e.org/"}}]),
        "assets.v1": WEB_PAGE,
        "assetUrls.v1": good(
            [{"id": "s1", "url": f"https://cdn.example/_{'0' * 32}_My%20slides.pdf?Expires=4000000000"}]
        ),
    }
    async with signed_in(answers) as (provider, platform):
        files = (await provider.files(COURSE, [old_lecture()]))["item/a"]
        assert [one.rpartition("/")[0] or one for one in names(files)] == ["a", "a/subtitle", "a/asset", "a/link"]
        assert not isinstance(files, Exception)
        assert (files[2].title, files[2].extension) == ("My slides", ".pdf")
        source = await provider.source(COURSE, remote(files, "item/a/video"), fresh=True)
    assert source.url.startswith("https://cdn.example/old.mp4")
    assert platform.paths["opencourse.v1/video/V"] == 2


async def test_an_old_lecture_without_attachments_is_complete() -> None:
    answers: dict[str, Answer | list[Answer]] = {
        "onDemandLectureVideos.v1/C1~a": video_reply(),
        "onDemandLectureAssets.v1/C1~a/": WEB_PAGE,
    }
    one = Item("item/a", "A", "a", 1, "lecture", f"{BASE}/x", None, {"item_id": "a", "wrapper_ids": ""})
    async with signed_in(answers) as (provider, _):
        files = await provider.files(COURSE, [one])
    assert names(files["item/a"]) == ["a/video", "a/subtitle/en.srt", "a/transcript/en.txt"]


async def test_without_a_video_id_there_is_no_old_route() -> None:
    async with signed_in({"onDemandLectureVideos.v1/C1~a": WEB_PAGE, "onDemandLectureAssets.v1/C1~a/": good()}) as (
        provider,
        platform,
    ):
        files = (await provider.files(COURSE, [item("a")]))["item/a"]
    assert isinstance(files, RouteGone) and "lecture video" in str(files)
    assert len(platform.requests) == 2


async def test_a_reading_by_its_wrapper() -> None:
    text = {"id": "w1", "typeName": "cml", "definition": {"value": "<co-content><text>Hi</text></co-content>"}}
    answers: dict[str, Answer | list[Answer]] = {
        "onDemandSupplements.v1/C1~r": ROUTING_ERROR,
        "openCourseAssets.v1/w1": good([text]),
    }
    reading = Item("item/r", "R", "r", 1, "supplement", f"{BASE}/x", None, {"item_id": "r", "wrapper_ids": "w1"})
    async with signed_in(answers) as (provider, _):
        files = await provider.files(COURSE, [reading])
    assert names(files["item/r"]) == ["r/page"]


async def test_one_bad_id_does_not_take_its_batch_along() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return NOT_THERE if "n30" in request.url.params["ids"].split(",") else assets_reply(request)

    answers: dict[str, Answer | list[Answer]] = {
        "onDemandLectureVideos.v1/C1~a": video_reply(),
        "onDemandLectureAssets.v1/C1~a/": wrappers(*(f"n{number}" for number in range(50))),
        "assets.v1": answer,
    }
    async with signed_in(answers) as (provider, platform):
        files = await provider.files(COURSE, [item("a")])
    attached = [one for one in names(files["item/a"]) if "/asset/" in one]
    assert len(attached) == 49 and "a/asset/n30" not in attached
    assert platform.paths["assets.v1"] <= 13


async def test_a_batch_of_nothing_but_bad_ids_is_given_up() -> None:
    answers: dict[str, Answer | list[Answer]] = {
        "onDemandLectureVideos.v1/C1~a": video_reply(),
        "onDemandLectureAssets.v1/C1~a/": wrappers(*(f"n{number}" for number in range(50))),
        "assets.v1": NOT_THERE,
    }
    async with signed_in(answers) as (provider, platform):
        files = await provider.files(COURSE, [item("a")])
    assert names(files["item/a"])[-1] == "a/attachments"
    assert platform.paths["assets.v1"] <= 40
