"""The settings of a Panopto account, parsed strictly (pure)."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from coursefs.errors import UsageError
from coursefs.providers.panopto.platform import MOST_PER_MINUTE
from coursefs.providers.panopto.routes import PER_MINUTE
from coursefs.transport import require_safe_url


@dataclass(frozen=True, slots=True)
class PanoptoSettings:
    """The parsed table `[accounts.NAME]` of the settings file."""

    server: str  # https://campus.example.edu
    client_id: str  # "": there is no API client, and none is needed
    skip: frozenset[str] = frozenset()  # names and paths, folded
    per_minute: int = PER_MINUTE  # requests to one endpoint
    zone: tzinfo = UTC  # of the days in the names of recordings
    audio: bool = False  # show audio podcasts
    slides: bool = False  # show slides

    def skips(self, path: Sequence[str]) -> bool:
        """Whether a folder is skipped: by its name, or by its path from the top, such as `Users/me`."""
        shown = [_shown(name) for name in path]
        return not self.skip.isdisjoint({_folded(path[-1]), _folded(shown[-1]), _folded("/".join(shown))})


def settings(values: Mapping[str, str], *, needs_client: bool = True) -> PanoptoSettings:
    """Parse the settings from their texts; a list has one entry a line.  Raises `UsageError`.

    `needs_client`: an API client must be named.
    """
    return PanoptoSettings(
        server=server(values.get("server", "")),
        client_id=client_id(values.get("client_id", "")) if needs_client or "client_id" in values else "",
        skip=frozenset(_folded(entry.strip("/")) for entry in values.get("skip_folders", "").split("\n") if entry),
        per_minute=per_minute(values.get("requests_per_minute", str(PER_MINUTE))),
        zone=zone(values.get("timezone", "UTC")),
        audio=_switch("audio", values.get("audio", "false")),
        slides=_switch("slides", values.get("slides", "false")),
    )


def server(value: str) -> str:
    """The address of a server from a user's text, with or without `https://` or a path.  Raises `UsageError`."""
    value = value.strip()
    if not value:
        raise UsageError("server: the address of the Panopto server is missing, such as https://campus.example.edu")
    if "://" not in value:
        value = f"https://{value}"
    require_safe_url(value)
    parts = urlsplit(value)
    if "@" in parts.netloc:
        raise UsageError("server: expected an address such as https://campus.example.edu")
    return f"{parts.scheme.lower()}://{parts.netloc.lower()}"


def client_id(value: str) -> str:
    """The id of an API client: one word."""
    value = value.strip()
    if not value or len(value) > 200 or not value.isascii() or not value.isprintable() or " " in value:
        raise UsageError("client_id: expected the id of an API client (User Settings, API Clients on your server)")
    return value


def per_minute(value: object) -> int:
    """A number of requests."""
    text = str(value)
    if isinstance(value, bool) or not (text.isascii() and text.isdecimal()) or not 1 <= int(text) <= MOST_PER_MINUTE:
        raise UsageError(f"requests_per_minute: expected a whole number from 1 to {MOST_PER_MINUTE}")
    return int(text)


def zone(value: str) -> tzinfo:
    """A time zone by its name."""
    if value == "UTC":
        return UTC
    try:
        return ZoneInfo(value)
    except (ValueError, OSError, KeyError):  # an unknown name, or no time zone data on this machine
        raise UsageError(f'timezone: "{value[:60]}" is unknown; expected a name such as "Europe/Berlin"') from None


def _switch(name: str, value: str) -> bool:
    if value in {"true", "false"}:
        return value == "true"
    raise UsageError(f"{name}: expected true or false")


def _shown(name: str) -> str:
    return name.strip().replace("/", "-")


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name.strip()).casefold()
