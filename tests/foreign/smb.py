"""Clients of an SMB server: `smbclient` lists, and libsmbclient, which file managers use, reads with seek."""

from __future__ import annotations

import calendar
import ctypes
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import quote

from tests.mount.world import program

LIBRARY = "libsmbclient.so.0"
_STEP = 64 * 1024
_LINE = re.compile(r"  (?P<name>.+?) +(?P<kind>[A-Z]+) +(?P<size>\d+)  (?P<when>\w{3} \w{3} .\d \d\d:\d\d:\d\d \d{4})")


@dataclass(frozen=True, slots=True)
class Entry:
    """What a listing says of a file."""

    is_directory: bool
    size: int
    seconds: int  # mtime


def walk(port: int, share: str) -> dict[str, Entry]:
    """Everything that a share shows, by its path with slashes, to a guest."""
    said = program(*listing(port, share))
    found, folder = {}, ""
    for line in said.splitlines():
        if line.startswith("\\"):
            folder = line[1:].replace("\\", "/") + "/"
        elif (entry := _LINE.fullmatch(line)) and entry["name"] not in {".", ".."}:
            seconds = calendar.timegm(time.strptime(entry["when"]))
            found[folder + entry["name"]] = Entry("D" in entry["kind"], int(entry["size"]), seconds)
    return found


def listing(port: int, share: str) -> list[str]:
    """The command that lists a share for a guest."""
    return ["env", "TZ=UTC", "smbclient", "-N", "-p", str(port), f"//127.0.0.1/{share}", "-c", "recurse; ls"]


class Guest:
    """A connection to a share, without a name and a password."""

    def __init__(self, library: ctypes.CDLL, address: str) -> None:
        self._library, self._address = library, address

    def read(self, path: str, offset: int, size: int) -> bytes:
        """So many bytes of a file from there, fewer at its end."""
        call = self._library
        number: int = call.smbc_open(f"{self._address}/{quote(path)}".encode(), os.O_RDONLY, 0)
        assert number >= 0, (path, os.strerror(ctypes.get_errno()))
        try:
            place: int = call.smbc_lseek(number, ctypes.c_int64(offset), os.SEEK_SET)
            assert place == offset, os.strerror(ctypes.get_errno())
            return b"".join(self._parts(number, size))
        finally:
            call.smbc_close(number)

    def _parts(self, number: int, size: int) -> Iterator[bytes]:
        part = ctypes.create_string_buffer(_STEP)
        while size:
            count: int = self._library.smbc_read(number, part, ctypes.c_size_t(min(size, _STEP)))
            assert count >= 0, os.strerror(ctypes.get_errno())
            if not count:
                return
            yield part.raw[:count]
            size -= count


@contextmanager
def connected(port: int, share: str) -> Iterator[Guest]:
    """A guest of a share, as long as the context lasts."""
    library = ctypes.CDLL(LIBRARY, use_errno=True)
    library.smbc_lseek.restype = ctypes.c_int64
    library.smbc_read.restype = ctypes.c_ssize_t
    for function in (library.smbc_new_context, library.smbc_init_context, library.smbc_set_context):
        function.restype = ctypes.c_void_p
    # a context of its own: the library finds a connection again by the name of the server, without its port
    context = ctypes.c_void_p(library.smbc_new_context())
    library.smbc_setFunctionAuthData(context, _NOBODY)
    assert library.smbc_init_context(context)
    library.smbc_set_context(context)
    try:
        yield Guest(library, f"smb://127.0.0.1:{port}/{share}")
    finally:
        library.smbc_free_context(context, 1)


#: called for a name and a password, which it leaves empty
_NOBODY = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 2, *[ctypes.c_void_p, ctypes.c_int] * 3)(lambda *_: None)
