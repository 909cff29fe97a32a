"""The cookies of a browser, read by the library that people install for it."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from coursefs.base.installation import Installation, command_for
from coursefs.cli.main import main
from coursefs.errors import CoursefsError
from coursefs.providers.kit.cookies import BROWSERS, browser_cookies, browsers_with
from coursefs.settings.credentials import Credentials
from coursefs.settings.paths import app_paths
from tests.unit.test_cli_accounts import SECRET, Platform, platform

__all__ = ["platform"]  # a fixture

NEXT_YEAR = int(time.time()) + 365 * 86_400


@pytest.fixture
def firefox(own_home: Path) -> Path:
    """A Firefox that is signed in to Coursera."""
    return profile_at(own_home / ".mozilla" / "firefox" / "x.default")


def profile_at(profile: Path) -> Path:
    profile.mkdir(parents=True)
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
    assert Credentials(app_paths()).load("coursera") == {"cauth": SECRET, "expires": str(NEXT_YEAR), "user_id": "42"}
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
    assert err == "coursefs: the cookies of firefox cannot be read: its database is damaged or locked\n"


def test_no_browser_of_that_name_here(own_home: Path) -> None:
    for browser in BROWSERS:
        with pytest.raises(CoursefsError, match=f"{browser} has no cookies here"):
            browser_cookies(browser, "coursera.org")


@pytest.mark.parametrize(
    ("browser", "folder"),
    [
        ("firefox", "snap/firefox/common/.mozilla/firefox/x.default"),
        ("firefox", ".var/app/org.mozilla.firefox/.mozilla/firefox/x.default"),
        ("librewolf", ".librewolf/x.default"),
        ("librewolf", ".var/app/io.gitlab.librewolf-community/.librewolf/x.default"),
    ],
)
def test_browsers_from_a_snap_or_a_flatpak(own_home: Path, browser: str, folder: str) -> None:
    profile_at(own_home / folder)
    found = browser_cookies(browser, "coursera.org")
    assert {(one.host, one.name) for one in found} == {("coursera.org", "CAUTH"), ("www.coursera.org", "__204u")}
    assert browsers_with("coursera.org", lambda one: one.name == "CAUTH") == [browser]
    assert browsers_with("elsewhere.example", lambda one: one.name == "CAUTH") == []


def test_the_cookies_of_chromium_without_a_keyring(own_home: Path) -> None:
    """Values that a Chromium without a keyring has encrypted with its fixed key."""
    aes = pytest.importorskip("yt_dlp.aes")
    profile = own_home / ".config" / "chromium" / "Default"
    profile.mkdir(parents=True)
    library = pytest.importorskip("yt_dlp.cookies")
    key = library.pbkdf2_sha1(b"peanuts", salt=b"saltysalt", iterations=1, key_length=16)
    padded = SECRET.encode() + bytes([16 - len(SECRET) % 16]) * (16 - len(SECRET) % 16)
    encrypted = b"v10" + bytes(aes.aes_cbc_encrypt(list(padded), list(key), [32] * 16))
    database = sqlite3.connect(profile / "Cookies")
    database.execute("CREATE TABLE meta (key, value)")
    database.execute("INSERT INTO meta VALUES ('version', '20')")
    database.execute("CREATE TABLE cookies (host_key, name, value, encrypted_value, path, expires_utc, is_secure)")
    row = (".coursera.org", "CAUTH", "", encrypted, "/", (NEXT_YEAR + 11_644_473_600) * 10**6, 1)
    database.execute("INSERT INTO cookies VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    database.commit()
    database.close()
    (found,) = browser_cookies("chromium", "coursera.org")
    assert (found.host, found.name, found.value) == ("coursera.org", "CAUTH", SECRET)
    assert found.expires == NEXT_YEAR


def test_without_the_library_it_is_said_what_to_type(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "yt_dlp", None)
    assert main(["login", "coursera", "--browser", "firefox"]) == 1
    err = capsys.readouterr().err
    assert err == f"coursefs: reading a browser's cookies needs one more package; type: {command_for('yt-dlp', 'x')}\n"
    assert browsers_with("coursera.org", lambda one: True) == []


@pytest.mark.parametrize(
    ("marks", "prefix", "package", "command"),
    [
        (["pipx_metadata.json"], "venvs/coursefs", "lib/site-packages/coursefs", "pipx inject coursefs yt-dlp"),
        (["uv-receipt.toml"], "tools/coursefs", "lib/x/coursefs", "uv tool install --with yt-dlp coursefs"),
        ([], "my venv", "lib/site-packages/coursefs", "'{prefix}/bin/python' -m pip install yt-dlp"),
        ([], "", "dist-packages/coursefs", "sudo apt install yt-dlp-deb"),
        ([], "", "local/lib/dist-packages/coursefs", "{prefix}/bin/python -m pip install --user yt-dlp"),
    ],
)
def test_the_command_fits_the_installation(
    tmp_path: Path, marks: list[str], prefix: str, package: str, command: str
) -> None:
    there = tmp_path / prefix if prefix else tmp_path
    there.mkdir(parents=True, exist_ok=True)
    for mark in marks:
        (there / mark).touch()
    where = Installation(there, tmp_path, f"{there}/bin/python", Path("/usr") / package)
    assert command_for("yt-dlp", "yt-dlp-deb", where) == command.format(prefix=there)


def test_the_library_is_imported_only_when_a_browser_is_read() -> None:
    program = (
        "import sys; from coursefs.cli.main import main; import coursefs.providers.kit.cookies as b;"
        "main(['login', 'coursera', '--help']); assert b.is_available(); "
        "print('yt_dlp' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stderr.strip() == "False"
