"""`coursefs login` as a person types it: on a terminal of 80 columns, up to the mounted courses."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import termios
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pexpect
import pytest

from coursefs.settings.config import add_account, load
from coursefs.settings.credentials import Credentials
from coursefs.settings.paths import app_paths
from tests.mount.program import PROGRAM
from tests.mount.world import LIMIT, World

pytestmark = pytest.mark.mount

COLUMNS = 80
NEXT_YEAR = int(time.time()) + 365 * 86_400


class Person:
    """A person who types on a terminal, and everything that it has shown."""

    def __init__(self, world: World, *arguments: str) -> None:
        self.child = pexpect.spawn(
            PROGRAM[0],
            [*PROGRAM[1:], *arguments],
            env=world.environment | {"TERM": "xterm"},
            dimensions=(24, COLUMNS),
            encoding="utf-8",
            timeout=LIMIT,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background job ignores it
        )
        self.shown = ""

    def sees(self, *texts: str) -> None:
        for text in texts:
            self.child.expect_exact(text)
            self.shown += self.child.before + self.child.after

    def types(self, text: str) -> None:
        self.child.sendline(text)

    def answers(self, question: str, text: str) -> None:
        self.sees(question)
        self.types(text)

    def number_of(self, row: str) -> str:
        """The number before a row of the list that is shown next."""
        self.child.expect(re.escape(row))
        self.shown += self.child.before + self.child.after
        return self.shown.rsplit("\n", 1)[1].split()[0]

    def ends(self, status: int = 0) -> str:
        """Wait for the end of the program; everything that the terminal has shown."""
        self.child.expect(pexpect.EOF)
        self.shown += self.child.before
        self.child.close()
        assert self.child.exitstatus == status, self.shown
        assert "Traceback" not in self.shown
        for line in self.shown.splitlines():
            assert len(line) <= COLUMNS or "://" in line or "/" in line or line.startswith("coursefs: "), line
        return self.shown


@pytest.fixture
def home(world: World, own_home: Path) -> Iterator[Path]:
    """The home of the user, who may mount at ~/courses."""
    world.mountpoint = own_home / "courses"
    yield own_home
    world.tidy()


def secrets(account: str) -> dict[str, str]:
    return Credentials(app_paths()).load(account)


def echoes(person: Person) -> bool:
    flags: list[Any] = termios.tcgetattr(person.child.child_fd)
    return bool(flags[3] & termios.ECHO)


def test_from_nothing_to_the_mounted_courses(world: World, home: Path) -> None:
    learner = world.platform.logins["openedx"]
    person = Person(world, "login")
    person.sees("Which platform?", "1  Coursera", "2  Open edX", "3  Panopto")
    person.answers("Number, or address [1]:", "not an address")
    person.sees("not an address: not an address; it is something like https://")
    person.answers("Number, or address [1]:", f"{learner['server']}/courses/course-v1:Demo+1+1/course/")
    person.sees(f"Open edX at {learner['server']}", "How do you want to sign in to Open edX:")
    person.types("7")
    person.sees("type a number from 1 to 3")
    person.types("1")
    person.answers("User name or e-mail address:", learner["username"])
    person.sees("Password (hidden):")
    assert not echoes(person)
    person.types(learner["password"])
    person.sees("openedx: signed in as Ada Learner")
    person.answers("Show your courses in ~/courses now? [Y/n]:", "")
    person.sees("coursefs umount", "next: ls ~/courses")
    assert learner["password"] not in person.ends()
    assert world.is_mounted and "How Bright?" in [path.name for path in world.mountpoint.iterdir()]


def test_a_wrong_password_says_so_and_what_to_type(world: World, home: Path) -> None:
    server, username = world.platform.logins["openedx"]["server"], world.platform.logins["openedx"]["username"]
    person = Person(world, "login", "openedx", "--server", f"{server}/dashboard", "--username", username)
    person.answers("Number [1]:", "")
    person.answers("Password (hidden):", "wr0ng")
    shown = person.ends(3)
    assert "wrong user name or password" in shown and "wr0ng" not in shown
    assert f"to try again, type: coursefs login openedx --server {server}" in shown


def test_an_address_in_place_of_the_platform(world: World, home: Path) -> None:
    server = world.platform.panopto["server"]
    person = Person(world, "login", f"{server}/Panopto/Pages/Viewer.aspx?id=7")
    person.sees("How do you want to sign in to Panopto:")
    person.child.sendintr()
    person.ends(130)
    assert not app_paths().config_file.exists()


def test_the_cookie_is_typed_hidden(world: World, home: Path) -> None:
    person = Person(world, "login", "coursera", "--base-url", world.platform.base_url)
    person.types(person.number_of("The value of the cookie CAUTH"))
    person.answers("CAUTH (hidden):", world.platform.cauth)
    person.answers("Show your courses in ~/courses now? [Y/n]:", "n")
    person.sees("next: coursefs mount ~/courses")
    assert world.platform.cauth not in person.ends()
    assert secrets("coursera")["cauth"] == world.platform.cauth
    assert not world.is_mounted


def test_a_mount_that_runs_shows_the_new_account(world: World, home: Path) -> None:
    learner = world.platform.logins["openedx"]
    world.login()
    world.mountpoint.mkdir()
    world.mount()
    person = Person(world, "login", "openedx")
    person.answers("Address of the school's Open edX, or of a course there:", learner["server"] + "/dashboard")
    person.answers("Number [1]:", "1")
    person.answers("User name or e-mail address:", learner["username"])
    person.answers("Password (hidden):", learner["password"])
    person.sees(f"your courses are in {world.mountpoint}")
    person.ends()
    assert "How Bright?" in os.listdir(world.mountpoint / "edX")


def test_a_browser_with_a_session_comes_first(world: World, home: Path) -> None:
    profile = home / ".mozilla" / "firefox" / "x.default"
    profile.mkdir(parents=True)
    with closing(sqlite3.connect(profile / "cookies.sqlite")) as database:
        database.execute("CREATE TABLE moz_cookies (host, path, isSecure, expiry, name, value, isHttpOnly)")
        row = ("127.0.0.1", "/", 1, NEXT_YEAR, "CAUTH", world.platform.cauth, 1)
        database.execute("INSERT INTO moz_cookies VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        database.commit()
    person = Person(world, "login", "coursera", "--base-url", world.platform.base_url)
    person.sees("1  The session of a browser on this machine (firefox)")
    person.types("")
    person.answers("now? [Y/n]:", "n")
    person.ends()
    assert secrets("coursera")["cauth"] == world.platform.cauth


def exported(world: World) -> str:
    """A JSON export of many cookies, pretty-printed: longer than a line of a terminal may be."""
    entry = {"domain": "127.0.0.1", "path": "/", "expirationDate": NEXT_YEAR, "httpOnly": True}
    other = [{**entry, "name": f"other{number}", "value": "x" * 200} for number in range(60)]
    return json.dumps([*other, {**entry, "name": "CAUTH", "value": world.platform.cauth}], indent=4)


def test_cookies_are_pasted_into_the_terminal(world: World, home: Path) -> None:
    person = Person(world, "login", "coursera", "--base-url", world.platform.base_url)
    person.types(person.number_of("Cookies that a browser add-on exports"))
    person.answers("File with the cookies (Enter: paste them here):", "/nowhere/cookies.txt")
    person.sees("/nowhere/cookies.txt: there is no such file")
    person.answers("File with the cookies (Enter: paste them here):", "")
    person.sees("Paste it here, then Enter (hidden):")
    person.types(exported(world))
    person.answers("now? [Y/n]:", "n")
    shown = person.ends()
    assert world.platform.cauth not in shown and "xxx" not in shown
    assert secrets("coursera")["cauth"] == world.platform.cauth


@pytest.mark.parametrize("form", ["cookies.txt", "header", "utf-16"])
def test_cookies_from_a_file_or_standard_input(world: World, home: Path, form: str) -> None:
    text = f"127.0.0.1\tFALSE\t/\tTRUE\t{NEXT_YEAR * 1000}\tCAUTH\t{world.platform.cauth}\r\n"
    if form == "header":
        text = f"Cookie: a=b; CAUTH={world.platform.cauth}"
    file = home / "cookies"
    file.write_bytes(text.encode("utf-16" if form == "utf-16" else "utf-8"))
    login = ["login", "coursera", "--base-url", world.platform.base_url, "--cookies"]
    world.run(*login, file)
    assert secrets("coursera")["cauth"] == world.platform.cauth
    if form != "utf-16":
        world.run("logout", "coursera")
        world.run(*login, "-", stdin=text)
        assert secrets("coursera")["cauth"] == world.platform.cauth


@pytest.mark.parametrize("key", ["\x03", "\x04"])
@pytest.mark.parametrize("question", ["Number [1]:", "CAUTH (hidden):"])
def test_ctrl_c_and_ctrl_d_leave_the_terminal_and_the_accounts_as_they_were(
    world: World, home: Path, question: str, key: str
) -> None:
    person = Person(world, "login", "coursera", "--base-url", world.platform.base_url)
    before = termios.tcgetattr(person.child.child_fd)
    if question != "Number [1]:":
        person.types(person.number_of("The value of the cookie CAUTH"))
    person.sees(question)
    person.child.send(key)
    person.child.expect(pexpect.EOF)
    after = termios.tcgetattr(person.child.child_fd)
    person.child.close()
    assert person.child.exitstatus == 130
    assert after[3] == before[3]
    assert not app_paths().config_file.exists()


def test_a_second_server_gets_an_account_of_its_own(world: World, home: Path) -> None:
    learner = world.platform.logins["openedx"]
    file = app_paths().config_file
    add_account(file, "openedx", {"server": "https://lms.example.com"})
    person = Person(world, "login", learner["server"] + "/courses/course-v1:a+b+c/")
    person.answers("Number [1]:", "1")
    person.answers("User name or e-mail address:", learner["username"])
    person.answers("Password (hidden):", learner["password"])
    person.answers("now? [Y/n]:", "n")
    person.ends()
    known = load(file).accounts
    assert known["openedx"].values["server"] == "https://lms.example.com"
    assert [one.values["server"] for name, one in known.items() if name != "openedx"] == [learner["server"]]


def test_without_a_terminal_nothing_is_asked(world: World, home: Path) -> None:
    said = world.run("login", status=2).stderr
    assert "which platform? coursera, openedx or panopto; for example: coursefs login coursera" in said
    said = world.run("login", "https://www.coursera.org/learn/a", status=2).stderr
    assert "no way to sign in given; use --cauth VALUE" in said and "for example: coursefs login coursera" in said
    said = world.run("login", "https://elsewhere.example.com/a/b", status=2).stderr
    assert "which platform is at https://elsewhere.example.com?" in said
