"""Replies about several items, taken apart only where it is certain what belongs to which."""

from __future__ import annotations

from typing import Any

import pytest

from coursefs.errors import BadReply, CoursefsError, Gone, NotAllowed, NotSignedIn, RouteGone, Unreachable
from coursefs.providers.coursera import routes
from coursefs.providers.coursera.naptime import Envelope
from coursefs.providers.coursera.several import LEAST, MOST, Several, for_several, split

IDS = {"C~a": "a", "C~b": "b", "C~c": "c"}


def reply(elements: list[Any], rows: list[Any]) -> Envelope:
    return Envelope(tuple(elements), {"videos.v1": rows}, "")


def parts(envelope: Envelope) -> dict[str, list[str]]:
    return {one: [row["id"] for row in own.related("videos.v1")] for one, own in split(envelope, IDS).items()}


def test_linked_objects_go_to_the_item_that_they_name_or_that_names_them() -> None:
    elements = [{"id": "C~b", "videoId": "v2"}, {"id": "x", "itemId": "a"}, {"id": "C~c", "wrappers": ["w", "v2"]}]
    rows = [{"id": "v2"}, {"id": "w"}, {"id": "C~a"}, {"id": "y", "itemId": "a"}]
    assert parts(reply(elements, rows)) == {"b": ["v2"], "c": ["v2", "w"], "a": ["C~a", "y"]}


@pytest.mark.parametrize(
    ("elements", "rows"),
    [
        ([{"id": "C~a"}, {"id": "C~b"}], [{"id": "v1"}, {"id": "v2"}]),  # in no order: they could be exchanged
        ([{"id": "C~a"}], [{"id": "v1"}]),
        ([{"id": "C~a", "videoId": "v1"}], [{"id": "v1"}, {"id": "v2"}]),
        ([{"id": "C~a", "videoId": "v1"}], [{"id": "v1"}, {}]),
        ([{"id": "C~other", "videoId": "v1"}], [{"id": "v1"}]),
        ([{"id": "v1", "courseId": "v1"}], [{"id": "v1"}]),
        ([], []),
    ],
)
def test_nothing_is_guessed(elements: list[Any], rows: list[Any]) -> None:
    assert parts(reply(elements, rows)) == {}


def test_an_item_without_a_linked_object_is_not_clear() -> None:
    assert parts(reply([{"id": "C~a", "videoId": "v"}, {"id": "C~b"}], [{"id": "v"}])) == {"a": ["v"]}


def test_the_routes_for_several() -> None:
    route = for_several(routes.SUPPLEMENT, "x(y)")
    assert route.url("https://c", ids="C~a,C~b") == (
        "https://c/api/onDemandSupplements.v1?includes=asset&fields=openCourseAssets.v1(typeName)%2C"
        "openCourseAssets.v1(definition)%2Cx(y)&ids=C~a%2CC~b"
    )
    assert "/{id}" not in for_several(routes.LECTURE_ASSETS).path


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (RouteGone("405"), False),
        (BadReply("400"), False),
        (NotAllowed("one is locked"), True),
        (Gone("one is gone"), True),
    ],
)
async def test_a_platform_that_takes_one_at_a_time_is_not_asked_twice(error: CoursefsError, again: bool) -> None:
    asked: list[str] = []

    async def ask(route: routes.Route, **values: str) -> Envelope:
        asked.append(f"{route.name} {values['ids']}")
        raise error

    several = Several(ask)
    for route in (routes.LECTURE_VIDEO, routes.SUPPLEMENT):
        assert await several.get(for_several(route), "C", ["a", "b", "c"]) == {}
    assert len(asked) == (2 if again else 1)


async def test_few_items_are_worth_no_trial_and_many_go_in_several_requests() -> None:
    asked: list[int] = []

    async def ask(route: routes.Route, **values: str) -> Envelope:
        ids = values["ids"].split(",")
        asked.append(len(ids))
        return Envelope(tuple({"id": one} for one in ids), {"videos.v1": [{"id": one} for one in ids]}, "")

    several = Several(ask)
    route = for_several(routes.LECTURE_VIDEO)
    assert await several.get(route, "C", ["a"] * (LEAST - 1)) == {}
    found = await several.get(route, "C", [f"i{number}" for number in range(MOST + LEAST)])
    assert len(found) == MOST + LEAST and asked == [MOST, LEAST]


@pytest.mark.parametrize("error", [NotSignedIn("ended"), Unreachable("no network")])
async def test_errors_of_the_account_and_the_network_are_raised(error: CoursefsError) -> None:
    async def ask(route: routes.Route, **values: str) -> Envelope:
        raise error

    with pytest.raises(type(error)):
        await Several(ask).get(for_several(routes.LECTURE_VIDEO), "C", ["a", "b", "c"])


async def test_a_reply_that_cannot_be_taken_apart_is_not_asked_for_again() -> None:
    asked: list[str] = []

    async def ask(route: routes.Route, **values: str) -> Envelope:
        asked.append(route.name)
        return reply([{"id": "C~a"}], [{"id": "v"}])

    several = Several(ask)
    for _ in range(2):
        assert await several.get(for_several(routes.LECTURE_ASSETS), "C", ["a", "b", "c"]) == {}
    assert len(asked) == 1
    await several.get(for_several(routes.SUPPLEMENT), "C", ["a", "b", "c"])
    assert len(asked) == 2  # another route may be clear
