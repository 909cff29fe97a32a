"""The platform object of Coursera: settings, ways to sign in, and the factory of its providers."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from coursefs.errors import UsageError
from coursefs.providers.base import Account, Provider
from coursefs.providers.kit.cookies import BROWSERS, browser_cookies, browsers_with
from coursefs.providers.kit.sign_in import COOKIES, COOKIES_SAYS
from coursefs.providers.platform import Option, Platform, SignedIn, SignInContext, Way, how
from coursefs.settings.account_keys import Setting, address, number, some_of, switch

if TYPE_CHECKING:
    from coursefs.transport import Transport

BASE_URL = "https://www.coursera.org"
#: defaults: requests a second, and how many at once after a pause
_RATE = 10.0
_BURST = 30
_ENDLESS = "Coursera does not say when this sign-in expires, usually after a few weeks"


def create(account: Account, transport: Transport) -> Provider:
    """The provider of a Coursera account.  No request is made.

    Secrets: `cauth`, and, if known, `expires` (seconds since 1970) and `user_id`.  When the cookie is refused, the
    account's vault is read for a newer one.  Raises `UsageError` for invalid settings; a missing sign-in raises
    `NotSignedIn` at the first request.
    """
    from coursefs.providers.coursera.choice import choice_of
    from coursefs.providers.coursera.client import CourseraClient
    from coursefs.providers.coursera.provider import CourseraProvider
    from coursefs.providers.coursera.session import Session
    from coursefs.transport import Bucket

    base_url = _base_url(account.settings.get("base_url", BASE_URL))
    client = CourseraClient(
        transport,
        session=Session(account.secrets, account.vault.load if account.vault else None),
        base_url=base_url,
        account=account.name,
        bucket=Bucket(_rate(account.settings.get("requests_per_second")), _BURST),
    )
    return CourseraProvider(client, base_url, choice=choice_of(account.settings, account.wanted))


def _base_url(value: str) -> str:
    from coursefs.transport import require_safe_url

    require_safe_url(value)
    parts = urlsplit(value)
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise UsageError("base_url: expected an address such as https://www.coursera.org")
    return value.rstrip("/")


def _rate(value: str | None) -> float:
    if value is None:
        return _RATE
    with suppress(ValueError):
        rate = float(value)
        if 0.01 <= rate <= 1000:
            return rate
    raise UsageError("requests_per_second: expected a number from 0.01 to 1000")


async def _by_cauth(context: SignInContext) -> SignedIn:
    from coursefs.providers.coursera.sign_in import secrets_from_cauth

    value = context.text("cauth")
    if value is None:
        raise how(PLATFORM)
    return SignedIn(secrets_from_cauth(context.everything_typed("CAUTH") if value == "-" else value), endless=_ENDLESS)


async def _by_file(context: SignInContext) -> SignedIn:
    from coursefs.providers.coursera.sign_in import cookie_host, secrets_from_cookies

    text = context.file(context.text("cookies") or "")
    host = cookie_host(context.settings["base_url"])
    return SignedIn(secrets_from_cookies(text, now=time.time(), host=host), endless=_ENDLESS)


async def _by_browser(context: SignInContext) -> SignedIn:
    from coursefs.providers.coursera.sign_in import cookie_host, secrets_from_browser

    browser = context.text("browser") or ""
    host = cookie_host(context.settings["base_url"])
    found = browser_cookies(browser, host)
    return SignedIn(secrets_from_browser(found, now=time.time(), host=host, where=browser), endless=_ENDLESS)


async def _by_password(context: SignInContext) -> SignedIn:
    """Exchange an e-mail address and a password for the cookie; the password is not stored."""
    from coursefs.providers.coursera.client import CourseraClient

    password = context.secret("password-stdin")
    async with context.transport() as transport:
        client = CourseraClient(transport, base_url=context.settings["base_url"])
        return SignedIn(await client.log_in(context.text("email") or "", password), endless=_ENDLESS)


def recognise(address: str) -> Mapping[str, str] | None:
    """No settings for an address at coursera.org: there is only one Coursera."""
    host = urlsplit(address).hostname or ""
    return {} if host == "coursera.org" or host.endswith(".coursera.org") else None


def _browsers(settings: Mapping[str, str]) -> Sequence[str]:
    from coursefs.providers.coursera.sign_in import COOKIE, cookie_host

    return browsers_with(cookie_host(settings.get("base_url", BASE_URL)), lambda cookie: cookie.name == COOKIE)


PLATFORM = Platform(
    protocol=1,
    name="coursera",
    title="Coursera",
    recognise=recognise,
    summary="Sign in to Coursera with the cookie of a browser.",
    description=(
        "Sign in to Coursera with the cookie of a browser that is signed in.\n\n"
        "The cookie is tried at once, and kept only when the platform accepts it; a mount that runs takes it up.  Where"
        " no option says how, it is taken from COURSERA_CAUTH in the environment."
    ),
    example="coursefs login coursera --cauth -",
    settings=(
        Setting("base_url", address, "Address of the platform.", BASE_URL, is_shown=False),
        Setting(
            "requests_per_second", number(0.01, 1000), "How often the platform is asked; 10 if not said.",
            is_shown=False,
        ),
        Setting("subtitle_formats", some_of("srt", "vtt", "txt"), 'Which texts of a lecture; ["srt", "txt"].'),
        Setting("duplicates", switch, "Also what the platform makes out of a lecture: audio description and others."),
    ),
    options=(
        Option(
            name="base-url", metavar="URL", help=f"Address of the platform.  [default: {BASE_URL}]",
            setting="base_url", parse=address,
        ),
    ),
    sign_in_ways=(
        Way(
            name="cookie", usage="--cauth VALUE", needs=("cauth",), sign_in=_by_cauth,
            says="The value of the cookie CAUTH, copied from the browser's developer tools",
            options=(
                Option(
                    name="cauth", metavar="VALUE", environment="COURSERA_CAUTH", on_enter="-",
                    help="The browser's cookie CAUTH; - reads it from standard input.",
                ),
            ),
        ),
        Way(
            name="cookies", usage="--cookies FILE", needs=("cookies",), sign_in=_by_file,
            says=COOKIES_SAYS, options=(COOKIES,),
        ),
        Way(
            name="browser", usage="--browser NAME", needs=("browser",), sign_in=_by_browser,
            says="The session of a browser on this machine",
            options=(
                Option(
                    name="browser", metavar="NAME", choices=BROWSERS, offers=_browsers,
                    help=f"The browser's own store: {', '.join(BROWSERS)}.", question="Which browser",
                ),
            ),
        ),
        Way(
            name="password", usage="", needs=("email", "password-stdin"), sign_in=_by_password,
            options=(
                Option(
                    name="email", metavar="E",
                    help="With --password-stdin; today the platform wants a captcha besides.",
                ),
                Option(
                    name="password-stdin", help="Read the password from standard input.", prompt="Password",
                    no_line="the password on standard input is empty",
                ),
            ),
        ),
    ),
    create=create,
)  # fmt: skip
