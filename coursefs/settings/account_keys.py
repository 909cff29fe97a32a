"""The keys that an account may have in the settings file: each platform declares its own.

A declaration is found through the entry points of the platforms, so that this layer imports none of them.  What is
declared must be quick to import: the settings file is read by every command.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Protocol, cast

from coursefs.errors import UsageError

#: the entry points of this group are `coursefs.providers.platform.Platform` objects
GROUP = "coursefs.providers"
#: gives the text to keep for a value of the settings file, or raises `UsageError` with what was expected
TextCheck = Callable[[object], str]


@dataclass(frozen=True, slots=True)
class Setting:
    """A key that an account of one platform may have: `key = value` below `[accounts.NAME]`."""

    key: str
    check: TextCheck
    help: str
    default: str | None = None  # what `login` takes where neither the command line nor the account says it
    is_shown: bool = True  # whether other files are shown when it changes; False: it says how the platform is asked


class _Declares(Protocol):
    settings: Iterable[Setting]


def declared(provider: str) -> Mapping[str, Setting] | None:
    """The settings that a platform declares, by key; None where it is not installed or cannot be loaded."""
    for entry in entry_points(group=GROUP, name=provider):
        with suppress(Exception):  # code of others; `coursefs.providers.registry` says what is wrong with it
            return {setting.key: setting for setting in cast(_Declares, entry.load()).settings}
    return None


def shown(provider: str, values: Mapping[str, str]) -> Mapping[str, str]:
    """Those of an account's settings on which it depends what is shown."""
    known = declared(provider) or {}
    hidden = {setting.key for setting in known.values() if not setting.is_shown}
    return {key: value for key, value in values.items() if key not in hidden}


def server_of(values: Mapping[str, str]) -> str | None:
    """The address of an account's platform, by its keys `base_url` or `server`; None where neither is there."""
    return values.get("base_url") or values.get("server") or None


def address(value: object) -> str:
    """The address of a server, without a slash at its end.  Raises `UsageError`, for plain http to other hosts too."""
    from coursefs.transport.hosts import require_safe_url  # brings httpx, and with it a slow start

    if not isinstance(value, str):
        raise UsageError("expected an https:// address in quotes")
    require_safe_url(value)
    return value.rstrip("/")


def server(value: object) -> str:
    """The address of a server; people write it without `https://` too."""
    if isinstance(value, str) and value and "://" not in value:
        value = f"https://{value}"
    return address(value)


def text(value: object) -> str:
    """Any single value, or a list of texts, one a line."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case list() if all(isinstance(entry, str) for entry in value):
            return "\n".join(value)
    raise UsageError("expected a text, a number or a list of texts")


def word(value: object) -> str:
    """A text without blanks."""
    if isinstance(value, str) and 0 < len(value) <= 200 and not any(character.isspace() for character in value):
        return value
    raise UsageError("expected a word in quotes, without blanks")


def texts(value: object) -> str:
    """A list of texts, one a line."""
    if isinstance(value, list) and all(isinstance(entry, str) and entry and "\n" not in entry for entry in value):
        return "\n".join(value)
    raise UsageError('expected a list of texts, such as ["Users"]')


def switch(value: object) -> str:
    """`true` or `false`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    raise UsageError("expected true or false")


def timezone(value: object) -> str:
    """The name of a time zone."""
    from zoneinfo import ZoneInfo  # few accounts have one

    if isinstance(value, str):
        with suppress(ValueError, OSError, KeyError):
            ZoneInfo(value)
            return value
    raise UsageError('expected the name of a time zone, such as "Europe/Berlin"')


def whole_number(least: int, most: int) -> TextCheck:
    """The check of a whole number within these bounds."""

    def check(value: object) -> str:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise UsageError(f"expected a number from {least} to {most}")
        return str(value)

    return check


def number(least: float, most: float) -> TextCheck:
    """The check of a number within these bounds, whole or not."""

    def check(value: object) -> str:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
            raise UsageError(f"expected a number from {least:g} to {most:g}")
        return str(value)

    return check


def one_of(*words: str) -> TextCheck:
    """The check of one of these words."""

    def check(value: object) -> str:
        if isinstance(value, str) and value in words:
            return value
        raise UsageError("expected " + _listed(words, "or"))

    return check


def some_of(*words: str) -> TextCheck:
    """The check of a list of these words, which is kept as one word a line."""

    def check(value: object) -> str:
        if not isinstance(value, list) or not all(entry in words for entry in value):
            raise UsageError("expected a list of " + _listed(words, "and"))
        return "\n".join(value)

    return check


def _listed(words: Iterable[str], last: str) -> str:
    *first, end = (f'"{one}"' for one in words)
    return f"{', '.join(first)} {last} {end}" if first else end
