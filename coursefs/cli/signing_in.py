"""What every kind of sign-in does: read secrets, try them, keep what the platform accepts."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from pathlib import Path

import click

from coursefs.cli import output
from coursefs.config import AccountSettings, Settings, add_account
from coursefs.credentials import Credentials, expiry
from coursefs.errors import CoursefsError, NotSignedIn, UsageError
from coursefs.model import Identity
from coursefs.places import Places

_MAX_INPUT = 4 * 2**20  # characters; a cookies file of a busy browser has some hundred thousand


def typed(what: str) -> str:
    """A secret from standard input: asked for without an echo on a terminal."""
    if sys.stdin.isatty():
        typed: str = click.prompt(what, hide_input=True, err=True)
        return typed
    return sys.stdin.read(_MAX_INPUT)


def typed_line(what: str) -> str:
    """One line of standard input, a secret: asked for without an echo on a terminal.  Raises `UsageError`: no line."""
    if sys.stdin.isatty():
        typed: str = click.prompt(what, hide_input=True, err=True)
    else:
        typed = sys.stdin.readline(_MAX_INPUT).rstrip("\r\n")
    if not typed:
        raise UsageError(f"{what.lower()}: standard input has no such line")
    return typed


def text_of(file: str) -> str:
    """The text of a file that the user names.  Raises `UsageError`."""
    try:
        with Path(file).open(encoding="utf-8", errors="replace") as opened:
            return opened.read(_MAX_INPUT)
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}") from None


def sign_in(
    places: Places,
    settings: Settings,
    account: AccountSettings,
    secrets: Mapping[str, str],
    *,
    keys: Collection[str] | None = None,
) -> float | None:
    """Try these secrets; once the platform has accepted them, keep them and the account, and say whose they are.

    Returns when they end, seconds since 1970; None where nobody says it.
    `keys`: those of the account's values that are written into the settings; all of them if not said.
    """
    import trio  # noqa: PLC0415  # slow to import

    tried = _Tried(secrets)
    identity = trio.run(_whoami, settings, account, tried)
    secrets = tried.load()
    expires = expiry(secrets) or identity.expires
    if expires is not None:
        secrets = {**secrets, "expires": str(int(expires))}
    credentials = Credentials(places)
    credentials.save(account.name, {**secrets, "user_id": identity.user_id})
    written = {key: value for key, value in account.values.items() if keys is None or key in keys}
    add_account(places.config_file, account.name, {"provider": account.provider, **written})
    until = f" until {output.day(expires)}" if expires is not None else ""
    output.message(
        f"{account.name}: signed in as {identity.name or identity.user_id}{until}; kept in {credentials.where}"
    )

    _tell_mount(places)
    return expires


def _tell_mount(places: Places) -> None:
    """Have a mount that runs go on with the new sign-in."""
    from coursefs.daemon import socket  # noqa: PLC0415  # slow to import

    mount = socket.mount_of_user(places.runtime_dir)
    if mount is None:
        return
    try:
        for reply in socket.ask(mount, "reload"):
            if reply["waiting"]:
                output.message(f"seen by the mount when it is mounted again: {', '.join(reply['waiting'])}")
    except CoursefsError as error:
        output.message(f"the mount goes on with the old sign-in: {error}; unmount it, and mount it again")


class _Tried:
    """Secrets as they are while they are tried: a token that is renewed meanwhile takes the place of the first one."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._secrets = secrets

    def load(self) -> Mapping[str, str]:
        return self._secrets

    def save(self, secrets: Mapping[str, str]) -> None:
        self._secrets = dict(secrets)


async def _whoami(settings: Settings, account: AccountSettings, tried: _Tried) -> Identity:
    from coursefs.providers import registry  # noqa: PLC0415  # slow to import
    from coursefs.providers.base import Account  # noqa: PLC0415
    from coursefs.transport import Transport  # noqa: PLC0415

    create = registry.provider(account.provider)
    async with Transport(read_timeout=settings.network.read_timeout) as transport:
        try:
            return await create(Account(account.name, account.values, tried.load(), vault=tried), transport).whoami()
        except NotSignedIn:
            raise NotSignedIn(f"{account.name}: the platform does not accept this sign-in; nothing was kept") from None
