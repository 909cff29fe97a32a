"""The settings of a library, and the change of some of them while it is open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from coursefs.catalog import Ages, IndexingDelays, Layout
from coursefs.errors import NotSignedIn
from coursefs.model import Wanted
from coursefs.providers.base import Vault
from coursefs.settings import account_keys
from coursefs.settings.rates import Timetable

#: names in the settings file for fields of `LibrarySettings`
_CALLED = {
    "cache": "cache.dir",
    "wanted": "layout.subtitles or layout.video",
    "layout": "layout.names or layout.media_center",
    "course_pages": "layout.course_pages",
    "subtitle_formats": "layout.subtitle_formats",
    "max_size": "cache.max_size",
    "min_free": "cache.min_free",
    "read_timeout": "network.read_timeout",
    "streams": "network.streams",
    "limit": "network.limit",
    "ages": "refresh",
    "fill": "refresh.fill",
    "next": "prefetch.next",
    "next_size": "prefetch.next_size",
    "shared": "cache.shared",
}
#: fields that can change while the library is open
_LIVE = frozenset({"max_size", "min_free", "streams", "limit", "ages", "next", "next_size"})


@dataclass(frozen=True, slots=True)
class AccountSource:
    """An account from the settings and the stored secrets."""

    name: str
    provider: str
    settings: Mapping[str, str]
    secrets: Mapping[str, str] = field(repr=False)
    folder: str | None = None  # for its courses; "": the root; None: see `account_folders`
    vault: Vault | None = field(default=None, compare=False)  # stores its secrets


@dataclass(frozen=True, slots=True)
class SharedSettings:
    """Where the shared cache is, and the file with its key."""

    place: str  # as in `cache.shared`
    key_file: Path
    plain_http: bool = False  # without TLS also to another machine
    min_free: int = 0  # bytes of a folder's disk to leave free


@dataclass(frozen=True, slots=True)
class LibrarySettings:
    """The settings with which a library is opened."""

    catalogue: Path  # the database file
    cache: Path  # directory of the content cache
    accounts: Sequence[AccountSource]
    wanted: Wanted
    layout: Layout = Layout.TITLE
    max_size: int = 20 * 2**30  # bytes of content cache
    min_free: int = 2 * 2**30  # bytes of the disk to leave free
    read_timeout: float = 60.0  # seconds
    streams: int = 6  # range requests for one file at once
    limit: Timetable | None = None  # for background work and transfers
    offline: bool = False
    ages: Ages | None = None
    fill: bool = False  # index unknown courses in the background
    subtitle_formats: tuple[str, ...] = ()  # made of the other where a platform has one alone
    course_pages: bool = False  # show the course page, playlists and calendars
    delays: IndexingDelays | None = None
    next: bool = False  # fetch the beginning of the next lecture while one plays
    next_size: int = 16 * 2**20  # bytes that are fetched for it, at most
    shared: SharedSettings | None = None


@dataclass(frozen=True, slots=True)
class Applied:
    """The result of applying new settings: the changed ones, by name."""

    changed: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()  # for the next mount
    signed_in: tuple[str, ...] = ()  # accounts with other secrets
    added: tuple[str, ...] = ()  # accounts
    removed: tuple[str, ...] = ()  # accounts
    replaced: tuple[str, ...] = ()  # accounts with other settings, or of another user


def change(old: LibrarySettings, new: LibrarySettings) -> tuple[LibrarySettings, Applied]:
    """The settings of an open library after the user has changed the file, and which of them changed (pure)."""
    different = [
        one.name for one in fields(old) if one.name != "accounts" and getattr(old, one.name) != getattr(new, one.name)
    ]
    live = {name: getattr(new, name) for name in different if name in _LIVE}
    before, after = ({account.name: account for account in one.accounts} for one in (old, new))
    both = [name for name in after if name in before]
    replaced = [name for name in both if _rest(after[name]) != _rest(before[name])]
    return replace(old, accounts=list(new.accounts), **live), Applied(
        changed=tuple(_CALLED[name] for name in live),
        waiting=tuple(_CALLED.get(name, name) for name in different if name not in live),
        signed_in=tuple(name for name in both if name not in replaced and after[name].secrets != before[name].secrets),
        added=tuple(name for name in after if name not in before),
        removed=tuple(name for name in before if name not in after),
        replaced=tuple(replaced),
    )


def _rest(account: AccountSource) -> tuple[Any, ...]:
    """Everything of an account but its sign-in."""
    return account.provider, dict(account.settings), account.folder, account.secrets.get("user_id")


def shape_of(layout: Layout, wanted: Wanted, account: AccountSource) -> str:
    """A fingerprint of the settings that decide which files an account's tree shows (pure).

    It includes the account's own settings, except those that only change where and how requests are made.
    """
    own = account_keys.shown(account.provider, account.settings)
    return f"{layout} {wanted} {sorted(own.items())}"


def require_accounts(accounts: Sequence[AccountSource]) -> None:
    """Raise `NotSignedIn` when there is no account."""
    if not accounts:
        raise NotSignedIn("no account yet; sign in: coursefs login")
