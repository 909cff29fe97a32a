"""The keys of the settings file and what each of them may hold (pure)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from zoneinfo import ZoneInfo

from coursefs.errors import UsageError
from coursefs.strict_toml import Check
from coursefs.units import parse_duration, parse_size

_MAX_STREAMS = 16
_MAX_PER_MINUTE = 100  # requests to one endpoint of Panopto: what the platform allows
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*")


def account_name(name: str) -> str:
    """The name itself.  Raises `UsageError` when it would not do as the name of a file and of a key."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise UsageError(f'"{name}" is not an account name: letters, digits and . _ - only, at most 64')
    return name


def address(value: object) -> str:
    """The address of a server, without a slash at its end.  Raises `UsageError`, for plain http to other hosts too."""
    from coursefs.transport.hosts import require_safe_url  # noqa: PLC0415  # brings httpx, and with it a slow start

    if not isinstance(value, str):
        raise UsageError("expected an https:// address in quotes")
    require_safe_url(value)
    return value.rstrip("/")


def _text(value: object) -> str:
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


def _provider(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise UsageError("expected the name of a provider in quotes")
    return value


def _folder(value: object) -> str:
    if not isinstance(value, str) or value.startswith(".") or not value or "/" in value or not value.isprintable():
        raise UsageError('expected the name of one folder, such as "edX"')
    return value


def _path(value: object) -> Path:
    if isinstance(value, str) and value.startswith(("/", "~/")) and "\0" not in value:
        return Path(value).expanduser()
    raise UsageError('expected a path that begins with "/" or "~/"')


def _positive_size(value: object) -> int:
    size = parse_size(value)
    if size == 0:
        raise UsageError("expected more than nothing")
    return size


def _streams(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _MAX_STREAMS:
        raise UsageError(f"expected a number from 1 to {_MAX_STREAMS}")
    return value


def _port(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 65535:
        raise UsageError("expected the number of a port, from 1 to 65535")
    return value


def _switch(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise UsageError("expected true or false")


def _names(value: object) -> str:
    if value == "title" or value == "slug":  # noqa: PLR1714  # a value of the file need not be hashable
        return value
    raise UsageError('expected "title" or "slug"')


def _subtitles(value: object) -> tuple[str, ...]:
    if value == "all":
        return ("all",)
    if isinstance(value, list) and value and all(isinstance(v, str) and _LANGUAGE.fullmatch(v) for v in value):
        return tuple(value)
    raise UsageError('expected "all" or a list of languages, such as ["en", "de"]')


def _video(value: object) -> int | None:
    if value == "highest":
        return None
    if isinstance(value, str) and (match := re.fullmatch(r"([1-9]\d{2,3})p", value)):
        return int(match[1])
    raise UsageError('expected "highest" or a number of lines, such as "720p"')


def _rate(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0.01 <= value <= 1000:
        raise UsageError("expected a number from 0.01 to 1000")
    return str(value)


def _subtitle_formats(value: object) -> str:
    formats = ("srt", "vtt", "txt")
    if not isinstance(value, list) or not all(entry in formats for entry in value):
        raise UsageError('expected a list of "srt", "vtt" and "txt"')
    return "\n".join(value)


def _switch_text(value: object) -> str:
    return "true" if _switch(value) else "false"


def _word(value: object) -> str:
    if isinstance(value, str) and re.fullmatch(r"\S{1,200}", value):
        return value
    raise UsageError("expected a word in quotes, without blanks")


def _token_type(value: object) -> str:
    if isinstance(value, str) and value in ("jwt", "bearer"):
        return value
    raise UsageError('expected "jwt" or "bearer"')


def server(value: object) -> str:
    """The address of a server; people write it without `https://` too."""
    if isinstance(value, str) and value and "://" not in value:
        value = f"https://{value}"
    return address(value)


def _texts(value: object) -> str:
    """A list of texts, one a line."""
    if isinstance(value, list) and all(isinstance(entry, str) and entry and "\n" not in entry for entry in value):
        return "\n".join(value)
    raise UsageError('expected a list of texts, such as ["Users"]')


def _per_minute(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _MAX_PER_MINUTE:
        raise UsageError(f"expected a number from 1 to {_MAX_PER_MINUTE}")
    return str(value)


def _timezone(value: object) -> str:
    if isinstance(value, str):
        with suppress(ValueError, OSError, KeyError):
            ZoneInfo(value)
            return value
    raise UsageError('expected the name of a time zone, such as "Europe/Berlin"')


CACHE: Mapping[str, Check] = {"max_size": _positive_size, "min_free": parse_size, "dir": _path}
NETWORK: Mapping[str, Check] = {"read_timeout": parse_duration, "streams": _streams}
REFRESH: Mapping[str, Check] = {
    "courses": parse_duration,
    "outline": parse_duration,
    "files": parse_duration,
    "fill": _switch,
}
LAYOUT: Mapping[str, Check] = {"names": _names, "subtitles": _subtitles, "video": _video}
METRICS: Mapping[str, Check] = {"port": _port}
_EVERY_ACCOUNT: Mapping[str, Check] = {"provider": _provider, "folder": _folder}
_ADDRESSES: Mapping[str, Check] = {"base_url": address, "server": address}
_PANOPTO: Mapping[str, Check] = {
    "server": server,
    "client_id": _text,
    "skip_folders": _texts,
    "requests_per_minute": _per_minute,
    "timezone": _timezone,
    "audio": _switch_text,
    "slides": _switch_text,
}
_ACCOUNT_OF: Mapping[str, Mapping[str, Check]] = {
    "coursera": {
        "base_url": address,
        "requests_per_second": _rate,
        "subtitle_formats": _subtitle_formats,
        "duplicates": _switch_text,
    },
    "panopto": _PANOPTO,
    "openedx": {"server": server, "client_id": _word, "username": _word, "token_type": _token_type},
}


def account(provider: object, keys: Mapping[str, object]) -> Mapping[str, Check]:
    """The keys that an account of this provider may have.

    A provider that is not part of coursefs knows its own keys: all of those that are there may be.
    """
    own = _ACCOUNT_OF.get(provider) if isinstance(provider, str) else {}
    return {**(dict.fromkeys(keys, _text) | dict(_ADDRESSES) if own is None else own), **_EVERY_ACCOUNT}
