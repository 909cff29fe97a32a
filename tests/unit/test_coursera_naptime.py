"""The envelope of replies, what errors mean, and reading JSON without trust."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursefs.errors import BadReply, CoursefsError, Gone, NotAllowed, NotSignedIn, RouteGone
from coursefs.providers.coursera import instructions, materials, naptime, old_replies, replies, routes
from coursefs.providers.coursera.naptime import Envelope, envelope
from coursefs.providers.kit import fields
from coursefs.transport import Reply


def read(status: int, body: object) -> Envelope:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    reply = Reply("https://example.org/api/x.v1?secret=1", status, httpx.Headers(), content)
    return envelope(reply, what="lecture video", sign_in_again="sign in again")


def test_a_good_reply_gives_its_parts() -> None:
    got = read(200, {"elements": [{"id": "a"}, 7], "paging": {"next": 5}, "linked": {"courses.v1": [{"id": "c"}, []]}})
    assert got.elements == ({"id": "a"},)
    assert got.next == "5"
    assert got.related("courses.v1") == ({"id": "c"},)
    assert got.related("items.v1") == ()


@pytest.mark.parametrize("paging", [{}, None, [], {"total": 3}, {"next": None}])
def test_no_next_is_the_last_page(paging: object) -> None:
    assert read(200, {"elements": [], "paging": paging, "linked": None}).next == ""


@pytest.mark.parametrize(
    ("status", "body", "error", "message"),
    [
        (401, b"", NotSignedIn, "sign in again"),
        (403, {"errorCode": "Not Authorized", "message": None, "details": None}, NotSignedIn, "sign in again"),
        (403, {"errorCode": "auth.perms", "message": "Item is locked"}, NotAllowed, "lecture video: Item is locked"),
        (403, {"errorCode": "auth.perms", "message": "a\n\x1b[31mb" + "c" * 300}, NotAllowed, ": a [31mbcc"),
        (403, {}, NotAllowed, "lecture video: the platform refuses it"),
        (403, b"<html>blocked</html>", BadReply, "HTTP 403"),
        (404, {"message": "", "statusCode": 404}, Gone, "does not have it"),
        (404, b"<!doctype html>", RouteGone, "HTTP 404"),
        (404, b"", RouteGone, "HTTP 404"),
        (404, {"msg": "Routing error: unknown resource"}, RouteGone, "HTTP 404"),
        (200, b"\n <!doctype html>", RouteGone, "HTTP 200"),
        (405, {"msg": "Routing error: 'get-all' not implemented"}, RouteGone, "HTTP 405"),
        (400, {"msg": "Routing error: bad"}, RouteGone, "HTTP 400"),
        (400, {"errorCode": "request.validation"}, BadReply, "HTTP 400"),
        (400, b"Confused deputy attack detected.", BadReply, "HTTP 400"),
        (503, b"<html>", BadReply, "HTTP 503"),
        (200, [1], BadReply, "HTTP 200"),
        (200, b'{"elements": [', BadReply, "HTTP 200"),
        (200, b"[" * 30_000, BadReply, "HTTP 200"),
        (200, {"elements": None}, BadReply, "no list of elements"),
        (200, {"errorCode": "x"}, BadReply, "no list of elements"),
    ],
)  # fmt: skip
def test_errors_are_told_apart(status: int, body: object, error: type[CoursefsError], message: str) -> None:
    with pytest.raises(CoursefsError) as caught:
        read(status, body)
    assert type(caught.value) is error
    assert message in str(caught.value)
    assert str(caught.value).isprintable() and len(str(caught.value)) < 200
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "body", "random"),
    [
        (400, b"Confused deputy attack detected.", True),
        (400, b"Bad Request", False),
        (200, b"Confused deputy attack detected.", False),
    ],
)
def test_the_random_refusal_is_known(status: int, body: bytes, random: bool) -> None:
    assert naptime.is_random_refusal(Reply("https://example.org/", status, httpx.Headers(), body)) is random


@pytest.mark.parametrize(
    ("value", "text"),
    [(" a ", "a"), (7, "7"), (True, ""), (None, ""), ([], ""), ("\ud800x", "?x"), (1.5, "")],
)
def test_texts(value: object, text: str) -> None:
    assert fields.text({"x": value}, "x") == text


@pytest.mark.parametrize("value", ["a/b", "..\0", "a b", "é", "", "x" * 201, None, {}])
def test_what_can_be_no_id_is_none(value: object) -> None:
    assert fields.identifier({"x": value}, "x") == ""


def test_ids_are_listed_once_in_order() -> None:
    assert fields.identifiers({"x": ["b", "a", None, "b", 3, "a/b"]}, "x") == ("b", "a", "3")
    assert fields.identifiers({"x": "ab"}, "x") == ()


#: what may stand where a reader expects something else
ODD: st.SearchStrategy[object] = st.sampled_from(
    [None, True, 0, -1, 10**30, 1.5, "", "x", "\ud800", [], ["x", None, [], {}], {}, {"byResolution": [1]},
     {"byResolution": {"720p": "x", "x": {}}}, {"en": 1}, {"value": [], "assetId": {}}, {"lockState": "x"}]
)  # fmt: skip
FIELDS = (
    "id", "courseId", "definition", "typeName", "name", "url", "sources", "subtitles", "itemIds", "elementIds",
    "lessonIds", "moduleIds", "contentSummary", "isLocked", "itemLockSummary", "enrolledTimestamp", "expires",
    "content", "shortId", "instructions", "submissionLearnerSchema", "assignmentInstructions", "submissionSchema",
)  # fmt: skip
RESOURCES = (
    "courses.v1", "onDemandVideos.v1", "openCourseAssets.v1", "onDemandCourseMaterialModules.v1",
    "onDemandCourseMaterialLessons.v1", "onDemandCourseMaterialItems.v2",
    "onDemandCourseMaterialPassableItemGroups.v1", "onDemandCourseMaterialPassableItemGroupChoices.v1",
    "onDemandPeerSubmissionSchemas.v1", "onDemandDiscussionPromptQuestions.v1",
)  # fmt: skip
ROWS = st.lists(st.dictionaries(st.sampled_from(FIELDS), ODD), max_size=2)


def _nested(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(OLD_FIELDS), inner, max_size=3)


OLD_FIELDS = ("courseMaterial", "elements", "id", "content", "definition", "assets", "sources", "formatSources")


@given(
    elements=ROWS,
    linked=st.dictionaries(st.sampled_from(RESOURCES), ROWS | ODD),
    whole=st.dictionaries(st.sampled_from(OLD_FIELDS), st.recursive(ODD, _nested)),
)
def test_no_reply_crashes_a_reader(
    elements: list[dict[str, Any]], linked: dict[str, Any], whole: dict[str, Any]
) -> None:
    reply = Envelope(tuple(elements), linked, "", whole=whole)
    old_replies.materials(reply)
    replies.wrappers(reply)
    replies.references(reply)
    instructions.programming(reply)
    instructions.exercise(reply)
    instructions.peer_assignment(reply)
    instructions.discussion(reply)
    replies.lecture_video(reply)
    replies.course_assets(reply)
    replies.assets(reply)
    replies.user_id(reply)
    materials.materials(reply)
    rows, courses = replies.memberships(reply)
    assert len([replies.membership(row, courses) for row in rows]) == len(elements)


def test_a_reply_that_is_older_than_the_envelope_is_taken_whole() -> None:
    reply = Reply("https://example.org/api/x", 200, httpx.Headers({"etag": "t"}), b'{"courseMaterial": {}}')
    got = envelope(reply, what="materials", sign_in_again="sign in", bare=True)
    assert (got.whole, got.elements, got.tag) == ({"courseMaterial": {}}, (), "t")


def test_every_route_has_the_name_that_the_platform_gives_it_and_what_it_needs() -> None:
    chain = []
    route: routes.Route | None = routes.MATERIALS
    while route is not None:
        chain.append((route.resource, set(route.needs)))
        route = route.instead
    assert chain == [
        ("onDemandCourseMaterials.v2", {"slug"}),
        ("onDemandCourseMaterials.v1", {"slug"}),
        ("opencourse.v1/course", {"slug"}),
    ]
    assert routes.LECTURE_VIDEO.instead is not None
    assert routes.LECTURE_VIDEO.instead.resource == "opencourse.v1/video"
    assert routes.LECTURE_VIDEO.instead.needs == {"video_id"}
    assert routes.PEER_ASSIGNMENT.needs == {"user_id", "course_id", "item_id"}


def test_the_old_materials_are_asked_for_as_documented() -> None:
    old = routes.MATERIALS.instead
    assert old is not None and old.instead is not None
    url = old.url("https://h", slug="some-course")
    assert url.startswith(
        "https://h/api/onDemandCourseMaterials.v1/?q=slug&slug=some-course&includes=moduleIds%2ClessonIds%2C"
        "passableItemGroups%2CpassableItemGroupChoices%2CpassableLessonElements%2CitemIds%2Ctracks&fields=moduleIds%2C"
    )
    assert url.endswith("&showLockedItems=true")
    assert old.instead.url("https://h", slug="c") == "https://h/api/opencourse.v1/course/c?showLockedItems=true"


def test_addresses_are_those_of_the_platform() -> None:
    base = "https://www.coursera.org"
    video = routes.LECTURE_VIDEO.url(base, id=routes.compound("Ab3", "rS~7,/?"))
    assert video == (
        f"{base}/api/onDemandLectureVideos.v1/Ab3~rS%21~7%5C%2C%2F%3F"
        "?includes=video&fields=onDemandVideos.v1(sources%2Csubtitles%2CsubtitlesVtt%2CsubtitlesTxt%2C"
        "dubbedSources%2CdubbedSubtitlesVtt%2CaudioDescriptionVideoSources%2ChlsUrl%2CdashUrl%2Cplaylists)"
    )
    assert routes.ASSETS.url(base, ids="a,b").startswith(f"{base}/api/assets.v1?ids=a%2Cb&")
    assert "&slug=a%26b%3D%7Bc%7D&" in routes.MATERIALS.url(base, slug="a&b={c}")
