"""Opening our own files and folders safely in places where other users may have put something else.

A symbolic link, a hard link to another file, a FIFO, a device or another user's file under a name that we use is
refused before it is read or changed. Callers that do not need the old file replace it (`replace=True`). With `dir_fd` a
name is looked up in a folder that is already open, so that no component above it can be exchanged between check and
use. Blocking, like every call to the operating system.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

#: O_NOFOLLOW: a link that was planted under the name fails with ELOOP instead of leading elsewhere
_ALWAYS = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NOCTTY
#: errors of `open` if the name is not a regular file: a link, a directory, a socket or a FIFO
_OTHER_KINDS = frozenset({errno.ELOOP, errno.EISDIR, errno.ENOTDIR, errno.ENXIO})


class NotOurs(OSError):
    """The name is not a regular file or folder of this user; `strerror` says what it is."""

    def __init__(self, reason: str, path: str | os.PathLike[str]) -> None:
        super().__init__(errno.EPERM, reason, os.fspath(path))


def open_file(
    path: str | Path, flags: int, *, mode: int = 0o600, dir_fd: int | None = None, replace: bool = False
) -> int:
    """Open a regular file of this user that has no other hard link; return the descriptor.

    The caller closes it. `flags` are those of `os.open`; `O_TRUNC` takes effect only after the checks. `mode` is for a
    file that is created. With `replace` and `O_CREAT`, another kind of file under the name is unlinked (never followed)
    and a new file created. Raises `NotOurs`, and `OSError` as `os.open` does.
    """
    try:
        return _open_file(path, flags, mode, dir_fd)
    except NotOurs:
        if not (replace and flags & os.O_CREAT):
            raise
    os.unlink(path, dir_fd=dir_fd)
    return _open_file(path, flags | os.O_EXCL, mode, dir_fd)


def open_folder(path: str | Path, *, dir_fd: int | None = None, create: bool = False, follow: bool = False) -> int:
    """Open a folder of this user that is not world-writable; return the descriptor, for use as `dir_fd`.

    `create` makes a missing folder with mode 0700; its parent must exist. `follow` accepts a link of this user or of
    root in its place, because people move a cache to another disk that way. Raises `NotOurs` and `OSError`.
    """
    if create:
        with suppress(FileExistsError):
            os.mkdir(path, 0o700, dir_fd=dir_fd)
    if follow:
        link = os.stat(path, dir_fd=dir_fd, follow_symlinks=False)
        if stat.S_ISLNK(link.st_mode) and link.st_uid not in {0, os.geteuid()}:
            raise NotOurs("is a link that belongs to another user", path)
    flags = os.O_RDONLY | os.O_DIRECTORY | (os.O_CLOEXEC if follow else _ALWAYS)
    try:
        descriptor = os.open(path, flags, dir_fd=dir_fd)
    except OSError as error:
        if error.errno in _OTHER_KINDS:
            raise NotOurs("is not a folder of our own", path) from None
        raise
    try:
        require_private(os.fstat(descriptor), path)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def require_private(status: os.stat_result, path: str | Path) -> None:
    """Raise `NotOurs` if a folder belongs to another user or is world-writable."""
    if status.st_uid != os.geteuid():
        raise NotOurs(f"belongs to another user (uid {status.st_uid})", path)
    if status.st_mode & stat.S_IWOTH:
        raise NotOurs("can be written to by everybody (`chmod o-w` it)", path)


def why_not_ours(status: os.stat_result) -> str | None:
    """Why a file is not a regular one of this user with a single link; None if it is."""
    if stat.S_ISLNK(status.st_mode):
        return "is a symbolic link"
    if not stat.S_ISREG(status.st_mode):
        return "is not a regular file"
    if status.st_uid != os.geteuid():
        return f"belongs to another user (uid {status.st_uid})"
    if status.st_nlink > 1:
        return "has another name (a hard link)"
    return None


def _open_file(path: str | Path, flags: int, mode: int, dir_fd: int | None) -> int:
    # O_NONBLOCK: opening a FIFO must not wait for its other end. O_TRUNC only after fstat: until then the file may be
    # another one's, and the checks look at the open descriptor because the name may change at any time
    opened_flags = (flags & ~os.O_TRUNC) | _ALWAYS | os.O_NONBLOCK
    try:
        descriptor = os.open(path, opened_flags, mode, dir_fd=dir_fd)
    except OSError as error:
        if error.errno in _OTHER_KINDS:
            raise NotOurs("is not a regular file of our own", path) from None
        raise
    try:
        reason = why_not_ours(os.fstat(descriptor))
        if reason is not None:
            raise NotOurs(reason, path)
        if flags & os.O_TRUNC:
            os.ftruncate(descriptor, 0)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
