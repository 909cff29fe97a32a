"""A session that ends, or cannot be opened: nothing that is known becomes "locked" or "gone", and media are had."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest
import trio
import trio.testing

from coursefs.catalog.node import Node
from coursefs.demo.openedx.description import Course, load
from coursefs.demo.openedx.site import Site
from coursefs.doctor.finding import Severity
from coursefs.doctor.platforms import platforms
from coursefs.errors import BadReply, NotAllowed, NotSignedIn
from coursefs.library import AccountSource
from coursefs.model import ProvisionalFiles, Remote, Wanted
from coursefs.providers.openedx.oauth import Token
from coursefs.providers.openedx.session import NoSession, Session, SignIn
from coursefs.transport import Transport
from tests.engine.openedx_world import Clock, Lms, lms
from tests.engine.test_openedx_provider import html_of, named, opened
from tests.engine.test_tree import opened as tree_of

LMS = "https://lms.example.com"
CHART = "/asset-v1:DemoX+MEAS101+2026+type@asset+block@Star_chart.pdf"


def signed_in_by_cookie(world: Lms) -> dict[str, str]:
    """The secrets of the learner, signed in with a browser."""
    session = world.platform.accounts.open_session("learner")
    return {"cookies": f"sessionid={session}; csrftoken=x", "user_id": "learner"}


async def test_a_dead_session_is_the_accounts_and_no_units() -> None:
    async with lms() as world:
        provider = world.provider(signed_in_by_cookie(world))
        course, items = await opened(provider)
        world.platform.accounts.sessions.clear()
        for asking in (
            lambda: provider.files(course, [items["Parallax"]]),
            lambda: provider.files(course, [items["Handouts"]]),
            lambda: provider.outline(course),
            provider.courses,
            provider.whoami,
            lambda: provider.standing(course),
        ):
            with pytest.raises(NotSignedIn, match="no longer accepted; sign in again: coursefs login openedx"):
                await asking()


async def test_what_is_known_outlives_the_session(tmp_path: Path) -> None:
    async with lms() as world:
        provider = world.provider(signed_in_by_cookie(world))
        async with tree_of(tmp_path, provider) as tree:
            (directory,) = [one for one in await tree.children(tree.node(1)) if one.name == "How Far, How Loud?"]

            async def names(node: Node) -> set[str]:
                found = await tree.children(node)
                inner = [await names(one) for one in found if one.is_directory]
                return {one.name for one in found}.union(*inner)

            before = await names(directory)
            assert "02 Parallax.html" in before and "01 Before you begin - Star chart.pdf" in before
            world.platform.accounts.sessions.clear()
            with pytest.raises(NotSignedIn):
                await tree.update_course(directory)
            assert await names(directory) == before


async def test_a_session_that_ended_is_had_anew_by_the_token_and_no_unit_is_locked() -> None:
    clock = Clock()
    async with lms(now=clock) as world:
        provider = world.provider(world.learner())
        course, items = await opened(provider)
        await provider.files(course, [items["Parallax"]])
        world.platform.accounts.sessions.clear()
        world.platform.journal.clear()
        files = await provider.files(course, [items["Parallax"], items["Before you begin"]])
        assert all(".html" in named(files[items[title].key]) for title in ("Parallax", "Before you begin"))
        assert len(world.asked("/oauth2/login/")) == 1


@pytest.mark.parametrize("takes_it_back", [True, False])
async def test_a_missing_page_counts_only_where_the_session_is_alive(*, takes_it_back: bool) -> None:
    """A server, or what stands before it, may leave the cookie alone though the session has ended."""
    alive = True
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        if request.url.path == "/api/user/v1/me":
            return httpx.Response(200, json={"username": "ada"}) if alive else httpx.Response(401, json={"detail": "x"})
        ended = {"set-cookie": 'sessionid=""; Max-Age=0; Path=/'} if takes_it_back and not alive else {}
        return httpx.Response(404, html="<p>", headers=ended)

    async with Transport(http_transport=httpx.MockTransport(answer)) as transport:
        one = Session(transport, LMS, SignIn(cookies="sessionid=x"))
        assert (await one.fetch_page(f"{LMS}/xblock/a")).status == 404
        assert asked == ["/xblock/a", "/api/user/v1/me"]
        alive = False
        with pytest.raises(NotSignedIn):
            await one.fetch_page(f"{LMS}/xblock/a")
        assert asked[2:] == (["/xblock/a"] if takes_it_back else ["/xblock/a", "/api/user/v1/me"])


async def test_one_question_proves_the_session_for_all_who_wait() -> None:
    asked: list[str] = []
    pages, go_on = 0, trio.Event()

    async def answer(request: httpx.Request) -> httpx.Response:
        nonlocal pages
        asked.append(request.url.path)
        if request.url.path == "/api/user/v1/me":
            await go_on.wait()
            return httpx.Response(200, json={"username": "ada"})
        pages += 1
        return httpx.Response(404, html="<p>")

    async with Transport(http_transport=httpx.MockTransport(answer)) as transport:
        one = Session(transport, LMS, SignIn(cookies="sessionid=x"))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(one.fetch_page, f"{LMS}/xblock/0")
            await trio.testing.wait_all_tasks_blocked()
            for number in range(1, 5):
                nursery.start_soon(one.fetch_page, f"{LMS}/xblock/{number}")
            await trio.testing.wait_all_tasks_blocked()
            assert pages == 5
            go_on.set()
        assert asked.count("/api/user/v1/me") == 2  # the first was asked before the others had their answer


async def test_a_session_that_cannot_be_proved_is_no_proof() -> None:
    async with Transport(http_transport=httpx.MockTransport(lambda _: httpx.Response(404, html="<p>"))) as transport:
        one = Session(transport, LMS, SignIn(cookies="sessionid=x"))
        with pytest.raises(BadReply, match="does not say whether its session is still alive"):
            await one.fetch_page(f"{LMS}/xblock/a")


@pytest.mark.parametrize(
    "reply",
    [
        httpx.Response(403, json={"developer_message": "Anonymous users cannot access another user's blocks."}),
        httpx.Response(200, json={"course_access": {"has_access": False, "error_code": "authentication_required"}}),
        httpx.Response(200, json=[], headers={"set-cookie": 'sessionid=""; Max-Age=0'}),
        httpx.Response(404, json={"detail": "x"}, headers={"set-cookie": 'prod-edx-sessionid=""; Max-Age=0'}),
        httpx.Response(401, json={"detail": "Authentication credentials were not provided."}),
    ],
)
async def test_what_says_that_a_session_has_ended(reply: httpx.Response) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(reply.status_code, content=reply.content, headers=reply.headers)

    async with Transport(http_transport=httpx.MockTransport(answer)) as transport:
        with pytest.raises(NotSignedIn):
            sign_in = SignIn(cookies="sessionid=x; prod-edx-sessionid=y")
            await Session(transport, LMS, sign_in).fetch(f"{LMS}/api/x")


async def test_a_course_that_one_is_not_enrolled_in_says_nothing_of_the_sign_in() -> None:
    """It is answered with 401 and a bare text."""

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(401, json="User not enrolled.")

    async with Transport(http_transport=httpx.MockTransport(answer)) as transport:
        for sign_in in (SignIn(cookies="sessionid=x"), SignIn("app", token=Token("t", "JWT"))):
            assert (await Session(transport, LMS, sign_in).fetch(f"{LMS}/api/course_home/dates/x")).status == 401


# --- a server that opens no session for a token


async def test_a_server_without_sessions_is_asked_once_in_a_while_and_shows_all_but_texts() -> None:
    clock = Clock()
    async with lms(now=clock, site=Site(third_party_auth=False)) as world:
        provider = world.provider(world.learner())
        provider._session._clock = clock
        course, items = await opened(provider)
        units = [items[title] for title in ("Parallax", "Before you begin", "Exercises", "Decibel")]
        for _ in range(3):
            files = await provider.files(course, units)
        parallax = files[items["Parallax"].key]
        assert isinstance(parallax, ProvisionalFiles)  # in place of what is known it changes nothing
        assert sorted(named(parallax)) == ["How far is a star?.en.srt", "How far is a star?.mp4", "unavailable.html"]
        said = html_of(named(parallax)["unavailable.html"])
        assert "HTTP 500" in said and "coursefs asks again later" in said
        assert "Notes on units.pdf" in named(files[items["Decibel"].key])
        for _ in range(5):
            await provider.source(course, Remote("asset" + CHART, {"what": "asset", "path": CHART}), fresh=True)
        assert len(world.asked("/oauth2/login/")) == 1
        world.platform.site.third_party_auth = True
        clock.time += 601
        files = await provider.files(course, units)
        assert ".html" in named(files[items["Parallax"].key]) and len(world.asked("/oauth2/login/")) == 2


async def test_a_text_that_is_known_stays_while_no_session_can_be_opened(tmp_path: Path) -> None:
    async with lms() as world:
        secrets = world.learner()
        async with tree_of(tmp_path, world.provider(secrets)) as tree:
            (course,) = [one for one in await tree.children(tree.node(1)) if one.name == "How Far, How Loud?"]
            (chapter,) = [one for one in await tree.children(course) if one.name == "01 How far?"]
            (lesson,) = [one for one in await tree.children(chapter) if one.is_directory]
            before = {one.name: one.inode for one in await tree.children(lesson)}
            assert "02 Parallax.html" in before
            world.platform.site.third_party_auth = False
            tree.set_provider("coursera", world.provider(secrets))
            for _ in range(2):
                await tree.update_course(course)
                assert {one.name: one.inode for one in await tree.children(lesson)} == before


async def test_a_session_that_the_server_does_not_take_is_no_end_of_the_sign_in() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth2/login/":
            return httpx.Response(204, headers={"set-cookie": "sessionid=new; Path=/"})
        return httpx.Response(404, html="<p>", headers={"set-cookie": 'sessionid=""; Max-Age=0'})

    async with Transport(http_transport=httpx.MockTransport(answer)) as transport:
        one = Session(transport, LMS, SignIn("app", token=Token("t", "JWT")))
        for _ in range(2):
            with pytest.raises(NoSession, match="does not take the session"):
                await one.fetch_page(f"{LMS}/xblock/a")


async def test_a_locked_file_that_is_refused_is_asked_for_with_a_living_session() -> None:
    async with lms() as world:
        remote = Remote("asset" + CHART, {"what": "asset", "path": CHART})
        provider = world.provider(world.learner())
        course, _ = await opened(provider)
        dead = await provider.source(course, remote, fresh=False)
        world.platform.accounts.sessions.clear()
        assert (await provider.source(course, remote, fresh=False)).headers == dead.headers
        living = await provider.source(course, remote, fresh=True)
        assert living.headers != dead.headers
        assert (await world.transport.fetch(living.url, headers=living.headers)).status == 200
        by_cookie = world.provider(signed_in_by_cookie(world))
        world.platform.accounts.sessions.clear()
        with pytest.raises(NotSignedIn):
            await by_cookie.source(course, remote, fresh=True)


# --- releases that take no bearer tokens


def as_many(count: int) -> tuple[Course, ...]:
    """Copies of one course under other ids."""
    course = load()[1]
    values = {name: getattr(course, name) for name in course.__slots__}
    return tuple(Course(**{**values, "id": f"course-v1:O+C+{number}"}) for number in range(count))


@pytest.mark.parametrize("kind", ["jwt", "bearer", "cookie"])
async def test_all_enrolments_of_a_release_without_the_old_list(kind: str) -> None:
    async with lms(gone=("/api/enrollment/v1/",), courses=as_many(250)) as world:
        secrets = signed_in_by_cookie(world) if kind == "cookie" else world.learner(token_type=kind)
        courses = await world.provider(secrets).courses()
        assert len(courses) == 250 and {one.title for one in courses} == {"How Far, How Loud?"}
        assert len(world.asked("/api/enrollment/v2/enrollment/")) == (4 if kind == "bearer" else 3)
        assert len(world.asked("/oauth2/login/")) == (1 if kind == "bearer" else 0)


async def test_a_bearer_token_that_is_not_taken_is_no_end_of_the_sign_in() -> None:
    async with lms(gone=("/api/enrollment/v1/",), site=Site(third_party_auth=False)) as world:
        provider = world.provider(world.learner(token_type="bearer"), token_type="bearer")
        with pytest.raises(NotAllowed, match='set token_type = "jwt"') as caught:
            await provider.courses()
        assert not isinstance(caught.value, NotSignedIn)
        assert (await provider.whoami()).user_id == "learner"


async def test_the_doctor_warns_of_bearer_tokens() -> None:
    async with lms() as world:
        found: Mapping[str, list[str]] = {}
        for kind in ("jwt", "bearer"):
            settings = {"server": world.addresses.lms, "client_id": "demo-app", "token_type": kind}
            account = AccountSource("edx", "openedx", settings, world.learner(token_type=kind))
            findings = await platforms([account], Wanted(), world.transport)
            found = {**found, kind: [one.message for one in findings if one.state is Severity.NOTE]}
    assert found["jwt"] == []
    assert len(found["bearer"]) == 1 and 'set token_type = "jwt"' in found["bearer"][0]
