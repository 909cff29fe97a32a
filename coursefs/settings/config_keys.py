"""The keys of the settings file and a check for the value of each (pure)."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from coursefs.errors import UsageError
from coursefs.settings import account_keys
from coursefs.settings.paths import expanded
from coursefs.settings.rates import parse_rate
from coursefs.settings.strict_toml import Check
from coursefs.settings.units import parse_duration, parse_size

_MAX_STREAMS = 16
#: the value of `cache.shared` for a web cache that announces itself on the local network
DNS_SD = "dns-sd"
_SHARED_SCHEMES = frozenset({"http", "https", "s3", "gs", "az"})
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*")


def account_name(name: str) -> str:
    """The name itself. Raises `UsageError` if it cannot be a file name and a TOML key."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise UsageError(f'"{name}" is not an account name: letters, digits and . _ - only, at most 64')
    return name


def _provider(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise UsageError("expected the name of a provider in quotes")
    return value


def _folder(value: object) -> str:
    if not isinstance(value, str) or value.startswith(".") or "/" in value or not value.isprintable():
        raise UsageError('expected the name of one folder, such as "edX", or "" for none')
    return value


def _path(value: object) -> Path:
    if isinstance(value, str) and value.startswith(("/", "~/")) and "\0" not in value:
        return expanded(Path(value))
    raise UsageError('expected a path that begins with "/" or "~/"')


def shared_place(value: object) -> str:
    """Where a shared cache is: a path, an address, or `dns-sd`.  Raises `UsageError`."""
    if isinstance(value, str) and value.startswith(("/", "~/")):
        return str(_path(value))
    if value == DNS_SD:
        return DNS_SD
    parts = urlsplit(value) if isinstance(value, str) and value.isprintable() else None
    if parts is None or parts.scheme not in _SHARED_SCHEMES or not parts.netloc or "@" in parts.netloc:
        raise UsageError(
            'expected a folder ("/srv/shared"), an address (https://…, s3://…, gs://…, az://…) or "dns-sd"'
        )
    return parts.geturl().rstrip("/")


def _positive_size(value: object) -> int:
    size = parse_size(value)
    if size == 0:
        raise UsageError("expected a size above zero")
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


def subtitles_of(value: object) -> tuple[str, ...]:
    """Languages in order of preference. Raises `UsageError`."""
    if value == "all":
        return ("all",)
    if isinstance(value, list) and value and all(isinstance(v, str) and _LANGUAGE.fullmatch(v) for v in value):
        return tuple(value)
    raise UsageError('expected "all" or a list of languages, such as ["en", "de"]')


def _readings(value: object) -> tuple[str, ...]:
    if value in (["html"], ["html", "md"], ["md", "html"]):
        return ("html", "md") if value != ["html"] else ("html",)
    raise UsageError('expected ["html"] or ["html", "md"]')


def _subtitle_formats(value: object) -> tuple[str, ...]:
    if isinstance(value, list) and all(one in ("srt", "vtt") for one in value):
        return tuple(sorted({str(one) for one in value}))
    raise UsageError('expected a list of "srt" and "vtt"')


def _voices(value: object) -> tuple[str, ...]:
    return () if value == [] else subtitles_of(value)


def lines_of(value: object) -> int | None:
    """The lines of a video; None: the most that there are. Raises `UsageError`."""
    if value == "highest":
        return None
    if isinstance(value, str) and (match := re.fullmatch(r"([1-9]\d{2,3})p", value)):
        return int(match[1])
    raise UsageError('expected "highest" or a number of lines, such as "720p"')


def command_of(value: object) -> tuple[str, ...]:
    """A program and its arguments, as a shell would split them; none of a shell's other signs means anything.

    Raises `UsageError`.
    """
    wrong = UsageError('expected a program and its arguments, such as "~/bin/notify --quiet"')
    if not isinstance(value, str) or "\0" in value:
        raise wrong
    try:
        program, *arguments = shlex.split(value)
    except ValueError:  # nothing, or a quote that is not closed
        raise wrong from None
    if not program:
        raise wrong
    return (str(expanded(Path(program))) if program.startswith("~/") else program, *arguments)


CACHE: Mapping[str, Check] = {
    "max_size": _positive_size,
    "min_free": parse_size,
    "dir": _path,
    "shared": shared_place,
    "shared_key": _path,
    "shared_plain_http": _switch,
}
NETWORK: Mapping[str, Check] = {"read_timeout": parse_duration, "streams": _streams, "limit": parse_rate}
REFRESH: Mapping[str, Check] = {
    "courses": parse_duration,
    "outline": parse_duration,
    "files": parse_duration,
    "fill": _switch,
}
LAYOUT: Mapping[str, Check] = {
    "names": _names,
    "subtitles": subtitles_of,
    "video": lines_of,
    "voices": _voices,
    "audio_description": _switch,
    "quizzes": _switch,
    "media_center": _switch,
    "course_pages": _switch,
    "readings": _readings,
    "subtitle_formats": _subtitle_formats,
}
PREFETCH: Mapping[str, Check] = {"next": _switch, "next_size": _positive_size}
HOOKS: Mapping[str, Check] = {"on_news": command_of}
METRICS: Mapping[str, Check] = {"port": _port}
_EVERY_ACCOUNT: Mapping[str, Check] = {"provider": _provider, "folder": _folder}
_ADDRESSES: Mapping[str, Check] = {"base_url": account_keys.address, "server": account_keys.address}


def account(provider: object, keys: Mapping[str, object]) -> Mapping[str, Check]:
    """The keys that an account of this provider may have: those that its platform declares.

    Of a platform that is not installed, or cannot be loaded, all of those that are there may be.
    """
    known = account_keys.declared(provider) if isinstance(provider, str) else {}
    if known is None:
        own: Mapping[str, Check] = {**dict.fromkeys(keys, account_keys.text), **_ADDRESSES}
    else:
        own = {key: setting.check for key, setting in known.items()}
    return {**own, **_EVERY_ACCOUNT}
