"""The cookies of a browser, read by the library that people install for it."""

from __future__ import annotations

import gc
import sqlite3
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from coursefs.cli.browsers import BROWSERS, cookies_of
from coursefs.cli.main import main
from coursefs.credentials import Credentials
from coursefs.errors import CoursefsError
from coursefs.places import places
from tests.unit.test_cli_accounts import SECRET, Platform, platform

__all__ = ["platform"]  # a fixture

#: the library leaves a database open where it does not find what it looks for
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")

NEXT_YEAR = int(time.time()) + 365 * 86_400


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """What the library has left open is closed before the next test, which would be blamed for it."""
    yield
    gc.collect()


@pytest.fixture
def firefox(own_home: Path) -> Path:
    """A Firefox that is signed in to Coursera."""
    pytest.importorskip("browser_cookie3")
    folder = own_home / ".mozilla" / "firefox"
    profile = folder / "x.default"
    profile.mkdir(parents=True)
    (folder / "profiles.ini").write_text("[Profile0]\nName=default\nIsRelative=1\nPath=x.default\nDefault=1\n")
    database = sqlite3.connect(profile / "cookies.sqlite")
    database.execute("CREATE TABLE moz_cookies (host, path, isSecure, expiry, name, value, isHttpOnly)")
    for host, name, value in (
        (".coursera.org", "CAUTH", SECRET),
        (".evilcoursera.org", "CAUTH", "evil"),
        ("www.coursera.org", "__204u", "x"),
    ):
        row = (host, "/", 1, NEXT_YEAR, name, value, 1)
        database.execute("INSERT INTO moz_cookies VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    database.commit()
    database.close()
    return profile


def test_login_with_the_cookie_of_a_browser(
    platform: Platform, firefox: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["login", "coursera", "--browser", "firefox"]) == 0, capsys.readouterr()
    assert Credentials(places()).load("coursera") == {"cauth": SECRET, "expires": str(NEXT_YEAR), "user_id": "42"}
    assert SECRET not in "".join(capsys.readouterr())


def test_the_cookie_must_be_the_platforms_own(
    platform: Platform, firefox: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["login", "coursera", "--browser", "firefox", "--base-url", "https://www.elsewhere.example"]
    assert main(arguments) == 1
    assert "there is no CAUTH cookie for elsewhere.example in firefox" in capsys.readouterr().err
    assert platform.asked == []


def test_a_store_that_cannot_be_read(platform: Platform, firefox: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (firefox / "cookies.sqlite").write_bytes(b"this is no database, " + SECRET.encode())
    assert main(["login", "coursera", "--browser", "firefox"]) == 1
    err = capsys.readouterr().err
    assert err == "coursefs: the cookies of firefox cannot be read: DatabaseError\n"


def test_no_browser_of_that_name_here(own_home: Path) -> None:
    pytest.importorskip("browser_cookie3")
    with pytest.raises(CoursefsError, match="no cookies of firefox were found"):
        cookies_of("firefox", "coursera.org")


def test_without_the_library_it_is_said_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "browser_cookie3", None)
    assert main(["login", "coursera", "--browser", "firefox"]) == 1
    assert capsys.readouterr().err.count("pip install 'coursefs[browser]'") == 1


def test_the_library_knows_every_browser_that_we_name() -> None:
    library = pytest.importorskip("browser_cookie3")
    assert all(callable(getattr(library, browser)) for browser in BROWSERS)
