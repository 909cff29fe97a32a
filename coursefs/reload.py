"""Settings and secrets that are read again while everything runs: what of them can change, and what has to wait."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from coursefs.library import AccountSource, Library, LibrarySettings

#: what the fields of `LibrarySettings` are called in the settings file
_CALLED = {
    "cache": "cache.dir",
    "wanted": "layout.subtitles or layout.video",
    "layout": "layout.names",
    "max_size": "cache.max_size",
    "min_free": "cache.min_free",
    "read_timeout": "network.read_timeout",
    "streams": "network.streams",
    "ages": "refresh",
    "fill": "refresh.fill",
}
_LIMITS = frozenset({"max_size", "min_free", "streams"})


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of new settings, by their names."""

    changed: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()  # until the next mount
    signed_in: tuple[str, ...] = ()  # accounts with other secrets


def apply(library: Library, new: LibrarySettings) -> Applied:
    """Change what can change without a new mount; the rest stays as it was."""
    old = library.settings
    different = [
        one.name for one in fields(old) if one.name != "accounts" and getattr(old, one.name) != getattr(new, one.name)
    ]
    live = {name: getattr(new, name) for name in different if name in _LIMITS or name == "ages"}
    accounts, signed_in, waiting = _accounts(old, new)
    library.settings = replace(old, accounts=accounts, **live)
    if live.keys() & _LIMITS:
        library.contents.limit(
            max_size=library.settings.max_size, min_free=library.settings.min_free, streams=library.settings.streams
        )
    if "ages" in live:
        library.tree.ages = library.settings.ages or library.tree.ages
    for account in accounts:
        if account.name in signed_in:
            library.sign_in_again(account)
    waiting += [_CALLED.get(name, name) for name in different if name not in live]
    changed = [_CALLED[name] for name in live]
    return Applied(tuple(changed), tuple(waiting), tuple(signed_in))


def _accounts(old: LibrarySettings, new: LibrarySettings) -> tuple[list[AccountSource], list[str], list[str]]:
    """The accounts to go on with, those of them with other secrets, and what has to wait."""
    wanted = {account.name: account for account in new.accounts}
    accounts, signed_in, waiting = [], [], []
    for before in old.accounts:
        after = wanted.pop(before.name, None)
        same_user = after is not None and after.secrets.get("user_id") == before.secrets.get("user_id")
        if after is None or not same_user or _rest(after) != _rest(before):
            waiting.append(f"accounts.{before.name}")
            accounts.append(before)
            continue
        if after.secrets != before.secrets:
            signed_in.append(before.name)
        accounts.append(after)
    return accounts, signed_in, [*waiting, *(f"accounts.{name}" for name in wanted)]


def _rest(account: AccountSource) -> tuple[Any, ...]:
    return account.provider, dict(account.settings), account.folder
