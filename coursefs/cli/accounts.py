"""`coursefs accounts` and `coursefs logout`."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import click

from coursefs.cli import completion, output
from coursefs.cli.located import reload_mount
from coursefs.cli.output import Globals, pass_globals
from coursefs.errors import CoursefsError, UsageError
from coursefs.settings import config_keys
from coursefs.settings.account_keys import server_of
from coursefs.settings.config import AccountSettings, load, remove_account
from coursefs.settings.credentials import Credentials, expiry


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@pass_globals
def accounts(options: Globals, as_json: bool) -> None:
    """List the accounts, and whether a sign-in is stored for each.  Makes no request.

    \b
    Example: coursefs accounts --json
    """
    app_paths = options.app_paths()
    credentials = Credentials(app_paths)
    known = load(app_paths.config_file).accounts.values()
    rows = [(account, *_sign_in(credentials, account.name, time.time())) for account in known]
    if as_json:
        output.show_json([_record(account, signed_in, expires) for account, signed_in, expires in rows])
    elif rows:
        output.table(
            [
                (a.name, a.provider, server_of(a.values) or "", _shown(signed_in, expires))
                for a, signed_in, expires in rows
            ],
            ("account", "provider", "server", "signed in"),
        )
    else:
        output.message("no accounts yet; add one: coursefs login")


@click.command()
@click.argument("account", shell_complete=completion.accounts)
@click.option("--cache", "with_cache", is_flag=True, help="Also delete the cache and the catalogue of its courses.")
@pass_globals
def logout(options: Globals, account: str, with_cache: bool) -> None:
    """Remove ACCOUNT: its stored sign-in, and its part of the settings.

    A mount that runs no longer shows it.  The cache of its courses stays for a later sign-in.  With --cache all of it
    is deleted, pinned files too; unmount first.

    \b
    Example: coursefs logout coursera
    """
    app_paths = options.app_paths()
    settings = load(app_paths.config_file)
    known = settings.accounts
    dropped = None
    if with_cache:  # first, because it fails while mounted
        from coursefs.library import forget_account  # slow to import

        config_keys.account_name(account)
        cache_dir = settings.cache.directory or app_paths.cache_dir
        dropped = forget_account(account, app_paths.catalogue, settings.cache, cache_dir)
    forgotten = Credentials(app_paths).delete(account)
    if not remove_account(app_paths.config_file, account) and not forgotten and not (dropped and dropped.files):
        raise UsageError(f"no account {account}" + (f"; there is {', '.join(known)}" if known else ""))
    output.message(f"{account}: signed out")
    reload_mount()
    if dropped is not None:
        size = output.size(dropped.bytes)
        output.message(f"{account}: dropped {size} in {dropped.files} files, and what was known of its courses")


def _sign_in(credentials: Credentials, name: str, now: float) -> tuple[bool | None, float | None]:
    """Whether a valid sign-in is stored (None: unknown), and when it expires, if known."""
    try:
        secrets = credentials.load(name)
    except CoursefsError as error:
        output.error(str(error))
        return None, None
    expires = expiry(secrets)
    return bool(secrets) and (expires is None or now < expires), expires


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
        "server": server_of(account.values),
        "signed_in": signed_in,
        "expires": datetime.fromtimestamp(expires, UTC).isoformat() if expires is not None else None,
    }
