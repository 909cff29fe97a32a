"""The shared cache of a library: opened as the settings say, and its figures for `status`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from coursefs.base.supervisor import Tasks
from coursefs.content.sharing import Sharing
from coursefs.library.settings import AccountSource, SharedSettings
from coursefs.shared import SharedCache, SharedUse
from coursefs.shared.keys import import_cryptography, load_key
from coursefs.shared.opening import open_tier


@dataclass(frozen=True, slots=True)
class SharedStatus:
    """The shared cache at one moment."""

    place: str
    trouble: str  # why it is left alone at the moment; "": it is not
    use: SharedUse


def sharing_of(settings: SharedSettings, accounts: Callable[[], Sequence[AccountSource]]) -> Callable[[Tasks], Sharing]:
    """What opens the shared cache.  `accounts` returns those of the present settings.

    Makes no request.  Raises `UsageError` for an address that is not allowed, and where the key is missing.
    """
    key = load_key(settings.key_file)
    import_cryptography()
    tier = open_tier(settings.place, token=key.token, min_free=settings.min_free, plain_http=settings.plain_http)

    def platform_of(name: str) -> str | None:
        return next((platform(one.provider, one.settings) for one in accounts() if one.name == name), None)

    return lambda tasks: Sharing(SharedCache(tier, key, tasks), platform_of)


def platform(provider: str, settings: Mapping[str, str]) -> str:
    """The name of an account's platform, the same on all machines: its provider, and the addresses in its settings."""
    addresses = sorted(
        {value.rstrip("/").lower() for value in settings.values() if value.startswith(("https://", "http://"))}
    )
    return " ".join((provider, *addresses))


def shared_status(cache: SharedCache | None) -> SharedStatus | None:
    """The figures of a shared cache; None: there is none."""
    return None if cache is None else SharedStatus(cache.place, cache.trouble, cache.use)
