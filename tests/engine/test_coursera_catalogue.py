"""Searching the catalogue and finding what people mean, against the demo platform over real sockets."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from coursefs.demo.catalogue import DEAD, LEFT
from coursefs.errors import BadReply, Gone, NotSignedIn, RouteGone
from coursefs.model import Course, Wanted
from coursefs.providers import registry
from coursefs.providers.base import Account, Resolves, Searches
from coursefs.providers.coursera import CourseraClient
from coursefs.providers.coursera.provider import CourseraProvider
from coursefs.transport import Transport
from tests.engine.small_platform import COURSE, World, small_platform
from tests.engine.test_coursera_provider import NOT_THERE, WEB_PAGE, Answer, Platform, good, signed_in


@asynccontextmanager
async def provider_in(
    world: World,
    *,
    signed_in: bool = True,
    wanted: Wanted = Wanted(),  # noqa: B008  frozen
) -> AsyncIterator[CourseraProvider]:
    """The provider for the small platform."""
    secrets = {"cauth": world.addresses.cauth} if signed_in else {}
    account = Account("coursera", {"base_url": world.addresses.api}, secrets, wanted)
    async with Transport() as transport:
        provider = registry.platform("coursera").create(account, transport)
        assert isinstance(provider, CourseraProvider)
        yield provider


def client_of(world: World, *, signed_in: bool = True) -> CourseraClient:
    return CourseraClient(cauth=world.addresses.cauth if signed_in else "", base_url=world.addresses.api)


async def test_the_platform_searches_in_one_request_without_a_sign_in(tmp_path: Path) -> None:
    async with small_platform(tmp_path) as world, provider_in(world, signed_in=False) as provider:
        (one,) = await provider.search("song bird")
        assert (one.title, one.slug, one.url) == (
            "Bird Song: an Introduction to Hearing",
            "bird-song",
            f"{world.addresses.api}/learn/bird-song",
        )
        about = one.about
        assert about is not None
        assert (about.level, about.length, about.rating, about.ratings, about.partners) == (
            "beginner", "one to four weeks", 4.7432, 1234, ("University of Examples",),
        )  # fmt: skip
        assert [(entry.operation, entry.notes) for entry in world.platform.journal.entries] == [("Search", [])]
        assert "~" not in one.key
        # neither articles nor programmes, and no course of the platform that was shut off
        assert [one.title for one in await provider.search("hearing")] == ["Bird Song: an Introduction to Hearing"]
        assert await provider.search("algorithms") == await provider.search("no such thing") == []
        assert len(await provider.search("a", limit=2)) == 2
        assert {entry.operation for entry in world.platform.journal.entries} == {"Search"}


async def test_more_courses_than_a_page_are_searched_for_page_by_page() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        (said,) = json.loads(request.content)
        (asked,) = said["variables"]["requests"]
        assert "cookie" not in request.headers or "CAUTH" not in request.headers["cookie"]
        first, limit = int(asked["cursor"]), asked["limit"]
        rows = [{"id": f"course~{n}", "url": f"/learn/c{n}", "name": f"C{n}"} for n in range(first, first + limit)]
        result = {"elements": rows, "pagination": {"cursor": str(first + limit), "totalElements": 1000}}
        return httpx.Response(200, json=[{"data": {"SearchResult": {"search": [result]}}}])

    async with signed_in({"/graphql-gateway": answer}) as (provider, platform):
        assert isinstance(provider, Searches)
        found = await provider.search("c", limit=250)
    assert [one.key for one in found] == [str(number) for number in range(250)]
    assert len(platform.requests) == 3


async def test_words_that_could_be_taken_for_a_change_are_searched_for_here(tmp_path: Path) -> None:
    async with small_platform(tmp_path) as world, provider_in(world, signed_in=False) as provider:
        assert await provider.search("genetic mutation") == []
        assert {entry.method for entry in world.platform.journal.entries} == {"GET"}


@pytest.mark.parametrize("trouble", [{"unknown_fields": ("SearchResult",)}, {"removed": ("gateway",)}])
async def test_the_whole_catalogue_is_searched_where_the_platform_does_not(
    tmp_path: Path, trouble: dict[str, tuple[str, ...]]
) -> None:
    async with small_platform(tmp_path, memberships_page=2) as world, provider_in(world, signed_in=False) as provider:
        await world.fail(**trouble)
        assert isinstance(provider, Searches)
        (one,) = await provider.search("song bird")
        assert (one.title, one.url) == (
            "Bird Song: an Introduction to Hearing",
            f"{world.addresses.api}/learn/bird-song",
        )
        # six courses in pages of two
        assert [entry.method for entry in world.platform.journal.entries] == ["POST", "GET", "GET", "GET"]
        assert [one.slug for one in await provider.search("for")] == ["gardening-for-beginners"]
        assert await provider.search("algorithms") == []  # of the platform that was shut off
        assert len(await provider.search("a", limit=2)) == 2


async def test_no_cookie_is_sent_where_none_is_needed() -> None:
    answers: dict[str, Answer | list[Answer]] = {"courses.v1": good(), "/graphql-gateway": WEB_PAGE}
    async with signed_in(answers) as (provider, platform):
        assert isinstance(provider, Searches)
        await provider.search("x")
    for request in platform.requests:
        assert "CAUTH" not in request.headers.get("cookie", "")
    assert "cookie" not in platform.requests[-1].headers


@pytest.mark.parametrize("said", ["small", COURSE, "{base}/learn/small/home/week/2?specialization=x"])
async def test_a_course_is_found_by_slug_id_and_address(tmp_path: Path, said: str) -> None:
    async with small_platform(tmp_path) as world, provider_in(world) as provider:
        assert isinstance(provider, Resolves)
        (course,) = await provider.resolve(said.format(base=world.addresses.api))
        assert (course.key, course.hidden) == (COURSE, False)
        assert course in await provider.courses()


async def test_a_specialization_is_all_its_courses(tmp_path: Path) -> None:
    async with small_platform(tmp_path) as world, provider_in(world) as provider:
        for said in (f"{world.addresses.api}/specializations/seeing-and-hearing", "seeing-and-hearing"):
            found = await provider.resolve(said)
            assert [(one.slug, one.hidden) for one in found] == [("small", False), ("bird-song", True)]


async def test_a_slug_of_both_is_the_course_and_its_address_tells_them_apart(tmp_path: Path) -> None:
    async with small_platform(tmp_path) as world, provider_in(world) as provider:
        (course,) = await provider.resolve("machine-learning")
        asked = [entry.path for entry in world.platform.journal.entries]
        assert not any("Specializations" in path for path in asked)
        (same,) = await provider.resolve(f"{world.addresses.api}/specializations/machine-learning")
        assert course == same and course.hidden
        assert any("onDemandSpecializations" in entry.path for entry in world.platform.journal.entries)


@pytest.mark.parametrize("said", ["https://campus.example.edu/x", "no such thing", "no-such-thing"])
async def test_what_is_nothing_of_the_platform(tmp_path: Path, said: str) -> None:
    async with small_platform(tmp_path) as world, provider_in(world) as provider:
        assert await provider.resolve(said) == ()


async def test_an_id_of_the_dead_platform_is_said_to_be_one(tmp_path: Path) -> None:
    async with small_platform(tmp_path) as world, provider_in(world) as provider:
        with pytest.raises(Gone, match=r"proglang-003: courses of this kind ended .* in 2016"):
            await provider.resolve("proglang-003")


async def test_the_lists_of_the_client(tmp_path: Path) -> None:
    async with small_platform(tmp_path, memberships_page=2) as world, client_of(world) as client:
        course = await client.catalogue.course("small")
        assert (course.name, course.partners, course.instructors) == (
            "A Small Course",
            ("University of Examples",),
            ("Dr. Ada Example", "Grace Sample"),
        )
        known = await client.catalogue.courses([COURSE, "x", COURSE, str(DEAD["id"])])
        assert known.keys() == {COURSE, DEAD["id"]}
        first, start = await client.catalogue.page()
        second, _ = await client.catalogue.page(start)
        assert len(first) == len(second) == 2 and first != second
        assert [one.slug for one in await client.catalogue.watchlist()] == [
            "algorithms-003",
            "machine-learning",
            "la-guitare",
            "bird-song",
        ]
        mine = {one.slug: one for one in await client.catalogue.my_specializations()}
        assert {slug: one.role for slug, one in mine.items()} == {
            "seeing-and-hearing": "LEARNER",
            "gardens": "NOT_ENROLLED",
        }
        assert mine["gardens"].course_ids == (LEFT["id"],)
        with pytest.raises(Gone):
            await client.catalogue.course("none")
        with pytest.raises(Gone):
            await client.catalogue.specialization("small")


async def test_a_learners_own_lists_need_a_sign_in(tmp_path: Path) -> None:
    async with small_platform(tmp_path) as world, client_of(world, signed_in=False) as client:
        with pytest.raises(NotSignedIn):
            await client.catalogue.watchlist()
        assert world.platform.journal.entries == []
        headers = {"Accept": "application/json"}
        assert (await world.anyone.get("/api/courses.v1?q=watchlist", headers=headers)).status_code == 403


async def test_courses_of_a_specialization_that_are_not_joined_are_asked_for() -> None:
    answers: dict[str, Answer | list[Answer]] = {
        "onDemandSpecializations.v1": good([{"id": "s", "slug": "s", "courseIds": ["b", "a", "gone"]}]),
        "courses.v1": good([{"id": "a", "slug": "a"}, {"id": "b", "slug": "b"}]),
    }
    async with Transport(http_transport=httpx.MockTransport(Platform(answers))) as transport:
        _, courses = await CourseraClient(transport).catalogue.specialization("s")
    assert [course.id for course in courses] == ["b", "a"]


async def test_a_catalogue_that_does_not_end() -> None:
    endless = good([{"id": "a"}], paging={"next": "0"})
    async with signed_in({"courses.v1": endless, "/graphql-gateway": WEB_PAGE}) as (provider, _):
        assert isinstance(provider, Searches)
        with pytest.raises(BadReply, match="public catalogue: the platform's list does not end"):
            await provider.search("x")


# -- the enrolments of the platform of sessions ----------------------------------------------------------------------


async def test_where_the_enrolments_are_gone_the_older_list_is_understood() -> None:
    old = {"courses": [{"id": 77, "name": "Nets", "shortName": "nets"}], "enrollments": [{"courseId": 77}]}
    answers: dict[str, Answer | list[Answer]] = {
        "memberships.v1": WEB_PAGE,
        "users/v1/me/enrollments": httpx.Response(200, json=old),
    }
    async with signed_in(answers) as (provider, _):
        assert await provider.courses() == [Course("77", "nets", "Nets", "https://www.coursera.org/learn/nets")]


@pytest.mark.parametrize("answer", [NOT_THERE, WEB_PAGE])
async def test_where_that_is_gone_too_it_is_the_newer_one_that_is_missed(answer: httpx.Response) -> None:
    answers: dict[str, Answer | list[Answer]] = {"memberships.v1": WEB_PAGE, "users/v1/me/enrollments": answer}
    async with signed_in(answers, base_url="https://mirror.example") as (provider, platform):
        with pytest.raises(RouteGone, match="enrolments"):
            await provider.courses()
    assert len(platform.requests) == 2
