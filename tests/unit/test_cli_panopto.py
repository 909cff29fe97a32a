"""`login panopto`: every way in, against a sample server on a real socket; and that no secret is ever said."""

from __future__ import annotations

import io
import json
import re
import socket
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
import trio

from coursefs.cli.main import main
from coursefs.config import load
from coursefs.credentials import Credentials
from coursefs.demo.panopto.platform import Panopto
from coursefs.demo.panopto.signing_in import USER_CLIENT, WEB_CLIENT
from coursefs.demo.panopto.tree import Folder, holdings
from coursefs.places import places
from coursefs.providers import panopto, registry


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


@pytest.fixture
def campus(monkeypatch: pytest.MonkeyPatch) -> Iterator[Campus]:
    server = Panopto(holdings([Folder("0a1b2c3d-0000-4000-8000-00000000000f", "Biology")], []))
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
    monkeypatch.setattr(registry, "provider", {"panopto": panopto.provider}.__getitem__)
    yield Campus(server, address, port)
    trio.from_thread.run_sync(scope.cancel, trio_token=token)
    thread.join(10)


def typed(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))


def kept(account: str = "panopto") -> dict[str, str]:
    return Credentials(places()).load(account)


def browser(campus: Campus, monkeypatch: pytest.MonkeyPatch, *before: str) -> None:
    """Somebody whose browser opens the address and agrees; first it asks for `before`."""
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
    account = load(places().config_file).accounts["panopto"]
    assert (account.provider, dict(account.values)) == (
        "panopto",
        {"server": campus.server, "client_id": USER_CLIENT},
    )
    secrets = kept()
    assert secrets.keys() == {"access_token", "access_expires", "refresh_token", "client_secret", "user_id"}
    for secret in campus.all_secrets():
        assert secret not in err and secret not in places().config_file.read_text()


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
        """Standard input of somebody who opens what was printed, and pastes where it leads."""

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
    config = places().config_file
    config.write_text(config.read_text() + 'skip_folders = ["Users"]\n')
    before = kept()
    assert main(["login", "panopto", *port]) == 0
    assert kept()["refresh_token"] != before["refresh_token"]
    assert load(config).accounts["panopto"].values["skip_folders"] == "Users"


@pytest.mark.parametrize(
    ("client", "password", "says"),
    [
        (USER_CLIENT, "wrong", "does not accept this sign-in"),
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
    assert not places().config_file.exists() and not places().data_dir.exists()


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
    assert not places().config_file.exists()


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
