"""`coursefs login openedx`: what is asked of a person, tried and kept."""

from __future__ import annotations

import io
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from coursefs.cli.main import main
from coursefs.errors import NotSignedIn, RouteGone
from coursefs.model import Identity
from coursefs.providers.base import Account
from coursefs.providers.openedx.platform import PLATFORM
from coursefs.settings.config import add_account, load
from coursefs.settings.credentials import Credentials
from coursefs.settings.paths import app_paths
from coursefs.transport import Transport

SERVER = "https://lms.example.com"
LOGIN = ["login", "openedx", "--server", SERVER]


@dataclass
class Platform:
    """A provider that accepts every sign-in, and remembers with what."""

    accepts: bool = True
    is_other: bool = False  # not an Open edX
    asked: list[Account] = field(default_factory=list)
    passwords: list[dict[str, str]] = field(default_factory=list)

    def __call__(self, account: Account, transport: Transport) -> Platform:
        self.asked.append(account)
        return self

    async def whoami(self) -> Identity:
        if self.is_other:
            raise RouteGone("whoami: the platform does not have this route (HTTP 404)")
        if not self.accepts:
            raise NotSignedIn("refused")
        return Identity("ada", "Ada Lovelace")

    async def sign_in(self, transport: Transport, server: str, **given: str) -> dict[str, str]:
        self.passwords.append({"server": server, **given})
        return {"access_token": "tok", "token_kind": "JWT", "refresh_token": "ref"}


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> Platform:
    platform = Platform()
    own = replace(PLATFORM, create=platform)  # type: ignore[arg-type]  # only `whoami` is asked here
    monkeypatch.setattr("coursefs.providers.registry.platform", {"openedx": own}.__getitem__)
    monkeypatch.setattr("coursefs.providers.openedx.sign_in.secrets_from_password", platform.sign_in)
    return platform


def type_in(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def test_a_password_is_given_away_for_tokens_and_not_kept(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    type_in(monkeypatch, "p4ss word\n")
    assert main([*LOGIN, "--client-id", "app", "--username", "ada@example.com", "--password-stdin"]) == 0
    (given,) = platform.passwords
    assert given == {
        "server": SERVER,
        "username": "ada@example.com",
        "password": "p4ss word",
        "client_id": "app",
        "client_secret": "",
        "token_type": "jwt",
    }
    kept = Credentials(app_paths()).load("openedx")
    assert kept == {"access_token": "tok", "token_kind": "JWT", "refresh_token": "ref", "user_id": "ada"}
    account = load(app_paths().config_file).accounts["openedx"]
    assert account.provider == "openedx"
    assert account.values == {"server": SERVER, "client_id": "app", "username": "ada@example.com"}
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("openedx: signed in as Ada Lovelace; kept in ")
    for file in app_paths().data_dir.rglob("*"):
        assert file.is_dir() or "p4ss" not in file.read_text()


def test_the_secret_of_an_application_is_kept(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    type_in(monkeypatch, "s3cret\n")
    assert main([*LOGIN, "--account", "uni", "--client-id", "svc", "--client-secret-stdin"]) == 0
    assert Credentials(app_paths()).load("uni") == {"client_secret": "s3cret", "user_id": "ada"}
    assert platform.passwords == []


def test_a_secret_and_a_password_are_two_lines(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    type_in(monkeypatch, "s3cret\r\np4\x0bss\n")
    login = [*LOGIN, "--client-id", "app", "--username", "ada", "--client-secret-stdin", "--password-stdin"]
    assert main(login) == 0
    assert (platform.passwords[0]["client_secret"], platform.passwords[0]["password"]) == ("s3cret", "p4\x0bss")


def test_cookies_of_a_browser(platform: Platform, tmp_path: Path) -> None:
    file = tmp_path / "cookies.txt"
    file.write_text("lms.example.com\tFALSE\t/\tTRUE\t0\tsessionid\tabc\n")
    assert main([*LOGIN, "--cookies", str(file)]) == 0
    assert Credentials(app_paths()).load("openedx") == {"cookies": "sessionid=abc", "user_id": "ada"}


def test_a_server_without_https_is_meant_with_it(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    type_in(monkeypatch, "p4ss")
    server = SERVER.removeprefix("https://")
    assert main(["login", "openedx", "--server", server, "--username", "ada", "--password-stdin"]) == 0
    assert platform.passwords[0]["server"] == SERVER


def test_to_sign_in_again_takes_what_is_known(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"provider": "openedx", "server": SERVER, "client_id": "app", "username": "ada", "token_type": "bearer"}
    add_account(app_paths().config_file, "openedx", {**values, "folder": "edX"})
    type_in(monkeypatch, "p4ss")
    assert main(["login", "openedx", "--password-stdin"]) == 0
    assert {**platform.passwords[0], "password": ""} == {
        "server": SERVER,
        "username": "ada",
        "password": "",
        "client_id": "app",
        "client_secret": "",
        "token_type": "bearer",
    }
    assert load(app_paths().config_file).accounts["openedx"].folder == "edX"


def test_what_the_platform_refuses_is_not_kept(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    platform.accepts = False
    type_in(monkeypatch, "s3cret")
    assert main([*LOGIN, "--client-id", "svc", "--client-secret-stdin"]) == 3
    assert not app_paths().config_file.exists() and not app_paths().data_dir.exists()
    assert "s3cret" not in capsys.readouterr().err


def test_a_server_of_another_kind_is_called_one(
    platform: Platform, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    platform.is_other = True
    (tmp_path / "cookies").write_text("sessionid=abc")
    assert main([*LOGIN, "--cookies", str(tmp_path / "cookies")]) == 1
    err = capsys.readouterr().err
    assert err == f"coursefs: {SERVER} does not look like an Open edX server; nothing was kept\n"


@pytest.mark.parametrize("below", ["/", "/dashboard", "/courses/course-v1:a+b+c/course/?x#y"])
def test_the_address_of_any_page_is_cleaned(platform: Platform, tmp_path: Path, below: str) -> None:
    (tmp_path / "cookies").write_text("Cookie: sessionid=abc")
    for server in (SERVER, SERVER.removeprefix("https://"), "https://apps.lms.example.com"):
        if server.startswith("https://apps") and "course" not in below:
            continue
        assert main(["login", "openedx", "--server", server + below, "--cookies", str(tmp_path / "cookies")]) == 0
        assert load(app_paths().config_file).accounts["openedx"].values["server"] == SERVER


@pytest.mark.parametrize(
    ("arguments", "typed", "said"),
    [
        (["--server", SERVER], "", "no way to sign in given"),
        (["--username", "ada", "--password-stdin"], "x", "--server is missing"),
        (["--server", "http://lms.example.com", "--username", "a", "--password-stdin"], "x", "use https://"),
        (["--server", SERVER, "--password-stdin"], "x", "--password-stdin needs --username"),
        (["--server", SERVER, "--client-secret-stdin"], "x", "needs --client-id"),
        (["--server", SERVER, "--username", "a", "--password-stdin"], "", "holds no password"),
        (["--server", SERVER, "--username", "a", "--client-id", "i", "--password-stdin", "--client-secret-stdin"],
         "s3cret\n", "holds no password"),
        (["--server", SERVER, "--cookies", "x", "--username", "a", "--password-stdin"], "x", "either --cookies or"),
        (["--server", SERVER, "--cookies", "/nowhere"], "", "cannot read /nowhere"),
        (["--server", SERVER, "--account", "a/b", "--cookies", "x"], "", "is not an account name"),
    ],
)  # fmt: skip
def test_what_is_missing_is_said(
    platform: Platform,
    arguments: list[str],
    typed: str,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    type_in(monkeypatch, typed)
    assert main(["login", "openedx", *arguments]) == 2
    assert said in capsys.readouterr().err
    assert not app_paths().config_file.exists()


def test_an_account_on_another_platform_is_left_alone(platform: Platform, capsys: pytest.CaptureFixture[str]) -> None:
    add_account(app_paths().config_file, "openedx", {"provider": "coursera"})
    assert main([*LOGIN, "--cookies", "x"]) == 2
    assert "openedx is an account on coursera" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("key", "value", "fine"),
    [
        ("server", '"https://lms.example.com"', True),
        ("server", '"lms.example.com"', True),
        ("server", '"http://lms.example.com"', False),
        ("client_id", '"abc"', True),
        ("client_id", '"a b"', False),
        ("username", '"물리"', True),
        ("username", "7", False),
        ("token_type", '"bearer"', True),
        ("token_type", '"basic"', False),
        ("client_secret", '"x"', False),
        ("base_url", '"https://lms.example.com"', False),
    ],
)
def test_keys_of_the_settings(key: str, value: str, fine: bool, capsys: pytest.CaptureFixture[str]) -> None:
    file = app_paths().config_file
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f'[accounts.edx]\nprovider = "openedx"\n{key} = {value}\n')
    assert main(["accounts"]) == (0 if fine else 2)
    assert fine or key in capsys.readouterr().err
