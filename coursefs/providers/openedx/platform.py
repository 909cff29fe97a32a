"""The platform object of Open edX: settings, ways to sign in, and the factory of its providers."""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from coursefs.errors import UsageError
from coursefs.providers.base import Account, Provider
from coursefs.providers.kit.sign_in import COOKIES, COOKIES_SAYS
from coursefs.providers.platform import Option, Platform, SignedIn, SignInContext, Way, address_of, how, origin_of
from coursefs.settings.account_keys import Setting, one_of, server, word

if TYPE_CHECKING:
    from coursefs.transport import Transport


def create(account: Account, transport: Transport) -> Provider:
    """The provider of an Open edX account.  No request is made.

    Secrets: `client_secret`, or `access_token` with `token_kind`, `access_expires` and `refresh_token`, or `cookies`;
    `user_id` is the learner's user name, and `expires` (seconds since 1970) the end of the sign-in.  Raises
    `UsageError` for invalid settings; a missing sign-in raises `NotSignedIn` at the first request.
    """
    from coursefs.providers.openedx.client import BURST, RATE, OpenEdxReader
    from coursefs.providers.openedx.oauth import kept_token
    from coursefs.providers.openedx.provider import OpenEdxProvider
    from coursefs.providers.openedx.session import Session, SignIn
    from coursefs.transport import Bucket

    secrets = dict(account.secrets)
    sign_in = SignIn(
        client_id=account.settings.get("client_id", ""),
        client_secret=secrets.get("client_secret", ""),
        token=kept_token(secrets),
        cookies=secrets.get("cookies", ""),
        token_type=account.settings.get("token_type", "jwt"),
    )
    address = server_address(account.settings.get("server", ""))
    session = Session(transport, address, sign_in, account=account.name, vault=account.vault)
    expires: float | None = None
    with suppress(KeyError, ValueError):
        expires = float(secrets["expires"])
    return OpenEdxProvider(
        OpenEdxReader(session, bucket=Bucket(RATE, BURST)),
        session,
        username=secrets.get("user_id", ""),
        wanted=account.wanted,
        expires=expires,
    )


#: paths of courses, of the site itself and of its newer pages
_COURSE_PATH = re.compile(r"/(learning/)?courses?/(course-v1:|[^/]+/[^/]+/[^/]+/(about|info|course|courseware))")
#: of edX itself: many hosts, whose courses are all on one
_EDX = "edx.org"
_EDX_SERVER = "https://courses.edx.org"


def recognise(address: str) -> Mapping[str, str] | None:
    """The server of the page of a course.

    The newer pages of a course are on a host of their own beside that of the server: `apps.` before its name, as the
    usual way to install Open edX (Tutor) has it.
    """
    parts = urlsplit(address)
    host = parts.hostname or ""
    if host == _EDX or host.endswith(f".{_EDX}"):
        return {"server": _EDX_SERVER}
    if not _COURSE_PATH.match(parts.path):
        return None
    return {"server": origin_of(address).replace("://apps.", "://", 1)}


def _server(value: object) -> str:
    """The address of a server, which may be given as that of a page there."""
    page = address_of(value) if isinstance(value, str) else None
    if page is None:
        return server(value)
    return server((recognise(page) or {}).get("server") or origin_of(page))


def server_address(value: str) -> str:
    """The address of a server without a slash at its end.  Raises `UsageError`."""
    from coursefs.transport import require_safe_url

    if not value:
        raise UsageError('server: the address of the school\'s Open edX is missing, such as "https://lms.example.com"')
    require_safe_url(value)
    parts = urlsplit(value)
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise UsageError("server: expected an address such as https://lms.example.com")
    return value.rstrip("/")


async def _by_cookies(context: SignInContext) -> SignedIn:
    from coursefs.providers.openedx.cookies import secrets_from_cookies

    host = urlsplit(context.settings["server"]).hostname or ""
    return SignedIn(secrets_from_cookies(context.file(context.text("cookies") or ""), host=host, now=time.time()))


async def _by_password(context: SignInContext) -> SignedIn:
    from coursefs.providers.openedx import sign_in

    settings = context.settings
    if context.has("client-secret-stdin") and not settings.get("client_id"):
        raise _needs("client-secret-stdin", "client-id")
    if not settings.get("username"):
        raise _needs("password-stdin", "username")
    client_secret = context.secret("client-secret-stdin") if context.has("client-secret-stdin") else ""
    password = context.secret("password-stdin")
    async with context.transport() as transport:
        secrets = await sign_in.secrets_from_password(
            transport,
            settings["server"],
            username=settings["username"],
            password=password,
            client_id=settings.get("client_id", ""),
            client_secret=client_secret,
            token_type=settings.get("token_type", "jwt"),
        )
    return SignedIn(secrets)


async def _as_application(context: SignInContext) -> SignedIn:
    if not context.settings.get("client_id"):
        raise _needs("client-secret-stdin", "client-id")
    return SignedIn({"client_secret": context.secret("client-secret-stdin")})


def _needs(option: str, other: str) -> UsageError:
    return UsageError(f"--{option} needs --{other}")


def _choose(given: Collection[str]) -> Way:
    if "cookies" in given:
        if not {"password-stdin", "client-secret-stdin"}.isdisjoint(given):
            raise UsageError("give either --cookies or --password-stdin and --client-secret-stdin, not both")
        return _COOKIES
    if "password-stdin" in given:
        return _PASSWORD
    if "client-secret-stdin" in given:
        return _APPLICATION
    raise how(PLATFORM)


_USERNAME = Option(
    name="username", metavar="U", help="User name or e-mail address.", setting="username",
    question="User name or e-mail address",
)  # fmt: skip
_CLIENT_SECRET = Option(
    name="client-secret-stdin", help="Read the application's secret from standard input.", prompt="Client secret",
    no_line="standard input holds no client secret",
)  # fmt: skip
_PASSWORD = Way(
    name="password", usage="--username U --password-stdin", needs=("password-stdin",), sign_in=_by_password,
    says="User name and password of the site itself", asks=("username", "password-stdin"),
    options=(
        _USERNAME,
        Option(
            name="password-stdin", help="Read the password from standard input.", prompt="Password",
            no_line="standard input holds no password",
        ),
        _CLIENT_SECRET,
    ),
)  # fmt: skip
_APPLICATION = Way(
    name="application", usage="--client-id ID --client-secret-stdin", needs=("client-secret-stdin",),
    sign_in=_as_application, options=(_CLIENT_SECRET,),
    says="An application that the school has made: its id and its secret",
    asks=("client-id", "client-secret-stdin"),
)  # fmt: skip
_COOKIES = Way(
    name="cookies", usage="--cookies FILE", needs=("cookies",), sign_in=_by_cookies,
    says=COOKIES_SAYS, options=(COOKIES,),
)  # fmt: skip

PLATFORM = Platform(
    protocol=1,
    name="openedx",
    title="edX",
    label="Open edX",
    recognise=recognise,
    summary="Sign in to a school's Open edX.",
    description=(
        "Sign in to a school's Open edX.\n\n"
        "With --username and --password-stdin as yourself: with --client-id by tokens, which renew themselves, without"
        " it by a session of some weeks.  With --client-id and --client-secret-stdin as the user that this application"
        " belongs to. With --cookies as the user of the browser; that is the way where the school has a"
        " sign-in of its own. The password itself is not kept.  What is kept is tried at once, and kept only when the"
        " platform accepts it."
    ),
    example="coursefs login openedx --server https://lms.example.com --username ada --password-stdin",
    settings=(
        Setting("server", server, "Address of the school's Open edX.", is_shown=False),
        Setting("client_id", word, "The id of an application that the school has made.", is_shown=False),
        Setting("username", word, "User name or e-mail address."),
        Setting("token_type", one_of("jwt", "bearer"), "The kind of token that is asked for; jwt if not said."),
    ),
    options=(
        Option(
            name="server", metavar="URL", setting="server", parse=_server,
            question="Address of the school's Open edX, or of a course there",
            help="Address of the school's Open edX, such as https://lms.example.com.",
            missing="--server is missing: the address of the school's Open edX",
        ),
        Option(
            name="client-id", metavar="ID", setting="client_id", question="Id of the application",
            help="The id of an application that the school has made.",
        ),
    ),
    sign_in_ways=(_PASSWORD, _COOKIES, _APPLICATION),
    create=create,
    choose=_choose,
)  # fmt: skip
