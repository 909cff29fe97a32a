"""What answers and pages mean where they are not what was asked for; and the addresses that are asked."""

from __future__ import annotations

import json

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursefs.errors import BadReply, CoursefsError, Gone, NotAllowed, RouteGone
from coursefs.providers.openedx import routes
from coursefs.providers.openedx.errors import api_json, page_text
from coursefs.transport import Reply

LMS = "https://lms.example.com"
PAGE = f"{LMS}/xblock/block-v1:O+C+R+type@vertical+block@u?view=student_view"


def reply(status: int, body: object, *, url: str = LMS, kind: str = "text/html; charset=utf-8") -> Reply:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(url, status, httpx.Headers({"content-type": kind}), content)


@pytest.mark.parametrize("body", [[], {}, [1], {"a": None}])
def test_good_answers(body: object) -> None:
    assert api_json(reply(200, body), "x") == body


@pytest.mark.parametrize(
    ("status", "body", "error", "said"),
    [
        (
            404,
            {"developer_message": "Course not found"},
            Gone,
            "dates: the platform does not have it: Course not found",
        ),
        (404, {"detail": "Not found."}, Gone, "dates: the platform does not have it: Not found."),
        (404, b"<!DOCTYPE html>", RouteGone, "does not have this route (HTTP 404)"),
        (404, b"", RouteGone, "HTTP 404"),
        (405, {"detail": "x"}, RouteGone, "HTTP 405"),
        (200, b" <html>", RouteGone, "HTTP 200"),
        (403, {"message": "No\u202e access\n"}, NotAllowed, "dates: the platform refuses it: No access"),
        (403, b"<html>Cloudflare", NotAllowed, "dates: the platform refuses it"),
        (400, {"developer_message": {"username": ["required"]}}, BadReply, "HTTP 400"),
        (500, b"<html>", BadReply, "HTTP 500"),
        (200, b'"text"', BadReply, "HTTP 200"),
        (200, b"[" * 30_000, BadReply, "HTTP 200"),
    ],
)
def test_what_answers_mean(status: int, body: object, error: type[CoursefsError], said: str) -> None:
    with pytest.raises(error) as caught:
        api_json(reply(status, body), "dates")
    assert type(caught.value) is error and said in str(caught.value)
    assert str(caught.value).isprintable()


@given(st.integers(100, 599), st.binary(max_size=50))
def test_any_answer_is_json_or_an_error(status: int, body: bytes) -> None:
    try:
        assert isinstance(api_json(reply(status, body), "x"), (dict, list))
    except CoursefsError as error:
        assert str(error).isprintable()


def test_a_page() -> None:
    assert page_text(PAGE, reply(200, b"<p>\xc3\xa9\xff</p>", url=PAGE)) == "<p>é\ufffd</p>"
    quoted = PAGE.replace("+", "%2B").replace("?view", "/?view")
    assert page_text(PAGE, reply(200, b"<p>", url=quoted)) == "<p>"


@pytest.mark.parametrize(
    ("status", "url", "kind", "error"),
    [
        (403, PAGE, "text/html", NotAllowed),
        (404, PAGE, "text/html", Gone),
        (500, PAGE, "text/html", BadReply),
        (302, PAGE, "text/html", BadReply),
        (200, f"{LMS}/courses/course-v1:O+C+R/courseware/", "text/html", NotAllowed),
        (200, PAGE, "application/json", BadReply),
    ],
)
def test_what_is_no_page_of_the_unit(status: int, url: str, kind: str, error: type[CoursefsError]) -> None:
    with pytest.raises(error):
        page_text(PAGE, reply(status, b"<p>", url=url, kind=kind))


@pytest.mark.parametrize(
    ("resource", "values", "url"),
    [
        (routes.BLOCKS, {"course_id": "course-v1:O+C+R", "username": "ada"},
         "/api/courses/v2/blocks/?course_id=course-v1%3AO%2BC%2BR&username=ada&depth=all"
         "&requested_fields=children,due,graded,student_view_data&student_view_data=video,html,pdf,audio&return_type=dict"),
        (routes.CATALOGUE, {"username": "", "org": "", "search_term": "a&b", "page": "1"},
         "/api/courses/v1/courses/?search_term=a%26b&page=1&page_size=100"),
        (routes.HANDOUTS, {"course_id": "O/C/R"}, "/api/mobile/v1/course_info/O/C/R/handouts"),
        (routes.PAGE, {"usage_key": "i4x://O/C/vertical/a b"},
         "/xblock/i4x://O/C/vertical/a%20b?view=student_view&show_title=0&show_bookmark=0"),
        (routes.ENROLMENTS, {"username": "ada"}, "/api/enrollment/v1/enrollment"),
    ],
)  # fmt: skip
def test_addresses(resource: routes.Resource, values: dict[str, str], url: str) -> None:
    assert resource.routes[0].url(LMS, **values) == LMS + url


@given(st.text(min_size=1))
def test_no_id_leaves_its_place_in_an_address(key: str) -> None:
    key = key.encode("utf-8", "replace").decode()
    path = httpx.URL(routes.DATES.routes[0].url(LMS, course_id=key))
    assert path.host == "lms.example.com" and path.query == b"" and path.fragment == ""
