"""Where secrets are kept: the desktop keyring where one answers, else files that only their owner can read."""

from __future__ import annotations

import json
import logging
import os
import queue
import stat
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol, TypeVar

from coursefs.config_keys import account_name
from coursefs.errors import CoursefsError, NotSignedIn
from coursefs.files import write_atomically
from coursefs.places import Places

log = logging.getLogger(__name__)

_YEAR_9999 = 253370764800.0  # seconds since 1970; no calendar goes further

_Answer = TypeVar("_Answer")


class Keyring(Protocol):
    """What is used of a backend of the `keyring` library."""

    def get_password(self, service: str, username: str) -> str | None: ...
    def set_password(self, service: str, username: str, password: str) -> None: ...
    def delete_password(self, service: str, username: str) -> None: ...


class Credentials:
    """The secrets of one user's accounts: for each account a small mapping of texts.

    A keyring can be locked, hang, or be out of reach (a text console, cron).  It is asked with a limit of
    `keyring_timeout` seconds, and not again by this object once it has failed; secrets then go into files.  A file
    is there only while it is newer than what the keyring holds: it is read first, and removed when the keyring takes
    the secrets.

    Every method blocks (on files, and on the keyring up to its limit).
    """

    def __init__(self, places: Places, *, keyring_timeout: float = 5.0) -> None:
        self._folder = places.credentials_dir
        self._service = f"coursefs-{places.below}" if places.below else "coursefs"
        self._timeout = keyring_timeout
        self._keyring_failed = False

    @property
    def where(self) -> str:
        """Which store takes secrets now, for a person."""
        return "the desktop keyring" if self._ask(lambda _keyring: True) else str(self._folder)

    def load(self, account: str) -> dict[str, str]:
        """The secrets of this account; {} when there are none.

        Raises `NotSignedIn` when a keyring does not answer that may hold them, `CoursefsError` when the file cannot
        be trusted or read.
        """
        text = self._read(self._path(account))
        if text is None:
            text = self._ask(lambda keyring: keyring.get_password(self._service, account))
        if text is None:
            if self._keyring_failed:
                raise NotSignedIn(f"{account}: the desktop keyring does not answer; unlock it, or sign in again")
            return {}
        try:
            secrets = json.loads(text)
        except ValueError:
            secrets = None
        if not isinstance(secrets, dict) or not all(isinstance(value, str) for value in secrets.values()):
            raise NotSignedIn(f"{account}: the stored sign-in is damaged; sign in again")
        return secrets

    def save(self, account: str, secrets: Mapping[str, str]) -> None:
        """Keep these secrets in place of what was kept for the account.  Raises `CoursefsError`."""
        path = self._path(account)
        text = json.dumps(dict(secrets))

        def store(keyring: Keyring) -> bool:
            keyring.set_password(self._service, account, text)
            return True

        if self._ask(store):
            self._remove(path)
        else:
            self._write(path, text)

    def delete(self, account: str) -> bool:
        """Forget the secrets of this account everywhere; whether there were any."""
        path = self._path(account)

        def remove(keyring: Keyring) -> bool:
            if keyring.get_password(self._service, account) is None:
                return False
            keyring.delete_password(self._service, account)
            return True

        in_keyring = self._ask(remove)
        in_file = self._remove(path)
        if self._keyring_failed and not in_file:
            raise CoursefsError(f"{account}: the desktop keyring does not answer; unlock it and try again")
        return in_file or bool(in_keyring)

    # --- the keyring

    def _ask(self, question: Callable[[Keyring], _Answer]) -> _Answer | None:
        """The keyring's answer; None when there is no keyring or it fails, which is remembered."""
        if self._keyring_failed:
            return None
        answers: queue.SimpleQueue[_Answer | Exception | None] = queue.SimpleQueue()

        def work() -> None:
            try:
                keyring = _desktop_keyring()
                answers.put(question(keyring) if keyring else None)
            except Exception as error:  # backends raise whatever their library does
                answers.put(error)

        # a daemon thread: one that never comes back does not keep the process
        threading.Thread(target=work, name="keyring", daemon=True).start()
        try:
            answer = answers.get(timeout=self._timeout)
        except queue.Empty:
            answer = TimeoutError()
        if isinstance(answer, Exception):
            log.info("the desktop keyring failed: %s", type(answer).__name__)
            self._keyring_failed = True
            return None
        return answer

    # --- the files

    def _path(self, account: str) -> Path:
        return self._folder / f"{account_name(account)}.json"

    def _read(self, path: Path) -> str | None:
        """The text of a secret's file, None where there is none; too wide permissions are mended, and said."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise CoursefsError(f"cannot read {path}: {error.strerror}") from None
        with os.fdopen(descriptor, encoding="utf-8") as file:
            self._guard(path, os.fstat(file.fileno()), 0o600)
            self._guard(path.parent, path.parent.stat(), 0o700)
            try:
                return file.read()
            except (OSError, UnicodeDecodeError):
                raise CoursefsError(f"cannot read {path}") from None

    def _write(self, path: Path, text: str) -> None:
        try:
            self._folder.parent.mkdir(parents=True, exist_ok=True)
            self._folder.mkdir(mode=0o700, exist_ok=True)
            self._guard(self._folder, self._folder.stat(), 0o700)
            write_atomically(path, text.encode(), mode=0o600)
        except OSError as error:
            raise CoursefsError(f"cannot write {path}: {error.strerror}") from None

    def _remove(self, path: Path) -> bool:
        try:
            path.unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise CoursefsError(f"cannot remove {path}: {error.strerror}") from None
        return True

    def _guard(self, path: Path, status: os.stat_result, mode: int) -> None:
        """Refuse what belongs to somebody else; take away permissions that others have."""
        if status.st_uid != os.geteuid():
            raise CoursefsError(f"{path} belongs to another user; secrets are not kept there")
        if stat.S_IMODE(status.st_mode) & 0o077:
            path.chmod(mode)
            log.warning("%s was open to other users of this machine; it is not any more", path)


class AccountVault:
    """The secrets of one account; see `coursefs.providers.base.Vault`."""

    def __init__(self, credentials: Credentials, account: str) -> None:
        self._credentials = credentials
        self._account = account

    def load(self) -> Mapping[str, str]:
        """The secrets as they are kept now; see `Credentials.load`."""
        return self._credentials.load(self._account)

    def save(self, secrets: Mapping[str, str]) -> None:
        """Keep these in place of the ones that are kept; see `Credentials.save`."""
        self._credentials.save(self._account, secrets)


def expiry(secrets: Mapping[str, str]) -> float | None:
    """When the sign-in that these secrets make ends, seconds since 1970, where they say so (`expires`)."""
    try:
        seconds = float(secrets["expires"])
    except (KeyError, ValueError):
        return None
    return seconds if 0 < seconds < _YEAR_9999 else None


def _desktop_keyring() -> Keyring | None:
    """The keyring of the desktop session, None where there is none.

    keyring gives its desktop backends a priority of 1 and more; below are files with a password to type, "null" and
    "fail", which are not better than files of our own.
    """
    import keyring  # noqa: PLC0415  # slow to import (it asks D-Bus): only in the thread that may hang

    backend = keyring.get_keyring()
    return backend if backend.priority >= 1 else None
