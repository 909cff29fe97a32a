"""Secrets: who may read them, which store has them, and that no keyring can hold up a command."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked

from coursefs.errors import CoursefsError, NotSignedIn, UsageError
from coursefs.settings.credentials import Credentials, expiry
from coursefs.settings.paths import app_paths

SECRETS = {"cauth": "s3cret-välue", "expires": "1790000000"}


class Desktop(KeyringBackend):
    """A desktop keyring in memory."""

    priority = 5

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # the library has no types there
        self.kept: dict[tuple[str, str], str] = {}
        self.locked = False

    def get_password(self, service: str, username: str) -> str | None:
        self._open()
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self._open()
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        self._open()
        del self.kept[service, username]

    def _open(self) -> None:
        if self.locked:
            raise KeyringLocked("locked")


class Hanging(Desktop):
    """A keyring that waits for its password."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.release = threading.Event()
        self.ended = threading.Event()

    def _open(self) -> None:
        self.asked += 1
        self.release.wait(30.0)
        self.ended.set()
        raise KeyringLocked("no answer")


def _use(backend: KeyringBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyring, "get_keyring", lambda: backend)


@pytest.fixture
def desktop(monkeypatch: pytest.MonkeyPatch) -> Desktop:
    backend = Desktop()
    _use(backend, monkeypatch)
    return backend


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hanging]:
    backend = Hanging()
    _use(backend, monkeypatch)
    yield backend
    backend.release.set()
    assert not backend.asked or backend.ended.wait(5.0)


@pytest.fixture
def folder() -> Path:
    return app_paths().credentials_dir


def credentials(timeout: float = 30.0) -> Credentials:
    """A new object, as the next command has it."""
    return Credentials(app_paths(), keyring_timeout=timeout)


# --- files


def test_what_is_saved_is_loaded_by_the_next_command(folder: Path) -> None:
    assert credentials().load("coursera") == {}
    credentials().save("coursera", SECRETS)
    assert credentials().load("coursera") == SECRETS
    assert credentials().load("other") == {}
    assert credentials().where == str(folder)


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_only_the_owner_can_read_them_with_any_umask(mask: int, folder: Path) -> None:
    before = os.umask(mask)
    try:
        credentials().save("coursera", SECRETS)
    finally:
        os.umask(before)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [(file.name, file.stat().st_mode & 0o777) for file in folder.iterdir()] == [("coursera.json", 0o600)]


def test_saving_again_replaces_all_of_it() -> None:
    credentials().save("coursera", SECRETS)
    credentials().save("coursera", {"cauth": "new"})
    assert credentials().load("coursera") == {"cauth": "new"}


def test_deleting() -> None:
    credentials().save("coursera", SECRETS)
    assert credentials().delete("coursera")
    assert not credentials().delete("coursera")
    assert credentials().load("coursera") == {}


@pytest.mark.logs
def test_permissions_that_became_too_wide_are_mended_and_said(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    credentials().save("coursera", SECRETS)
    folder.chmod(0o755)
    (folder / "coursera.json").chmod(0o644)
    assert credentials().load("coursera") == SECRETS
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "coursera.json").stat().st_mode & 0o777 == 0o600
    assert len(caplog.messages) == 2
    assert "s3cret" not in caplog.text


@pytest.mark.logs
def test_an_open_folder_is_closed_before_a_secret_goes_into_it(folder: Path) -> None:
    folder.mkdir(parents=True, mode=0o755)
    folder.chmod(0o777)
    credentials().save("coursera", SECRETS)
    assert folder.stat().st_mode & 0o777 == 0o700


def test_another_users_folder_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    credentials().save("coursera", SECRETS)
    owner = folder.stat().st_uid
    with monkeypatch.context() as patch:
        patch.setattr("os.geteuid", lambda: owner + 1)
        with pytest.raises(CoursefsError, match="belongs to another user"):
            credentials().load("coursera")
        with pytest.raises(CoursefsError, match="belongs to another user"):
            credentials().save("coursera", {"cauth": "new"})
    assert credentials().load("coursera") == SECRETS


def test_a_link_in_the_place_of_a_file_is_not_followed(folder: Path, tmp_path: Path) -> None:
    folder.mkdir(parents=True, mode=0o700)
    (tmp_path / "elsewhere").write_text(json.dumps(SECRETS))
    (folder / "coursera.json").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CoursefsError, match="cannot read"):
        credentials().load("coursera")
    credentials().save("coursera", {"cauth": "mine"})
    assert json.loads((tmp_path / "elsewhere").read_text()) == SECRETS


def test_a_fifo_and_a_second_name_of_another_file_are_not_read(folder: Path, tmp_path: Path) -> None:
    folder.mkdir(parents=True, mode=0o700)
    (tmp_path / "elsewhere").write_text(json.dumps(SECRETS))
    (folder / "hard.json").hardlink_to(tmp_path / "elsewhere")
    os.mkfifo(folder / "fifo.json")
    for name in ("hard", "fifo"):
        with pytest.raises(CoursefsError, match="cannot read"):
            credentials().load(name)


def test_secrets_of_a_folder_of_another_user_are_not_taken(folder: Path, another_uid: int) -> None:
    credentials().save("coursera", SECRETS)
    os.chown(folder, another_uid, another_uid)
    with pytest.raises(CoursefsError, match="belongs to another user"):
        credentials().load("coursera")
    os.chown(folder, 0, 0)
    os.chown(folder / "coursera.json", another_uid, another_uid)
    with pytest.raises(CoursefsError, match="belongs to another user"):
        credentials().load("coursera")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"cauth": 1}', b'"text"', b'{"cauth": null}'])
def test_a_damaged_file_asks_for_a_new_sign_in(content: bytes, folder: Path) -> None:
    folder.mkdir(parents=True, mode=0o700)
    (folder / "coursera.json").write_bytes(content)
    (folder / "coursera.json").chmod(0o600)
    with pytest.raises(NotSignedIn, match="sign in again"):
        credentials().load("coursera")


@pytest.mark.parametrize("name", ["../escape", "a/b", "", ".."])
def test_a_name_cannot_leave_the_folder(name: str) -> None:
    with pytest.raises(UsageError, match="is not an account name"):
        credentials().load(name)
    with pytest.raises(UsageError, match="is not an account name"):
        credentials().save(name, SECRETS)
    with pytest.raises(UsageError, match="is not an account name"):
        credentials().delete(name)


# --- the keyring


def test_a_desktop_keyring_is_preferred(desktop: Desktop, folder: Path) -> None:
    credentials().save("coursera", SECRETS)
    assert not folder.exists()
    assert json.loads(desktop.kept["coursefs", "coursera"]) == SECRETS
    assert credentials().load("coursera") == SECRETS
    assert credentials().where == "the desktop keyring"
    assert credentials().delete("coursera")
    assert not credentials().delete("coursera")
    assert desktop.kept == {}


def test_a_separate_world_has_its_own_entries(desktop: Desktop) -> None:
    credentials().save("coursera", SECRETS)
    demo = Credentials(app_paths(below="demo"))
    assert demo.load("coursera") == {}
    demo.save("coursera", {"cauth": "demo"})
    assert credentials().load("coursera") == SECRETS
    assert demo.load("coursera") == {"cauth": "demo"}
    assert len(desktop.kept) == 1, "the keyring is asked for nothing"


def test_a_store_that_is_no_better_than_a_file_is_not_used(
    desktop: Desktop, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Desktop, "priority", 0.5)
    credentials().save("coursera", SECRETS)
    assert desktop.kept == {}
    assert (folder / "coursera.json").exists()


def test_a_keyring_that_hangs_is_waited_for_once_and_files_take_over(hanging: Hanging, folder: Path) -> None:
    store = credentials(timeout=0.01)
    store.save("coursera", SECRETS)
    assert store.load("coursera") == SECRETS
    store.save("coursera", {"cauth": "again"})
    assert store.where == str(folder)
    assert hanging.asked <= 1  # the machine may be too busy to have started it at all
    assert credentials(timeout=0.01).load("coursera") == {"cauth": "again"}


def test_a_locked_keyring_that_may_hold_the_secret_is_named(desktop: Desktop) -> None:
    credentials().save("coursera", SECRETS)
    desktop.locked = True
    with pytest.raises(NotSignedIn, match="keyring does not answer; unlock it"):
        credentials().load("coursera")
    with pytest.raises(CoursefsError, match="keyring does not answer; unlock it"):
        credentials().delete("coursera")
    desktop.locked = False
    assert credentials().load("coursera") == SECRETS


def test_the_newest_secret_wins_whichever_store_took_it(desktop: Desktop, folder: Path) -> None:
    credentials().save("coursera", {"cauth": "first"})
    desktop.locked = True
    credentials().save("coursera", {"cauth": "second"})
    desktop.locked = False
    assert credentials().load("coursera") == {"cauth": "second"}
    credentials().save("coursera", {"cauth": "third"})
    assert not (folder / "coursera.json").exists()
    assert credentials().load("coursera") == {"cauth": "third"}
    assert credentials().delete("coursera")
    assert credentials().load("coursera") == {}


def test_a_process_that_is_killed_between_keyring_and_file_leaves_the_newest_secret(
    desktop: Desktop, monkeypatch: pytest.MonkeyPatch
) -> None:
    desktop.locked = True
    credentials().save("coursera", {"cauth": "old"})
    desktop.locked = False

    def killed(*_: object) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Credentials, "_remove", killed)
        credentials().save("coursera", {"cauth": "new"})
    assert credentials().load("coursera") == {"cauth": "new"}


def test_no_secret_is_shown(desktop: Desktop) -> None:
    store = credentials()
    store.save("coursera", SECRETS)
    assert "s3cret" not in repr(store) + str(vars(store))


@pytest.mark.parametrize(
    ("secrets", "expected"),
    [
        ({}, None),
        ({"expires": "1790000000"}, 1.79e9),
        ({"expires": "soon"}, None),
        ({"expires": "nan"}, None),
        ({"expires": "1e300"}, None),
    ],
)
def test_expiry(secrets: dict[str, str], expected: float | None) -> None:
    assert expiry(secrets) == expected
