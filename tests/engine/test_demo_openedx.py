"""The sample server of Open edX is strict: what the platform refuses, it refuses."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from coursefs.demo.openedx.accounts import APP
from coursefs.demo.openedx.description import COURSES, FILES, load
from coursefs.demo.openedx.enrolling import bulk_enrolment
from tests.engine.openedx_world import Clock, Lms, lms

ID = "course-v1:DemoX+MEAS101+2026"
UNIT = "/xblock/block-v1:DemoX+MEAS101+2026+type@vertical+block@5b2f7c1e8d3a4f6090a1b2c3d4e5f601"
CHART = "/asset-v1:DemoX+MEAS101+2026+type@asset+block@Star_chart.pdf"


@asynccontextmanager
async def spoken_to(now: Callable[[], float] = time.time) -> AsyncIterator[tuple[Lms, httpx.AsyncClient]]:
    async with lms(now=now) as world, httpx.AsyncClient(base_url=world.addresses.lms, trust_env=False) as client:
        yield world, client


def token(world: Lms, **form: str) -> dict[str, str]:
    secrets = world.learner(**form)
    return {"Authorization": f"{secrets['token_kind']} {secrets['access_token']}"}


async def test_blocks_are_given_as_they_are_asked_for() -> None:
    async with spoken_to() as (world, client):
        headers = token(world)

        async def blocks(**query: str) -> httpx.Response:
            return await client.get("/api/courses/v2/blocks/", params=query, headers=headers)

        assert (await blocks()).status_code == 400
        assert (await blocks(course_id=ID)).status_code == 400
        assert (await blocks(course_id=ID, username="other")).status_code == 403
        assert (await blocks(course_id="course-v1:a+b+c", username="learner")).status_code == 404
        assert (
            await blocks(course_id=ID.replace("101", "102").replace("2026", "2099"), username="learner")
        ).status_code == 404
        root = (await blocks(course_id=ID, username="learner")).json()
        assert list(root["blocks"]) == [root["root"]] and "children" not in root["blocks"][root["root"]]
        bare = (await blocks(course_id=ID, username="learner", depth="all")).json()["blocks"].values()
        assert len(bare) > 15 and not any("children" in one or "student_view_data" in one for one in bare)
        query = {"depth": "all", "requested_fields": " children,\n due", "student_view_data": "video"}
        full = (await blocks(course_id=ID, username="learner", **query)).json()["blocks"].values()
        assert {one["type"] for one in full if "student_view_data" in one} == {"video"}
        assert {one["type"] for one in full if "due" in one} == {"problem"}
        assert not any(one["type"] in {"html", "problem"} and "children" in one for one in full)
        listed = (await blocks(course_id=ID, username="learner", return_type="list")).json()
        assert isinstance(listed, list)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, {"detail": "Authentication credentials were not provided."}),
        ({"Authorization": "JWT x"}, {"detail": "Invalid token."}),
        ({"Authorization": "Bearer x y"}, {"error_code": "token_malformed"}),
        ({"Authorization": "Bearer x"}, {"error_code": "token_nonexistent"}),
    ],
)
async def test_who_shows_nothing_good_is_told_what_is_wrong(
    headers: Mapping[str, str], body: Mapping[str, str]
) -> None:
    async with spoken_to() as (_, client):
        reply = await client.get("/api/user/v1/me", headers=headers)
        assert reply.status_code == 401 and body.items() <= reply.json().items()


async def test_a_token_is_of_one_kind_ends_and_is_replaced() -> None:
    clock = Clock()
    async with spoken_to(now=clock) as (world, client):
        jwt, bearer = token(world), token(world, token_type="bearer")
        assert (await client.get("/api/user/v1/me", headers=bearer)).json() == {"username": "learner"}
        turned = {"Authorization": jwt["Authorization"].replace("JWT", "Bearer")}
        assert (await client.get("/api/user/v1/me", headers=turned)).status_code == 401
        clock.time += 3600
        assert (await client.get("/api/user/v1/me", headers=jwt)).json() == {"detail": "Token has expired."}
        assert (await client.get("/api/user/v1/me", headers=bearer)).json()["error_code"] == "token_expired"
        secrets = world.learner()
        form = {"grant_type": "refresh_token", "client_id": APP, "refresh_token": secrets["refresh_token"]}
        assert (await client.post("/oauth2/access_token/", data=form)).status_code == 200
        assert (await client.post("/oauth2/access_token", data=form)).json() == {"error": "invalid_grant"}
        old = {"Authorization": f"JWT {secrets['access_token']}"}
        assert (await client.get("/api/user/v1/me", headers=old)).status_code == 401
        assert (await client.post("/oauth2/access_token/", json=form)).json() == {"error": "unsupported_grant_type"}


async def test_pages_are_for_sessions_alone() -> None:
    async with spoken_to() as (world, client):
        reply = await client.get(UNIT, headers=token(world))
        assert reply.status_code == 302 and reply.headers["location"].startswith("/login?next=")
        session = {"Cookie": f"sessionid={world.platform.accounts.open_session('learner')}"}
        first, second = [await client.get(UNIT, headers=session) for _ in range(2)]
        assert first.status_code == 200 and first.text != second.text
        assert "/static/Star_chart.pdf" not in first.text and "/assets/courseware/v1/" in first.text
        assert (await client.get(CHART)).status_code == 403
        part = await client.get(CHART, headers={**session, "Range": "bytes=0-3"})
        assert (part.status_code, part.content) == (206, b"%PDF")


async def test_a_wrong_digest_leads_to_the_file() -> None:
    async with spoken_to() as (_, client):
        reply = await client.get(f"/assets/courseware/v1/{'0' * 32}{CHART}")
        assert (reply.status_code, reply.headers["location"]) == (301, CHART)


async def test_to_open_a_session_takes_the_guards_of_the_login_page() -> None:
    async with spoken_to() as (world, client):
        form = {"email": "learner", "password": world.platform.accounts.passwords["learner"]}
        path = "/api/user/v1/account/login_session/"
        assert (await client.post(path, data=form)).status_code == 403
        value = (await client.get("/csrf/api/v1/token")).json()["csrfToken"]
        headers = {"X-CSRFToken": value, "Cookie": f"csrftoken={value}"}
        assert (await client.post(path, data=form, headers=headers)).status_code == 403
        headers["Referer"] = f"{world.addresses.lms}/login"
        assert (await client.post(path, data={**form, "password": "x"}, headers=headers)).status_code == 400
        assert "sessionid" in (await client.post(path, data=form, headers=headers)).headers["set-cookie"]


@pytest.mark.parametrize(("path", "most"), [("/api/enrollment/v1/enrollment", 40), ("/api/courses/v1/courses/", 20)])
async def test_who_asks_too_often_is_told_to_wait(path: str, most: int) -> None:
    clock = Clock()
    async with spoken_to(now=clock) as (world, client):
        headers = token(world)
        statuses = [(await client.get(path, headers=headers)).status_code for _ in range(most + 1)]
        assert statuses == [200] * most + [429]
        reply = await client.get(path, headers=headers)
        assert reply.headers["retry-after"] == "60" and "Expected available in 60 seconds" in reply.json()["detail"]
        clock.time += 60
        assert (await client.get(path, headers=headers)).status_code == 200


async def test_a_release_may_lack_routes() -> None:
    async with lms(gone=("/api/courses/v2/",)) as world:
        reply = await world.transport.fetch(f"{world.addresses.lms}/api/courses/v2/blocks/", headers=token(world))
        assert reply.status == 404 and reply.body.startswith(b"<!DOCTYPE html>")


async def test_the_media_host_takes_no_secrets() -> None:
    async with lms() as world:
        (path, file), *_ = [(path, file) for path, file in _media(world).items() if file.suffix == ".mp4"]
        assert (await world.transport.fetch(world.addresses.media + path)).body == file.read_bytes()
        assert (await world.transport.fetch(world.addresses.media + path, headers={"Cookie": "a=b"})).status == 400
        assert (await world.transport.fetch(world.addresses.media + "/x")).status == 403
        assert len(world.leaks) == 1


def _media(world: Lms) -> Mapping[str, Path]:
    from coursefs.demo.openedx.description import media_files

    return media_files(world.platform.courses)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "JSON parse error"),
        (b'{"identifiers": "a", "courses": "c"}', "required"),
        (b'{"identifiers": "a", "courses": "c", "action": "x"}', "not a valid choice"),
        (b'{"identifiers": "a", "courses": "x", "action": "enroll"}', "Course key not valid: x"),
        (b'{"identifiers": "a", "courses": "c", "action": "unenroll", "cohorts": "x"}', "only be used for enrollments"),
        (b'{"identifiers": "a", "courses": "c", "action": "enroll", "cohorts": "x,y"}', "equal number"),
    ],
)
def test_what_is_wrong_with_an_enrolment(body: bytes, said: str) -> None:
    status, reply = bulk_enrolment(body, {"c"})
    assert status == 400 and said in str(reply)


def test_server_side_defaults_of_an_enrolment_are_off() -> None:
    status, reply = bulk_enrolment(b'{"identifiers": "a", "courses": "c", "action": "enroll"}', {"c"})
    assert (status, reply["auto_enroll"], reply["email_students"]) == (200, False, False)


def test_every_file_of_the_descriptions_is_there() -> None:
    courses = load()
    assert len(courses) == len(list(COURSES.glob("*.toml")))
    for course in courses:
        keys = [block.key for block in course.root.walk()]
        assert len(keys) == len(set(keys))
        for asset in course.assets.values():
            assert asset.file.is_file()
        for block in course.root.walk():
            for name in block.fields.get("transcripts", {}).values():
                assert (FILES / name).is_file()
