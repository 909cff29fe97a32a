"""Tokens and sessions as they end and are renewed, over real sockets and against answers from a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx
import pytest
import trio
import trio.testing

from coursefs.errors import BadReply, CoursefsError, NoAnswer, NotAllowed, NotSignedIn
from coursefs.providers.openedx.oauth import Token, kept_token
from coursefs.providers.openedx.session import Session, SignIn, is_sign_in_page
from coursefs.transport import Reply, Transport
from tests.engine.openedx_world import Clock, Lms, MemoryVault, lms

ME = "/api/user/v1/me"
LMS = "https://lms.example.com"


def session(
    world: Lms,
    clock: Clock,
    secrets: Mapping[str, str],
    vault: MemoryVault | None = None,
    *,
    client_id: str = "demo-app",
    client_secret: str = "",
    token_type: str = "jwt",
) -> Session:
    sign_in = SignIn(client_id, client_secret, kept_token(dict(secrets)), token_type=token_type)
    return Session(world.transport, world.addresses.lms, sign_in, account="edx", vault=vault, clock=clock)


async def ask(one: Session) -> int:
    return (await one.fetch(f"{one.base_url}{ME}")).status


@pytest.mark.parametrize("kind", ["jwt", "bearer"])
async def test_a_token_of_either_kind(kind: str) -> None:
    clock = Clock()
    async with lms(now=clock) as world:
        assert await ask(session(world, clock, world.learner(token_type=kind))) == 200
        assert world.asked("/oauth2") == []


@pytest.mark.parametrize("kind", ["jwt", "bearer"])
async def test_a_token_that_is_about_to_end_is_renewed_before_and_stored(kind: str) -> None:
    clock = Clock()
    async with lms(now=clock) as world:
        secrets = world.learner(token_type=kind)
        vault = MemoryVault({**secrets, "user_id": "learner"})
        one = session(world, clock, secrets, vault, token_type=kind)
        clock.time += 3550
        assert await ask(one) == 200
        assert world.asked() == ["/oauth2/access_token/", ME]
        assert vault.saves == 1 and vault.kept["user_id"] == "learner"
        assert vault.kept["access_token"] in world.platform.accounts.tokens
        assert vault.kept["refresh_token"] in world.platform.accounts.refreshes
        assert float(vault.kept["access_expires"]) == clock.time + 3600
        clock.time += 100
        assert await ask(one) == 200
        assert len(world.asked("/oauth2")) == 1


@pytest.mark.parametrize("kind", ["jwt", "bearer"])
async def test_a_token_that_ended_sooner_than_it_said_is_renewed_and_asked_again(kind: str) -> None:
    clock = Clock()
    async with lms(now=clock) as world:
        secrets = {**world.learner(token_type=kind), "access_expires": str(clock.time + 10**6)}
        clock.time += 3601
        assert await ask(session(world, clock, secrets)) == 200
        assert world.asked() == [ME, "/oauth2/access_token/", ME]


async def test_many_who_find_it_ended_renew_it_once() -> None:
    clock = Clock()
    async with lms(now=clock) as world:
        one = session(world, clock, world.learner())
        clock.time += 4000
        statuses: list[int] = []
        async with trio.open_nursery() as nursery:
            for _ in range(8):

                async def reader() -> None:
                    statuses.append(await ask(one))

                nursery.start_soon(reader)
        assert statuses == [200] * 8
        assert len(world.asked("/oauth2")) == 1


async def test_what_another_process_has_renewed_is_taken() -> None:
    clock = Clock()
    async with lms(now=clock) as world:
        secrets = world.learner()
        vault = MemoryVault(dict(secrets))
        one, other = (session(world, clock, secrets, vault) for _ in range(2))
        clock.time += 4000
        assert await ask(other) == 200
        world.platform.journal.clear()
        assert await ask(one) == 200
        assert world.asked() == [ME]


async def test_a_token_that_another_process_has_replaced_is_not_the_end() -> None:
    """To renew a token forgets it on the server: a request with it is then refused as unknown."""
    clock = Clock()
    async with lms(now=clock) as world:
        secrets = world.learner()
        vault = MemoryVault(dict(secrets))
        one = session(world, clock, secrets, vault)
        given = {"grant_type": "refresh_token", "client_id": "demo-app", "refresh_token": secrets["refresh_token"]}
        token = world.platform.accounts.grant({**given, "token_type": "jwt"})
        kept = Token(str(token["access_token"]), "JWT", clock.time + 3600, str(token["refresh_token"]))
        vault.kept = kept.secrets()
        assert await ask(one) == 200
        assert world.asked() == [ME, ME]


@dataclass
class RacingVault(MemoryVault):
    """A vault in which another process stores something after it was read once."""

    then: dict[str, str] = field(default_factory=dict)

    def load(self) -> Mapping[str, str]:
        found = super().load()
        self.kept = self.then or self.kept
        return found


def refused(request: httpx.Request) -> httpx.Response:
    """Knows one token, and renews none."""
    if request.url.path == "/oauth2/access_token/":
        return httpx.Response(400, json={"error": "invalid_grant"})
    return httpx.Response(200, json={"token": request.headers["authorization"]})


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process is looked for at once: a clock that jumps would not wait for the thread that looks."""
    monkeypatch.setattr("coursefs.providers.openedx.session._ANOTHER_IS_AT_IT", 0.0)


async def test_two_that_renew_at_once_both_go_on(no_pause: None) -> None:
    """The one that comes too late is refused, and finds what the other has stored meanwhile."""
    old, new = Token("old", "JWT", 0.0, "r1"), Token("new", "JWT", 4_000_000_000.0, "r2")
    vault = RacingVault(old.secrets(), then=new.secrets())
    async with Transport(http_transport=httpx.MockTransport(refused)) as transport:
        one = Session(transport, LMS, SignIn("app", token=old), vault=vault)
        assert (await one.fetch(f"{LMS}{ME}")).json() == {"token": "JWT new"}


async def test_a_refresh_token_that_is_refused_says_how_to_sign_in(no_pause: None) -> None:
    old = Token("old", "JWT", 0.0, "r1")
    async with Transport(http_transport=httpx.MockTransport(refused)) as transport:
        one = Session(transport, LMS, SignIn("app", token=old), account="uni", vault=MemoryVault(old.secrets()))
        with pytest.raises(NotSignedIn) as caught:
            await one.fetch(f"{LMS}{ME}")
    assert str(caught.value) == (
        "uni: the platform does not accept this sign-in; sign in again:"
        f" coursefs login openedx --account uni --server {LMS} …"
    )


async def test_a_token_that_the_server_does_not_know_is_not_renewed() -> None:
    clock = Clock()
    async with lms(now=clock) as world:
        secrets = world.learner()
        world.platform.accounts.tokens.clear()
        with pytest.raises(NotSignedIn, match="no longer accepted; sign in again: coursefs login openedx"):
            await ask(session(world, clock, secrets, MemoryVault(dict(secrets))))
        assert world.asked() == [ME]


@pytest.mark.parametrize("kind", ["jwt", "bearer"])
async def test_a_user_that_is_switched_off_is_not_helped_by_another_token(kind: str) -> None:
    clock = Clock()
    async with lms(now=clock) as world:
        one = session(world, clock, world.learner(token_type=kind))
        world.platform.accounts.disabled.add("learner")
        with pytest.raises(NotSignedIn, match="is disabled"):
            await ask(one)
        assert world.asked() == [ME]


async def test_an_application_signs_in_with_its_secret_and_again() -> None:
    clock = Clock()
    async with lms(now=clock) as world:
        secret = world.platform.accounts.service_secret
        one = session(world, clock, {}, client_id="demo-service", client_secret=secret)
        assert await ask(one) == 200
        world.platform.accounts.tokens.clear()
        assert await ask(one) == 200
        clock.time += 4000
        assert await ask(one) == 200
        token = "/oauth2/access_token/"  # a path
        assert world.asked() == [token, ME, ME, token, ME, token, ME]
        wrong = session(world, clock, {}, client_id="demo-service", client_secret="wrong")
        with pytest.raises(NotSignedIn, match="client id, or not its secret"):
            await ask(wrong)


async def test_without_a_sign_in_nothing_is_asked() -> None:
    async with lms() as world:
        one = Session(world.transport, world.addresses.lms, SignIn())
        with pytest.raises(NotSignedIn, match="openedx: not signed in; sign in: coursefs login openedx --server http"):
            await one.fetch(f"{one.base_url}{ME}")
        assert world.asked() == []


async def test_a_renewal_that_is_cancelled_is_stored_all_the_same() -> None:
    asked, go_on = trio.Event(), trio.Event()
    old = Token("old", "JWT", 0.0, "r1")
    vault = MemoryVault(old.secrets())

    async def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path != "/oauth2/access_token/":
            return httpx.Response(200, json={"token": request.headers["authorization"]})
        asked.set()
        await go_on.wait()
        return httpx.Response(200, json={"access_token": "new", "token_type": "JWT", "expires_in": 10**9})

    async with Transport(http_transport=httpx.MockTransport(answer)) as transport:
        one = Session(transport, LMS, SignIn("app", token=old), vault=vault)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(one.fetch, f"{LMS}{ME}")
            await asked.wait()
            nursery.cancel_scope.cancel()
            go_on.set()
        assert vault.kept["access_token"] == "new" and vault.kept["refresh_token"] == "r1"
        assert (await one.fetch(f"{LMS}{ME}")).json() == {"token": "JWT new"}


async def test_a_renewal_that_gets_no_answer_ends(autojump_clock: trio.testing.MockClock) -> None:
    async def answer(_: httpx.Request) -> httpx.Response:
        await trio.sleep_forever()
        raise AssertionError

    async with Transport(http_transport=httpx.MockTransport(answer)) as transport:
        one = Session(transport, LMS, SignIn("app", token=Token("old", "JWT", 0.0, "r")))
        with pytest.raises(NoAnswer, match="does not renew the sign-in within 15 s"):
            await one.fetch(f"{LMS}{ME}")


class BrokenVault(MemoryVault):
    def load(self) -> Mapping[str, str]:
        raise CoursefsError("cannot read it")


@pytest.mark.logs
async def test_a_renewal_works_though_it_cannot_be_stored(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    async with lms(now=clock) as world:
        one = session(world, clock, world.learner(), BrokenVault())
        clock.time += 4000
        assert await ask(one) == 200
    assert "edx: the renewed sign-in cannot be stored: cannot read it" in caplog.text


# --- pages, and their cookies

PAGE = "/xblock/block-v1:DemoX+MEAS101+2026+type@html+block@c0ffee00000000000000000000000002"


async def test_a_learners_token_is_exchanged_once_for_the_cookies_of_pages() -> None:
    clock = Clock()
    async with lms(now=clock) as world:
        one = session(world, clock, world.learner())
        async with trio.open_nursery() as nursery:
            for _ in range(4):
                nursery.start_soon(one.fetch_page, f"{one.base_url}{PAGE}")
        assert len(world.asked("/oauth2/login/")) == 1
        assert [entry.status for entry in world.platform.journal.entries if entry.path == PAGE] == [200] * 4


async def test_cookies_that_have_ended_are_had_anew() -> None:
    clock = Clock()
    async with lms(now=clock) as world:
        one = session(world, clock, world.learner())
        await one.fetch_page(f"{one.base_url}{PAGE}")
        world.platform.accounts.sessions.clear()
        reply = await one.fetch_page(f"{one.base_url}{PAGE}")
        assert reply.status == 200 and reply.url.endswith(PAGE)
        assert len(world.asked("/oauth2/login/")) == 2


async def test_cookies_of_a_browser_are_used_as_they_are_and_end() -> None:
    clock = Clock()
    async with lms(now=clock) as world:
        cookie = world.platform.accounts.open_session("learner")
        one = Session(world.transport, world.addresses.lms, SignIn(cookies=f"sessionid={cookie}; csrftoken=x"))
        assert await ask(one) == 200
        assert (await one.fetch_page(f"{one.base_url}{PAGE}")).status == 200
        world.platform.accounts.sessions.clear()
        for failing in (ask(one), one.fetch_page(f"{one.base_url}{PAGE}")):
            with pytest.raises(NotSignedIn, match="no longer accepted"):
                await failing
        assert world.asked("/oauth2") == []


async def test_who_signs_in_with_new_cookies_need_not_mount_again() -> None:
    async with lms() as world:
        first, second = (f"sessionid={world.platform.accounts.open_session('learner')}" for _ in range(2))
        vault = MemoryVault({"cookies": first})
        asking, reading = (
            Session(world.transport, world.addresses.lms, SignIn(cookies=first), vault=vault) for _ in range(2)
        )
        world.platform.accounts.sessions.pop(first.removeprefix("sessionid="))
        with pytest.raises(NotSignedIn):
            await ask(asking)
        vault.kept = {"cookies": second}
        assert await ask(asking) == 200
        assert (await reading.fetch_page(f"{reading.base_url}{PAGE}")).url.endswith(PAGE)
        assert await ask(reading) == 200


async def test_a_page_of_what_stands_before_the_server_is_not_its_word() -> None:
    async with Transport(http_transport=httpx.MockTransport(lambda _: httpx.Response(403, html="<p>WAF"))) as transport:
        one = Session(transport, LMS, SignIn("app", token=Token("t", "JWT")))
        with pytest.raises(BadReply, match="HTTP 403 without one"):
            await one.cookies()


async def test_a_sign_in_is_not_sent_elsewhere() -> None:
    async with Transport(http_transport=httpx.MockTransport(lambda _: httpx.Response(500))) as transport:
        one = Session(transport, LMS, SignIn("app", token=Token("t", "JWT")), account="uni")
        for url in ("https://elsewhere.example/api", "http://lms.example.com/api", "https://lms.example.com:8443/api"):
            with pytest.raises(BadReply, match="uni: an address that is not on its server"):
                await one.fetch(url)


async def test_an_applications_token_has_no_pages_which_is_asked_once() -> None:
    clock = Clock()
    async with lms(now=clock) as world:
        secret = world.platform.accounts.service_secret
        one = session(world, clock, {}, client_id="demo-service", client_secret=secret)
        for _ in range(2):
            with pytest.raises(NotAllowed, match="password or cookies only"):
                await one.fetch_page(f"{one.base_url}{PAGE}")
        assert world.asked() == ["/oauth2/access_token/", "/oauth2/login/"]


async def test_a_server_that_fails_to_open_a_session_is_asked_again() -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(503)

    async with Transport(http_transport=httpx.MockTransport(answer)) as transport:
        one = Session(transport, LMS, SignIn("app", token=Token("t", "JWT")))
        for _ in range(2):
            with pytest.raises(BadReply, match="HTTP 503 without one"):
                await one.cookies()


async def test_tokens_and_cookies_go_to_no_other_host() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        if request.url.host == "lms.example.com":
            return httpx.Response(302, headers={"location": f"https://evil.example{request.url.path}"})
        return httpx.Response(200, json={})

    async with Transport(http_transport=httpx.MockTransport(answer)) as transport:
        await Session(transport, LMS, SignIn("app", token=Token("SECRET", "JWT"))).fetch(f"{LMS}{ME}")
        await Session(transport, LMS, SignIn(cookies="sessionid=SECRET")).fetch_page(f"{LMS}{PAGE}")
    assert [request.url.host for request in seen] == ["lms.example.com", "evil.example"] * 2
    for request in seen:
        told = "SECRET" in str(request.headers.raw) + str(request.url)
        assert told is (request.url.host == "lms.example.com")


def test_no_repr_of_a_sign_in_shows_a_secret() -> None:
    sign_in = SignIn("app", "SECRET", Token("SECRET", "JWT", None, "SECRET"), "sessionid=SECRET")
    assert "SECRET" not in repr(sign_in)


@pytest.mark.parametrize(
    ("asked", "came", "is_it"),
    [
        ("/xblock/b", "/login?next=/xblock/b", True),
        ("/xblock/b", "https://authn.example.com/authn/login?next=x", True),
        ("/xblock/b", "https://idp.school.example/adfs/ls/?SAML=x", True),
        ("/xblock/b", "/xblock/b?view=student_view", False),
        ("/xblock/i4x://O/C/html/login", "/xblock/i4x:%2F%2FO/C/html/login", False),
        ("/xblock/b", "/courses/course-v1:O+C+R/jump_to/b", False),
        ("/xblock/b", "https://apps.example.com/learning/course/course-v1:O+C+R/b", False),
    ],
)
def test_where_redirects_have_led(asked: str, came: str, is_it: bool) -> None:
    reply = Reply(came if "://" in came[:10] else LMS + came, 200, httpx.Headers(), b"")
    assert is_sign_in_page(LMS + asked, reply) is is_it
