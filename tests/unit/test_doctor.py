"""What the doctor looks at, each thing well and ill; the whole of it against the demo platform is in tests/mount."""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path

import httpx
import pytest
import trio

from coursefs.cli.main import main
from coursefs.doctor import disk, machine
from coursefs.doctor.finding import Finding, Severity, exit_status
from coursefs.doctor.platforms import clock, is_dead, is_silent, mount_answers, platforms
from coursefs.doctor.shared import shared_cache
from coursefs.errors import NotSignedIn, Unreachable
from coursefs.library import AccountSource
from coursefs.model import Course, Identity, Outline, RouteState, Wanted
from coursefs.settings.config import Cache
from coursefs.settings.paths import app_paths
from coursefs.shared.keys import create_key, load_key
from coursefs.transport import Transport
from tests.engine.fakes import FakeProvider, made_by


def of(*states: Severity) -> int:
    return exit_status(Finding("x", state, "") for state in states)


def test_the_worst_decides_the_status() -> None:
    assert of() == of(Severity.OK, Severity.NOTE) == 0
    assert of(Severity.OK, Severity.SIGN_IN) == 3
    assert of(Severity.SIGN_IN, Severity.PROBLEM) == 1


def test_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = machine.device(tmp_path / "fuse")
    assert missing.state is Severity.PROBLEM and "modprobe fuse" in str(missing.advice)
    (tmp_path / "fuse").touch()
    assert machine.device(tmp_path / "fuse").state is Severity.OK
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machine.fusermount(False).state is Severity.PROBLEM
    assert machine.fusermount(True).state is Severity.NOTE
    (tmp_path / "fusermount3").touch(mode=0o755)
    assert machine.fusermount(False) == Finding("fusermount3", Severity.OK, str(tmp_path / "fusermount3"))
    assert "older than 4.20" in machine.kernel("4.19.0-5-amd64", tmp_path).message
    assert "fusectl" in str(machine.kernel("6.1.0", tmp_path).advice)
    assert machine.kernel("6.1.0", Path("/")) == Finding("kernel", Severity.OK, "6.1.0")
    conf = tmp_path / "fuse.conf"
    conf.write_text("# user_allow_other\n")
    assert "is not set" in machine.allow_other(conf).message
    conf.write_text("#x\nuser_allow_other # for the NAS\n")
    assert "is set" in machine.allow_other(conf).message


def test_a_machine_without_the_binding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert machine.binding().state is Severity.OK
    with monkeypatch.context() as gone:
        (tmp_path / "pyfuse3.py").write_text("raise ImportError('libfuse3.so.3: cannot open shared object file')")
        gone.delitem(sys.modules, "pyfuse3", raising=False)
        gone.syspath_prepend(tmp_path)
        assert "fuse3" in str(machine.binding().advice)
        assert main(["mount", "-f", str(tmp_path)]) == 1
        assert "libfuse cannot be loaded" in capsys.readouterr().err
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert "libfuse3-dev" in str(machine.binding().advice)


def test_folders(tmp_path: Path) -> None:
    assert disk.writable("x", tmp_path / "a" / "b").state is Severity.OK
    (tmp_path / "file").touch()
    wrong = disk.writable("x", tmp_path / "file" / "b")
    assert wrong.state is Severity.PROBLEM and "is not a folder" in wrong.message
    secrets = tmp_path / "my secrets"
    assert disk.private("x", secrets).state is Severity.OK
    secrets.mkdir(mode=0o700)
    (secrets / "a.json").touch(mode=0o644)
    wrong = disk.private("x", secrets)
    assert wrong.state is Severity.PROBLEM and f"'{secrets}'" in str(wrong.advice)
    (secrets / "a.json").chmod(0o600)
    assert disk.private("x", secrets).state is Severity.OK


def test_room(tmp_path: Path) -> None:
    assert disk.disk_space(tmp_path / "not" / "there", 0).state is Severity.OK
    assert "coursefs cache clear" in str(disk.disk_space(tmp_path, 2**60).advice)


def test_a_shared_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, place = tmp_path / "shared.key", tmp_path / "tier"
    cache = Cache(shared=str(place))
    assert shared_cache(Cache(), key) is None

    def found(cache: Cache) -> Finding:
        finding = shared_cache(cache, key)
        assert finding is not None
        return finding

    assert "needs a key" in found(cache).message and found(cache).advice == "coursefs cache shared key"
    create_key(key)
    assert "no such folder" in found(cache).message and str(found(cache).advice).startswith("sudo mkdir")
    place.mkdir()
    assert found(cache) == Finding("shared cache", Severity.OK, f"{place}, to take from and to fill")
    monkeypatch.setattr("os.access", lambda *_: False)
    assert "not writable" in found(cache).message
    key.write_text(load_key(key).reader.lines())
    assert found(cache).message.endswith("to take from only")
    assert "cannot be reached" in found(Cache(shared="http://127.0.0.1:1")).message


def test_databases(tmp_path: Path) -> None:
    path = tmp_path / "one.sqlite"
    assert disk.database("x", path, "again").state is Severity.OK
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE a (b)")
    database.close()
    assert disk.database("x", path, "again").state is Severity.OK
    path.write_bytes(b"no database at all" * 1000)
    assert disk.database("x", path, "again").state is Severity.PROBLEM


def test_the_clock() -> None:
    now = time.time()
    assert clock("x", None, now) is None
    assert clock("x", "yesterday", now) is None
    well, late = clock("x", formatdate(now + 60), now), clock("x", formatdate(now + 3600), now)
    assert well is not None and well.state is Severity.OK
    assert late is not None and late.state is Severity.PROBLEM and "60 minutes behind" in late.message


@dataclass
class Platform(FakeProvider):
    """A provider that says of its routes how they are."""

    said: Identity = field(default_factory=lambda: Identity("1", "Ada"))
    gone: list[RouteState] = field(default_factory=list)

    async def whoami(self) -> Identity:
        await super().whoami()
        return self.said

    def routes(self) -> Sequence[RouteState]:
        return self.gone


def ask(provider: Platform) -> list[Finding]:
    account = AccountSource("campus", "fake", {"server": "https://campus.example"}, {"token": "s3cret"})

    async def run() -> list[Finding]:
        answer = httpx.MockTransport(lambda _: httpx.Response(200, headers={"date": formatdate(time.time())}))
        async with Transport(http_transport=answer) as transport:
            return await platforms([account], Wanted(), transport, providers=made_by("fake", provider))

    return trio.run(run)


def test_an_account_that_is_well() -> None:
    course = Course("c", "c", "C")
    found = ask(Platform([course], {"c": Outline(())}, gone=[RouteState("video")]))
    assert [(one.check, one.state) for one in found] == [
        ("clock", Severity.OK),
        ("account campus", Severity.OK),
        ("routes of campus", Severity.OK),
    ]


def test_an_account_that_is_ill() -> None:
    (_, ended) = ask(Platform(failure=NotSignedIn("campus: it has ended")))
    assert ended.state is Severity.SIGN_IN and "coursefs login fake --account campus" in str(ended.advice)
    (_, away) = ask(Platform(failure=Unreachable("cannot reach campus.example")))
    assert away.state is Severity.PROBLEM and away.message == "cannot reach campus.example"
    (_, soon) = ask(Platform(said=Identity("1", expires=time.time() + 7000)))
    assert soon.state is Severity.NOTE and "expires in 2 hours" in soon.message
    *_, route = ask(Platform(gone=[RouteState("video (v1)", "404")]))
    assert (route.state, route.message) == (Severity.PROBLEM, "video (v1): 404")


def test_what_a_mount_has_met_of_its_platforms() -> None:
    routes = [{"name": "video (v1)", "trouble": "404"}, {"name": "outline", "trouble": None}]
    status = {"mountpoint": "/m", "pid": 7, "accounts": [{"name": "campus", "routes": routes}]}
    well, gone = mount_answers(status)
    assert (well.check, well.state) == ("mount /m", Severity.OK) and "process 7" in well.message
    assert (gone.state, gone.message) == (Severity.PROBLEM, "campus, video (v1): 404")


def test_a_mount_that_does_not_answer() -> None:
    for found in (is_silent(Path("/my courses")), is_dead(Path("/my courses"))):
        assert (found.state, found.advice) == (Severity.PROBLEM, "coursefs umount '/my courses'")


def test_a_route_that_is_replaced_by_another_is_no_problem() -> None:
    *_, fine, gone = ask(Platform(gone=[RouteState("video (v2)", "404"), RouteState("video (v1)")]))
    assert fine.state is Severity.OK
    assert (gone.state, gone.message, gone.advice) == (Severity.NOTE, "video (v2): 404; another one answers", None)


def test_settings_that_are_wrong_are_one_finding_among_others(capsys: pytest.CaptureFixture[str]) -> None:
    file = app_paths().config_file
    file.parent.mkdir(parents=True)
    file.write_text("[cache]\nmax_sise = 1\n")
    assert main(["doctor", "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert not said["ok"]
    (wrong,) = [one for one in said["checks"] if one["check"] == "settings"]
    assert "max_sise" in wrong["message"] and str(file) in wrong["advice"]
    checks = {one["check"] for one in said["checks"]}
    assert {"FUSE device", "disk space"} < checks
    assert "accounts" not in checks, "nothing is known of them"


def test_lines_for_a_person(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_DEVICE", Path("/dev/no-fuse"))
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "PROBLEM  FUSE device: /dev/no-fuse is missing"
    assert out[1].startswith("         -> sudo modprobe fuse")


def test_a_browser_that_may_not_read_every_folder_is_noted(tmp_path: Path) -> None:
    snap, flatpak = tmp_path / "snap", tmp_path / "flatpak"
    for folder, name in ((snap, "firefox_firefox.desktop"), (flatpak, "org.mozilla.firefox.desktop")):
        folder.mkdir()
        (folder / name).touch()
    sandboxed = {"Snap": [snap], "Flatpak": [flatpak]}
    for name, kind in (("firefox_firefox.desktop", "Snap"), ("org.mozilla.firefox.desktop", "Flatpak")):
        (found,) = machine.browser(name, sandboxed)
        assert (found.state, found.advice) == (Severity.NOTE, "coursefs open")
        assert kind in found.message
    assert [one.message for one in machine.browser(f"{snap}/firefox", sandboxed)]
    for name in ("firefox.desktop", "", "/usr/bin/firefox_firefox.desktop"):
        assert list(machine.browser(name, sandboxed)) == []
