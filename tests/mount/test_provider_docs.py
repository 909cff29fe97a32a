"""The platform of docs/provider.md: its very text is built, installed, signed in to, mounted and read."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import pytest

from coursefs.providers.base import Account
from coursefs.testing import check_platform, check_provider
from coursefs.transport import Transport
from tests.mount.program import program_in
from tests.mount.world import LIMIT, Platform, World

DOCS = Path(__file__).parents[2] / "docs" / "provider.md"
TOKEN, PASSWORD = "t0ken-of-ada", "p4ss word"
NOTES = bytes(range(256)) * 400
SLIDES = b"%PDF-1.7 slides"


@dataclass
class Moodle:
    """A site with one course, as its web service shows it."""

    address: str = ""
    asked: list[str] = field(default_factory=list)
    revision: int = 1

    def answer(self, form: dict[str, str]) -> Any:
        """The reply to a call of the web service."""
        function = form.get("wsfunction", "")
        self.asked.append(function)
        if form.get("wstoken") != TOKEN:
            return {"exception": "moodle_exception", "errorcode": "invalidtoken", "message": "Invalid token"}
        match function:
            case "core_webservice_get_site_info":
                return {"userid": 7, "username": "ada", "fullname": "Ada Lovelace", "sitename": "Campus"}
            case "core_enrol_get_users_courses" if form["userid"] == "7":
                return [{"id": 2, "shortname": "geo", "fullname": "Geometry"}]
            case "core_course_get_contents" if form["courseid"] == "2":
                return self._contents()
        return {"exception": "moodle_exception", "errorcode": "invalidrecord", "message": "no such thing"}

    def _contents(self) -> list[dict[str, Any]]:
        files = [self._file("notes.bin", NOTES), self._file("slides.pdf", SLIDES)]
        return [
            {"id": 2, "name": "Week 1", "modules": [  # the key of the section is that of the course
                {"id": 10, "name": "Notes", "modname": "resource", "uservisible": True, "contents": files[:1]},
                {"id": 11, "name": "Folder", "modname": "folder", "uservisible": True, "contents": files},
                {"id": 12, "name": "Test", "modname": "quiz", "uservisible": True, "url": f"{self.address}/mod/quiz"},
                {"id": 13, "name": "Later", "modname": "page", "uservisible": False},
                {"id": 14, "name": "", "modname": "label"},
            ]},
            {"id": 3, "name": "Week 2", "modules": []},
        ]  # fmt: skip

    def _file(self, name: str, content: bytes) -> dict[str, Any]:
        url = f"{self.address}/webservice/pluginfile.php/{self.revision}/{name}?forcedownload=1"
        modified = 1_700_000_000 + self.revision
        return {"type": "file", "filename": name, "filepath": "/", "fileurl": url, "filesize": len(content),
                "timemodified": modified}  # fmt: skip


def handler_of(site: Moodle) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            if self.path == "/login/token.php":
                is_right = (form["username"], form["password"]) == ("ada", PASSWORD)
                self._send(json.dumps({"token": TOKEN} if is_right else {"error": "Invalid login"}).encode())
            else:
                self._send(json.dumps(site.answer(form)).encode())

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            site.asked.append(parts.path)
            content = {"notes.bin": NOTES, "slides.pdf": SLIDES}.get(parts.path.rpartition("/")[2])
            if content is None or parse_qs(parts.query).get("token") != [TOKEN]:
                self._send(b'{"errorcode": "invalidtoken"}', status=403)
                return
            found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            if found is None:
                self._send(content, "application/octet-stream")
                return
            first = int(found[1])
            last = min(int(found[2] or len(content) - 1), len(content) - 1)
            extra = {"Content-Range": f"bytes {first}-{last}/{len(content)}"}
            self._send(content[first : last + 1], "application/octet-stream", 206, extra)

        do_HEAD = do_GET  # noqa: N815  # a name of http.server

        def _send(
            self, body: bytes, kind: str = "application/json", status: int = 200, extra: dict[str, str] | None = None
        ) -> None:
            self.send_response(status)
            for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **(extra or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@pytest.fixture
def site() -> Iterator[Moodle]:
    """The site, as long as the test lasts."""
    one = Moodle()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(one))
    one.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield one
    server.shutdown()
    server.server_close()
    thread.join(10)


def files_of_the_page() -> dict[str, str]:
    """The files that the page shows, by path: each a heading and the block that follows it."""
    found = re.findall(r"^### (\S+)\n.*?^```\w+\n(.*?)^```", DOCS.read_text(), re.MULTILINE | re.DOTALL)
    return {path.replace("\\", ""): text for path, text in found}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the package of the page is installed into."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("target")
    for path, text in files_of_the_page().items():
        (source / path).parent.mkdir(exist_ok=True)
        (source / path).write_text(text)
    assert {path.name for path in source.rglob("*.*")} == {"pyproject.toml", "__init__.py", "provider.py"}
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run(
        [*command, "--target", str(target), str(source)], capture_output=True, text=True, timeout=LIMIT, check=False
    )
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture
def world(tmp_path: Path, own_home: Path, installed: Path) -> Iterator[World]:
    """A user whose Python has coursefs and the package."""
    mountpoint = tmp_path / "courses"
    mountpoint.mkdir()
    no_platform = cast(Platform, None)  # the sample platforms do not run
    one = World(mountpoint, no_platform, {**os.environ, "PYTHONPATH": str(installed)})
    yield one
    one.tidy()


def test_signing_in(world: World, site: Moodle) -> None:
    assert "moodle    Sign in to a Moodle site." in world.run("login", "--help").stdout
    shown = world.run("login", "moodle", "--help").stdout
    assert "--token-stdin" in shown and "[default: moodle]" in shown
    login = ("login", "moodle", "--server", site.address)
    refused = world.run(*login, "--token-stdin", status=3, stdin="wrong").stderr
    assert "does not accept this sign-in" in refused
    world.run(*login, "--username", "ada", "--password-stdin", status=3, stdin="wrong")
    said = world.run(*login, "--username", "ada", "--password-stdin", stdin=PASSWORD).stderr
    assert said.startswith("moodle: signed in as Ada Lovelace; kept in ")
    (account,) = json.loads(world.run("accounts", "--json").stdout)
    assert (account["provider"], account["server"], account["signed_in"]) == ("moodle", site.address, True)
    # what else is wrong on this machine does not matter
    command = [*program_in(world.environment), "doctor", "--json"]
    done = subprocess.run(command, capture_output=True, timeout=LIMIT, env=world.environment, check=False)
    found = {one["check"]: one["message"] for one in json.loads(done.stdout)["checks"]}
    assert found["account moodle"] == "signed in as Ada Lovelace"
    assert found["routes of moodle"] == "1 courses are listed, and an outline"


@pytest.mark.mount
def test_mounting_and_reading(world: World, site: Moodle) -> None:
    world.run("login", "moodle", "--server", site.address, "--token-stdin", stdin=TOKEN)
    world.mount()
    assert world.tree() == [
        "Geometry/",
        "Geometry/01 Week 1/",
        "Geometry/01 Week 1/01 Notes.bin",
        "Geometry/01 Week 1/02 Folder - notes.bin",
        "Geometry/01 Week 1/02 Folder - slides.pdf",
        "Geometry/01 Week 1/03 Test (quiz).html",
        "Geometry/01 Week 1/04 Later (locked).html",
        "Geometry/02 Week 2/",
    ]
    notes = world.path("Geometry", "01 Week 1", "01 Notes.bin")
    assert notes.read_bytes() == NOTES
    assert notes.stat().st_mtime == 1_700_000_001
    assert world.path("Geometry", "01 Week 1", "02 Folder - slides.pdf").read_bytes() == SLIDES
    assert "does not show it to you" in world.path("Geometry", "01 Week 1", "04 Later (locked).html").read_text()
    before = notes.stat().st_ino
    site.revision = 2
    world.run("update", "all")
    assert notes.stat().st_ino == before
    assert TOKEN not in world.log
    world.umount()


async def test_it_keeps_the_protocol(site: Moodle, installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(installed)
    import coursefs_moodle  # type: ignore[import-not-found]  # the package of the page

    check_platform(coursefs_moodle.PLATFORM)
    async with Transport() as transport:
        account = Account("moodle", {"server": site.address}, {"token": TOKEN})
        provider = coursefs_moodle.PLATFORM.create(account, transport)
        checked = await check_provider(provider, transport)
        assert (checked.courses, checked.items, checked.files, checked.pages, checked.contents) == (1, 4, 5, 2, 3)


def test_the_page_names_modules_that_are_there() -> None:
    _, _, table = DOCS.read_text().partition("## What you may import")
    names = re.findall(r"`(coursefs(?:\.\w+)+)`", table.partition("## Versions")[0])
    code = f"import {', '.join(names)}"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=LIMIT)
    assert len(names) >= 8
