"""The XDG base directories of coursefs, with the environment variables that override them.

Nothing is created here: the code that first writes into a folder creates it with the mode that it needs. Variables that
are not absolute paths are ignored, as the XDG specification demands.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from platformdirs.unix import Unix

from coursefs.errors import CoursefsError, UsageError

_NAME = "coursefs"
_WRITABLE_BY_OTHERS = 0o022


@dataclass(frozen=True, slots=True)
class AppPaths:
    """Absolute paths of one instance: its settings, secrets, catalogue, cache, sockets and log."""

    config_file: Path
    data_dir: Path
    state_dir: Path  # catalogue
    cache_dir: Path  # contents, unless the settings name another folder
    runtime_dir: Path  # sockets, pid
    log_dir: Path
    below: str | None = None  # name of a separate instance ("demo"); None: the ordinary one

    @property
    def credentials_dir(self) -> Path:
        """Secrets, if no desktop keyring holds them."""
        return self.data_dir / "credentials"

    @property
    def catalogue(self) -> Path:
        """The database of everything that is known of the courses."""
        return self.state_dir / "catalogue.sqlite"

    def shared_key(self, named: Path | None) -> Path:
        """The key of the shared cache: the file that the settings name, else the one beside them."""
        return named or self.config_file.with_name("shared.key")


def app_paths(config: Path | None = None, below: str | None = None) -> AppPaths:
    """The paths of this user.

    `config` is a settings file named on the command line. `below` names a separate instance ("demo") that shares
    nothing with the ordinary one: it has a sub-folder of that name in each base directory. Raises `CoursefsError` if
    the home folder is unknown and the variables that would replace it are missing.
    """
    xdg = Unix(_NAME, appauthor=False)

    def world(folder: Path) -> Path:
        return folder / below if below else folder

    try:
        state = world(xdg.user_state_path)
        runtime, _ = session_folder()
        return AppPaths(
            config_file=_absolute(config) if config else world(xdg.user_config_path) / "config.toml",
            data_dir=world(xdg.user_data_path),
            state_dir=state,
            cache_dir=world(xdg.user_cache_path),
            runtime_dir=world(runtime / _NAME) if runtime else state,
            log_dir=state / "log",
            below=below,
        )
    except RuntimeError:
        raise _homeless() from None


def config_home() -> Path:
    """The XDG folder for the settings of all programs. Raises `CoursefsError` if the home folder is unknown."""
    try:
        return Unix(_NAME, appauthor=False).user_config_path.parent
    except RuntimeError:
        raise _homeless() from None


def socket_dirs() -> tuple[Path, ...]:
    """The folders with the control sockets of this user's mounts, demos included; the preferred one first.

    The runtime folder of a login session is removed when the session ends, and cron, ssh and su do not know it, so each
    mount has a second socket in the state folder. Empty if neither folder is known.
    """
    session, _ = session_folder()
    found = [session / _NAME] if session else []
    with suppress(RuntimeError):  # no home folder
        found.append(Unix(_NAME, appauthor=False).user_state_path)
    return tuple(dict.fromkeys(found))


def session_folder() -> tuple[Path | None, str | None]:
    """`$XDG_RUNTIME_DIR` if it is private to this user, else None and a warning for the user.

    After `su`, or in a cron job, the variable may name a folder that does not exist; that gives no warning. A folder of
    another user, or one that others can write to, is refused: a socket in it could be exchanged.
    """
    named = os.environ.get("XDG_RUNTIME_DIR", "")
    if not named.startswith("/"):
        return None, None
    try:
        status = os.lstat(named)
        if stat.S_ISLNK(status.st_mode) and status.st_uid in {0, os.geteuid()}:
            status = os.stat(named)  # noqa: PTH116  # a name, no Path
    except OSError:
        return None, None
    if not stat.S_ISDIR(status.st_mode):
        return None, f"XDG_RUNTIME_DIR is not a folder ({named})"
    if status.st_uid != os.geteuid():
        return None, f"XDG_RUNTIME_DIR ({named}) belongs to another user"
    if status.st_mode & _WRITABLE_BY_OTHERS:
        return None, f"XDG_RUNTIME_DIR ({named}) can be written to by other users"
    if not os.access(named, os.R_OK | os.W_OK | os.X_OK):
        return None, f"XDG_RUNTIME_DIR ({named}) cannot be written to"
    return Path(named), None


def require_own(where: AppPaths) -> None:
    """Raise `CoursefsError` if root is about to write into another user's folders, as `sudo` with their HOME would.

    Files that root creates there would lock that user out of their own catalogue, cache and sign-ins.
    """
    if os.geteuid() != 0:
        return  # a plain user can write into another user's folder only if that was intended
    for folder in (where.config_file.parent, where.data_dir, where.state_dir, where.cache_dir):
        there, status = _nearest(folder)
        if status.st_uid != 0:
            raise CoursefsError(
                f"{there} belongs to user {status.st_uid}, and you are root: run coursefs as that user, or with the"
                " home folder of root (sudo -H coursefs …)"
            )


def require_trusted(config: Path) -> None:
    """Raise `UsageError` if a settings file of a mount option is missing, or others could change what root reads there.

    The settings say where sign-ins are sent, and where root writes.
    """
    for path in (config, config.resolve()):
        try:
            status = path.stat()
        except OSError as error:
            raise UsageError(f"-o config={config}: {error.strerror}") from None
        is_open = stat.S_ISREG(status.st_mode) and status.st_mode & _WRITABLE_BY_OTHERS
        if os.geteuid() == 0 and (status.st_uid != 0 or is_open):
            raise UsageError(
                f"-o config={config}: root reads only files that belong to root and that no other user can write to:"
                f" sudo chown root: {path} && sudo chmod go-w {path}"
            )


def expanded(path: Path) -> Path:
    """The path with `~` or `~user` expanded. Raises `UsageError` if there is no such user."""
    try:
        return path.expanduser()
    except RuntimeError:
        raise UsageError(f"{path}: no home folder is known for {path.parts[0]}") from None


def absolute(path: Path) -> Path:
    """The absolute path. Raises `UsageError` if it is relative and the working folder was deleted."""
    try:
        return path.absolute()
    except FileNotFoundError:
        raise UsageError(f"{path}: the working folder is gone; name the whole path, or cd to another folder") from None


def _homeless() -> CoursefsError:
    user = os.getuid()
    return CoursefsError(f"no home folder is known for user {user}: set HOME to a folder of yours (an absolute path)")


def _absolute(config: Path) -> Path:
    return absolute(expanded(config) if config.parts[:1] == ("~",) else config)  # no shell expands COURSEFS_CONFIG


def _nearest(folder: Path) -> tuple[Path, os.stat_result]:
    """The folder itself, or its nearest existing parent, with its status."""
    for each in (folder, *folder.parents):
        with suppress(OSError):
            return each, each.stat()
    raise CoursefsError(f"{folder}: cannot be read")
