"""The API host, point by point, over real sockets."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.engine.small_platform import COURSE, NOTES, PICTURE, SLIDES, VIDEO, World, small_platform

TREE = {
    "q": "slug",
    "slug": "small",
    "includes": "modules,lessons,items",
    "fields": "moduleIds,onDemandCourseMaterialModules.v1(name,slug,lessonIds),"
    "onDemandCourseMaterialLessons.v1(name,slug,elementIds),"
    "onDemandCourseMaterialItems.v2(name,slug,contentSummary,isLocked,itemLockedReasonCode)",
    "showLockedItems": "true",
}


async def test_the_session_cookie_is_what_lets_in(tmp_path: Path) -> None:
    async with small_platform(tmp_path) as world:
        assert (await world.get("adminUserPermissions.v1", q="my"))["elements"] == [{"id": 1000001}]
        for cookie in ({}, {"Cookie": "CAUTH=other"}):
            reply = await world.anyone.get(
                "/api/adminUserPermissions.v1?q=my", headers={"Accept": "application/json"} | cookie
            )
            assert reply.status_code == 403
            assert reply.json() == {"errorCode": "Not Authorized", "message": None, "details": None}
        await world.fail(refuse_sign_in=True)
        assert (await world.api.get("/api/adminUserPermissions.v1?q=my")).status_code == 403


async def test_the_catalogue_is_public(tmp_path: Path) -> None:
    async with small_platform(tmp_path) as world:
        for path in (
            "courses.v1?q=slug&slug=small",
            "onDemandCourses.v1?q=slug&slug=small",
            f"courses.v1?ids={COURSE}",
        ):
            reply = await world.anyone.get(f"/api/{path}", headers={"Accept": "application/json"})
            assert [course["id"] for course in reply.json()["elements"]] == [COURSE], path


async def test_json_is_chunked_and_sets_cookies_of_anonymous_visitors(tmp_path: Path) -> None:
    async with small_platform(tmp_path) as world:
        reply = await world.api.get("/api/adminUserPermissions.v1?q=my")
        assert "content-length" not in reply.headers
        assert reply.headers["transfer-encoding"] == "chunked"
        assert reply.headers["etag"].startswith('W/"')
        names = {cookie.partition("=")[0] for cookie in reply.headers.get_list("set-cookie")}
        assert names == {"CSRF3-Token", "__204u", "__400v"}


async def test_cookies_of_the_server_may_come_back(tmp_path: Path) -> None:
    async with small_platform(tmp_path) as world:
        replayed = await _replayed(world)
        reply = await world.api.get("/api/adminUserPermissions.v1?q=my", headers={"Cookie": replayed})
        assert reply.json()["elements"] == [{"id": 1000001}]


async def test_a_confused_deputy_is_a_fault(tmp_path: Path) -> None:
    async with small_platform(tmp_path) as world:
        headers = {"Cookie": await _replayed(world)}
        await world.fail(confused_deputy=True)
        reply = await world.api.get("/api/adminUserPermissions.v1?q=my", headers=headers)
        assert (reply.status_code, reply.text) == (400, "Confused deputy attack detected.")
        assert reply.headers["content-type"].startswith("text/plain")
        token = headers["Cookie"].partition("CSRF3-Token=")[2].partition(";")[0]
        paired = headers | {"X-CSRF3-Token": token}
        assert (await world.api.get("/api/adminUserPermissions.v1?q=my", headers=paired)).status_code == 200


async def _replayed(world: World) -> str:
    """The session's cookie, and those that the server sets."""
    first = await world.api.get("/api/adminUserPermissions.v1?q=my")
    cookies = [line.partition(";")[0] for line in first.headers.get_list("set-cookie")]
    return "; ".join((f"CAUTH={world.addresses.cauth}", *cookies))


@pytest.mark.parametrize("accept", ["*/*", "application/json", "text/html, */*;q=0.8", "application/*", ""])
async def test_json_comes_to_all_who_take_it(tmp_path: Path, accept: str) -> None:
    async with small_platform(tmp_path) as world:
        reply = await world.api.get("/api/adminUserPermissions.v1?q=my", headers={"Accept": accept})
        assert reply.json()["elements"] == [{"id": 1000001}]


async def test_blanks_between_fields_count_for_nothing(tmp_path: Path) -> None:
    async with small_platform(tmp_path) as world:
        (course,) = (await world.get("courses.v1", q="slug", slug="small", fields=" workload, nonsense ,x.v1( a, b )"))[
            "elements"
        ]
        assert course["workload"] == "1 hour"


async def test_an_unchanged_reply_is_304(tmp_path: Path) -> None:
    async with small_platform(tmp_path) as world:
        first = await world.api.get("/api/onDemandCourseMaterials.v2", params=TREE)
        headers = {"If-None-Match": first.headers["etag"]}
        again = await world.api.get("/api/onDemandCourseMaterials.v2", params=TREE, headers=headers)
        assert (again.status_code, again.content) == (304, b"")
        other = await world.api.get("/api/memberships.v1?q=me", headers=headers)
        assert other.status_code == 200


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("courses.v1/x", 404, {"message": "", "statusCode": 404}),
        ("memberships.v1", 405, {"msg": "Routing error: 'get-all' not implemented"}),
        ("memberships.v1?q=you", 405, {"msg": "Routing error: 'you' not implemented"}),
        ("onDemandCourseMaterials.v2?ids=a", 405, {"msg": "Routing error: 'multi-get' not implemented"}),
        ("openCourseAssets.v1/abc@1", 405, {"msg": "Routing error: 'get-all' not implemented"}),
        ("onDemandCourseMaterials.v2?q=slug&slug=none", 404, {"message": "", "statusCode": 404}),
        (f"onDemandLectureVideos.v1/{COURSE}~ite02", 404, {"message": "", "statusCode": 404}),
        (f"onDemandLectureVideos.v1/{COURSE}", 404, {"message": "", "statusCode": 404}),
        (
            f"onDemandLectureVideos.v1/{COURSE}~ite04?includes=video",
            403,
            {"errorCode": "auth.perms", "message": "Item is locked", "details": None},
        ),
        (
            "memberships.v1?q=me&filter=current",
            403,
            {"errorCode": "Not Authorized", "message": None, "details": None},
        ),
        ("users/v1/me/enrollments", 404, {"message": "", "statusCode": 404}),
    ],
)
async def test_refusals(tmp_path: Path, path: str, status: int, body: dict[str, Any]) -> None:
    async with small_platform(tmp_path) as world:
        reply = await world.api.get(f"/api/{path}")
        assert (reply.status_code, reply.json()) == (status, body)


@pytest.mark.parametrize(
    "path",
    [
        "onDemandCourseMaterials.v2?q=slug",
        "onDemandCourseMaterials.v2?q=slug&slug=https://example.org/learn/small",
        "memberships.v1?q=me&limit=many",
        "memberships.v1?q=me&limit=0",
        "memberships.v1?q=me&start=1",
        "memberships.v1?q=me&fields=a(b",
    ],
)
async def test_bad_parameters_are_400(tmp_path: Path, path: str) -> None:
    async with small_platform(tmp_path) as world:
        reply = await world.api.get(f"/api/{path}")
        assert (reply.status_code, reply.json()["errorCode"]) == (400, "request.validation")


async def test_routes_that_are_gone_and_requests_for_a_page_get_the_web_page(tmp_path: Path) -> None:
    async with small_platform(tmp_path) as world:
        replies = [
            await world.api.get("/api/onDemandCourseMaterials.v1/?q=slug&slug=small"),
            await world.api.get("/api/opencourse.v1/course/small"),
            await world.api.get("/learn/small"),
            await world.api.get("/api/memberships.v1?q=me", headers={"Accept": "text/html"}),
        ]
        for reply in replies:
            assert reply.status_code == 200
            assert reply.headers["content-type"].startswith("text/html")
            assert reply.text.startswith("<!DOCTYPE html>")


async def test_writes_are_refused_and_remembered(tmp_path: Path) -> None:
    async with small_platform(tmp_path) as world:
        for path, status in {
            "memberships.v1": 405,
            "onDemandExamSessions.v1": 403,
            "login/v3": 400,
        }.items():
            assert (await world.api.post(f"/api/{path}", json={})).status_code == status
        assert [(entry.method, entry.notes) for entry in world.platform.journal.entries] == [("POST", ["write"])] * 3


async def test_memberships_come_in_pages_and_are_joined_by_id(tmp_path: Path) -> None:
    async with small_platform(tmp_path, memberships_page=2) as world:
        query = {"q": "me", "includes": "courseId,course", "fields": "courses.v1(workload,nonsense),nonsense"}
        first = await world.get("memberships.v1", **query)
        assert first["paging"]["total"] == 3
        assert not first["paging"]["next"].isdecimal()
        second = await world.get("memberships.v1", **query, start=first["paging"]["next"])
        assert "next" not in second["paging"]
        elements = first["elements"] + second["elements"]
        assert elements[0] == {
            "id": f"1000001~{COURSE}",
            "role": "LEARNER",
            "userId": 1000001,
            "courseId": COURSE,
        }
        assert [element["role"] for element in elements] == ["LEARNER", "LEARNER", "NOT_ENROLLED"]
        linked = first["linked"]["courses.v1"] + second["linked"]["courses.v1"]
        assert {course["id"] for course in linked} == {element["courseId"] for element in elements}
        assert [c["id"] for c in first["linked"]["courses.v1"]] != [e["courseId"] for e in first["elements"]]
        assert [course["id"] for course in linked].count(COURSE) == 2  # once per page
        assert {course["courseType"] for course in linked} == {"v2.ondemand", "v1.session"}
        small = next(course for course in linked if course["id"] == COURSE)
        assert small == {
            "id": COURSE,
            "courseType": "v2.ondemand",
            "slug": "small",
            "name": "A Small Course ",
            "workload": "1 hour",
        }


async def test_nothing_is_linked_or_projected_unless_asked_for(tmp_path: Path) -> None:
    async with small_platform(tmp_path) as world:
        plain = await world.get("memberships.v1", q="me")
        assert "linked" not in plain
        assert "enrolledTimestamp" not in plain["elements"][0]
        asked = await world.get("memberships.v1", q="me", fields="enrolledTimestamp")
        assert asked["elements"][0]["enrolledTimestamp"] == 1788249600000
        video = await world.get(f"onDemandLectureVideos.v1/{COURSE}~ite01", includes="video")
        assert video["linked"] == {"onDemandVideos.v1": [{"id": VIDEO}]}
        assert "linked" not in await world.get(f"onDemandSupplements.v1/{COURSE}~ite02")


async def test_the_tree(tmp_path: Path) -> None:
    async with small_platform(tmp_path) as world:
        reply = await world.get("onDemandCourseMaterials.v2/", **TREE)
        assert reply["elements"] == [{"id": COURSE, "moduleIds": ["mod01"]}]
        lessons = {one["id"]: one for one in reply["linked"]["onDemandCourseMaterialLessons.v1"]}
        items = {one["id"]: one for one in reply["linked"]["onDemandCourseMaterialItems.v2"]}
        assert lessons["les01"] == {
            "id": "les01",
            "moduleId": "mod01",
            "name": "Welcome",
            "slug": "welcome",
            "itemIds": ["ite01", "ite02", "ite03", "ite04"],
            "elementIds": ["item~ite01", "item~ite02", "item~ite03", "item~ite04"],
        }
        assert lessons["les02"]["itemIds"] == []
        assert list(items) != sorted(items), "the flat list is in the order of the course"
        assert items["ite01"] == {
            "id": "ite01",
            "moduleId": "mod01",
            "lessonId": "les01",
            "name": "Introduction",
            "slug": "introduction",
            "contentSummary": {
                "typeName": "lecture",
                "definition": {"duration": 12000, "hasInVideoAssessment": False},
            },
        }
        assert items["ite04"]["isLocked"] is True
        assert items["ite04"]["itemLockedReasonCode"] == "PREMIUM"
        without = await world.get("onDemandCourseMaterials.v2/", **(TREE | {"showLockedItems": "false"}))
        assert "ite04" not in {one["id"] for one in without["linked"]["onDemandCourseMaterialItems.v2"]}
        other = await world.get(
            "onDemandCourseMaterials.v2", **(TREE | {"q": "learner", "learnerId": "1000001", "courseId": COURSE})
        )
        assert other == reply


async def test_videos_and_subtitles(tmp_path: Path) -> None:
    async with small_platform(tmp_path, now=lambda: 1_795_000_000.0) as world:
        reply = await world.get(
            f"onDemandLectureVideos.v1/{COURSE}~ite01",
            includes="video",
            fields="onDemandVideos.v1(sources,subtitles,subtitlesVtt,subtitlesTxt)",
        )
        assert reply["elements"] == [{"id": f"{COURSE}~ite01", "itemId": "ite01", "courseId": COURSE}]
        (video,) = reply["linked"]["onDemandVideos.v1"]
        resolutions = video["sources"]["byResolution"]
        assert set(resolutions) == {"720p", "360p"}
        assert set(resolutions["360p"]) == {"mp4VideoUrl", "webMVideoUrl"}
        url = urlsplit(resolutions["720p"]["mp4VideoUrl"])
        assert f"http://{url.netloc}" == world.addresses.cdn
        assert int(parse_qs(url.query)["Expires"][0]) == 1_795_132_800  # 00:00 UTC, the day after tomorrow
        playlists = video["sources"]["playlists"]
        assert set(playlists) == {"hls", "mpeg-dash"}
        assert parse_qs(urlsplit(playlists["hls"]).query)["expiry"] == ["1795132800000"]
        maps = [video["subtitles"], video["subtitlesVtt"], video["subtitlesTxt"]]
        assert all(set(one) == {"de", "en", "zh-CN"} for one in maps)
        english = [one["en"] for one in maps]
        assert all(one.startswith("/api/subtitleAssetProxy.v1/") for one in english)
        assert len({urlsplit(one).path for one in english}) == 1
        assert len({parse_qs(urlsplit(one).query)["hmac"][0] for one in english}) == 3
        for one, extension in zip(english, ("srt", "vtt", "txt"), strict=True):
            ranged = await world.anyone.get(one, headers={"Range": "bytes=0-1"})
            assert ranged.status_code == 200
            assert "content-length" not in ranged.headers
            assert ranged.content == f"en {extension} ü".encode()
        swapped = english[0].replace("fileExtension=srt", "fileExtension=txt")
        assert (await world.anyone.get(swapped)).status_code == 403


async def test_attachments_and_their_urls(tmp_path: Path) -> None:
    now = 1_795_000_000.25
    async with small_platform(tmp_path, now=lambda: now) as world:
        reply = await world.get(f"onDemandLectureAssets.v1/{COURSE}~ite01/", includes="openCourseAssets")
        definitions = [(one["typeName"], one["definition"]) for one in reply["linked"]["openCourseAssets.v1"]]
        assert definitions == [
            ("asset", {"assetId": SLIDES, "name": "Slides"}),
            ("asset", {"assetId": NOTES}),
            ("url", {"url": "https://example.org/paper", "name": "Further reading"}),
        ]
        wrapper = reply["linked"]["openCourseAssets.v1"][0]
        assert (await world.get(f"openCourseAssets.v1/{wrapper['id']}"))["elements"] == [wrapper]
        assets = await world.get("assets.v1", ids=f"{NOTES},{SLIDES},missing,{PICTURE}")
        assert {asset["id"] for asset in assets["elements"]} == {NOTES, SLIDES, PICTURE}
        slides = next(asset for asset in assets["elements"] if asset["id"] == SLIDES)
        assert set(slides) == {"id", "name", "typeName", "url"}
        assert slides["url"]["expires"] == (1_795_000_000 + 86_400) * 1000
        assert (await world.anyone.get(slides["url"]["url"])).content == b"bytes of slides.pdf"
        assert (await world.get(f"assets.v1/{SLIDES}"))["elements"] == [slides]
        (flat,) = (await world.get("assetUrls.v1", ids=SLIDES))["elements"]
        assert flat == {"id": SLIDES} | slides["url"]


async def test_readings(tmp_path: Path) -> None:
    async with small_platform(tmp_path) as world:
        reply = await world.get(f"onDemandSupplements.v1/{COURSE}~ite02", includes="asset")
        (text,) = reply["linked"]["openCourseAssets.v1"]
        assert text["typeName"] == "cml"
        assert text["definition"] == {
            "dtdId": "supplement/1",
            "value": "<co-content><text>How</text></co-content>",
        }


async def test_urls_live_as_long_as_told(tmp_path: Path) -> None:
    moment = [1_795_000_000.0]
    async with small_platform(tmp_path, now=lambda: moment[0], url_life=60) as world:
        video = await world.video_url()
        (asset,) = (await world.get(f"assets.v1/{SLIDES}"))["elements"]
        moment[0] += 59
        assert (await world.anyone.get(video)).status_code == 200
        assert (await world.anyone.get(asset["url"]["url"])).status_code == 200
        moment[0] += 1
        assert (await world.anyone.get(video)).status_code == 403
        assert (await world.anyone.get(asset["url"]["url"])).status_code == 403


async def test_while_down_the_api_refuses_connections(tmp_path: Path) -> None:
    async with small_platform(tmp_path) as world:
        await world.get("adminUserPermissions.v1", q="my")
        await world.fail(api_down=True)
        with pytest.raises(httpx.TransportError):  # the connection that was open
            await world.get("adminUserPermissions.v1", q="my")
        with pytest.raises(httpx.ConnectError):
            await world.get("adminUserPermissions.v1", q="my")
        await world.fail()
        await world.get("adminUserPermissions.v1", q="my")
