"""`login panopto`: every way in, against a sample server on a real socket; and that no secret is ever said."""

from __future__ import annotations

import io
import json
import re
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
import trio

from coursefs.cli.main import main
from coursefs.demo.panopto.platform import Panopto
from coursefs.demo.panopto.signing_in import USER_CLIENT, WEB_CLIENT
from coursefs.demo.panopto.tree import Folder, Recording, holdings
from coursefs.providers.kit.cookies import Cookie
from coursefs.settings.config import load
from coursefs.settings.credentials import Credentials
from coursefs.settings.paths import app_paths


@dataclass
class Campus:
    """A sample server in a thread of its own."""

    panopto: Panopto
    server: str
    port: int  # of the redirect URL that is registered
    opened: list[str] = field(default_factory=list)  # addresses that a browser was asked to open

    def secret(self, client: str) -> str:
        return self.panopto.sign_ins.clients[client].secret

    def all_secrets(self) -> set[str]:
        sign_ins = self.panopto.sign_ins
        return {sign_ins.password, *(one.secret for one in sign_ins.clients.values())}


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@contextmanager
def serving(server: Panopto) -> Iterator[Campus]:
    """The server in a thread of its own, as long as the context lasts."""
    port = free_port()
    server.sign_ins.redirects.add(f"http://localhost:{port}/redirect")
    ready, found = threading.Event(), []

    async def run() -> None:
        async with trio.open_nursery() as nursery:
            addresses = await nursery.start(server.serve)
            found.extend([trio.lowlevel.current_trio_token(), nursery.cancel_scope, addresses.server])
            ready.set()

    thread = threading.Thread(target=trio.run, args=(run,), daemon=True)
    thread.start()
    assert ready.wait(10)
    token, scope, address = found
    yield Campus(server, address, port)
    trio.from_thread.run_sync(scope.cancel, trio_token=token)
    thread.join(10)


@pytest.fixture
def campus(monkeypatch: pytest.MonkeyPatch) -> Iterator[Campus]:
    with serving(Panopto(holdings([Folder("0a1b2c3d-0000-4000-8000-00000000000f", "Biology")], []))) as it:
        yield it


def typed(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))


def kept(account: str = "panopto") -> dict[str, str]:
    return Credentials(app_paths()).load(account)


def browser(campus: Campus, monkeypatch: pytest.MonkeyPatch, *before: str) -> None:
    """A user whose browser opens the address and agrees; first it asks for `before`."""
    threads: list[threading.Thread] = []

    def visit(url: str) -> None:
        with httpx.Client(trust_env=False, timeout=10) as client:
            for path in before:
                client.get(f"http://127.0.0.1:{campus.port}{path}")
            client.get(url, follow_redirects=True)

    def opens(url: str) -> bool:
        campus.opened.append(url)
        threads.append(threading.Thread(target=visit, args=(url,), daemon=True))
        threads[-1].start()
        return True

    monkeypatch.setattr("webbrowser.open", opens)


def test_a_password_signs_in(
    campus: Campus, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed(monkeypatch, campus.secret(USER_CLIENT), campus.panopto.sign_ins.password)
    arguments = ["login", "panopto", "--server", campus.server, "--client-id", USER_CLIENT, "--client-secret-stdin"]
    assert main([*arguments, "--username", "learner", "--password-stdin"]) == 0
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("panopto: signed in as ") and err.count("\n") == 1
    account = load(app_paths().config_file).accounts["panopto"]
    assert (account.provider, dict(account.values)) == (
        "panopto",
        {"server": campus.server, "client_id": USER_CLIENT},
    )
    secrets = kept()
    assert secrets.keys() == {"access_token", "access_expires", "refresh_token", "client_secret", "user_id"}
    for secret in campus.all_secrets():
        assert secret not in err and secret not in app_paths().config_file.read_text()


def test_the_password_is_kept_only_where_nothing_else_renews_the_sign_in(
    campus: Campus, monkeypatch: pytest.MonkeyPatch
) -> None:
    campus.panopto.sign_ins.refreshes = False
    typed(monkeypatch, campus.secret(USER_CLIENT), campus.panopto.sign_ins.password)
    arguments = ["login", "panopto", "--server", campus.server, "--client-id", USER_CLIENT, "--client-secret-stdin"]
    assert main([*arguments, "--username", "learner", "--password-stdin"]) == 0
    assert kept()["password"] == campus.panopto.sign_ins.password
    campus.panopto.sign_ins.end_access()
    assert main(["courses", "list"]) == 0


def test_the_browser_signs_in(
    campus: Campus, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "client.json"
    file.write_text(
        f'{{\n "name": "mine",\n "client_id": "{WEB_CLIENT}",\n "client_secret": "{campus.secret(WEB_CLIENT)}",\n}}'
    )
    file.chmod(0o600)
    browser(campus, monkeypatch, "/favicon.ico", "/redirect", "/redirect?code=forged")
    arguments = ["login", "panopto", "--server", campus.server, "--credentials", str(file), "--port", str(campus.port)]
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert out == "" and "your browser opens this address" in err and "panopto: signed in as " in err
    assert "other users" not in err
    assert kept()["client_secret"] == campus.secret(WEB_CLIENT)
    for secret in campus.all_secrets():
        assert secret not in err


def test_a_forged_redirect_does_not_end_the_sign_in(campus: Campus, monkeypatch: pytest.MonkeyPatch) -> None:
    typed(monkeypatch, campus.secret(WEB_CLIENT))
    browser(campus, monkeypatch, "/redirect?code=forged&state=forged")
    arguments = ["login", "panopto", "--server", campus.server, "--client-id", WEB_CLIENT, "--client-secret-stdin"]
    assert main([*arguments, "--port", str(campus.port)]) == 0


def test_without_a_browser_the_address_is_copied(
    campus: Campus, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Pasting(io.StringIO):
        """Standard input of a user who opens what was printed, and pastes where it leads."""

        def readline(self, *arguments: object) -> str:  # type: ignore[override]
            line = super().readline()
            if line != "PASTE\n":
                return line
            url = re.search(r"^http\S+/authorize\?\S+$", capsys.readouterr().err, re.MULTILINE)
            assert url is not None
            return httpx.get(url[0], trust_env=False).headers["location"] + "\n"

    monkeypatch.setattr(sys, "stdin", Pasting(f"{campus.secret(WEB_CLIENT)}\nPASTE\n"))
    monkeypatch.setattr("webbrowser.open", pytest.fail)
    arguments = ["login", "panopto", "--server", campus.server, "--client-id", WEB_CLIENT, "--client-secret-stdin"]
    assert main([*arguments, "--no-browser"]) == 0
    assert kept()["refresh_token"]


def test_signing_in_again_needs_neither_server_nor_client(campus: Campus, monkeypatch: pytest.MonkeyPatch) -> None:
    typed(monkeypatch, campus.secret(WEB_CLIENT))
    browser(campus, monkeypatch)
    first = ["login", "panopto", "--server", campus.server, "--client-id", WEB_CLIENT, "--client-secret-stdin"]
    port = ["--port", str(campus.port)]
    assert main([*first, *port]) == 0
    config = app_paths().config_file
    config.write_text(config.read_text() + 'skip_folders = ["Users"]\n')
    before = kept()
    assert main(["login", "panopto", *port]) == 0
    assert kept()["refresh_token"] != before["refresh_token"]
    assert load(config).accounts["panopto"].values["skip_folders"] == "Users"


@pytest.mark.parametrize(
    ("client", "password", "says"),
    [
        (USER_CLIENT, "wrong", "wrong user name or password"),
        (WEB_CLIENT, None, "of another type"),
        ("nobody", None, "does not know this client id"),
    ],
)
def test_what_the_server_refuses_is_told_and_nothing_is_kept(
    client: str, password: str | None, says: str, campus: Campus, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    secret = campus.secret(client) if client != "nobody" else "x"
    typed(monkeypatch, secret, password or campus.panopto.sign_ins.password)
    arguments = ["login", "panopto", "--server", campus.server, "--client-id", client, "--client-secret-stdin"]
    assert main([*arguments, "--username", "learner", "--password-stdin"]) == 3
    err = capsys.readouterr().err
    assert says in err and err.count("\n") == 1
    assert not app_paths().config_file.exists() and not app_paths().data_dir.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--server", "https://campus.example"],
        ["--server", "http://campus.example", "--client-id", "x"],
        ["--client-id", "x"],
        ["--server", "https://campus.example", "--client-id", "two words"],
        ["--server", "https://campus.example", "--client-id", "x", "--credentials", "y"],
        ["--server", "https://campus.example", "--credentials", "/no/such/file"],
        ["--server", "https://campus.example", "--client-id", "x", "--username", "me"],
        ["--server", "https://campus.example", "--client-id", "x", "--password-stdin"],
        [
            "--server",
            "https://campus.example",
            "--client-id",
            "x",
            "--username",
            "me",
            "--password-stdin",
            "--no-browser",
        ],
        ["--server", "https://campus.example", "--client-id", "x", "--client-secret-stdin"],
        ["--server", "https://campus.example", "--client-id", "x", "--port", "80"],
        ["--server", "https://campus.example", "--client-id", "x", "--no-browser"],
    ],
)
def test_wrong_usage(arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    typed(monkeypatch)
    assert main(["login", "panopto", *arguments]) == 2
    assert not app_paths().config_file.exists()


def test_the_usual_credentials_file_is_found_and_its_permissions_are_looked_at(
    campus: Campus, own_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = own_home / ".panopto_tokens"
    file.write_text(json.dumps({"name": "x", "client_id": WEB_CLIENT, "client_secret": campus.secret(WEB_CLIENT)}))
    file.chmod(0o644)
    browser(campus, monkeypatch)
    assert main(["login", "panopto", "--server", campus.server, "--port", str(campus.port)]) == 0
    assert f"{file} can be read by other users" in capsys.readouterr().err


def test_a_port_that_is_taken_is_told(
    campus: Campus, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("webbrowser.open", pytest.fail)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", campus.port))
        taken.listen()
        arguments = ["login", "panopto", "--server", campus.server, "--client-id", WEB_CLIENT]
        assert main([*arguments, "--port", str(campus.port)]) == 1
    assert f"port {campus.port}" in capsys.readouterr().err


# --- with the cookies of a browser


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Campus]:
    """A server whose users may not make API clients."""
    biology = Folder("0a1b2c3d-0000-4000-8000-00000000000f", "Biology")
    lecture = Recording("0a1b2c3d-0000-4000-8000-00000000000e", "Lecture", biology.id, "2024-01-09T10:00:00Z", 60.0)
    with serving(Panopto(holdings([biology], [lecture]), offers_clients=False)) as it:
        yield it


def cookies_txt(campus: Campus, *, host: str = "127.0.0.1", csrf: bool = True, expires: str = "0") -> str:
    """A cookies.txt of a browser that is signed in."""
    cookies = campus.panopto.sign_ins.browser()
    names = [".ASPXAUTH", *(["csrfToken"] if csrf else [])]
    lines = [f"#HttpOnly_{host}\tFALSE\t/\tTRUE\t{expires}\t{name}\t{cookies[name]}" for name in names]
    other = f"{host}\tFALSE\t/\tTRUE\t0\tUserSettings\tvery-private"
    return "\n".join(["# Netscape HTTP Cookie File", *lines, other]) + "\n"


@pytest.mark.parametrize("csrf", [True, False])
def test_a_file_of_cookies_signs_in(
    closed: Campus, csrf: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "cookies.txt"
    file.write_text(cookies_txt(closed, csrf=csrf))
    assert main(["login", "panopto", "--server", closed.server, "--cookies", str(file)]) == 0
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("panopto: signed in as Ada Learner; kept in ")
    account = load(app_paths().config_file).accounts["panopto"]
    assert (account.provider, dict(account.values)) == ("panopto", {"server": closed.server})
    secrets = kept()
    assert secrets.keys() == {"aspxauth", "csrf_token", "user_id"}
    assert secrets["csrf_token"], "it goes with the cookie, also where the file did not have it"
    for secret in (secrets["aspxauth"], secrets["csrf_token"], "very-private"):
        assert secret not in err and secret not in app_paths().config_file.read_text()
    assert "very-private" not in str(secrets)
    assert main(["courses", "list"]) == 0
    assert "Biology" in capsys.readouterr().out


@pytest.mark.parametrize("pasted", ["{}", ".ASPXAUTH={};", '"{}"'])
def test_a_pasted_cookie_signs_in_and_is_not_said(
    closed: Campus, pasted: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    value = closed.panopto.sign_ins.browser()[".ASPXAUTH"]
    typed(monkeypatch, pasted.format(value))
    assert main(["login", "panopto", "--server", closed.server, "--aspxauth", "-"]) == 0
    assert value not in capsys.readouterr().err
    assert kept()["csrf_token"]


def test_a_browser_s_store_signs_in(
    closed: Campus, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cookies = closed.panopto.sign_ins.browser()
    found = [Cookie("127.0.0.1", None, name, value) for name, value in cookies.items()]
    monkeypatch.setattr("coursefs.providers.panopto.platform.browser_cookies", lambda *_: found)
    assert main(["login", "panopto", "--server", closed.server, "--browser", "firefox"]) == 0
    monkeypatch.setattr("coursefs.providers.panopto.platform.browser_cookies", lambda *_: [])
    assert main(["login", "panopto", "--server", closed.server, "--browser", "firefox"]) == 1
    err = capsys.readouterr().err
    assert "there is no cookie .ASPXAUTH of 127.0.0.1 in firefox" in err and "--cookies FILE" in err


def test_signing_in_again_with_a_cookie_needs_no_server_and_keeps_the_rest(
    campus: Campus, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed(monkeypatch, campus.secret(USER_CLIENT), campus.panopto.sign_ins.password)
    arguments = ["login", "panopto", "--server", campus.server, "--client-id", USER_CLIENT, "--client-secret-stdin"]
    assert main([*arguments, "--username", "learner", "--password-stdin"]) == 0
    before = load(app_paths().config_file)
    user = kept()["user_id"]
    typed(monkeypatch, campus.panopto.sign_ins.browser()[".ASPXAUTH"])
    assert main(["login", "panopto", "--aspxauth", "-"]) == 0
    assert load(app_paths().config_file) == before
    assert "access_token" not in kept()
    # a server without a recording does not say who is signed in
    assert kept()["user_id"] in {user, "learner"}


@pytest.mark.parametrize(
    ("text", "status", "says"),
    [
        ("other.example\tFALSE\t/\tTRUE\t0\t.ASPXAUTH\tX\n", 1, "no cookie .ASPXAUTH of 127.0.0.1"),
        ("127.0.0.1\tFALSE\t/\tTRUE\t1000000000\t.ASPXAUTH\tX\n", 3, "has ended"),
        ("127.0.0.1\tFALSE\t/\tTRUE\t0\t.ASPXAUTH\tFORGED\n", 3, "does not accept this sign-in; nothing was kept"),
        ("127.0.0.1\tFALSE\t/\tTRUE\t0\t.ASPXAUTH\ttwo words\n", 1, "is broken"),
    ],
)  # fmt: skip
def test_cookies_that_do_not_sign_in(
    closed: Campus, text: str, status: int, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "cookies.txt"
    file.write_text(text)
    assert main(["login", "panopto", "--server", closed.server, "--cookies", str(file)]) == status
    err = capsys.readouterr().err
    assert says in err and err.count("\n") == 1
    assert "FORGED" not in err and not app_paths().config_file.exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--cookies", "x"], "--server|server:"),
        (["--server", "https://campus.example", "--cookies", "x", "--aspxauth", "-"], "give only one way to sign in"),
        (["--server", "https://campus.example", "--cookies", "x", "--client-id", "y"], "not both"),
        (["--server", "https://campus.example", "--aspxauth", "-", "--no-browser"], "not both"),
        (["--server", "https://campus.example", "--cookies", "/no/such/file"], "cannot read"),
        (["--server", "https://campus.example", "--aspxauth", "-"], "is empty"),
        (["--server", "https://campus.example", "--aspxauth", "https://campus.example/x"], "a single long word"),
        (["--server", "https://campus.example", "--browser", "netscape"], "netscape"),
    ],
)
def test_wrong_usage_with_cookies(
    arguments: list[str], says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed(monkeypatch)
    assert main(["login", "panopto", *arguments]) == 2
    assert re.search(says, capsys.readouterr().err)
    assert not app_paths().config_file.exists()


def test_a_server_without_api_clients_says_so(
    closed: Campus, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed(monkeypatch, "x", "y")
    arguments = ["login", "panopto", "--server", closed.server, "--client-id", "z", "--client-secret-stdin"]
    assert main([*arguments, "--username", "learner", "--password-stdin"]) == 3
    assert "does not know this client id" in capsys.readouterr().err
