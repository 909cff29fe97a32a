"""The sample server of Open edX is strict: what the platform refuses, it refuses."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from coursefs.demo.openedx.accounts import APP
from coursefs.demo.openedx.description import COURSES, FILES, load, read
from coursefs.demo.openedx.enrolling import bulk_enrolment
from coursefs.transport import Reply
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
        assert (await blocks(course_id="course-v1:a+b+c", username="learner")).status_code == 403
        later = await blocks(course_id=ID.replace("101", "102").replace("2026", "2099"), username="learner")
        assert later.status_code == 500 and later.text.startswith("<!DOCTYPE html>")
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
        assert reply.status_code == 404 and "set-cookie" not in reply.headers
        dead = await client.get(UNIT, headers={"Cookie": "sessionid=gone"})
        assert dead.status_code == 404 and 'sessionid=""' in dead.headers["set-cookie"]
        session = {"Cookie": f"sessionid={world.platform.accounts.open_session('learner')}"}
        first, second = [await client.get(UNIT, headers=session) for _ in range(2)]
        assert first.status_code == 200 and first.text != second.text and "set-cookie" not in first.headers
        assert "/static/Star_chart.pdf" not in first.text and "+type@asset+block/Star_chart.pdf" in first.text
        assert f'src="//{world.addresses.media.partition("//")[2]}/assets/courseware/v1/' in first.text
        for chart in (CHART, CHART.replace("block@", "block/")):
            assert (await client.get(chart)).status_code == 403
            part = await client.get(chart, headers={**session, "Range": "bytes=0-3"})
            assert (part.status_code, part.content) == (206, b"%PDF") and "etag" not in part.headers
        bad = await client.get(CHART, headers={**session, "Range": "bytes=99999999-"})
        assert bad.status_code == 416 and "content-range" not in bad.headers


async def test_a_session_ends_when_it_ends() -> None:
    clock = Clock()
    async with spoken_to(now=clock) as (world, client):
        exchanged = world.platform.accounts.open_session("learner")
        clock.time += 14 * 86_400 - 1
        assert (await client.get(UNIT, headers={"Cookie": f"sessionid={exchanged}"})).status_code == 200
        clock.time += 1
        assert (await client.get(UNIT, headers={"Cookie": f"sessionid={exchanged}"})).status_code == 404


async def test_what_a_dead_session_is_told() -> None:
    async with spoken_to() as (_, client):
        dead = {"Cookie": "sessionid=gone"}
        query = {"course_id": ID, "username": "learner"}
        blocks = await client.get("/api/courses/v2/blocks/", params=query, headers=dead)
        said = "Anonymous users cannot access another user's blocks."
        assert (blocks.status_code, blocks.json()) == (403, {"developer_message": said})
        metadata = await client.get(f"/api/course_home/course_metadata/{ID}", headers=dead)
        assert metadata.json()["course_access"]["error_code"] == "authentication_required"
        assert (await client.get("/api/enrollment/v1/enrollment", headers=dead)).status_code == 401
        assert all('sessionid=""' in one.headers["set-cookie"] for one in (blocks, metadata))


async def test_a_jwt_gets_a_session_without_a_user() -> None:
    async with spoken_to() as (world, client):
        cookie = (await client.get("/api/user/v1/me", headers=token(world))).headers["set-cookie"]
        assert cookie.startswith("sessionid=")
        reply = await client.get("/api/user/v1/me", headers={"Cookie": cookie.partition(";")[0]})
        assert reply.status_code == 401
        bearer = await client.get("/api/user/v1/me", headers=token(world, token_type="bearer"))
        assert "set-cookie" not in bearer.headers


async def test_exams_and_what_comes_later_are_in_one_of_two_lists() -> None:
    async with spoken_to() as (world, client):
        query = {"course_id": ID, "username": "learner", "depth": "all", "requested_fields": "children"}

        async def subsections(more: str = "") -> list[str]:
            fields = {**query, "requested_fields": f"children{more}"}
            found = (await client.get("/api/courses/v2/blocks/", params=fields, headers=token(world))).json()["blocks"]
            return sorted(one["display_name"] for one in found.values() if one["type"] == "sequential")

        shown = ["Der Schall / the sound", "Stars that do not move"]
        assert await subsections() == shown
        assert await subsections(",special_exam_info,show_gated_sections") == sorted([*shown, "The examination"])
        outline = await client.get(f"/api/learning_sequences/v1/course_outline/{ID}", headers=token(world))
        sequences = outline.json()["outline"]["sequences"].values()
        assert [(one["title"], one["accessible"], bool(one["exam"])) for one in sequences] == [
            ("Stars that do not move", True, False),
            ("The examination", True, True),
            ("Beyond the Milky Way", False, False),
            ("Der Schall / the sound", True, False),
        ]
        exam = UNIT.replace("f601", "f603")
        session = {"Cookie": f"sessionid={world.platform.accounts.open_session('learner')}"}
        reply = await client.get(exam, headers=session)
        assert (reply.status_code, "type@sequential" in reply.headers["location"]) == (302, True)


async def test_every_video_lists_a_transcript_and_another_route_says_which_are_there() -> None:
    async with spoken_to() as (world, client):
        query = {"course_id": ID, "username": "learner", "depth": "all", "student_view_data": "video"}
        found = (await client.get("/api/courses/v2/blocks/", params=query, headers=token(world))).json()["blocks"]
        videos = {one["display_name"]: one["student_view_data"] for one in found.values() if one["type"] == "video"}
        assert videos["A visit to the anechoic room"] == {"only_on_web": True}
        assert list(videos["Loud and soft"]["transcripts"]) == ["en"]
        missing = videos["Loud and soft"]["transcripts"]["en"]
        assert [(await client.get(url)).status_code for url in (missing, _truth(missing))] == [404, 404]
        assert (await client.get(missing)).content == b""
        there = videos["Was ist ein Dezibel?"]["transcripts"]["en"]
        assert (await client.get(_truth(there))).json() == ["de", "en"]
        reply = await client.get(there, headers={"Range": "bytes=0-9"})
        assert reply.status_code == 200 and len(reply.content) > 10


def _truth(transcript: str) -> str:
    return f"{transcript.partition('/download')[0]}/available_translations"


@pytest.mark.parametrize(
    ("fields", "blocks", "dates", "handouts", "code"),
    [
        ({}, 200, 200, 404, None),
        ({"start": load()[0].start}, 500, 403, 404, "course_not_started"),
        ({"staff_only": True}, 500, 404, 404, "not_visible_to_user"),
        ({"ended": load()[1].start}, 200, 403, 404, "audit_expired"),
        ({"prerequisite": True}, 200, 403, 404, "unfulfilled_milestones"),
        ({"enrolled": None}, 403, 401, 404, "enrollment_required"),
        ({"mobile_available": True}, 200, 200, 200, None),
    ],
)
async def test_a_course_that_is_closed(
    fields: Mapping[str, object], blocks: int, dates: int, handouts: int, code: str | None
) -> None:
    course = load()[1]
    values = {**{name: getattr(course, name) for name in course.__slots__}, **fields}
    async with lms(courses=(type(course)(**values),)) as world:
        base = world.addresses.lms

        async def asked(path: str) -> Reply:
            return await world.transport.fetch(f"{base}{path}", headers=token(world), attempts=1)

        assert (await asked(f"/api/courses/v2/blocks/?course_id={ID.replace('+', '%2B')}&username=learner")).status == (
            blocks
        )
        assert (await asked(f"/api/course_home/dates/{ID}")).status == dates
        assert (await asked(f"/api/course_home/v1/progress/{ID}")).status == dates
        assert (await asked(f"/api/mobile/v1/course_info/{ID}/handouts")).status == handouts
        access = (await asked(f"/api/course_home/course_metadata/{ID}")).json()["course_access"]
        assert (access["has_access"], access["error_code"]) == (code is None, code)
        outline = (await asked(f"/api/learning_sequences/v1/course_outline/{ID}")).json()["outline"]
        assert bool(outline["sections"]) is (code is None)


async def test_the_next_version_of_the_enrolments_comes_in_pages_and_takes_no_bearer_tokens() -> None:
    async with spoken_to() as (world, client):
        path = "/api/enrollment/v2/enrollment/"
        assert (await client.get(path, headers=token(world, token_type="bearer"))).status_code == 401
        first = (await client.get(path, params={"page_size": 1}, headers=token(world))).json()
        assert (first["count"], first["num_pages"], len(first["results"])) == (2, 2, 1)
        last = (await client.get(first["next"], headers=token(world))).json()
        assert last["next"] is None and first["results"] != last["results"]


async def test_a_search_without_a_search_engine_finds_everything() -> None:
    async with spoken_to() as (world, client):
        query = {"search_term": "bright"}
        reply = await client.get("/api/courses/v1/courses/", params=query, headers=token(world))
        assert len(reply.json()["results"]) == 2
        world.platform.site.search_engine = True
        reply = await client.get("/api/courses/v1/courses/", params=query, headers=token(world))
        assert len(reply.json()["results"]) == 1


async def test_a_stock_site_opens_no_session_for_a_token() -> None:
    async with spoken_to() as (world, client):
        world.platform.site.third_party_auth = False
        assert (await client.post("/oauth2/login/", headers=token(world))).status_code == 500


async def test_pages_show_what_was_drawn_and_what_authors_wrote() -> None:
    base = load()[1]
    blocks = [
        {"id": "b", "type": "itembank", "name": "Bank", "draws": 1, "blocks": [
            {"id": "b1", "type": "html", "name": "A", "html": "<p>drawn</p>"},
            {"id": "b2", "type": "html", "name": "B", "html": "<p>in the bank</p>"}]},
        {"id": "r", "type": "randomize", "name": "One", "blocks": [
            {"id": "r1", "type": "html", "name": "A", "html": "<p>not chosen</p>"},
            {"id": "r2", "type": "html", "name": "B", "html": "<p>chosen</p>"}]},
        {"id": "h", "type": "html", "name": "Text", "html": "<div><p>unclosed</p>"},
        {"id": "v", "type": "video", "name": "Film", "handout": "/static/Star_chart.pdf"},
        {"id": "o", "type": "openassessment", "name": "Essay"},
        {"id": "w", "type": "word_cloud", "name": "Cloud"},
        {"id": "q", "type": "poll", "name": "Poll"},
    ]  # fmt: skip
    units = [{"id": "u", "name": "U", "blocks": blocks}]
    chapters = [{"id": "c", "name": "C", "sequentials": [{"id": "s", "name": "S", "units": units}]}]
    chart = {"name": "Star_chart.pdf", "file": "reading-the-night-sky/media/star-chart.pdf", "locked": True}
    described = {
        "org": "O", "number": "C", "run": "R", "name": "C", "start": base.start, "enrolled": base.start,
        "chapters": chapters, "assets": [chart], "books": [{"name": "Atlas", "asset": "Star_chart.pdf"}],
        "tabs": [{"slug": "extra", "name": "Extra", "html": '<a href="/static/Star_chart.pdf">x</a>'}],
    }  # fmt: skip
    async with lms(courses=(read(described),)) as world:
        session = {"Cookie": f"sessionid={world.platform.accounts.open_session('learner')}"}

        async def page(path: str, headers: Mapping[str, str] = session) -> str:
            reply = await world.transport.fetch(f"{world.addresses.lms}{path}", headers=headers)
            return reply.body.decode() if reply.status == 200 else str(reply.status)

        unit = await page("/xblock/block-v1:O+C+R+type@vertical+block@u")
        assert "drawn" in unit and "chosen" in unit and "in the bank" not in unit and "not chosen" not in unit
        assert unit.count("<div") == unit.count("</div") + 1
        assert "+type@asset+block/Star_chart.pdf" in unit and "{{ submissions_count }}" in unit
        assert {kind for _, key in world.platform.site.rows for kind in [key.split("@")[1].split("+")[0]]} == {
            "itembank",
            "randomize",
        }
        assert "block/Star_chart.pdf#zoom" in await page("/courses/course-v1:O+C+R/pdfbook/0/")
        assert "static_tab_wrapper" in await page("/courses/course-v1:O+C+R/extra/")
        assert await page("/courses/course-v1:O+C+R/extra/", {}) == "404"
        assert await page("/courses/course-v1:O+C+R/other/") == "404"
        metadata = await world.transport.fetch(
            f"{world.addresses.lms}/api/course_home/course_metadata/course-v1:O+C+R", headers=session
        )
        assert [one["tab_id"] for one in metadata.json()["tabs"]] == ["courseware", "pdftextbook/0", "static_tab_extra"]


async def test_the_newer_releases_tell_apps_nothing_of_a_pdf() -> None:
    async with spoken_to() as (world, client):
        world.platform.site.extracted = True
        query = {"course_id": ID, "username": "learner", "depth": "all", "student_view_data": "pdf,video"}
        found = (await client.get("/api/courses/v2/blocks/", params=query, headers=token(world))).json()["blocks"]
        assert {one["type"] for one in found.values() if "student_view_data" in one} == {"video"}
        session = {"Cookie": f"sessionid={world.platform.accounts.open_session('learner')}"}
        page = await client.get(UNIT.replace("f601", "f604"), headers=session)
        assert 'class="pdf_block" data-package-name=' in page.text


async def test_a_wrong_digest_leads_to_the_file() -> None:
    async with spoken_to() as (_, client):
        reply = await client.get(f"/assets/courseware/v1/{'0' * 32}{CHART}")
        assert reply.status_code == 301 and reply.headers["location"].endswith(CHART)
        assert (await client.get(CHART.replace("Star", "No"))).status_code == 404
        assert (await client.get(CHART.replace("Star", "a;b"))).status_code == 400


async def test_to_open_a_session_takes_the_guards_of_the_login_page() -> None:
    async with spoken_to() as (world, client):
        form = {"email_or_username": "learner", "password": world.platform.accounts.passwords["learner"]}
        path = "/api/user/v2/account/login_session/"
        assert (await client.post(path, data=form)).status_code == 403
        value = (await client.get("/csrf/api/v1/token")).json()["csrfToken"]
        headers = {"X-CSRFToken": value, "Cookie": f"csrftoken={value}"}
        assert (await client.post(path, data=form, headers=headers)).status_code == 403
        headers["Referer"] = f"{world.addresses.lms}/login"
        assert (await client.post(path, data={**form, "password": "x"}, headers=headers)).status_code == 400
        opened = await client.post(path, data=form, headers=headers)
        assert opened.json() == {"success": True, "redirect_url": None}
        assert f"Max-Age={28 * 86_400}" in next(
            one for one in opened.headers.get_list("set-cookie") if one.startswith("sessionid=")
        )


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
        assert (await world.transport.fetch(world.addresses.media + path, headers={"Cookie": "a=b"})).status == 200
        assert (await world.transport.fetch(world.addresses.media + path, headers={"Authorization": "x"})).status == 400
        assert (await world.transport.fetch(world.addresses.media + "/x")).status == 403
        assert len(world.leaks) == 2


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
