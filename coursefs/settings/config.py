"""The settings file: strict reading, and edits that keep comments and order."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from coursefs.base.atomic_files import write_atomically
from coursefs.errors import CoursefsError, UsageError
from coursefs.settings import config_keys
from coursefs.settings.rates import Timetable
from coursefs.settings.strict_toml import WrongKey, checked, line_of, syntax_error, table


@dataclass(frozen=True, slots=True)
class Cache:
    """`[cache]`: the content cache."""

    max_size: int = 20 * 2**30  # bytes
    min_free: int = 2 * 2**30  # bytes of the disk to leave free
    directory: Path | None = None  # absolute; None: the cache folder of `AppPaths`
    shared: str | None = None  # the shared cache: a path, an address, "dns-sd"; None: there is none
    shared_key: Path | None = None  # absolute; None: `shared.key` beside the settings
    shared_plain_http: bool = False  # without TLS also to another machine


@dataclass(frozen=True, slots=True)
class Network:
    """`[network]`: deadlines and connections."""

    read_timeout: float = 60.0  # seconds
    streams: int = 6  # connections for one file, at most
    limit: Timetable | None = None  # for background work and transfers


@dataclass(frozen=True, slots=True)
class LayoutSettings:
    """`[layout]`: which files are shown, and the style of their names."""

    names: Literal["title", "slug"] = "title"
    subtitles: tuple[str, ...] = ("en",)  # languages in order of preference; ("all",): all of them
    video: int | None = None  # lines (720); None: the highest
    voices: tuple[str, ...] = ()  # languages of dubbed lectures that are shown besides; ("all",): all of them
    audio_description: bool = False  # also the videos with a spoken description of what is seen
    quizzes: bool = False  # own answers and feedback of quizzes that were taken, as pages
    subtitle_formats: tuple[str, ...] = ()  # "srt", "vtt": made of the other where a platform has one alone
    media_center: bool = False  # names of episodes, and files for Kodi and Jellyfin
    course_pages: bool = True  # the course page, playlists and calendars
    readings: tuple[str, ...] = ("html",)  # formats; with "md" there is Markdown beside each page


@dataclass(frozen=True, slots=True)
class Refresh:
    """`[refresh]`: the maximum age of metadata in seconds before a background refresh."""

    courses: float = 3600.0  # the enrolments
    outline: float = 6 * 3600.0  # modules, lessons and items of a course
    files: float = 24 * 3600.0  # the files of an item
    fill: bool = True  # background indexing


@dataclass(frozen=True, slots=True)
class Prefetch:
    """`[prefetch]`: what a mount fetches before it is read."""

    next: bool = True  # the beginning of the next lecture, while one plays past its middle
    next_size: int = 16 * 2**20  # bytes for it, at most


@dataclass(frozen=True, slots=True)
class Metrics:
    """`[metrics]`: the metrics page for Prometheus."""

    port: int | None = None  # on 127.0.0.1; None: only on the control socket


@dataclass(frozen=True, slots=True)
class Hooks:
    """`[hooks]`: programs that are run on an event."""

    on_news: tuple[str, ...] | None = None  # program and arguments, after an update with news


@dataclass(frozen=True, slots=True)
class AccountSettings:
    """`[accounts.NAME]`: one account."""

    name: str
    provider: str  # default: the account's name
    folder: str | None = None  # directory at the root of the mount for its courses; "": the root; None: the default
    values: Mapping[str, str] = field(default_factory=dict)  # of the provider; lists joined by newlines


@dataclass(frozen=True, slots=True)
class Settings:
    """The whole settings file with defaults filled in; accounts in the order of the file."""

    cache: Cache = field(default_factory=Cache)
    network: Network = field(default_factory=Network)
    refresh: Refresh = field(default_factory=Refresh)
    layout: LayoutSettings = field(default_factory=LayoutSettings)
    prefetch: Prefetch = field(default_factory=Prefetch)
    metrics: Metrics = field(default_factory=Metrics)
    hooks: Hooks = field(default_factory=Hooks)
    accounts: Mapping[str, AccountSettings] = field(default_factory=dict)


def load(path: Path) -> Settings:
    """Read the settings file; without one, all defaults.

    Raises `UsageError` with file, line and key for unknown keys and wrong values.
    """
    return _settings(_read(path), path)


def add_account(path: Path, name: str, values: Mapping[str, str | int | list[str]]) -> None:
    """Add `[accounts.NAME]` with these keys, or set these keys in the existing table.

    Other keys, comments and order stay. Writes nothing if nothing changes. Raises `UsageError` if the file or the name
    is wrong, and `CoursefsError` if the file cannot be written.
    """

    def add(document: dict[str, Any]) -> None:
        accounts = document.setdefault("accounts", {})
        accounts[name] = accounts.get(name, {}) | dict(values)

    def edit(document: Any) -> None:
        import tomlkit  # late: slow to import, and few commands need it

        if "accounts" not in document:
            document["accounts"] = tomlkit.table(is_super_table=True)
        if name not in document["accounts"]:
            document["accounts"][name] = {}  # tomlkit makes it a table or an inline table
        document["accounts"][name].update(values)

    config_keys.account_name(name)
    _change(path, add, edit)


def remove_account(path: Path, name: str) -> bool:
    """Remove `[accounts.NAME]`; return whether it existed. Raises what `add_account` raises."""

    def remove(document: Any) -> None:
        document["accounts"].pop(name)

    if name not in load(path).accounts:
        return False
    _change(path, remove, remove)
    return True


def _read(path: Path) -> str:
    """The text of the file; "" without one."""
    try:
        return path.read_bytes().decode("utf-8")  # line ends as they are
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError:
        raise UsageError(f"{path}: not a text in UTF-8") from None
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None


def _settings(text: str, path: Path) -> Settings:
    try:
        return _from_document(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        line, reason = syntax_error(error, text)
        raise UsageError(f"{path}:{line}: {reason}") from None
    except (ValueError, RecursionError):  # numbers with thousands of digits, impossible dates, deep nesting
        raise UsageError(f"{path}: holds numbers too long or tables too deep to be read") from None
    except WrongKey as error:
        raise UsageError(f"{path}:{line_of(text, error.key)}: {error}") from None


def _from_document(document: dict[str, Any]) -> Settings:
    sections = checked(
        document,
        (),
        {
            name: lambda value: value
            for name in ("cache", "network", "refresh", "layout", "prefetch", "metrics", "hooks", "accounts")
        },
    )
    cache = checked(sections.get("cache", {}), ("cache",), config_keys.CACHE)
    accounts = table(sections.get("accounts", {}), ("accounts",))
    return Settings(
        cache=Cache(**{"directory" if key == "dir" else key: value for key, value in cache.items()}),
        network=Network(**checked(sections.get("network", {}), ("network",), config_keys.NETWORK)),
        refresh=Refresh(**checked(sections.get("refresh", {}), ("refresh",), config_keys.REFRESH)),
        layout=_layout(checked(sections.get("layout", {}), ("layout",), config_keys.LAYOUT)),
        prefetch=Prefetch(**checked(sections.get("prefetch", {}), ("prefetch",), config_keys.PREFETCH)),
        metrics=Metrics(**checked(sections.get("metrics", {}), ("metrics",), config_keys.METRICS)),
        hooks=Hooks(**checked(sections.get("hooks", {}), ("hooks",), config_keys.HOOKS)),
        accounts={name: _account(name, account) for name, account in accounts.items()},
    )


def _layout(values: Mapping[str, Any]) -> LayoutSettings:
    layout = LayoutSettings(**values)
    if layout.media_center and layout.names == "slug":
        raise WrongKey(
            ("layout", "media_center"),
            'layout.media_center: expected names = "title" beside it, as episodes have names of their own',
        )
    return layout


def _account(name: str, account: object) -> AccountSettings:
    where = ("accounts", name)
    try:
        config_keys.account_name(name)
    except UsageError as error:
        raise WrongKey(where, str(error)) from None
    keys = table(account, where)
    values = checked(keys, where, config_keys.account(keys.get("provider", name), keys))
    provider = values.pop("provider", name)
    folder = values.pop("folder", None)
    return AccountSettings(name, provider, folder, values)


def _change(path: Path, change: Callable[[dict[str, Any]], None], edit: Callable[[Any], None]) -> None:
    """Edit the file in place: `edit` does to a tomlkit document what `change` does to a plain one.

    The new text is parsed before it is written and must equal the result of `change`: accounts can be written in ways
    (inline, dotted, scattered) that tomlkit may edit wrongly, and a user's settings must not be damaged by that.
    """
    import tomlkit  # late: slow to import, and few commands need it
    from tomlkit.exceptions import TOMLKitError

    old = _read(path)
    _settings(old, path)  # never edit a file with errors
    before, wanted = tomllib.loads(old), tomllib.loads(old)
    change(wanted)
    if wanted == before:
        return
    try:
        document = tomlkit.parse(old)
        edit(document)
        new = tomlkit.dumps(document)
        faithful = _settled(tomllib.loads(new)) == _settled(wanted)
    except (TOMLKitError, ValueError):
        faithful = False
    if not faithful:
        raise CoursefsError(f"{path}: its accounts are written in a way that coursefs cannot edit; please do so")
    _settings(new, path)
    target = path.resolve()  # the file may be a link into a dotfiles repository: write there, keep the link
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        there = target.stat() if target.exists() else None
        mode = 0o600 if there is None else there.st_mode & 0o777
        write_atomically(target, new.encode(), mode=mode, owner=there or target.parent.stat())
    except OSError as error:
        raise CoursefsError(f"cannot write {path}: {error.strerror}") from None


def _settled(document: dict[str, Any]) -> dict[str, Any]:
    """The document without an empty `accounts` table, which makes no difference."""
    return {key: value for key, value in document.items() if key != "accounts" or value}
