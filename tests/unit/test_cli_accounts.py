"""`login`, `logout` and `accounts`: what is kept, what is said, and that no secret is ever said."""

from __future__ import annotations

import io
import json
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from coursefs.cli.main import main
from coursefs.errors import CoursefsError, NotSignedIn, Unreachable
from coursefs.model import Identity
from coursefs.providers.base import Account
from coursefs.providers.coursera.platform import PLATFORM
from coursefs.settings.config import add_account, load
from coursefs.settings.credentials import Credentials
from coursefs.settings.paths import app_paths
from coursefs.transport import Transport

SECRET = "s3cret-cookie-value"
CAUTH = ["login", "coursera", "--cauth", SECRET]


@dataclass
class Platform:
    """A provider that knows one cookie, and remembers with what it was asked."""

    cauth: str = SECRET
    name: str | None = "Ada Lovelace"
    expires: float | None = None
    trouble: CoursefsError | None = None
    asked: list[Account] = field(default_factory=list)

    def __call__(self, account: Account, transport: Transport) -> Platform:
        self.asked.append(account)
        return self

    async def whoami(self) -> Identity:
        if self.trouble is not None:
            raise self.trouble
        if self.asked[-1].secrets["cauth"] != self.cauth:
            raise NotSignedIn("coursera: the sign-in is no longer accepted")
        return Identity("42", self.name, self.expires)


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> Platform:
    platform = Platform()
    own = replace(PLATFORM, create=platform)  # type: ignore[arg-type]  # only `whoami` is asked here
    monkeypatch.setattr("coursefs.providers.registry.platform", {"coursera": own}.__getitem__)
    return platform


def secrets(account: str = "coursera") -> dict[str, str]:
    return Credentials(app_paths()).load(account)


def nothing_kept() -> bool:
    return not app_paths().config_file.exists() and not app_paths().data_dir.exists()


def records(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    capsys.readouterr()
    assert main(["accounts", "--json"]) == 0
    shown: list[dict[str, object]] = json.loads(capsys.readouterr().out)
    return shown


# --- login


def test_a_cookie_that_the_platform_accepts_is_kept(platform: Platform, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(CAUTH) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        f"coursera: signed in as Ada Lovelace; kept in {app_paths().credentials_dir}\n"
        "Coursera does not say when this sign-in expires, usually after a few weeks\n"
    )
    assert secrets() == {"cauth": SECRET, "user_id": "42"}
    assert SECRET not in app_paths().config_file.read_text()
    account = load(app_paths().config_file).accounts["coursera"]
    assert (account.provider, account.values) == ("coursera", {"base_url": "https://www.coursera.org"})
    assert platform.asked[0].settings == {"base_url": "https://www.coursera.org"}


def test_the_platform_is_asked_before_anything_is_kept(platform: Platform, capsys: pytest.CaptureFixture[str]) -> None:
    platform.cauth = "another"
    assert main(CAUTH) == 3
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("coursefs: coursera: the platform does not accept this sign-in")
    assert SECRET not in err
    assert nothing_kept()


def test_a_refused_cookie_leaves_the_one_before(platform: Platform) -> None:
    assert main(CAUTH) == 0
    before = app_paths().config_file.read_bytes()
    assert main(["login", "coursera", "--cauth", "mistyped", "--base-url", "https://other.example"]) == 3
    assert secrets() == {"cauth": SECRET, "user_id": "42"}
    assert app_paths().config_file.read_bytes() == before


def test_without_the_network_nothing_is_kept(platform: Platform, capsys: pytest.CaptureFixture[str]) -> None:
    platform.trouble = Unreachable("cannot reach www.coursera.org: connection failed")
    assert main(CAUTH) == 1
    assert capsys.readouterr().err == "coursefs: cannot reach www.coursera.org: connection failed\n"
    assert nothing_kept()


@pytest.mark.parametrize("way", ["environment", "standard input", "file", "option wins"])
def test_the_ways_to_give_the_cookie(
    way: str, platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["login", "coursera"]
    match way:
        case "environment":
            monkeypatch.setenv("COURSERA_CAUTH", SECRET)
        case "standard input":
            monkeypatch.setattr(sys, "stdin", io.StringIO(f"{SECRET}\n"))
            arguments += ["--cauth", "-"]
        case "file":
            line = f".coursera.org\tTRUE\t/\tTRUE\t{int(time.time()) + 864000}\tCAUTH\t{SECRET}\n"
            (tmp_path / "cookies.txt").write_text(f"# Netscape HTTP Cookie File\n{line}")
            arguments += ["--cookies", str(tmp_path / "cookies.txt")]
        case "option wins":
            monkeypatch.setenv("COURSERA_CAUTH", "old")
            arguments += ["--cauth", SECRET]
    assert main(arguments) == 0
    assert secrets()["cauth"] == SECRET


@pytest.mark.parametrize(
    ("arguments", "status", "reason"),
    [
        ([], 2, "no way to sign in given"),
        (["--cauth", "x", "--cookies", "y"], 2, "give only one way to sign in"),
        (["--cauth", "x", "--browser", "firefox"], 2, "give only one way to sign in"),
        (["--browser", "mosaic"], 2, "'mosaic' is not one of"),
        (["--email", "a@b.example"], 2, "--email and --password-stdin belong together"),
        (["--password-stdin"], 2, "--email and --password-stdin belong together"),
        (["--cauth", ""], 2, "empty"),
        (["--cookies", "/nonexistent/cookies.txt"], 2, "cannot read /nonexistent/cookies.txt: No such file"),
        (["--cookies", "/dev/null"], 1, "there are no cookies: nothing was given"),
        (["--cauth", SECRET, "--base-url", "http://www.coursera.org"], 2, "use https://"),
        (["--cauth", SECRET, "--base-url", "coursera"], 2, "not an http(s) address"),
        (["--cauth", SECRET, "--account", "../x"], 2, "is not an account name"),
    ],
)
def test_what_login_refuses_by_itself(
    arguments: list[str], status: int, reason: str, platform: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["login", "coursera", *arguments]) == status
    err = capsys.readouterr().err
    assert reason in err
    assert err.count("\n") == 1
    assert SECRET not in err
    assert platform.asked == []
    assert nothing_kept()


def test_the_end_of_a_sign_in_is_said_and_kept(platform: Platform, capsys: pytest.CaptureFixture[str]) -> None:
    platform.expires = 4102488000.7  # 2100-01-01 at noon
    platform.name = None
    assert main(CAUTH) == 0
    said = capsys.readouterr().err
    assert "signed in as 42 until 2100-01-01; kept in" in said
    assert "only the browser knows" not in said
    assert secrets()["expires"] == "4102488000"


def test_a_hostile_name_moves_no_cursor(platform: Platform, capsys: pytest.CaptureFixture[str]) -> None:
    platform.name = "\x1b]0;owned\x07Ada\n"
    assert main(CAUTH) == 0
    assert "\x1b" not in capsys.readouterr().err


def test_signing_in_again_keeps_what_the_settings_say(platform: Platform) -> None:
    file = app_paths().config_file
    file.parent.mkdir(parents=True)
    file.write_text('[accounts.uni]\nprovider = "coursera"\nbase_url = "http://127.0.0.1:9"  # here\nfolder = "Uni"\n')
    before = file.read_text()
    assert main([*CAUTH, "--account", "uni"]) == 0
    assert file.read_text() == before
    assert platform.asked[0].settings == {"base_url": "http://127.0.0.1:9"}
    assert main([*CAUTH, "--account", "uni", "--base-url", "https://example.org/"]) == 0
    assert file.read_text() == before.replace("http://127.0.0.1:9", "https://example.org")


def test_an_account_of_another_platform_is_not_taken_over(
    platform: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    add_account(app_paths().config_file, "coursera", {"provider": "panopto", "server": "https://campus.example.edu"})
    assert main(CAUTH) == 2
    assert "coursera is an account on panopto; give this one another name" in capsys.readouterr().err
    assert secrets() == {}


def test_wrong_settings_are_said_before_anything_is_asked(
    platform: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    app_paths().config_file.parent.mkdir(parents=True)
    app_paths().config_file.write_text("[cache]\nmax_sise = 1\n")
    assert main(CAUTH) == 2
    assert "config.toml:2: unknown key cache.max_sise (did you mean max_size?)" in capsys.readouterr().err
    assert platform.asked == []


# --- logout


def test_logout_forgets_the_secret_and_the_account(platform: Platform, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(CAUTH) == 0
    assert main([*CAUTH, "--account", "second"]) == 0
    assert main(["logout", "coursera"]) == 0
    assert list(load(app_paths().config_file).accounts) == ["second"]
    assert secrets() == {}
    assert secrets("second") == {"cauth": SECRET, "user_id": "42"}
    capsys.readouterr()
    assert main(["logout", "coursera"]) == 2
    assert capsys.readouterr().err == "coursefs: no account coursera; there is second\n"


def test_logout_forgets_a_secret_whose_account_was_taken_out_by_hand(platform: Platform) -> None:
    Credentials(app_paths()).save("old", {"cauth": SECRET})
    assert main(["logout", "old"]) == 0
    assert secrets("old") == {}


# --- accounts


def test_no_accounts(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["accounts"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "no accounts yet; add one: coursefs login\n"
    assert records(capsys) == []


def test_accounts_say_who_is_signed_in(
    platform: Platform, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, expires in {"open": None, "until": 4102488000.0, "ended": 946728000.0}.items():
        platform.expires = expires
        assert main([*CAUTH, "--account", name]) == 0
    add_account(app_paths().config_file, "never", {"provider": "coursera"})
    (app_paths().credentials_dir / "damaged.json").write_text("{")
    (app_paths().credentials_dir / "damaged.json").chmod(0o600)
    add_account(app_paths().config_file, "damaged", {"provider": "coursera"})
    capsys.readouterr()
    assert main(["accounts"]) == 0
    out, err = capsys.readouterr()
    assert [line.split(maxsplit=3) for line in out.splitlines()[:4]] == [
        ["ACCOUNT", "PROVIDER", "SERVER", "SIGNED IN"],
        ["open", "coursera", "https://www.coursera.org", "yes"],
        ["until", "coursera", "https://www.coursera.org", "until 2100-01-01"],
        ["ended", "coursera", "https://www.coursera.org", "ended 2000-01-01"],
    ]
    assert [line.split() for line in out.splitlines()[4:]] == [
        ["never", "coursera", "no"],
        ["damaged", "coursera", "unknown"],
    ]
    assert err == "coursefs: damaged: the stored sign-in is damaged; sign in again\n"
    assert SECRET not in out
    assert records(capsys) == [
        {"account": n, "provider": "coursera", "server": server, "signed_in": signed_in, "expires": expires}
        for n, server, signed_in, expires in [
            ("open", "https://www.coursera.org", True, None),
            ("until", "https://www.coursera.org", True, "2100-01-01T12:00:00+00:00"),
            ("ended", "https://www.coursera.org", False, "2000-01-01T12:00:00+00:00"),
            ("never", None, False, None),
            ("damaged", None, None, None),
        ]
    ]
