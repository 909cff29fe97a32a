"""`coursefs accounts` and `coursefs logout`."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import click

from coursefs import config_keys
from coursefs.cli import completing, output
from coursefs.cli.options import Globals, pass_globals
from coursefs.config import AccountSettings, load, remove_account
from coursefs.credentials import Credentials, expiry
from coursefs.errors import CoursefsError, UsageError


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@pass_globals
def accounts(options: Globals, as_json: bool) -> None:
    """List the accounts, and whether a sign-in is stored for each.  No platform is asked.

    \b
    Example: coursefs accounts --json
    """
    places = options.places()
    credentials = Credentials(places)
    known = load(places.config_file).accounts.values()
    rows = [(account, *_sign_in(credentials, account.name, time.time())) for account in known]
    if as_json:
        output.show_json([_record(account, signed_in, expires) for account, signed_in, expires in rows])
    elif rows:
        output.table(
            [(a.name, a.provider, _server(a), _shown(signed_in, expires)) for a, signed_in, expires in rows],
            ("account", "provider", "server", "signed in"),
        )
    else:
        output.message("no accounts yet; add one with: coursefs login coursera --cauth VALUE")


@click.command()
@click.argument("account", shell_complete=completing.accounts)
@click.option("--cache", "with_cache", is_flag=True, help="Also drop what is cached and known of its courses.")
@pass_globals
def logout(options: Globals, account: str, with_cache: bool) -> None:
    """Forget ACCOUNT: its sign-in here, and its part of the settings.

    What is cached stays, for the day when it comes back, unless --cache is given: then everything of the account goes,
    what is pinned too.  That needs the cache for itself: unmount first.

    \b
    Example: coursefs logout coursera
    """
    places = options.places()
    settings = load(places.config_file)
    known = settings.accounts
    dropped = None
    if with_cache:  # first, because a mount may refuse it
        from coursefs.forgetting import forget_account  # noqa: PLC0415  # slow to import

        config_keys.account_name(account)
        cache_dir = settings.cache.directory or places.cache_dir
        dropped = forget_account(account, places.state_dir / "catalogue.sqlite", settings.cache, cache_dir)
    forgotten = Credentials(places).delete(account)
    if not remove_account(places.config_file, account) and not forgotten and not (dropped and dropped.files):
        raise UsageError(f"no account {account}" + (f"; there is {', '.join(known)}" if known else ""))
    output.message(f"{account}: signed out")
    if dropped is not None:
        size = output.size(dropped.bytes)
        output.message(f"{account}: dropped {size} in {dropped.files} files, and what was known of its courses")


def _sign_in(credentials: Credentials, name: str, now: float) -> tuple[bool | None, float | None]:
    """Whether a sign-in is stored that has not ended (None: cannot be told), and when it ends, where known."""
    try:
        secrets = credentials.load(name)
    except CoursefsError as error:
        output.error(str(error))
        return None, None
    expires = expiry(secrets)
    return bool(secrets) and (expires is None or now < expires), expires


def _server(account: AccountSettings) -> str:
    return account.values.get("base_url") or account.values.get("server") or ""


def _shown(signed_in: bool | None, expires: float | None) -> str:
    if signed_in is None:
        return "unknown"
    if expires is None:
        return "yes" if signed_in else "no"
    return f"until {output.day(expires)}" if signed_in else f"ended {output.day(expires)}"


def _record(account: AccountSettings, signed_in: bool | None, expires: float | None) -> dict[str, object]:
    return {
        "account": account.name,
        "provider": account.provider,
        "server": _server(account) or None,
        "signed_in": signed_in,
        "expires": datetime.fromtimestamp(expires, UTC).isoformat() if expires is not None else None,
    }
