"""The settings file: read strictly, written so that comments and order survive."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from coursefs import config_keys
from coursefs.errors import CoursefsError, UsageError
from coursefs.files import write_atomically
from coursefs.strict_toml import WrongKey, checked, line_of, syntax_error, table


@dataclass(frozen=True, slots=True)
class Cache:
    """`[cache]`: the content cache."""

    max_size: int = 20 * 2**30  # bytes
    min_free: int = 2 * 2**30  # bytes of the disk to leave free
    directory: Path | None = None  # absolute; None: the cache folder of `Places`


@dataclass(frozen=True, slots=True)
class Network:
    """`[network]`."""

    read_timeout: float = 60.0  # seconds
    streams: int = 6  # connections for one file, at most


@dataclass(frozen=True, slots=True)
class Layout:
    """`[layout]`: what is shown, and under which names."""

    names: Literal["title", "slug"] = "title"
    subtitles: tuple[str, ...] = ("en",)  # languages in order; ("all",): every one
    video: int | None = None  # lines (720); None: the highest


@dataclass(frozen=True, slots=True)
class Refresh:
    """`[refresh]`: how old metadata may be, in seconds, before they are asked for again behind the reader's back."""

    courses: float = 3600.0  # the enrolments
    outline: float = 6 * 3600.0  # modules, lessons and items of a course
    files: float = 24 * 3600.0  # the files of an item
    fill: bool = True  # learn what nobody has looked at yet, slowly, in the background


@dataclass(frozen=True, slots=True)
class Metrics:
    """`[metrics]`: for Prometheus."""

    port: int | None = None  # of 127.0.0.1; None: on the control socket alone


@dataclass(frozen=True, slots=True)
class AccountSettings:
    """`[accounts.NAME]`."""

    name: str
    provider: str  # the account's name where the table does not say
    folder: str | None = None  # sub-directory of the mount for this account's courses
    values: Mapping[str, str] = field(default_factory=dict)  # the provider's own keys; of a list, one entry a line


@dataclass(frozen=True, slots=True)
class Settings:
    """All that the settings file says, the rest filled in; accounts in the order of the file."""

    cache: Cache = field(default_factory=Cache)
    network: Network = field(default_factory=Network)
    refresh: Refresh = field(default_factory=Refresh)
    layout: Layout = field(default_factory=Layout)
    metrics: Metrics = field(default_factory=Metrics)
    accounts: Mapping[str, AccountSettings] = field(default_factory=dict)


def load(path: Path) -> Settings:
    """The settings in this file; the defaults where there is none.

    Raises `UsageError` with file, line and key for whatever is not known or makes no sense.
    """
    return _settings(_read(path), path)


def add_account(path: Path, name: str, values: Mapping[str, str | int | list[str]]) -> None:
    """Put `[accounts.NAME]` with these keys into the file, or these keys into the table that is there.

    Other keys, comments and the order stay.  Nothing is written where nothing changes.  Raises `UsageError` when the
    file or the name is wrong, `CoursefsError` when the file cannot be written.
    """

    def add(document: dict[str, Any]) -> None:
        accounts = document.setdefault("accounts", {})
        accounts[name] = accounts.get(name, {}) | dict(values)

    def edit(document: Any) -> None:
        import tomlkit  # noqa: PLC0415  # slow to import, and needed by few commands

        if "accounts" not in document:
            document["accounts"] = tomlkit.table(is_super_table=True)
        if name not in document["accounts"]:
            document["accounts"][name] = {}  # becomes a table of the kind that fits there
        document["accounts"][name].update(values)

    config_keys.account_name(name)
    _change(path, add, edit)


def remove_account(path: Path, name: str) -> bool:
    """Take `[accounts.NAME]` out of the file; whether it was there.  Raises as `add_account` does."""

    def remove(document: Any) -> None:
        document["accounts"].pop(name)

    if name not in load(path).accounts:
        return False
    _change(path, remove, remove)
    return True


def _read(path: Path) -> str:
    """The text of the file; "" where there is no file."""
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
    except WrongKey as error:
        raise UsageError(f"{path}:{line_of(text, error.key)}: {error}") from None


def _from_document(document: dict[str, Any]) -> Settings:
    sections = checked(
        document,
        (),
        {name: lambda value: value for name in ("cache", "network", "refresh", "layout", "metrics", "accounts")},
    )
    cache = checked(sections.get("cache", {}), ("cache",), config_keys.CACHE)
    accounts = table(sections.get("accounts", {}), ("accounts",))
    return Settings(
        cache=Cache(**{"directory" if key == "dir" else key: value for key, value in cache.items()}),
        network=Network(**checked(sections.get("network", {}), ("network",), config_keys.NETWORK)),
        refresh=Refresh(**checked(sections.get("refresh", {}), ("refresh",), config_keys.REFRESH)),
        layout=Layout(**checked(sections.get("layout", {}), ("layout",), config_keys.LAYOUT)),
        metrics=Metrics(**checked(sections.get("metrics", {}), ("metrics",), config_keys.METRICS)),
        accounts={name: _account(name, account) for name, account in accounts.items()},
    )


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
    """Change the file in place: `edit` does to a tomlkit document what `change` does to the plain one.

    What is to be written is read back first and must say what `change` says: the accounts of a file can be written
    in ways (inline, dotted, scattered) that an editing library may get wrong, and a person's settings are not the
    place to find out.
    """
    import tomlkit  # noqa: PLC0415  # slow to import, and needed by few commands
    from tomlkit.exceptions import TOMLKitError  # noqa: PLC0415

    old = _read(path)
    _settings(old, path)  # a file that is wrong is left to its owner
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
    target = path.resolve()  # the file may be a link into a collection of dotfiles
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o600
        write_atomically(target, new.encode(), mode=mode)
    except OSError as error:
        raise CoursefsError(f"cannot write {path}: {error.strerror}") from None


def _settled(document: dict[str, Any]) -> dict[str, Any]:
    """The document without an `accounts` table that is empty: whether one is left over does not matter."""
    return {key: value for key, value in document.items() if key != "accounts" or value}
