"""A client of NFS 4.0 (RFC 7530) that keeps file handles: a few operations, each request a compound of them.

The file handles that a client holds are what must survive a restart of the server. Clients that others wrote hide them:
they look a name up again.
"""

from __future__ import annotations

import itertools
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.mount.world import LIMIT

_PROGRAM, _VERSION, _COMPOUND = 100003, 4, 1
_AUTH_SYS = 1
_GETATTR, _GETFH, _LOOKUP, _LOOKUPP, _PUTFH, _PUTROOTFH, _READ, _READDIR = 9, 10, 15, 16, 22, 24, 25, 26
_DIRECTORY = 2
#: attributes by their numbers, in the order in which they are sent: type, size, fileid, time_modify
_TYPE, _SIZE, _FILEID, _TIME_MODIFY = 1, 4, 20, 53
_ATTRIBUTES = struct.pack(">III", 2, 1 << _TYPE | 1 << _SIZE | 1 << _FILEID, 1 << (_TIME_MODIFY - 32))
#: a read that is not of an opened file (RFC 7530, 9.1.4.3)
_ANONYMOUS = bytes(16)
_LARGEST = 256 * 1024
STALE = 70


class NfsError(Exception):
    """The status with which a server refuses an operation."""

    def __init__(self, status: int) -> None:
        """`status` as the RFC has it: 2 NOENT, 13 ACCESS, 70 STALE."""
        super().__init__(f"NFS status {status}")
        self.status = status


@dataclass(frozen=True, slots=True)
class Attributes:
    """What a server says of a file."""

    is_directory: bool
    size: int
    inode: int
    seconds: int  # mtime


class Client:
    """A connection to a server, with the rights of one user."""

    def __init__(self, connection: socket.socket, uid: int) -> None:
        """`uid` is also the group."""
        self._connection = connection
        self._uid = uid
        self._numbers = itertools.count(1)

    def handle(self, *names: str) -> bytes:
        """The file handle at a path from the root of the server."""
        operations = [_op(_PUTROOTFH), *(_op(_LOOKUP, _opaque(name.encode())) for name in names), _op(_GETFH)]
        return self._asked(*operations).opaque()

    def parent(self, handle: bytes) -> bytes:
        """The handle of the folder that a folder lies in."""
        return self._asked(_op(_PUTFH, _opaque(handle)), _op(_LOOKUPP), _op(_GETFH)).opaque()

    def attributes(self, handle: bytes) -> Attributes:
        """What is known of a file."""
        return self._asked(_op(_PUTFH, _opaque(handle)), _op(_GETATTR, _ATTRIBUTES)).attributes()

    def listing(self, handle: bytes) -> dict[str, Attributes]:
        """The entries of a folder, in as many requests as it takes."""
        found: dict[str, Attributes] = {}
        cookie, verifier, is_whole = 0, bytes(8), False
        while not is_whole:
            asked = struct.pack(">Q8sII", cookie, verifier, 4096, 8192) + _ATTRIBUTES
            reply = self._asked(_op(_PUTFH, _opaque(handle)), _op(_READDIR, asked))
            verifier = reply.take(8)
            while reply.number():
                cookie = reply.number(8)
                name = reply.opaque().decode()
                found[name] = reply.attributes()
            is_whole = bool(reply.number())
        return found

    def read(self, handle: bytes, offset: int, size: int) -> bytes:
        """At most so many bytes from there; fewer where the server gives fewer."""
        place = _ANONYMOUS + struct.pack(">QI", offset, size)
        reply = self._asked(_op(_PUTFH, _opaque(handle)), _op(_READ, place))
        reply.number()  # whether this is the end
        return reply.opaque()

    def whole(self, handle: bytes) -> bytes:
        """All bytes of a file."""
        parts: list[bytes] = []
        while part := self.read(handle, sum(map(len, parts)), _LARGEST):
            parts.append(part)
        return b"".join(parts)

    def walk(self, *names: str) -> Iterator[tuple[tuple[str, ...], Attributes, bytes]]:
        """Everything below a folder: path, attributes, handle."""
        for name, attributes in self.listing(self.handle(*names)).items():
            path = (*names, name)
            yield path, attributes, self.handle(*path)
            if attributes.is_directory:
                yield from self.walk(*path)

    def _asked(self, *operations: bytes) -> _Reply:
        """What the last of these operations answers. Raises `NfsError` if one is refused."""
        number = next(self._numbers)
        user = struct.pack(">I", 0) + _opaque(b"test") + struct.pack(">III", self._uid, self._uid, 0)
        head = struct.pack(">IIIIII", number, 0, 2, _PROGRAM, _VERSION, _COMPOUND)
        head += struct.pack(">I", _AUTH_SYS) + _opaque(user) + struct.pack(">II", 0, 0)
        call = head + _opaque(b"") + struct.pack(">II", 0, len(operations)) + b"".join(operations)
        self._connection.sendall(struct.pack(">I", 1 << 31 | len(call)) + call)
        return _answered(_Reply(self._record()), len(operations))

    def _record(self) -> bytes:
        parts, is_last = [], False
        while not is_last:
            mark = struct.unpack(">I", self._exactly(4))[0]
            is_last = bool(mark >> 31)
            parts.append(self._exactly(mark & 0x7FFFFFFF))
        return b"".join(parts)

    def _exactly(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            part = self._connection.recv(size - len(data))
            assert part, "the server has closed the connection"
            data += part
        return bytes(data)


class _Reply:
    """The rest of a reply, in XDR."""

    def __init__(self, data: bytes) -> None:
        self._data, self._place = data, 0

    def take(self, size: int) -> bytes:
        part = self._data[self._place : self._place + size]
        assert len(part) == size, "the reply ends too early"
        self._place += -(-size // 4) * 4
        return part

    def number(self, size: int = 4) -> int:
        return int.from_bytes(self.take(size), "big")

    def opaque(self) -> bytes:
        return self.take(self.number())

    def attributes(self) -> Attributes:
        masks = [self.number() for _ in range(self.number())]
        assert struct.pack(f">I{len(masks)}I", len(masks), *masks) == _ATTRIBUTES, "some attributes are not known there"
        self.number()  # how long they are
        kind, size, inode, seconds = self.number(), self.number(8), self.number(8), self.number(8)
        self.number()  # nanoseconds
        return Attributes(kind == _DIRECTORY, 0 if kind == _DIRECTORY else size, inode, seconds)


def _answered(reply: _Reply, count: int) -> _Reply:
    """The reply from the result of the last operation on."""
    reply.take(8)  # its number, and that it is a reply
    assert reply.number() == 0, "the server refuses the call"
    reply.take(4)
    reply.opaque()  # the verifier
    assert reply.number() == 0, "the server does not understand the call"
    status = reply.number()
    reply.opaque()  # the tag
    reply.number()  # how many were answered, the first that failed included
    if status:
        raise NfsError(status)
    for index in range(count):
        assert reply.take(8)[4:] == bytes(4)  # which operation, and its status; none but the last returns anything
        assert index < count
    return reply


def _op(number: int, arguments: bytes = b"") -> bytes:
    return struct.pack(">I", number) + arguments


def _opaque(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data + bytes(-len(data) % 4)


@contextmanager
def connected(port: int, uid: int | None = None) -> Iterator[Client]:
    """A client of the server on a port of 127.0.0.1, as long as the context lasts."""
    with socket.create_connection(("127.0.0.1", port), timeout=LIMIT) as connection:
        yield Client(connection, os.geteuid() if uid is None else uid)
