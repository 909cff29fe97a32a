"""Credentials: secrets in the desktop keyring if one answers, else in files with mode 0600."""

from __future__ import annotations

import _thread
import json
import logging
import os
import queue
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol, TypeVar

from coursefs.base.atomic_files import usable_folder, write_atomically
from coursefs.base.safe_open import NotOurs, open_file
from coursefs.errors import CoursefsError, NotSignedIn
from coursefs.settings.config_keys import account_name
from coursefs.settings.paths import AppPaths

log = logging.getLogger(__name__)

_YEAR_9999 = 253370764800.0  # seconds since 1970; the last year that `datetime` knows

_Answer = TypeVar("_Answer")


class Keyring(Protocol):
    """The used part of a backend of the `keyring` library."""

    def get_password(self, service: str, username: str) -> str | None: ...
    def set_password(self, service: str, username: str, password: str) -> None: ...
    def delete_password(self, service: str, username: str) -> None: ...


class Credentials:
    """The secrets of one user's accounts: a small mapping of texts for each account.

    A keyring can be locked, hang, or be unreachable (a text console, cron). It is asked with a timeout of
    `keyring_timeout` seconds, and after a failure not again by this object; secrets then go into files. A file exists
    only if it is newer than the keyring's entry: it is read first, and removed when the keyring takes the secrets.

    Every method blocks (on files, and on the keyring up to its timeout).
    """

    def __init__(self, app_paths: AppPaths, *, keyring_timeout: float = 5.0) -> None:
        self._folder = app_paths.credentials_dir
        self._service = f"coursefs-{app_paths.below}" if app_paths.below else "coursefs"
        self._timeout = keyring_timeout
        self._asks_keyring = app_paths.below is None  # sample accounts need no keyring
        self._keyring_failed = False

    @property
    def where(self) -> str:
        """The store that takes secrets now, for a person."""
        return "the desktop keyring" if self._ask(lambda _keyring: True) else str(self._folder)

    def load(self, account: str) -> dict[str, str]:
        """The secrets of this account; {} if there are none.

        Raises `NotSignedIn` if a keyring that may hold them does not answer, and `CoursefsError` if the file cannot be
        read or is not private.
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
        except (ValueError, RecursionError):
            secrets = None
        if not isinstance(secrets, dict) or not all(isinstance(value, str) for value in secrets.values()):
            raise NotSignedIn(f"{account}: the stored sign-in is damaged; sign in again")
        return secrets

    def save(self, account: str, secrets: Mapping[str, str]) -> None:
        """Replace the secrets of the account. Raises `CoursefsError`."""
        path = self._path(account)
        text = json.dumps(dict(secrets))

        def store(keyring: Keyring) -> bool:
            keyring.set_password(self._service, account, text)
            return True

        # A file is read before the keyring, so it gets the new secrets first: a process that is killed before the file
        # is removed would leave the old ones in force.
        if path.exists():
            self._write(path, text)
        if self._ask(store):
            self._remove(path)
        else:
            self._write(path, text)

    def delete(self, account: str) -> bool:
        """Delete the secrets of this account everywhere; return whether there were any.

        Raises `CoursefsError` if the keyring does not answer.
        """
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
        """The keyring's answer; None if there is no keyring, or it fails now or has failed before."""
        if self._keyring_failed or not self._asks_keyring:
            return None
        answers: queue.SimpleQueue[_Answer | Exception | None] = queue.SimpleQueue()

        def work() -> None:
            try:
                keyring = _desktop_keyring()
                answers.put(question(keyring) if keyring else None)
            except Exception as error:  # a backend raises whatever exceptions its library has
                answers.put(error)

        # A raw thread does not keep the process alive if the keyring hangs. Not threading.Thread, whose `start` waits
        # for ever if the thread has no memory to report that it runs.
        _thread.start_new_thread(work, ())
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
        """The text of a secrets file, or None; permissions that are too wide are narrowed, with a warning."""
        try:
            folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise CoursefsError(f"cannot read {path}: {error.strerror}") from None
        try:
            self._guard(path.parent, folder, 0o700)
            # in the folder that was checked, even if its name now leads elsewhere
            descriptor = open_file(path.name, os.O_RDONLY, dir_fd=folder)
        except FileNotFoundError:
            return None
        except NotOurs as error:
            raise CoursefsError(f"cannot read {path}: it {error.strerror}; secrets are not taken from there") from None
        except OSError as error:
            raise CoursefsError(f"cannot read {path}: {error.strerror}") from None
        finally:
            os.close(folder)
        with os.fdopen(descriptor, encoding="utf-8") as file:
            self._guard(path, file.fileno(), 0o600)
            try:
                return file.read()
            except (OSError, UnicodeDecodeError):
                raise CoursefsError(f"cannot read {path}") from None

    def _write(self, path: Path, text: str) -> None:
        try:
            usable_folder(self._folder)
            folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                self._guard(self._folder, folder, 0o700)
            finally:
                os.close(folder)
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

    def _guard(self, path: Path, descriptor: int, mode: int) -> None:
        """Refuse a file of another user; remove the permissions of others."""
        status = os.fstat(descriptor)
        if status.st_uid != os.geteuid():
            raise CoursefsError(f"{path} belongs to another user; secrets are not kept there")
        if stat.S_IMODE(status.st_mode) & 0o077:
            os.fchmod(descriptor, mode)
            log.warning("%s was readable for other users of this machine; this is corrected", path)


class AccountVault:
    """The secrets of one account; see `coursefs.providers.base.Vault`."""

    def __init__(self, credentials: Credentials, account: str) -> None:
        self._credentials = credentials
        self._account = account

    def load(self) -> Mapping[str, str]:
        """The current secrets; see `Credentials.load`."""
        return self._credentials.load(self._account)

    def save(self, secrets: Mapping[str, str]) -> None:
        """Replace the secrets; see `Credentials.save`."""
        self._credentials.save(self._account, secrets)


def expiry(secrets: Mapping[str, str]) -> float | None:
    """When the sign-in with these secrets expires, seconds since 1970; None if they do not say."""
    try:
        seconds = float(secrets["expires"])
    except (KeyError, ValueError):
        return None
    return seconds if 0 < seconds < _YEAR_9999 else None


def _desktop_keyring() -> Keyring | None:
    """The keyring of the desktop session, or None.

    The keyring library gives desktop backends a priority of 1 or more. Those below are files with a password prompt,
    "null" and "fail", which are no better than our own files.
    """
    import keyring  # late, in the thread that may hang: the import is slow because it asks D-Bus

    backend = keyring.get_keyring()
    return backend if backend.priority >= 1 else None
