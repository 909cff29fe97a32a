"""A sign-in that ends while it is in use, and the sign-in by password."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest
import trio
import trio.testing

from coursefs.demo.sessions import EMAIL, PASSWORD
from coursefs.errors import CoursefsError, NotSignedIn, RouteGone
from coursefs.model import Remote
from coursefs.providers import registry
from coursefs.providers.base import Account, Provider
from coursefs.providers.coursera import CourseraClient
from coursefs.transport import Transport
from tests.engine.small_platform import World, small_platform
from tests.engine.test_coursera_provider import COURSE, SIGNED_OUT, WEB_PAGE, copy_of, good, video_reply


class Vault:
    """Secrets as another process may have changed them."""

    def __init__(self, **secrets: str) -> None:
        self.secrets: Mapping[str, str] = secrets
        self.error: CoursefsError | None = None
        self.loads = 0

    def load(self) -> Mapping[str, str]:
        self.loads += 1
        if self.error is not None:
            raise self.error
        return self.secrets

    def save(self, secrets: Mapping[str, str]) -> None:
        self.secrets = secrets


class Platform:
    """Knows one cookie, which it may change; remembers every one it was told."""

    def __init__(self, cauth: str) -> None:
        self.cauth = cauth
        self.told: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.told.append(request.headers.get("cookie", ""))
        return good([{"id": 7}]) if self.told[-1] == f"CAUTH={self.cauth}" else copy_of(SIGNED_OUT)


@pytest.fixture
def platform() -> Platform:
    return Platform("old")


@pytest.fixture
async def transport(platform: Platform) -> Transport:
    return Transport(http_transport=httpx.MockTransport(platform))


def provider_with(transport: Transport, vault: Vault, cauth: str = "old", **secrets: str) -> Provider:
    account = Account("coursera", {}, {"cauth": cauth, **secrets}, vault=vault)
    return registry.platform("coursera").create(account, transport)


async def test_a_new_cookie_is_taken_when_the_old_one_is_refused(platform: Platform, transport: Transport) -> None:
    vault = Vault(cauth="old", expires="1800000000")
    provider = provider_with(transport, vault)
    await provider.whoami()
    assert vault.loads == 0
    platform.cauth = "new"
    with pytest.raises(NotSignedIn, match="sign in again"):
        await provider.whoami()
    assert (vault.loads, platform.told[1:]) == (1, ["CAUTH=old"])  # the same cookie is not sent twice
    vault.secrets = {"cauth": "new", "expires": "1900000000"}
    assert (await provider.whoami()).expires == 1_900_000_000
    assert platform.told[2:] == ["CAUTH=old", "CAUTH=new"]
    await provider.whoami()
    assert (vault.loads, platform.told[4:]) == (2, ["CAUTH=new"])


async def test_many_that_are_refused_look_once(platform: Platform, transport: Transport) -> None:
    vault = Vault(cauth="new")
    provider = provider_with(transport, vault)
    platform.cauth = "new"
    async with trio.open_nursery() as nursery:
        for _ in range(8):
            nursery.start_soon(provider.whoami)
    assert vault.loads == 1


async def test_a_cookie_that_is_as_dead_as_the_old_one_ends_it(platform: Platform, transport: Transport) -> None:
    platform.cauth = "another"
    with pytest.raises(NotSignedIn, match="no longer accepted"):
        await provider_with(transport, Vault(cauth="new")).whoami()
    assert platform.told == ["CAUTH=old", "CAUTH=new"]


async def test_a_sign_in_that_comes_after_the_mount(platform: Platform, transport: Transport) -> None:
    vault = Vault()
    provider = provider_with(transport, vault, cauth="")
    with pytest.raises(NotSignedIn, match="not signed in"):
        await provider.whoami()
    assert platform.told == []
    vault.secrets = {"cauth": "old"}
    await provider.whoami()
    assert platform.told == ["CAUTH=old"]


async def test_the_cookie_of_another_user_is_not_taken(platform: Platform, transport: Transport) -> None:
    platform.cauth = "new"
    vault = Vault(cauth="new", user_id="2")
    provider = provider_with(transport, vault, user_id="1")
    with pytest.raises(NotSignedIn, match="another user has signed in; unmount and mount again"):
        await provider.whoami()
    assert platform.told == ["CAUTH=old"]
    vault.secrets = {"cauth": "new", "user_id": "1"}
    await provider.whoami()


async def test_a_keyring_that_does_not_answer_is_no_new_trouble(platform: Platform, transport: Transport) -> None:
    platform.cauth = "new"
    vault = Vault(cauth="new")
    vault.error = NotSignedIn("coursera: the desktop keyring does not answer")
    provider = provider_with(transport, vault)
    with pytest.raises(NotSignedIn, match="no longer accepted"):
        await provider.whoami()
    vault.error = None
    await provider.whoami()


# -- the other host --------------------------------------------------------------------------------------------------


class Hosts:
    """Coursera's hosts, of which some have the API and the others send their web page."""

    def __init__(self, *with_api: str) -> None:
        self.with_api = with_api
        self.asked: list[tuple[str, str]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/robots.txt":  # no network answers in its place (`coursefs.transport.portals`)
            return httpx.Response(200, text="User-agent: *")
        assert request.headers["cookie"] == "CAUTH=SECRET"
        self.asked.append((request.url.host, request.url.path.rpartition("/")[2]))
        answer = good([{"id": 7}]) if request.url.host in self.with_api else WEB_PAGE
        return copy_of(answer)


WWW, API = "www.coursera.org", "api.coursera.org"


async def test_where_the_api_has_moved_to_the_other_host_it_is_asked_there() -> None:
    hosts = Hosts(API)
    async with Transport(http_transport=httpx.MockTransport(hosts)) as transport:
        client = CourseraClient(transport, "SECRET")
        assert await client.whoami() == "7"
        await client.memberships()
    assert [host for host, _ in hosts.asked] == [WWW, API, API, API]


async def test_subtitles_are_at_the_other_host_too() -> None:
    hosts = Hosts(API)

    def answer(request: httpx.Request) -> httpx.Response:
        is_video = request.url.host == API and "onDemandLectureVideos" in request.url.path
        return copy_of(video_reply()) if is_video else hosts(request)

    async with Transport(http_transport=httpx.MockTransport(answer)) as transport:
        provider = registry.platform("coursera").create(Account("coursera", {}, {"cauth": "SECRET"}), transport)
        await provider.whoami()
        ids = {"what": "subtitle", "language": "en", "course_id": "C1", "item_id": "a"}
        source = await provider.source(COURSE, Remote("subtitle/C1~a/en.srt", ids), fresh=False)
    assert source.url.startswith(f"https://{API}/api/subtitleAssetProxy.v1/")


async def test_one_route_that_is_gone_is_no_move() -> None:
    hosts = Hosts()
    async with Transport(http_transport=httpx.MockTransport(hosts)) as transport:
        client = CourseraClient(transport, "SECRET")
        for _ in range(2):
            with pytest.raises(RouteGone):
                await client.whoami()
    assert [host for host, _ in hosts.asked] == [WWW, API, WWW]  # looked for once


async def test_those_who_find_out_together_that_the_api_has_moved_look_once() -> None:
    hosts = Hosts(API)
    async with Transport(http_transport=httpx.MockTransport(hosts)) as transport:
        client = CourseraClient(transport, "SECRET")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.whoami)
            nursery.start_soon(client.whoami)
    assert [host for host, _ in hosts.asked].count(API) == 3  # one look, and two answers


async def test_a_host_that_does_not_answer_may_be_looked_at_later(autojump_clock: trio.testing.MockClock) -> None:
    hosts = Hosts(API)
    down = True

    def answer(request: httpx.Request) -> httpx.Response:
        if down and request.url.host == API:
            raise httpx.ConnectError("no route to host")
        return hosts(request)

    async with Transport(http_transport=httpx.MockTransport(answer)) as transport:
        client = CourseraClient(transport, "SECRET")
        with pytest.raises(RouteGone):
            await client.whoami()
        down = False
        assert await client.whoami() == "7"


async def test_another_platform_has_no_other_host() -> None:
    hosts = Hosts(API)
    async with Transport(http_transport=httpx.MockTransport(hosts)) as transport:
        with pytest.raises(RouteGone):
            await CourseraClient(transport, "SECRET", base_url="https://mirror.example").whoami()
    assert [host for host, _ in hosts.asked] == ["mirror.example"]


# -- by password -----------------------------------------------------------------------------------------------------


async def test_a_password_signs_in_where_no_captcha_is_wanted(tmp_path: Path) -> None:
    async with small_platform(tmp_path, captcha=False) as world, client_of(world) as client:
        secrets = await client.log_in(EMAIL, PASSWORD)
        assert secrets["cauth"] == world.platform.sessions.cauth
        assert float(secrets["expires"]) > 1_700_000_000
        assert await client.whoami() == "1000001"
        assert [entry.status for entry in world.platform.journal.entries] == [200, 200]


@pytest.mark.parametrize(
    ("captcha", "password", "why"),
    [
        (True, PASSWORD, r"HTTP 400\): the site now asks for a captcha"),
        (False, "mistaken", "wrong e-mail address or password"),
    ],
)
async def test_a_refused_password_is_tried_once(tmp_path: Path, captcha: bool, password: str, why: str) -> None:
    async with small_platform(tmp_path, captcha=captcha) as world, client_of(world) as client:
        with pytest.raises(NotSignedIn, match=why) as caught:
            await client.log_in(EMAIL, password)
        assert password not in str(caught.value) and EMAIL not in str(caught.value)
        assert len(world.platform.journal.entries) == 1


def client_of(world: World) -> CourseraClient:
    return CourseraClient(base_url=world.addresses.api)


GOOD = {"X-CSRFToken": "t", "X-CSRF2-Cookie": "csrf2_token_n", "X-CSRF2-Token": "v"}
COOKIES = {"Cookie": "csrftoken=t; csrf2_token_n=v"}
FORM = {"email": EMAIL, "password": PASSWORD, "webrequest": "true"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (GOOD | COOKIES, 200),
        (GOOD, 403),
        (COOKIES, 403),
        (GOOD | COOKIES | {"X-CSRFToken": "other"}, 403),
        (GOOD | COOKIES | {"X-CSRF2-Token": "other"}, 403),
        (GOOD | {"X-CSRF2-Cookie": "n", "Cookie": "csrftoken=t; n=v"}, 403),
    ],
)
async def test_the_demo_wants_each_token_twice(tmp_path: Path, headers: dict[str, str], status: int) -> None:
    async with small_platform(tmp_path, captcha=False) as world:
        as_json = await world.anyone.post("/api/login/v3", json=FORM | {"webrequest": True}, headers=headers)
        as_form = await world.anyone.post("/api/login/v3", data=FORM, headers=headers)
        assert (as_json.status_code, as_form.status_code) == (status, status)
        has_cookie = any(one.startswith("CAUTH=") for one in as_json.headers.get_list("set-cookie"))
        assert has_cookie is (status == 200)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"email": 1}'])
async def test_the_demo_refuses_bodies_that_say_nothing(tmp_path: Path, body: bytes) -> None:
    async with small_platform(tmp_path, captcha=False) as world:
        headers = GOOD | COOKIES | {"Content-Type": "application/json"}
        reply = await world.anyone.post("/api/login/v3", content=body, headers=headers)
        assert reply.status_code == 400
