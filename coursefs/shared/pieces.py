"""Pieces of files in a shared cache: their names, and their sealed form (pure).

A piece is `PIECE_SIZE` bytes of one version of one file.  The last piece of a larger file is small: a player looks at
the end before it shows a first picture, and of forty that begin at once each waits until all have these bytes.  The
name of a piece is a hash of what names its bytes on every machine alike: the platform's host, the file's identity, its
version, and which bytes they are.  They are sealed in two ways:

- encrypted (AES-256-GCM) with a key that follows from the same facts, so that only an account that is shown the file,
  with its version, can read the piece; the folder alone shows noise under names that mean nothing;
- signed (`SharedKey`), because the first reader has no checksum of the platform to compare with.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass

from coursefs.shared.keys import SharedKey

#: bytes of a piece
PIECE_SIZE = 2**20
#: the last piece of a file that has several has so many bytes, or up to twice as many: its start is a multiple of them
_END = 128 * 1024
#: the first bytes of a sealed piece; another format gets another number, and another name for every piece
_MAGIC = b"coursefs piece 1\n"
_SIGNATURE = 64
_NONCE = 12
_TAG = 16
#: bytes of a sealed piece, at most
MOST_SEALED = len(_MAGIC) + _SIGNATURE + _NONCE + PIECE_SIZE + _TAG


class BadPiece(Exception):
    """An object of a tier that is not the piece that its name promises."""


@dataclass(frozen=True, slots=True)
class PieceName:
    """The name of a piece, and the key of its bytes."""

    name: str  # 64 hexadecimal digits
    secret: bytes  # 32 bytes; never stored
    start: int  # offset in the file of its first byte
    size: int  # bytes

    @property
    def end(self) -> int:
        """Offset of the first byte behind it."""
        return self.start + self.size


@dataclass(frozen=True, slots=True)
class SharedFile:
    """A version of a file, named alike on all machines."""

    host: str  # of the platform, so that two platforms with the same ids do not meet
    identity: str  # of the file: the same for all learners of a platform
    size: int  # bytes
    mark: str  # ETag, or date, without what differs between the servers of one CDN

    def piece(self, offset: int) -> PieceName:
        """The name of the piece with the byte at this offset.  Raises `ValueError` when the file has no such byte."""
        start, end = self._bounds(offset)
        facts = json.dumps([self.host, self.identity, self.size, self.mark, start, end]).encode()
        return PieceName(
            hashlib.sha256(_MAGIC + b"name" + facts).hexdigest(),
            hashlib.sha256(_MAGIC + b"secret" + facts).digest(),
            start,
            end - start,
        )

    def _bounds(self, offset: int) -> tuple[int, int]:
        if not 0 <= offset < self.size:
            raise ValueError(f"a file of {self.size} bytes has no byte {offset}")
        last = 0 if self.size <= PIECE_SIZE else (self.size - _END) // _END * _END
        if offset >= last:
            return last, self.size
        start = offset // PIECE_SIZE * PIECE_SIZE
        return start, min(start + PIECE_SIZE, last)


def seal(piece: PieceName, data: bytes | memoryview, key: SharedKey) -> bytes:
    """The sealed form of the bytes of a piece.

    Raises `ValueError` for a wrong number of bytes, or a key without a seed.
    """
    if len(data) != piece.size:
        raise ValueError("these are not the bytes of this piece")
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # late: see `keys`

    nonce = os.urandom(_NONCE)
    sealed = nonce + AESGCM(piece.secret).encrypt(nonce, data, None)
    return b"".join((_MAGIC, key.sign(_signed(piece.name, sealed)), sealed))


def unseal(piece: PieceName, sealed: bytes, key: SharedKey) -> bytes:
    """The bytes of a piece.  Raises `BadPiece` unless a key that `key` believes has signed them for this name."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    body = require_signed(piece.name, sealed, key)
    try:
        data = AESGCM(piece.secret).decrypt(body[:_NONCE], body[_NONCE:], None)
    except InvalidTag:
        raise BadPiece("was encrypted for another file") from None
    if len(data) != piece.size:
        raise BadPiece("has another size than the file's piece")
    return data


def require_signed(name: str, sealed: bytes, key: SharedKey) -> bytes:
    """The encrypted part of a piece.  Raises `BadPiece` unless a key that `key` believes has signed it."""
    if not sealed.startswith(_MAGIC) or not len(_MAGIC) + _SIGNATURE + _NONCE + _TAG <= len(sealed) <= MOST_SEALED:
        raise BadPiece("is no piece of a shared cache")
    signature = sealed[len(_MAGIC) : len(_MAGIC) + _SIGNATURE]
    body = sealed[len(_MAGIC) + _SIGNATURE :]
    if not key.verifies(_signed(name, body), signature):
        raise BadPiece("is not signed with a key that this machine believes")
    return body


def _signed(name: str, sealed: bytes) -> bytes:
    """The message that is signed: what the bytes are for, and their hash."""
    return b"".join((_MAGIC, name.encode(), hashlib.sha256(sealed).digest()))
