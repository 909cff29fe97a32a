"""A sign-in on the command line: what a way to sign in asks for, its trial, and keeping what the platform accepts."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coursefs.base.characters import decoded
from coursefs.cli import output, terminal
from coursefs.cli.located import reload_mount
from coursefs.errors import BadReply, NotSignedIn, RouteGone, UsageError
from coursefs.settings.account_keys import server_of
from coursefs.settings.config import add_account
from coursefs.settings.credentials import Credentials, expiry
from coursefs.settings.paths import AppPaths

if TYPE_CHECKING:
    from coursefs.model import Identity
    from coursefs.providers.platform import Platform, SignedIn, Way
    from coursefs.transport import Transport

_MAX_INPUT = 4 * 2**20  # characters; a cookies file of a busy browser has some hundred thousand


class Context:
    """`coursefs.providers.platform.SignInContext` on a command line."""

    def __init__(
        self,
        platform: Platform,
        account: str,
        settings: Mapping[str, str],
        given: Mapping[str, Any],
        read_timeout: float,
        credentials: Credentials | None,  # None: the account is new
    ) -> None:
        self.platform = platform
        self.account = account
        self.settings = settings
        self._given = given
        self._read_timeout = read_timeout
        self._credentials = credentials

    def has(self, option: str) -> bool:
        return option in self._given

    def text(self, option: str) -> str | None:
        return None if option not in self._given else str(self._given[option])

    def number(self, option: str) -> int:
        return int(self._given[option])

    def secret(self, option: str) -> str:
        meant = next(one for one in self.platform.all_options() if one.name == option)
        is_typed = sys.stdin.isatty()
        typed = terminal.hidden(meant.prompt) if is_typed else sys.stdin.readline(_MAX_INPUT).rstrip("\r\n")
        if not typed:
            raise UsageError(meant.no_line or f"{meant.prompt.lower()}: this line is missing on standard input")
        return typed

    def everything_typed(self, what: str) -> str:
        if sys.stdin.isatty():
            return terminal.hidden(what, is_paste=True)
        if (binary := getattr(sys.stdin, "buffer", None)) is not None:
            return decoded(binary.read(_MAX_INPUT))
        return sys.stdin.read(_MAX_INPUT)

    def line(self) -> str:
        return sys.stdin.readline(1 << 16)

    def file(self, path: str) -> str:
        if path == "-":
            return self.everything_typed("Paste it here, then Enter")
        try:
            with Path(path).open("rb") as opened:
                return decoded(opened.read(_MAX_INPUT))
        except OSError as error:
            raise UsageError(f"cannot read {path}: {error.strerror}") from None

    def say(self, line: str) -> None:
        output.message(line)

    def kept(self) -> Mapping[str, str]:
        return {} if self._credentials is None else self._credentials.load(self.account)

    @asynccontextmanager
    async def transport(self) -> AsyncIterator[Transport]:
        from coursefs.transport import Transport  # slow to import

        async with Transport(read_timeout=self._read_timeout) as transport:
            yield transport


@dataclass(frozen=True, slots=True)
class Accepted:
    """A sign-in that the platform has accepted."""

    identity: Identity
    signed_in: SignedIn
    settings: Mapping[str, str]  # of the account
    secrets: Mapping[str, str] = field(repr=False)  # as they were at the end of the trial


class _Vault:
    """Secrets while they are tried: a token that is renewed meanwhile takes the place of the first one."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._secrets = secrets

    def load(self) -> Mapping[str, str]:
        return self._secrets

    def save(self, secrets: Mapping[str, str]) -> None:
        self._secrets = dict(secrets)


async def accepted(way: Way, context: Context) -> Accepted:
    """What a way brings, once the platform has accepted it.  Raises `NotSignedIn` where it does not."""
    from coursefs.providers import checking
    from coursefs.providers.base import Account

    signed_in = await way.sign_in(context)
    settings = {**context.settings, **signed_in.settings}
    vault = _Vault(signed_in.secrets)
    async with context.transport() as transport:
        provider = context.platform.create(Account(context.account, settings, vault.load(), vault=vault), transport)
        try:
            identity = checking.identity(await provider.whoami())
        except NotSignedIn:
            raise NotSignedIn(
                f"{context.account}: the platform does not accept this sign-in; nothing was kept"
            ) from None
        except RouteGone:
            raise _no_such_server(context.platform, settings) from None
    return Accepted(identity, signed_in, settings, vault.load())


def _no_such_server(platform: Platform, settings: Mapping[str, str]) -> BadReply:
    """The error of a server that lacks what every server of its platform has."""
    article = "an" if platform.called[0] in "AEIOUaeiou" else "a"
    server = server_of(settings) or platform.called
    return BadReply(f"{server} does not look like {article} {platform.called} server; nothing was kept")


def keep(app_paths: AppPaths, credentials: Credentials, platform: Platform, account: str, accepted: Accepted) -> None:
    """Keep an accepted sign-in and its account, and say whose it is."""
    identity, secrets = accepted.identity, accepted.secrets
    expires = expiry(secrets) or identity.expires
    if expires is not None:
        secrets = {**secrets, "expires": str(int(expires))}
    credentials.save(account, {**secrets, "user_id": identity.user_id})
    # the other settings are in the file already, as their owner has written them
    own = {option.setting for option in platform.all_options()} | accepted.signed_in.settings.keys()
    written = {key: value for key, value in accepted.settings.items() if key in own}
    add_account(app_paths.config_file, account, {"provider": platform.name, **written})
    until = f" until {output.day(expires)}" if expires is not None else ""
    output.message(f"{account}: signed in as {identity.name or identity.user_id}{until}; kept in {credentials.where}")
    reload_mount()
    if expires is None and accepted.signed_in.endless:
        output.message(accepted.signed_in.endless)
