"""How an error that ends a process is told."""

from __future__ import annotations

import errno
import logging
import re
import sqlite3
import traceback
from pathlib import Path

import pytest

from coursefs.base import crash_messages
from coursefs.base.crash_messages import Defect, log_unforeseen, told
from coursefs.daemon.readiness import Readiness
from coursefs.daemon.serve import DaemonOptions, run
from coursefs.errors import CoursefsError, Gone
from coursefs.library import AccountSource, LibrarySettings
from coursefs.model import Wanted
from coursefs.mount.options import MountOptions

SECRET = "https://cdn.example/?Signature=s3cret"


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (Gone("it is gone"), "it is gone"),
        (PermissionError(errno.EACCES, "Permission denied", "/x/lock"), "/x/lock: Permission denied"),
        (sqlite3.OperationalError("disk I/O error"), "a database of coursefs cannot be used: disk I/O error"),
        (ExceptionGroup("", [ExceptionGroup("", [Gone("it is gone")])]), "it is gone"),
    ],
)
def test_what_a_person_can_act_on_keeps_its_words(error: Exception, says: str) -> None:
    found = told(error)
    assert str(found) == says and not isinstance(found, Defect)


@pytest.mark.parametrize("error", [KeyError(SECRET), OSError(SECRET), OSError(errno.EBADF, SECRET)])
def test_an_unexpected_error_is_named_only_by_its_kind(error: Exception) -> None:
    for one in (error, ExceptionGroup("", [Gone("it is gone"), error])):
        found = told(one)
        assert isinstance(found, Defect)
        assert str(found).startswith(f"unexpected {type(error).__name__}") and "s3cret" not in str(found)


def test_the_starter_of_a_mount_is_not_told_the_text_of_a_defect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Listener(Readiness):
        said: CoursefsError | None = None

        def failed(self, error: CoursefsError) -> None:
            self.said = error

    def fail() -> None:
        raise KeyError(SECRET)

    monkeypatch.setattr("coursefs.daemon.serve.require_fuse", fail)
    listener = Listener()
    library = LibrarySettings(tmp_path / "catalogue", tmp_path / "cache", [], Wanted())
    with pytest.raises(KeyError):
        run(DaemonOptions(library, tmp_path, MountOptions(), [tmp_path]), listener)
    assert str(listener.said).startswith("unexpected KeyError at serve.py:")


def test_secrets_are_in_no_repr() -> None:
    account = AccountSource("coursera", "coursera", {}, {"cauth": "s3cret"})
    settings = LibrarySettings(Path("/a"), Path("/b"), [account], Wanted())
    daemon_options = DaemonOptions(settings, Path("/c"), MountOptions(), [Path("/d")])
    assert "s3cret" not in f"{account}{settings}{daemon_options}"
    assert "s3cret" not in "".join(traceback.format_exception(ValueError(account)))


@pytest.mark.logs
def test_the_text_of_an_unexpected_error_is_never_logged(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("coursefs.test")
    url = "https://cdn.example/a.mp4?Signature=s3cret"
    with caplog.at_level(logging.DEBUG, "coursefs"):
        try:
            raise ValueError(url)
        except ValueError as error:
            group = ExceptionGroup(url, [error])
            log_unforeseen(log, "asking", group)
    assert "asking: unexpected ValueError" in caplog.text
    assert "test_crash_messages.py" in caplog.text, "with -v it says where"
    assert "s3cret" not in caplog.text


def test_nothing_logs_the_text_of_an_error_by_its_traceback() -> None:
    """`log.exception` and `exc_info` write it; `log_unforeseen` does not."""
    package = Path(crash_messages.__file__).parent
    found = [
        f"{path.relative_to(package)}:{number}"
        for path in package.rglob("*.py")
        if "demo" not in path.parts
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(r"\blog\.exception\(|exc_info=|format_exception\(", line)
    ]
    assert found == []
