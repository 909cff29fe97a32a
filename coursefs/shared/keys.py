"""The key file of a shared cache: which machines may fill it, and which are believed.

A file of lines, `shared.key` beside the settings unless `cache.shared_key` names another one:

    sign SEED        this machine signs what it puts, and believes what was signed with the same seed
    verify PUBLIC    this machine believes what was signed with the seed of this public key; there may be several
    token WORD       sent to the web cache (`coursefs serve-cache`), which may demand it

Signatures are Ed25519 (RFC 8032): a machine that has only `verify` can check pieces and cannot make any.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from coursefs.base.atomic_files import write_atomically
from coursefs.errors import CoursefsError, UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_SIZE = 32  # bytes of a seed and of a public key
_WORD = re.compile(r"[A-Za-z0-9._~-]{8,128}")
#: bytes of a key file at most: it holds a few lines
_MOST = 64 * 1024


@dataclass(frozen=True, slots=True)
class SharedKey:
    """The keys of one machine for a shared cache."""

    seed: bytes | None = field(default=None, repr=False)  # None: this machine puts nothing
    believed: tuple[bytes, ...] = ()  # public keys
    token: str = field(default="", repr=False)

    @classmethod
    def generated(cls) -> SharedKey:
        """A new key, which signs and believes itself, with a token."""
        return cls(secrets.token_bytes(_SIZE), (), secrets.token_urlsafe(24))

    @property
    def public(self) -> bytes | None:
        """The public key of the seed."""
        return None if self.seed is None else _private(self.seed).public_key().public_bytes_raw()

    @property
    def reader(self) -> SharedKey:
        """The same key for a machine that may read, and not fill."""
        own = () if self.public is None else (self.public,)
        return SharedKey(None, (*own, *self.believed), self.token)

    def sign(self, message: bytes) -> bytes:
        """The signature (64 bytes) of a message.  Raises `ValueError` without a seed."""
        if self.seed is None:
            raise ValueError("this key cannot sign")
        return _private(self.seed).sign(message)

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """Whether the message was signed with a key that this machine believes."""
        own = () if self.public is None else (self.public,)
        return any(_is_signed(key, message, signature) for key in (*own, *self.believed))

    def lines(self) -> str:
        """The text of the key file.  It holds secrets if there is a seed or a token."""
        lines = [] if self.seed is None else [f"sign {_text(self.seed)}"]
        lines += [f"verify {_text(key)}" for key in self.believed]
        lines += [f"token {self.token}"] if self.token else []
        return "".join(f"{line}\n" for line in lines)


# the library is imported late: it takes 5 MB, and a mount without a shared cache does not need it


def import_cryptography() -> None:
    """Import what signs and encrypts, for some 15 ms of a processor: when a mount starts, not when a program waits."""
    from cryptography.hazmat.primitives.asymmetric import ed25519
    from cryptography.hazmat.primitives.ciphers import aead

    del ed25519, aead


def _private(seed: bytes) -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(seed)


def _is_signed(key: bytes, message: bytes, signature: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def public_text(key: SharedKey) -> str:
    """The line for machines that read and do not fill: `verify …`; it is no secret."""
    return "" if key.public is None else f"verify {_text(key.public)}"


def load_key(path: Path) -> SharedKey:
    """The key in a file.  Raises `UsageError`, whose message says what to type and never quotes the file."""
    try:
        with path.open("rb") as file:
            data = file.read(_MOST)
        is_public = bool(path.stat().st_mode & 0o077)
    except FileNotFoundError:
        raise UsageError(
            f"the shared cache needs a key in {path}: type coursefs cache shared key,"
            " or copy the file of a machine that has one"
        ) from None
    except OSError as error:
        raise CoursefsError(f"{path}: {error.strerror}") from None
    key = parse_key(data.decode(errors="replace").splitlines(), str(path))
    if key.seed is not None and is_public:
        raise UsageError(f"{path}: other users can read this key: type chmod 600 {path}")
    return key


def parse_key(lines: Iterable[str], where: str) -> SharedKey:
    """The key in these lines (pure).  Raises `UsageError`."""
    seed: bytes | None = None
    believed: list[bytes] = []
    token = ""
    for number, line in enumerate(lines, 1):
        word, _, value = line.split("#")[0].strip().partition(" ")
        wrong = UsageError(f'{where}:{number}: expected "sign SEED", "verify PUBLIC" or "token WORD"')
        if not word:
            continue
        if word == "token" and _WORD.fullmatch(value.strip()):
            token = value.strip()
        elif word in {"sign", "verify"} and (key := _bytes(value)) is not None:
            if word == "verify":
                believed.append(key)
            elif seed is None:
                seed = key
            else:
                raise wrong
        else:
            raise wrong
    if seed is None and not believed:
        raise UsageError(f"{where}: holds no key; type coursefs cache shared key on the machine that fills the cache")
    return SharedKey(seed, tuple(dict.fromkeys(believed)), token)


def create_key(path: Path) -> SharedKey:
    """Create a key file (mode 0600) with a new key.  Raises `CoursefsError`; an existing file is not replaced."""
    key = SharedKey.generated()
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if path.exists():
            raise CoursefsError(f"{path} exists already, and is left as it is")
        write_atomically(path, key.lines().encode(), mode=0o600)
    except OSError as error:
        raise CoursefsError(f"cannot write {path}: {error.strerror}") from None
    return key


def _text(key: bytes) -> str:
    return base64.urlsafe_b64encode(key).decode().rstrip("=")


def _bytes(text: str) -> bytes | None:
    text = text.strip()
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if len(key) == _SIZE else None
