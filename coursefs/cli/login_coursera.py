"""`coursefs login coursera`."""

from __future__ import annotations

import os
import time

import click

from coursefs.cli.options import Globals, pass_globals
from coursefs.cli.signing_in import sign_in, text_of, typed
from coursefs.config import AccountSettings, load
from coursefs.config_keys import account_name, address
from coursefs.errors import UsageError

_COURSERA = "https://www.coursera.org"


@click.command()
@click.option("--account", default="coursera", show_default=True, metavar="NAME", help="Name for this account.")
@click.option("--base-url", metavar="URL", help=f"Address of the platform.  [default: {_COURSERA}]")
@click.option("--cauth", metavar="VALUE", help="The browser's cookie CAUTH; - reads it from standard input.")
@click.option("--cookies", metavar="FILE", help="A cookies.txt that a browser add-on has exported.")
@pass_globals
def coursera(options: Globals, account: str, base_url: str | None, cauth: str | None, cookies: str | None) -> None:
    """Sign in to Coursera with the cookie of a browser that is signed in.

    The cookie is tried at once, and kept only when the platform accepts it.  Without --cauth and --cookies it is
    taken from COURSERA_CAUTH in the environment.

    \b
    Example: coursefs login coursera --cauth -
    """
    from coursefs.providers.coursera.sign_in import secrets_from_cauth, secrets_from_cookies  # noqa: PLC0415  # slow to import

    settings = load(options.places().config_file)
    values = {"base_url": _base_url(settings.accounts.get(account_name(account)), base_url)}
    if cauth is not None and cookies is not None:
        raise UsageError("either --cauth or --cookies, not both")
    if cookies is not None:
        secrets = secrets_from_cookies(text_of(cookies), now=time.time())
    else:
        value = os.environ.get("COURSERA_CAUTH") if cauth is None else typed("CAUTH") if cauth == "-" else cauth
        if value is None:
            raise UsageError("how to sign in? with --cauth VALUE, --cookies FILE or COURSERA_CAUTH in the environment")
        secrets = secrets_from_cauth(value)
    sign_in(options.places(), settings, AccountSettings(account, "coursera", values=values), secrets)


def _base_url(known: AccountSettings | None, given: str | None) -> str:
    """The address from the command line, else that of the account as it is, else Coursera's own."""
    if known is not None and known.provider != "coursera":
        raise UsageError(f"{known.name} is an account on {known.provider}; give this one another name with --account")
    if given is not None:
        return address(given)
    return known.values.get("base_url", _COURSERA) if known else _COURSERA
