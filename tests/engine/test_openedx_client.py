"""The client as a library: the catalogue, enrolling others, limits, and signing in with a password."""

from __future__ import annotations

import inspect
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
import trio.testing

from coursefs.errors import BadReply, CaptivePortal, CoursefsError, NotAllowed, NotSignedIn, RouteGone
from coursefs.providers.openedx import OpenEdxClient
from coursefs.providers.openedx.oauth import kept_token
from coursefs.providers.openedx.session import Session, SignIn
from coursefs.providers.openedx.sign_in import secrets_from_password
from coursefs.transport import Transport
from tests.engine.openedx_world import Lms, lms

LMS = "https://lms.example.com"
COURSES = "/api/courses/v1/courses/"


@asynccontextmanager
async def client(world: Lms) -> AsyncIterator[OpenEdxClient]:
    """As the application of the sample server."""
    secret = world.platform.accounts.service_secret
    async with OpenEdxClient(world.addresses.lms, "demo-service", secret) as made:
        yield made


@asynccontextmanager
async def answered(answer: Callable[[httpx.Request], httpx.Response]) -> AsyncIterator[OpenEdxClient]:
    async with Transport(http_transport=httpx.MockTransport(answer)) as transport:
        yield OpenEdxClient(LMS, sign_in=SignIn(cookies="sessionid=x"), transport=transport)


async def test_all_courses_as_an_application() -> None:
    async with lms() as world, client(world) as one:
        every = await one.list_all_courses()
        assert [course["id"] for course in every] == ["course-v1:DemoX+MEAS102+2099", "course-v1:DemoX+MEAS101+2026"]
        assert await one.list_all_courses(org="Nobody") == []
        assert len(await one.list_all_courses(search_term="loud")) == 2  # a site without a search engine
        assert [course["name"] for course in await one.search("loud", 50)] == ["How Far, How Loud?"]
        world.platform.site.search_engine = True
        assert [course["name"] for course in await one.list_all_courses(search_term="loud")] == ["How Far, How Loud?"]
        assert (await one.whoami()).username == "staff"
        tokens = [token.kind for token in world.platform.accounts.tokens.values()]
        assert tokens == ["Bearer"]


def test_the_first_arguments_are_those_of_the_source() -> None:
    names = list(inspect.signature(OpenEdxClient).parameters)
    assert names[:5] == ["base_url", "client_id", "client_secret", "timeout", "bearer"]
    assert list(inspect.signature(OpenEdxClient.list_all_courses).parameters)[1] == "org"
    parameters = inspect.signature(OpenEdxClient.change_enrollment).parameters
    assert {name: one.default for name, one in parameters.items() if name not in {"self", "emails", "courses"}} == {
        "action": "enroll",
        "url": None,
        "auto_enroll": True,
        "email_students": True,
        "cohorts": None,
    }


async def test_every_page_of_the_catalogue_on_our_own_host_and_fields_of_the_site() -> None:
    asked: list[httpx.URL] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url)
        page = int(request.url.params["page"])
        follows = f"http://www.elsewhere.example{COURSES}?page={page + 1}&org=x" if page < 3 else None
        rows = [{"id": f"c{page}", "ai_sec_yn": "Y", "end": "None"}, 7]
        return httpx.Response(200, json={"pagination": {"next": follows, "num_pages": 1}, "results": rows})

    async with answered(answer) as one:
        found = await one.list_all_courses(org="a b", search_term="x+y")
    assert found == [{"id": f"c{page}", "ai_sec_yn": "Y", "end": "None"} for page in (1, 2, 3)]
    assert {url.host for url in asked} == {"lms.example.com"} and {url.scheme for url in asked} == {"https"}
    params = [dict(url.params) for url in asked]
    assert params[2] == {"org": "a b", "search_term": "x+y", "page": "3", "page_size": "100"}


async def test_a_recorded_page_of_the_catalogue(platform_replies: Path) -> None:
    page = json.loads((platform_replies / "openedx" / "courses_list_page_kmooc.json").read_text())

    def answer(request: httpx.Request) -> httpx.Response:
        is_first = request.url.params["page"] == "1"
        return httpx.Response(200, json=page if is_first else {"pagination": {"next": None}, "results": []})

    async with answered(answer) as one:
        assert await one.list_all_courses() == page["results"]


@pytest.mark.parametrize("follows", [f"{LMS}{COURSES}?page=1", f"{LMS}{COURSES}?page=x", "https://[", 7])
async def test_pages_that_lead_nowhere_end(follows: object) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"pagination": {"next": follows}, "results": []})

    async with answered(answer) as one:
        assert await one.list_all_courses() == []


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (httpx.Response(200, json={"results": None}), BadReply),
        (httpx.Response(200, json=[]), BadReply),
        (httpx.Response(200, html="<p>maintenance</p>"), CaptivePortal),
        (httpx.Response(404, html="<p>no</p>"), RouteGone),
        (httpx.Response(403, html="<p>WAF</p>"), NotAllowed),
        (httpx.Response(400, json={"developer_message": "x\n\u202ey"}), BadReply),
    ],
)
async def test_a_catalogue_that_is_none(response: httpx.Response, error: type[CoursefsError]) -> None:
    async with answered(lambda _: httpx.Response(response.status_code, content=response.content)) as one:
        with pytest.raises(error) as caught:
            await one.list_all_courses()
    assert "\n" not in str(caught.value) and "\u202e" not in str(caught.value)


async def test_a_redirect_that_cannot_be_followed_is_gone_round() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/user/v1/me":
            return httpx.Response(200, json={"username": "ada"})
        return httpx.Response(302, headers={"location": f"http://lms.example.com{request.url.path}/ada"})

    async with answered(answer) as one:
        assert (await one.whoami()).username == "ada"


async def test_a_route_that_fails_is_not_one_that_is_gone(autojump_clock: trio.testing.MockClock) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(500, html="<p>")

    async with answered(answer) as one:
        with pytest.raises(BadReply, match="HTTP 500"):
            await one.blocks("course-v1:O+C+R", "ada")
        assert [route.trouble for route in one.routes()] == [None]
    assert set(asked) == {"/api/courses/v2/blocks/"}


async def test_when_every_way_is_gone_all_are_tried_again() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(404, html="<p>")

    async with answered(answer) as one:
        for _ in range(2):
            with pytest.raises(RouteGone):
                await one.dates("O/C/R")
    assert asked == ["/api/course_home/dates/O/C/R", "/api/course_home/v1/dates/O/C/R"] * 2


async def test_the_limit_of_the_catalogue_is_kept(autojump_clock: trio.testing.MockClock) -> None:
    times: list[float] = []

    def answer(request: httpx.Request) -> httpx.Response:
        times.append(trio.current_time())
        page = int(request.url.params["page"])
        follows = f"{LMS}{COURSES}?page={page + 1}" if page < 60 else None
        return httpx.Response(200, json={"pagination": {"next": follows}, "results": []})

    async with answered(answer) as one:
        await one.list_all_courses()
    assert len(times) == 60
    assert 18 <= max(sum(1 for other in times if 0 <= other - time < 60) for time in times) <= 20


async def test_the_limit_of_enrolments_is_kept(autojump_clock: trio.testing.MockClock) -> None:
    times: list[float] = []

    def answer(_: httpx.Request) -> httpx.Response:
        times.append(trio.current_time())
        return httpx.Response(200, json=[])

    async with answered(answer) as one:
        for _ in range(100):
            await one.enrolments("ada")
    assert 38 <= max(sum(1 for other in times if 0 <= other - time < 60) for time in times) <= 40


# --- enrolling others


async def test_people_are_enrolled_by_staff() -> None:
    course = "course-v1:DemoX+MEAS101+2026"
    async with lms() as world, client(world) as one:
        done = await one.change_enrollment(["a@example.com", "b@example.com"], [course])
        assert (done["action"], done["auto_enroll"], done["email_students"]) == ("enroll", True, True)
        assert [each["identifier"] for each in done["courses"][course]["results"]] == ["a@example.com", "b@example.com"]
        assert done["courses"][course]["results"][0]["after"]["enrollment"] is True
        quiet = await one.change_enrollment(["a@example.com"], [course], "unenroll", email_students=False)
        assert (quiet["action"], quiet["email_students"]) == ("unenroll", False)
        refused = await one.change_enrollment(["a@example.com"], ["course-v1:no+no+no"])
        assert refused["status_code"] == 400 and "Course key not valid" in refused["response"]
        assert set(refused) == {"status_code", "response"}
        cohorts = await one.change_enrollment(["a@example.com"], [course], action="unenroll", cohorts=["one"])
        assert "only be used for enrollments" in cohorts["response"]


async def test_learners_enrol_no_user() -> None:
    async with lms() as world:
        sign_in = SignIn("demo-app", token=kept_token(world.learner()))
        async with OpenEdxClient(world.addresses.lms, sign_in=sign_in) as one:
            assert (await one.change_enrollment(["a@example.com"], ["x"]))["status_code"] == 403


async def test_what_is_sent_to_enrol_and_where() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"detail": "Not found"})

    async with answered(answer) as one:
        site = "https://site.example.com/"
        assert await one.change_enrollment(["a", "b"], ["c", "d"], url=site, auto_enroll=False, cohorts=["x", "y"]) == {
            "detail": "Not found"
        }
        await one.change_enrollment(["a"], ["c"])
    first, second = seen
    assert str(first.url) == "https://site.example.com/api/bulk_enroll/v1/bulk_enroll/"
    assert json.loads(first.content) == {
        "auto_enroll": False,
        "email_students": True,
        "action": "enroll",
        "courses": "c,d",
        "identifiers": "a,b",
        "cohorts": "x,y",
    }
    assert second.url.host == "lms.example.com" and "cohorts" not in json.loads(second.content)


# --- signing in with a password


async def sign_in(
    world: Lms, *, username: str = "learner", password: str = "", client_id: str = "", token_type: str = "jwt"
) -> Mapping[str, str]:
    return await secrets_from_password(
        world.transport,
        world.addresses.lms,
        username=username,
        password=password or world.platform.accounts.passwords["learner"],
        client_id=client_id,
        token_type=token_type,
    )


CSRF = httpx.Response(200, json={"csrfToken": "abc"})


@pytest.mark.parametrize("kind", ["jwt", "bearer"])
async def test_a_password_gives_tokens_with_a_client_id(kind: str) -> None:
    async with lms() as world:
        secrets = await sign_in(world, client_id="demo-app", token_type=kind)
        assert set(secrets) == {"access_token", "token_kind", "refresh_token", "access_expires"}
        assert secrets["token_kind"] == {"jwt": "JWT", "bearer": "Bearer"}[kind]
        provider = world.provider(secrets)
        assert (await provider.whoami()).user_id == "learner"


@pytest.mark.parametrize("name", ["learner", "learner@example.com"])
async def test_a_password_gives_a_session_without_a_client_id(name: str) -> None:
    async with lms() as world:
        secrets = await sign_in(world, username=name)
        assert set(secrets) == {"cookies", "expires"}
        assert "learner" not in str(secrets) and world.platform.accounts.passwords["learner"] not in str(secrets)
        provider = world.provider(secrets)
        assert (await provider.whoami()).user_id == "learner"
        assert len(await provider.courses()) == 2


@pytest.mark.parametrize("client_id", ["", "demo-app", "unknown"])
async def test_a_wrong_password_is_refused(client_id: str) -> None:
    async with lms() as world:
        with pytest.raises(NotSignedIn) as caught:
            await sign_in(world, password="m1styped", client_id=client_id)
        known = client_id != "unknown"
        assert str(caught.value) == (
            "wrong user name or password" if known else "the platform does not accept the client id, or not its secret"
        )


@pytest.mark.parametrize(
    ("csrf", "login", "error", "said"),
    [
        (
            httpx.Response(404, html="<p>"),
            httpx.Response(200),
            BadReply,
            f"{LMS} does not look like an Open edX server",
        ),
        (
            httpx.Response(200, html="<p>"),
            httpx.Response(200),
            BadReply,
            f"{LMS} does not look like an Open edX server",
        ),
        (CSRF, httpx.Response(200, json={"success": True}), BadReply, "opened no session"),
        (CSRF, httpx.Response(403, html="<p>"), NotSignedIn, "^wrong user name or password$"),
        (
            CSRF,
            httpx.Response(
                400, json={"success": False, "value": "Falsch.", "error_code": "incorrect-email-or-password"}
            ),
            NotSignedIn,
            "^wrong user name or password$",
        ),
        (
            CSRF,
            httpx.Response(
                403, json={"value": "Locked <b>out</b>:\nwait" + "<" * 5000, "error_code": "account-locked-out"}
            ),
            NotSignedIn,
            "^the platform refuses to sign in: Locked out : wait",
        ),
        (CSRF, httpx.Response(404, html="<p>"), BadReply, "opened no session"),
    ],
)
async def test_a_site_that_opens_no_session(
    csrf: httpx.Response, login: httpx.Response, error: type[CoursefsError], said: str
) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        one = csrf if request.url.path == "/csrf/api/v1/token" else login
        return httpx.Response(one.status_code, content=one.content)

    async with Transport(http_transport=httpx.MockTransport(answer)) as transport:
        with pytest.raises(error, match=said) as caught:
            await secrets_from_password(transport, LMS, username="ada", password="pw")
    assert "\n" not in str(caught.value)


async def test_a_csrf_token_in_a_cookie_alone_will_do() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        if request.method == "GET":
            return httpx.Response(200, headers={"set-cookie": "csrftoken=tok; Path=/"}, html="<p>")
        return httpx.Response(200, headers={"set-cookie": "lms-sessionid=abc; Path=/"}, json={})

    async with Transport(http_transport=httpx.MockTransport(answer)) as transport:
        secrets = await secrets_from_password(transport, LMS, username="ada", password="pw")
    assert secrets == {"cookies": "csrftoken=tok; lms-sessionid=abc"}
    assert seen[1].headers["x-csrftoken"] == "tok" and seen[1].headers["cookie"] == "csrftoken=tok"


async def test_a_session_alone_can_be_built_upon() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"username": "ada"})

    async with Transport(http_transport=httpx.MockTransport(answer)) as transport:
        one: Any = await Session(transport, f"{LMS}/", SignIn(cookies="sessionid=x")).fetch(f"{LMS}/api/user/v1/me")
    assert one.json() == {"username": "ada"}
