"""`coursefs login coursera`."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

import click

from coursefs.cli import output
from coursefs.cli.browsers import BROWSERS, cookies_of
from coursefs.cli.options import Globals, pass_globals
from coursefs.cli.signing_in import sign_in, text_of, typed
from coursefs.config import AccountSettings, Settings, load
from coursefs.config_keys import account_name, address
from coursefs.errors import UsageError

_COURSERA = "https://www.coursera.org"
_WAYS = "--cauth VALUE, --cookies FILE, --browser NAME or COURSERA_CAUTH in the environment"


@click.command()
@click.option("--account", default="coursera", show_default=True, metavar="NAME", help="Name for this account.")
@click.option("--base-url", metavar="URL", help=f"Address of the platform.  [default: {_COURSERA}]")
@click.option("--cauth", metavar="VALUE", help="The browser's cookie CAUTH; - reads it from standard input.")
@click.option("--cookies", metavar="FILE", help="A cookies.txt that a browser add-on has exported.")
@click.option("--browser", metavar="NAME", type=click.Choice(BROWSERS), help=f"Out of this one: {', '.join(BROWSERS)}.")
@click.option("--email", metavar="E", help="With --password-stdin; today the platform wants a captcha besides.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@pass_globals
def coursera(
    options: Globals,
    account: str,
    base_url: str | None,
    cauth: str | None,
    cookies: str | None,
    browser: str | None,
    email: str | None,
    password_stdin: bool,
) -> None:
    """Sign in to Coursera with the cookie of a browser that is signed in.

    The cookie is tried at once, and kept only when the platform accepts it; a mount that runs takes it up.  Where no
    option says how, it is taken from COURSERA_CAUTH in the environment.

    \b
    Example: coursefs login coursera --cauth -
    """
    settings = load(options.places().config_file)
    base_url = _base_url(settings.accounts.get(account_name(account)), base_url)
    if sum(way is not None for way in (cauth, cookies, browser, email)) > 1:
        raise UsageError("one way to sign in, please: --cauth, --cookies, --browser or --email")
    if password_stdin != (email is not None):
        raise UsageError("--email and --password-stdin belong together")
    if email is not None:
        secrets = _by_password(settings, base_url, email)
    else:
        secrets = _by_cookie(base_url, cauth, cookies, browser)
    values = {"base_url": base_url}
    if sign_in(options.places(), settings, AccountSettings(account, "coursera", values=values), secrets) is None:
        output.message("when this cookie ends only the browser knows; most last for some weeks")


def _by_cookie(base_url: str, cauth: str | None, cookies: str | None, browser: str | None) -> Mapping[str, str]:
    from coursefs.providers.cookies import Cookie  # noqa: PLC0415  # slow to import
    from coursefs.providers.coursera import sign_in as parsing  # noqa: PLC0415

    host = parsing.cookie_host(base_url)
    if cookies is not None:
        return parsing.secrets_from_cookies(text_of(cookies), now=time.time(), host=host)
    if browser is not None:
        found = [
            Cookie(one.domain.lstrip("."), one.expires or None, one.name, one.value or "")
            for one in cookies_of(browser, host)
        ]
        return parsing.secrets_from_browser(found, now=time.time(), host=host, where=browser)
    value = os.environ.get("COURSERA_CAUTH") if cauth is None else typed("CAUTH") if cauth == "-" else cauth
    if value is None:
        raise UsageError(f"how to sign in? with {_WAYS}")
    return parsing.secrets_from_cauth(value)


def _by_password(settings: Settings, base_url: str, email: str) -> Mapping[str, str]:
    """The cookie for an e-mail address and the password on standard input, which is forgotten."""
    import trio  # noqa: PLC0415  # slow to import

    from coursefs.providers.coursera import CourseraClient  # noqa: PLC0415
    from coursefs.transport import Transport  # noqa: PLC0415

    password = typed("Password").removesuffix("\n").removesuffix("\r")
    if not password:
        raise UsageError("the password on standard input is empty")

    async def log_in() -> Mapping[str, str]:
        async with Transport(read_timeout=settings.network.read_timeout) as transport:
            return await CourseraClient(transport, base_url=base_url).log_in(email, password)

    return trio.run(log_in)


def _base_url(known: AccountSettings | None, given: str | None) -> str:
    """The address from the command line, else that of the account as it is, else Coursera's own."""
    if known is not None and known.provider != "coursera":
        raise UsageError(f"{known.name} is an account on {known.provider}; give this one another name with --account")
    if given is not None:
        return address(given)
    return known.values.get("base_url", _COURSERA) if known else _COURSERA
