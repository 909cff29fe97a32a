"""Private folders and atomic writes of small files; links that others planted are never followed.

The checks are in `coursefs.base.safe_open`. This module also narrows permissions that are too wide, and turns every
fault into a `CoursefsError` of one line that names the file and says what to do.
"""

from __future__ import annotations

import logging
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from coursefs.base.safe_open import NotOurs, open_file
from coursefs.errors import CoursefsError

log = logging.getLogger(__name__)

_GROUP_AND_OTHERS = 0o077
_WRITABLE_BY_OTHERS = 0o022


def usable_folder(path: Path) -> None:
    """Create a folder (mode 0700) if it is missing; an existing one keeps its mode.

    Raises `CoursefsError` if the folder cannot be created or written to.
    """
    _make(path)
    _require_writable(path)


def private_folder(path: Path) -> None:
    """Create a folder that only its owner can use; an existing one loses the permissions of others.

    Raises `CoursefsError` as `usable_folder` does, and if the folder, or a link that leads to it, belongs to another
    user: that user could exchange files in it at any time.
    """
    _make(path)
    try:
        link = path.lstat()
        if stat.S_ISLNK(link.st_mode) and link.st_uid not in {0, os.geteuid()}:
            raise CoursefsError(f"{path}: is a link that belongs to another user (uid {link.st_uid}); remove it")
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise CoursefsError(f"{path}: coursefs needs this folder and cannot use it: {error.strerror}") from None
    try:
        status = os.fstat(descriptor)
        if status.st_uid != os.geteuid():
            raise CoursefsError(f"{path}: belongs to another user (uid {status.st_uid}); coursefs keeps nothing there")
        if status.st_mode & _GROUP_AND_OTHERS:
            with suppress(PermissionError):  # FAT has no modes
                os.fchmod(descriptor, 0o700)
        if status.st_mode & _WRITABLE_BY_OTHERS:
            log.warning("%s was writable for other users of this machine; this is corrected", path)
    finally:
        os.close(descriptor)
    _require_writable(path)


def open_private(path: Path, flags: int) -> int:
    """Open a regular file of this user, mode 0600, without following links; return the descriptor.

    `flags` are those of `os.open`; the caller closes the descriptor. Raises `CoursefsError` if the name is a link,
    another kind of file or another user's, and `OSError` as `os.open` does.
    """
    try:
        descriptor = open_file(path, flags)
    except NotOurs as error:
        raise CoursefsError(f"{path}: {error.strerror}; coursefs does not touch it: move it away") from None
    try:
        if os.fstat(descriptor).st_mode & _GROUP_AND_OTHERS:
            with suppress(PermissionError):  # FAT has no modes
                os.fchmod(descriptor, 0o600)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def write_atomically(path: Path, data: bytes, *, mode: int, owner: os.stat_result | None = None) -> None:
    """Write a whole file by temporary file, fsync and rename; durable when this returns. Blocking.

    A crash leaves either the old content or the new one. The file has the permissions `mode` before it has its name.
    The folder must exist. With `owner`, the file gets the owner of that one, if this process may give files away.
    Raises `OSError`.
    """
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            if owner is not None and owner.st_uid != os.geteuid():
                with suppress(PermissionError):
                    os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())  # before the rename: else a power cut can leave the name with an empty file
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)  # the rename itself is durable only after this fsync
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _make(path: Path) -> None:
    """Create a folder and its missing parents, each with mode 0700 as the XDG base directory specification asks."""
    try:
        _make_all(path)
    except OSError as error:
        reason = "another file has this name" if isinstance(error, FileExistsError) else error.strerror
        raise CoursefsError(f"{path}: coursefs needs this folder and cannot make it: {reason}") from None


def _make_all(path: Path) -> None:
    try:
        path.mkdir(mode=0o700)
    except FileNotFoundError:
        _make_all(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
    except OSError:  # some file systems answer EACCES or EROFS where the folder is there
        if not path.is_dir():
            raise


def _require_writable(path: Path) -> None:
    if not os.access(path, os.W_OK | os.X_OK):
        raise CoursefsError(f"{path}: coursefs needs this folder and cannot write into it")
