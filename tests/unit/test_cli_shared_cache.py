"""What `coursefs cache shared` and `coursefs serve-cache` say, and what they refuse."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from coursefs.cli.main import main
from coursefs.shared import SharedKey
from coursefs.shared.pieces import MOST_SEALED
from tests.engine.shared_tiers import claim, piece, sealed

Said = Callable[[], tuple[str, str]]


@pytest.fixture
def key(own_home: Path) -> SharedKey:
    """The key of this machine."""
    made = SharedKey.generated()
    path = own_home / ".config" / "coursefs" / "shared.key"
    path.parent.mkdir()
    path.write_text(made.lines())
    path.chmod(0o600)
    return made


@pytest.fixture
def folder(tmp_path: Path, own_home: Path, key: SharedKey) -> Path:
    """A shared cache, as the settings name it, with three pieces: one, two and three days old."""
    place = tmp_path / "courses"
    place.mkdir()
    settings(own_home, f'shared = "{place}"')
    for number in range(3):
        put(place, piece(number).name, sealed(number, key), days=number + 1)
    return place


def settings(home: Path, line: str) -> None:
    (home / ".config" / "coursefs" / "config.toml").write_text(f"[cache]\n{line}\n")


def put(folder: Path, name: str, data: bytes, *, days: float = 0.0) -> Path:
    path = folder / name[:2] / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    written = time.time() - days * 86400 - 60
    os.utime(path, (written, written))
    return path


def said(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> str:
    assert main([*arguments]) == status
    out, err = capsys.readouterr()
    return (out + err).strip()


def test_info(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "cache", "shared", "info") == f"3.0 MiB in 3 pieces in {folder}, the oldest from 3 days ago"
    found = json.loads(said(capsys, "cache", "shared", "info", "--json"))
    assert (found["place"], found["pieces"], found["bytes"]) == (str(folder), 3, 3 * MOST_SEALED)
    assert found["oldest"] == pytest.approx(3 * 86400 + 60, abs=30)


def test_verify(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "cache", "shared", "verify") == "3 good pieces, 0 bad"
    foreign = put(folder, piece(3).name, sealed(3, SharedKey.generated()))
    empty = put(folder, piece(4).name, b"")
    assert said(capsys, "cache", "shared", "verify", status=1) == "3 good pieces, 2 bad"
    assert foreign.exists()
    assert said(capsys, "cache", "shared", "verify", "--delete", status=1) == "3 good pieces, 2 bad, deleted"
    assert not foreign.exists() and not empty.exists()
    assert said(capsys, "cache", "shared", "verify") == "3 good pieces, 0 bad"


def test_trim_deletes_the_oldest(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dead, alive = put(folder, claim(7), b"", days=1), put(folder, claim(8), b"")
    trimmed = said(capsys, "cache", "shared", "trim", "--to", "2.5MiB")
    assert trimmed == "1 pieces with 1.0 MiB deleted; 2.0 MiB left"
    assert not (folder / piece(2).name[:2] / piece(2).name).exists()
    assert alive.exists() and not dead.exists()
    assert (
        said(capsys, "cache", "shared", "trim", "--older-than", "36h") == "1 pieces with 1.0 MiB deleted; 1.0 MiB left"
    )
    assert (folder / piece(0).name[:2] / piece(0).name).exists()
    assert "say how much is to be left" in said(capsys, "cache", "shared", "trim", status=2)


def test_other_files_in_the_folder_are_nobodys(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It may be the folder of a house, with the courses of others in it."""
    name = piece(5).name
    others = [
        put(folder, "cs lecture.mp4", b"x" * 1000),
        put(folder, "ab.claim", b"", days=9),
        put(folder, f"{name}.mp4", b"x" * 1000),
        put(folder, "cd.part", b"x", days=9),
    ]
    misplaced = folder / ("00" if name[:2] != "00" else "11") / name
    misplaced.parent.mkdir(exist_ok=True)
    misplaced.write_bytes(b"x")
    assert said(capsys, "cache", "shared", "verify", "--delete") == "3 good pieces, 0 bad"
    assert "3 pieces with 3.0 MiB deleted; 0 bytes left" in said(capsys, "cache", "shared", "trim", "--to", "0")
    assert [path.exists() for path in (*others, misplaced)] == [True] * 5


def test_temporary_files_of_killed_processes_are_deleted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = put(folder, f"{piece().name}.0123456789ab.part", b"x", days=1)
    new = put(folder, f"{piece().name}.0123456789ac.part", b"x")
    said(capsys, "cache", "shared", "info")
    assert new.exists() and not old.exists()


def test_a_folder_that_is_not_there_is_named(folder: Path, capsys: pytest.CaptureFixture[str], own_home: Path) -> None:
    settings(own_home, 'shared = "/nowhere"')
    for command in ("info", "verify"):
        assert said(capsys, "cache", "shared", command, status=1) == "coursefs: /nowhere: No such file or directory"


@pytest.mark.parametrize("place", ["https://cache.example.org", "dns-sd"])
def test_what_cannot_be_listed_is_named(
    place: str, key: SharedKey, own_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings(own_home, f'shared = "{place}"')
    answer = said(capsys, "cache", "shared", "info", status=2)
    assert f"{place} cannot be listed: run this on the machine that serves it" in answer


# -- serve-cache -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "status", "expected"),
    [
        (["/nowhere"], 2, "/nowhere is no folder; create it first: mkdir /nowhere"),
        (["--listen", "nonsense"], 2, "expected an address and a port, such as 0.0.0.0:8765"),
        (["--listen", "127.0.0.1:99999"], 2, "expected an address and a port"),
        (["--listen", "0.0.0.0:0"], 2, "set cache.shared_plain_http = true"),
        (["--listen", "127.0.0.1:0", "--announce"], 2, "--announce is for other machines"),
    ],
)
def test_serve_cache_says_what_is_wrong(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], status: int, expected: str
) -> None:
    answer = said(capsys, "serve-cache", *arguments, status=status)
    assert expected in answer
    assert "serving" not in answer


def test_serve_cache_needs_a_folder_and_a_key(own_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "type coursefs cache shared key" in said(capsys, "serve-cache", "/tmp", status=2)
    assert "created" in said(capsys, "cache", "shared", "key")
    assert "name the folder to serve: coursefs serve-cache /srv/shared" in said(capsys, "serve-cache", status=2)


def test_serve_cache_names_a_port_that_is_taken(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        answer = said(capsys, "serve-cache", "--listen", listen, status=1)
    assert answer == f"coursefs: --listen {listen}: Address already in use"


def test_serve_cache_names_certificates_that_are_none(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    issued = trustme.CA().issue_cert("localhost")
    cert, private, text = (str(tmp_path / name) for name in ("cert.pem", "key.pem", "text"))
    issued.cert_chain_pems[0].write_to_path(cert)
    issued.private_key_pem.write_to_path(private)
    Path(text).write_text("no certificate")
    for one, other in ((text, private), (cert, text), (private, cert)):
        answer = said(capsys, "serve-cache", "--listen", "127.0.0.1:0", "--tls-cert", one, "--tls-key", other, status=2)
        assert f"--tls-cert {one} is no certificate (PEM), or --tls-key {other} is not its key" in answer
        assert "serving" not in answer
    assert "belong together" in said(capsys, "serve-cache", "--tls-cert", cert, status=2)
    with_tls = ["serve-cache", "--tls-cert", cert, "--tls-key", private, "--announce"]
    assert "--announce goes without TLS" in said(capsys, *with_tls, status=2)
