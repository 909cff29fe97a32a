"""The platform object of Panopto: settings, ways to sign in, and the factory of its providers."""

from __future__ import annotations

import stat
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from coursefs.errors import CoursefsError, UsageError
from coursefs.providers.base import Account, Provider
from coursefs.providers.kit.cookies import BROWSERS, Cookie, browser_cookies, browsers_with, cookies_of
from coursefs.providers.kit.sign_in import COOKIES, COOKIES_SAYS
from coursefs.providers.platform import Option, Platform, SignedIn, SignInContext, Way, either, origin_of
from coursefs.settings.account_keys import Setting, server, switch, text, texts, timezone, whole_number
from coursefs.settings.paths import expanded

if TYPE_CHECKING:
    from coursefs.providers.panopto.oauth import Client
    from coursefs.providers.panopto.reader import PanoptoReader
    from coursefs.providers.panopto.routes import EndpointLimiters, RequestLimit
    from coursefs.providers.panopto.settings import PanoptoSettings
    from coursefs.providers.panopto.sign_in import PanoptoSignIn
    from coursefs.providers.panopto.web_cookies import WebCookies
    from coursefs.transport import Transport

_PORT = 9127
#: concurrent requests of listings
_LISTING_REQUESTS = 5
#: requests a minute to one endpoint that the platform allows
MOST_PER_MINUTE = 100
#: the credentials file of other programs for Panopto
_USUAL = Path("~/.panopto_tokens")
_ENDLESS = "Panopto does not say when this sign-in expires; coursefs renews it while the server lets it"
#: seconds to wait for a sign-in in the browser
_PATIENCE = 600.0


def create(account: Account, transport: Transport) -> Provider:
    """The provider of a Panopto account.  No request is made.

    Settings: see `coursefs.providers.panopto.settings`.  Secrets: the cookies of a browser, or the tokens of an API
    client and its `client_secret` if it has one, as `login` has stored them.  Raises `UsageError` for invalid
    settings; a missing sign-in raises `NotSignedIn` at the first request.
    """
    from coursefs.providers.panopto.provider import PanoptoProvider
    from coursefs.providers.panopto.routes import EndpointLimiters, RequestLimit
    from coursefs.providers.panopto.settings import settings

    is_web = "aspxauth" in account.secrets
    own = settings(account.settings, needs_client=bool(account.secrets) and not is_web)
    whose = "" if is_web else own.client_id
    limits = transport.shared(("panopto", own.server, whose), lambda: EndpointLimiters(own.per_minute))
    turns = RequestLimit(_LISTING_REQUESTS)
    make = _web_reader if is_web else _api_reader
    reader = make(account, transport, own, limits, turns)
    return PanoptoProvider(reader, own, wanted=account.wanted, media=limits.media, turns=turns)


def _api_reader(
    account: Account, transport: Transport, own: PanoptoSettings, limits: EndpointLimiters, turns: RequestLimit
) -> PanoptoReader:
    from coursefs.providers.panopto.api_reader import ApiReader
    from coursefs.providers.panopto.client import PanoptoClient
    from coursefs.providers.panopto.oauth import Client

    client = PanoptoClient(
        transport,
        own.server,
        Client(own.client_id, account.secrets.get("client_secret", "")),
        account.secrets,
        account=account.name,
        limits=limits,
        vault=account.vault,
    )
    return ApiReader(client, own, turns)


def _web_reader(
    account: Account, transport: Transport, own: PanoptoSettings, limits: EndpointLimiters, turns: RequestLimit
) -> PanoptoReader:
    from coursefs.providers.panopto.web_client import WebClient
    from coursefs.providers.panopto.web_reader import WebReader

    client = WebClient(transport, own.server, account.secrets, account=account.name, limits=limits, vault=account.vault)
    return WebReader(client, own, turns, user_id=account.secrets.get("user_id", ""))


def recognise(address: str) -> Mapping[str, str] | None:
    """The server of a page: a host of Panopto's own, or a path that begins as all of Panopto's do."""
    parts = urlsplit(address)
    is_panoptos = f".{parts.hostname or ''}".endswith((".panopto.com", ".panopto.eu"))
    if is_panoptos or parts.path.lower().startswith("/panopto/"):
        return {"server": origin_of(address)}
    return None


def _address(value: str) -> str:
    from coursefs.providers.panopto.settings import server as address

    return address(value)


async def _by_file(context: SignInContext) -> SignedIn:
    """With the browser's cookies in a file that an add-on has exported."""
    found = cookies_of(context.file(context.text("cookies") or ""), _host(context))
    return _with_cookies(found, context, "these cookies", "export them again")


async def _by_browser(context: SignInContext) -> SignedIn:
    """With the cookies that a browser stores."""
    browser = context.text("browser") or ""
    found = browser_cookies(browser, _host(context))
    again = "close it, so that it writes its cookies, or export them with an add-on and take --cookies FILE"
    return _with_cookies(found, context, browser, again)


async def _by_value(context: SignInContext) -> SignedIn:
    """With the value of the cookie, copied from the browser."""
    from coursefs.providers.panopto.web_cookies import from_value

    value = context.text("aspxauth") or ""
    return _signed_in_with(from_value(context.everything_typed("ASPXAUTH") if value == "-" else value))


def _with_cookies(cookies: Iterable[Cookie], context: SignInContext, where: str, again: str) -> SignedIn:
    from coursefs.providers.panopto.web_cookies import from_cookies

    return _signed_in_with(from_cookies(cookies, host=_host(context), now=time.time(), where=where, again=again))


def _signed_in_with(cookies: WebCookies) -> SignedIn:
    return SignedIn(cookies.secrets(), endless=_ENDLESS)


def _host(context: SignInContext) -> str:
    return urlsplit(_address(context.settings["server"])).hostname or ""


async def _by_password(context: SignInContext) -> SignedIn:
    client = _client(context)
    password = context.secret("password-stdin")
    async with context.transport() as transport:
        signing_in = _sign_in(transport, context, client)
        return _signed_in(client, await signing_in.by_password(context.text("username") or "", password))


async def _by_hand(context: SignInContext) -> SignedIn:
    """Sign in in a browser on any machine: the user opens the printed address and pastes that of the redirect."""
    client = _client(context)
    async with context.transport() as transport:
        signing_in = _sign_in(transport, context, client)
        attempt = signing_in.attempt(context.number("port"))
        context.say("open this address in a browser, on any machine, and sign in:")
        context.say(attempt.url)
        context.say(
            "the browser then cannot open a page at localhost: copy the address of that page to here, and Enter"
        )
        line = context.line()
        if not line.strip():
            raise UsageError("no address was given")
        return _signed_in(client, await signing_in.by_redirect(attempt, line))


async def _in_browser(context: SignInContext) -> SignedIn:
    """Sign in in a browser on this machine: a loopback listener receives the redirect."""
    import webbrowser

    import trio

    from coursefs.base import threads
    from coursefs.providers.panopto.listener import listeners, redirected

    client = _client(context)
    async with context.transport() as transport:
        signing_in = _sign_in(transport, context, client)
        port = context.number("port")
        sockets = await listeners(port)
        attempt = signing_in.attempt(port)
        opened = await threads.run_sync(webbrowser.open, attempt.url)
        context.say(f"{'your browser opens' if opened else 'open'} this address; sign in there:")
        context.say(attempt.url)

        def accept(target: str) -> str:
            attempt.code(target)
            return target

        with trio.move_on_after(_PATIENCE):
            return _signed_in(client, await signing_in.by_redirect(attempt, await redirected(sockets, accept)))
    raise CoursefsError(f"no sign-in within {_PATIENCE / 60:.0f} minutes; try again, or with --no-browser")


def _sign_in(transport: Transport, context: SignInContext, client: Client) -> PanoptoSignIn:
    from coursefs.providers.panopto.sign_in import PanoptoSignIn

    return PanoptoSignIn(transport, _address(context.settings["server"]), client)


def _signed_in(client: Client, secrets: Mapping[str, str]) -> SignedIn:
    return SignedIn(secrets, {"client_id": client.id})


def _client(context: SignInContext) -> Client:
    """The API client: from the command line, from a credentials file, or from the account's settings."""
    from coursefs.providers.panopto.oauth import Client
    from coursefs.providers.panopto.settings import client_id as one_word
    from coursefs.providers.panopto.sign_in import client_of, client_secret

    client_id, file = context.text("client-id"), context.text("credentials")
    known_id = context.settings.get("client_id", "")
    if client_id is not None and file is not None:
        raise UsageError("give either --client-id or --credentials, not both")
    if client_id is None and file is None and not known_id:
        usual = expanded(_USUAL)
        if not usual.is_file():
            raise UsageError(
                "no way to sign in given; use --cookies FILE (the cookies of your browser), or with an API client"
                " --client-id ID or --credentials FILE"
            )
        file = str(usual)
    if file is not None:
        if context.has("client-secret-stdin"):
            raise UsageError("--client-secret-stdin goes with --client-id: the file has the secret")
        client = client_of(context.file(file))
        if Path(file).stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
            context.say(f"{file} can be read by other users of this machine: chmod 600 fixes that")
        return client
    chosen = one_word(client_id or known_id)
    if context.has("client-secret-stdin"):
        return Client(chosen, client_secret(context.secret("client-secret-stdin")))
    return Client(chosen, context.kept().get("client_secret", "") if chosen == known_id else "")


def _browsers(settings: Mapping[str, str]) -> Sequence[str]:
    from coursefs.providers.panopto.web_cookies import AUTH

    host = urlsplit(settings.get("server", "")).hostname or ""
    return browsers_with(host, lambda cookie: cookie.name.casefold() == AUTH.casefold()) if host else ()


def _choose(given: Collection[str]) -> Way:
    by_cookie = [way for way in (_FILE, _STORE, _VALUE) if way.needs[0] in given]
    if len(by_cookie) > 1:
        raise UsageError(f"give only one way to sign in: {either([f'--{way.needs[0]}' for way in by_cookie])}")
    if by_cookie:
        if others := sorted(_OF_CLIENTS & set(given)):
            raise UsageError(f"give either --{by_cookie[0].needs[0]} or --{others[0]}, not both")
        return by_cookie[0]
    if ("username" in given) != ("password-stdin" in given):
        raise UsageError("--username and --password-stdin go together")
    if "username" in given:
        if "no-browser" in given:
            raise UsageError("give either --username or --no-browser, not both")
        return _PASSWORD
    return _HAND if "no-browser" in given else _BROWSER


#: options for API clients, which have no meaning beside a browser's cookies; the port has a default and is always there
_OF_CLIENTS = {"client-id", "client-secret-stdin", "credentials", "username", "password-stdin", "no-browser"}
_FILE = Way(
    name="cookies", usage="--cookies FILE", needs=("cookies",), sign_in=_by_file,
    says=COOKIES_SAYS, options=(COOKIES,),
)  # fmt: skip
_STORE = Way(
    name="browser's cookies", usage="--browser NAME", needs=("browser",), sign_in=_by_browser,
    says="The session of a browser on this machine, if the browser stores it",
    options=(
        Option(
            name="browser", metavar="NAME", choices=BROWSERS, offers=_browsers, question="Which browser",
            help=f"The cookies of this one: {', '.join(BROWSERS)}.  Some browsers do not store them: then --cookies.",
        ),
    ),
)  # fmt: skip
_VALUE = Way(
    name="cookie", usage="--aspxauth -", needs=("aspxauth",), sign_in=_by_value,
    says="The value of the cookie .ASPXAUTH, copied from the browser's developer tools",
    options=(
        Option(
            name="aspxauth", metavar="VALUE", on_enter="-",
            help="The browser's cookie .ASPXAUTH; - reads it from standard input.",
        ),
    ),
)  # fmt: skip
_PORT_OPTION = Option(name="port", numbers=(1024, 65535), default=_PORT, help="Of the redirect URL.")
_PASSWORD = Way(
    name="password", usage="--username U --password-stdin", needs=("username", "password-stdin"), sign_in=_by_password,
    says="An API client, and a user name and password of Panopto's own",
    asks=("client-id", "client-secret-stdin", "username", "password-stdin"),
    options=(
        Option(
            name="username", metavar="U", help="Sign in with a password of Panopto's own.", question="User name",
        ),
        Option(
            name="password-stdin", help="Read it from standard input, after the client's secret.", prompt="Password"
        ),
    ),
)  # fmt: skip
_HAND = Way(
    name="by hand", usage="--no-browser", needs=("no-browser",), sign_in=_by_hand,
    says="An API client, and a browser on another machine",
    asks=("client-id", "client-secret-stdin", "no-browser"),
    options=(
        Option(name="no-browser", help="Print the address to open, and read the one it leads to."),
        _PORT_OPTION,
    ),
)  # fmt: skip
_BROWSER = Way(
    name="browser", usage="", needs=(), sign_in=_in_browser, options=(_PORT_OPTION,),
    says="An API client, and the browser of this machine", asks=("client-id", "client-secret-stdin"),
)  # fmt: skip

PLATFORM = Platform(
    protocol=1,
    name="panopto",
    title="Panopto",
    recognise=recognise,
    summary="Sign in to a Panopto server, with your browser's cookies or an API client.",
    description=(
        "Sign in to a Panopto server, with your browser's cookies or an API client.\n\n"
        "With --cookies, --browser or --aspxauth you sign in as the user of the browser; every student can do that."
        "  What is read is the same.\n\n"
        "Without them it needs an API client, which you make on the server under User Settings, API Clients, Create a"
        " New API Client: type Server-side Web Application, CORS Origin URL https://localhost, Redirect URL"
        " http://localhost:9127/redirect.\n\n"
        "With --username the type is User Based Server Application, and the password one of Panopto's own."
    ),
    example="coursefs login panopto --server https://campus.example.edu --cookies cookies.txt",
    settings=(
        Setting("server", server, "Address of the server.", is_shown=False),
        Setting("client_id", text, "The API client.", is_shown=False),
        Setting("skip_folders", texts, "Folders that are not shown, by name or by path from the top."),
        Setting(
            "requests_per_minute", whole_number(1, MOST_PER_MINUTE), "Requests to one endpoint; 80 if not said.",
            is_shown=False,
        ),
        Setting("timezone", timezone, "Of the days in the names of recordings; UTC if not said."),
        Setting("audio", switch, "Also show audio podcasts."),
        Setting("slides", switch, "Also show slides."),
    ),
    options=(
        Option(
            name="server", metavar="URL", setting="server", parse=_address,
            help="Address of the server, such as https://campus.hosted.panopto.com.",
            question="Address of the Panopto server, or of a recording there",
            missing="server: the address of the Panopto server is missing, such as https://campus.example.edu",
        ),
        Option(
            name="client-id", metavar="ID", help="The API client (User Settings, API Clients on the server).",
            question="Id of the API client (Enter: the one that is known)",
        ),
        Option(
            name="client-secret-stdin", help="Read its secret from standard input.", prompt="Client secret",
            question="Has the API client a secret",
        ),
        Option(
            name="credentials", metavar="FILE", help=f"A JSON file with client_id and client_secret.  [{_USUAL}]"
        ),
    ),
    sign_in_ways=(_FILE, _STORE, _VALUE, _PASSWORD, _HAND, _BROWSER),
    create=create,
    choose=_choose,
)  # fmt: skip
