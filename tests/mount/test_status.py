"""`coursefs status` and the metrics of a real mount, beside what docs/status.md says of them."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.mount.program import PROGRAM
from tests.mount.test_life import VIDEO
from tests.mount.world import LIMIT, World, until

pytestmark = pytest.mark.mount

_DOC = Path(__file__).parents[2] / "docs" / "status.md"


def _fields(value: Any, name: str = "") -> Iterator[str]:
    match value:
        case dict():
            for key, inner in value.items():
                yield from _fields(inner, f"{name}.{key}" if name else key)
        case list():
            assert value, f"{name} is empty, so its fields cannot be compared"
            for inner in value:
                yield from _fields(inner, f"{name}[]")
        case _:
            yield name


def test_every_field_is_described_and_every_description_is_true(world: World, tmp_path: Path) -> None:
    config = Path(world.environment["XDG_CONFIG_HOME"]) / "coursefs" / "config.toml"
    world.login()
    shared = tmp_path / "shared"
    shared.mkdir()
    config.write_text(f'{config.read_text()}\n[network]\nread_timeout = "4s"\n[cache]\nshared = "{shared}"\n')
    world.run("cache", "shared", "key")
    world.platform.faults(removed=["onDemandReferences.v1"])  # a web page comes in its place, which is a surprise
    world.mount()
    world.path(VIDEO).stat()
    world.platform.faults(cdn_stall=True)
    with pytest.raises(OSError):
        world.path(VIDEO).read_bytes()
    with world.path(VIDEO).open("rb", buffering=0) as file:

        def read() -> None:
            with suppress(OSError):
                file.read(1)

        reader = threading.Thread(target=read)
        reader.start()
        fetch = threading.Thread(target=world.run, args=["fetch", world.path(VIDEO)], kwargs={"status": 1})
        fetch.start()
        until(lambda: bool(world.status()["transfers"] and world.status()["fetching"]), "something was fetched")
        status = world.status()
        reader.join()
        fetch.join()
        world.platform.faults()
    described = re.findall(r"^\| `([a-z_.\[\]]+)` \|", _DOC.read_text(), re.MULTILINE)
    assert set(_fields(status)) == set(described)
    assert len(described) == len(set(described))
    (account,) = status["accounts"]
    assert account["signed_in"] and account["server"] == world.platform.base_url
    assert status["reading"][0]["path"] == status["fetching"][0]["path"] == status["errors"][0]["path"] == VIDEO
    assert "no answer" in status["errors"][0]["message"]
    assert [one["command"] for one in status["transfers"]] == ["fetch"] and world.status()["transfers"] == []
    assert {host["host"] for host in status["hosts"]} == {"127.0.0.1"}
    said = world.run("status", world.mountpoint).stdout
    assert "signed in" in said and "recent errors:" in said and VIDEO in said


def test_metrics_on_the_socket_and_on_a_port(world: World) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = Path(world.environment["XDG_CONFIG_HOME"]) / "coursefs" / "config.toml"
    world.login()
    config.write_text(f"{config.read_text()}\n[metrics]\nport = {port}\n")
    world.mount()
    size = len(world.path(VIDEO).read_bytes())
    (control,) = Path(world.environment["XDG_RUNTIME_DIR"]).rglob("*.sock")
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(control))) as client:
        page = client.get("http://localhost/metrics")
        assert client.get("http://localhost/").status_code == 404
    assert page.headers["content-type"].startswith("text/plain; version=0.0.4")
    families = text_string_to_metric_families(page.text)
    values = {(one.name, *sorted(one.labels.items())): one.value for family in families for one in family.samples}
    assert values["coursefs_read_bytes_total",] == size
    assert values["coursefs_account_courses", ("account", "coursera"), ("provider", "coursera")] == 3
    open_to_all = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False)
    assert open_to_all.text.splitlines()[0] == page.text.splitlines()[0]
    assert VIDEO.split("/")[0] not in page.text
    world.umount()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        assert str(port) in world.run("mount", world.mountpoint, status=1).stderr


@pytest.mark.parametrize("columns", [50, 80, 200])
def test_watch_goes_on_until_ctrl_c(mounted: World, columns: int) -> None:
    with mounted.path(VIDEO).open("rb") as film:
        film.read(1)
        _watch(mounted, columns)


def _watch(mounted: World, columns: int) -> None:
    ours, terminal = pty.openpty()
    command = ["env", "--default-signal=INT", *PROGRAM, "status", "--watch"]
    command.append(str(mounted.mountpoint))
    environment = {**mounted.environment, "TERM": "xterm", "COLUMNS": str(columns)}
    with subprocess.Popen(command, stdout=terminal, stderr=subprocess.PIPE, env=environment) as process:
        os.close(terminal)
        said = bytearray()
        listener = threading.Thread(target=_hear, args=[ours, said])
        listener.start()
        until(lambda: said.count(b"process ") > 1, "it was said again")
        process.send_signal(signal.SIGINT)
        _, wrong = process.communicate(timeout=LIMIT)
        listener.join()
    os.close(ours)
    assert (process.returncode, wrong) == (0, b"")
    lines = re.split(r"\x1b\[[0-9;?]*[A-Za-z]|[\r\n]+", said.decode())
    assert max(map(len, lines)) <= columns
    assert any(re.search(r"up for \d+ s, process \d+$", line) for line in lines)
    assert any(re.match(r"    .*: at \d+%, \d+% of 2\.0 MiB cached$", line) for line in lines)
    assert "terminal" in mounted.run("status", "--watch", status=2).stderr


def _hear(descriptor: int, said: bytearray) -> None:
    """Take what a terminal shows until no process has it open any more."""
    with suppress(OSError):
        while part := os.read(descriptor, 65536):
            said += part


def test_verbose_says_of_each_read_whether_it_was_cached(world: World) -> None:
    world.login()
    world.run("-v", "mount", world.mountpoint)
    world.path(VIDEO).read_bytes()
    inode = world.path(VIDEO).stat().st_ino
    world.umount()
    world.run("-v", "mount", world.mountpoint)
    world.path(VIDEO).read_bytes()
    world.umount()
    first, *more = re.findall(rf"read inode={inode} offset=(\d+) length=\d+ cache=(\w+) missing=\d+ ms=", world.log)
    assert first == ("0", "miss")
    assert ("0", "hit") in more
    assert json.dumps(world.platform.cauth) not in world.log and world.platform.cauth not in world.log
    assert "request method=GET host=127.0.0.1 path=/" in world.log
    assert "Signature" not in world.log and "?" not in "".join(re.findall(r"path=\S+", world.log))


def test_the_doctor_of_a_mount_that_is_well_and_of_one_that_is_not(mounted: World) -> None:
    found, status = mounted.doctor()
    checks = {one["check"]: one["state"] for one in found}
    assert status == 0
    assert checks[f"mount {mounted.mountpoint}"] == "ok"
    assert checks["clock"] == checks["account coursera"] == checks["routes of coursera"] == checks["catalogue"] == "ok"
    assert mounted.platform.cauth not in json.dumps(found)
    mounted.platform.faults(refuse_sign_in=True)
    found, status = mounted.doctor()
    (ended,) = [one for one in found if one["check"] == "account coursera"]
    assert (status, ended["state"]) == (3, "sign-in") and "coursefs login coursera" in ended["advice"]
