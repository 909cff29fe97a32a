"""`coursefs login`: sign in to a platform."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import click

from coursefs.cli import output
from coursefs.cli.options import Globals, pass_globals
from coursefs.config import AccountSettings, Settings, add_account, load
from coursefs.config_keys import account_name, address
from coursefs.credentials import Credentials, expiry
from coursefs.errors import NotSignedIn, UsageError
from coursefs.model import Identity
from coursefs.places import Places

_COURSERA = "https://www.coursera.org"
_MAX_INPUT = 4 * 2**20  # characters; a cookies file of a busy browser has some hundred thousand


@click.group(no_args_is_help=False)
def login() -> None:
    """Sign in to a platform."""


@login.command()
@click.option("--account", default="coursera", show_default=True, metavar="NAME", help="Name for this account.")
@click.option("--base-url", metavar="URL", help=f"Address of the platform.  [default: {_COURSERA}]")
@click.option("--cauth", metavar="VALUE", help="The browser's cookie CAUTH; - reads it from standard input.")
@click.option("--cookies", metavar="FILE", help="A cookies.txt that a browser add-on has exported.")
@pass_globals
def coursera(options: Globals, account: str, base_url: str | None, cauth: str | None, cookies: str | None) -> None:
    """Sign in to Coursera with the cookie of a browser that is signed in.

    The cookie is tried at once, and kept only when the platform accepts it.  Without --cauth and --cookies it is
    taken from COURSERA_CAUTH in the environment.
    """
    from coursefs.providers.coursera import sign_in  # noqa: PLC0415  # slow to import

    settings = load(options.places().config_file)
    values = {"base_url": _base_url(settings.accounts.get(account_name(account)), base_url)}
    if cauth is not None and cookies is not None:
        raise UsageError("either --cauth or --cookies, not both")
    if cookies is not None:
        secrets = sign_in.secrets_from_cookies(_text_of(cookies), now=time.time())
    else:
        value = os.environ.get("COURSERA_CAUTH") if cauth is None else _typed("CAUTH") if cauth == "-" else cauth
        if value is None:
            raise UsageError("how to sign in? with --cauth VALUE, --cookies FILE or COURSERA_CAUTH in the environment")
        secrets = sign_in.secrets_from_cauth(value)
    _sign_in(options.places(), settings, AccountSettings(account, "coursera", values=values), secrets)


def _base_url(known: AccountSettings | None, given: str | None) -> str:
    """The address from the command line, else that of the account as it is, else Coursera's own."""
    if known is not None and known.provider != "coursera":
        raise UsageError(f"{known.name} is an account on {known.provider}; give this one another name with --account")
    if given is not None:
        return address(given)
    return known.values.get("base_url", _COURSERA) if known else _COURSERA


def _typed(what: str) -> str:
    """A secret from standard input: asked for without an echo on a terminal."""
    if sys.stdin.isatty():
        typed: str = click.prompt(what, hide_input=True, err=True)
        return typed
    return sys.stdin.read(_MAX_INPUT)


def _text_of(file: str) -> str:
    try:
        with Path(file).open(encoding="utf-8", errors="replace") as opened:
            return opened.read(_MAX_INPUT)
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}") from None


def _sign_in(places: Places, settings: Settings, account: AccountSettings, secrets: Mapping[str, str]) -> None:
    """Try these secrets; once the platform has accepted them, keep them and the account, and say whose they are."""
    import trio  # noqa: PLC0415  # slow to import

    identity = trio.run(_whoami, settings, account, secrets)
    expires = expiry(secrets) or identity.expires
    if expires is not None:
        secrets = {**secrets, "expires": str(int(expires))}
    credentials = Credentials(places)
    credentials.save(account.name, {**secrets, "user_id": identity.user_id})
    add_account(places.config_file, account.name, {"provider": account.provider, **account.values})
    until = f" until {output.day(expires)}" if expires is not None else ""
    output.message(
        f"{account.name}: signed in as {identity.name or identity.user_id}{until}; kept in {credentials.where}"
    )


async def _whoami(settings: Settings, account: AccountSettings, secrets: Mapping[str, str]) -> Identity:
    from coursefs.providers import registry  # noqa: PLC0415  # slow to import
    from coursefs.providers.base import Account  # noqa: PLC0415
    from coursefs.transport import Transport  # noqa: PLC0415

    create = registry.provider(account.provider)
    async with Transport(read_timeout=settings.network.read_timeout) as transport:
        try:
            return await create(Account(account.name, account.values, secrets), transport).whoami()
        except NotSignedIn:
            raise NotSignedIn(f"{account.name}: the platform does not accept this sign-in; nothing was kept") from None
