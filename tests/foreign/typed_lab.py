"""docs/lab.md as a person types it: run by tests/foreign/test_lab.py on a machine of its own (lab_machine.py)."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from coursefs.mount import mountinfo
from tests.foreign import lab
from tests.mount.conftest import demo_platform
from tests.mount.ports import answers
from tests.mount.test_tree import GRAPHICS, SKY
from tests.mount.world import LIMIT, Platform, program, until

__all__ = ["demo_platform"]

pytestmark = pytest.mark.skipif(not Path("/mnt/bin/systemctl").exists(), reason="this is for lab_machine.py")

COURSES = Path(lab.PLACE)
PASSWORD = "a password"


def typed(line: str, platform: Platform, user: str | None = None) -> str:
    """Type a line of the page into a shell, as root or as another user; what it prints."""
    words = shlex.split(line)
    if words[:3] == ["sudo", "apt", "install"]:
        for package in words[3:]:
            if subprocess.run(["dpkg-query", "-W", package], capture_output=True, check=False).returncode:
                pytest.skip(f"{package} is not installed")
        return ""
    if "login" in words:
        line += f" --base-url {platform.base_url}"
    if "smbpasswd" in words:
        line += " -s"  # the password from standard input, which is no terminal here
    command = ["bash", "-c", line] if user is None else ["sudo", "-H", "-u", user, "bash", "-c", line]
    done = subprocess.run(
        command,
        input=platform.cauth if "login" in words else f"{PASSWORD}\n{PASSWORD}\n",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT,
        cwd="/",
        check=False,
    )
    assert done.returncode == 0, (line, done.stdout)
    return done.stdout


def follow(title: str, platform: Platform) -> dict[str, str]:
    """Do all that a section says; what each line has printed."""
    said = {}
    for step in lab.steps(lab.section(title)):
        if isinstance(step, lab.File):
            step.write()
        else:
            said[step.text] = typed(step.text, platform)
    assert said
    return said


@pytest.fixture
def the_mount(demo_platform: Platform) -> Iterator[dict[str, str]]:
    """The machine after the section "The mount", and what was printed."""
    try:
        yield follow("The mount", demo_platform)
    finally:
        subprocess.run(["fusermount3", "-u", "-z", lab.PLACE], capture_output=True, check=False)


def test_an_account_mounts_for_every_user(the_mount: dict[str, str]) -> None:
    there = mountinfo.at(COURSES)
    account = int(program("id", "-u", "coursefs"))
    assert there is not None and account != 0
    assert there.number("user_id") == account and "allow_other" in there.super_options
    assert GRAPHICS in program("sudo", "-u", "nobody", "ls", COURSES)
    assert not list(Path("/root").glob(".c*/coursefs"))  # nothing of it is root's
    assert lab.PLACE in the_mount["sudo -H -u coursefs coursefs status"]
    assert COURSES.stat().st_uid == account


def test_a_family_nas(the_mount: dict[str, str], demo_platform: Platform) -> None:
    replaced = "guest ok = yes", "valid users = @family"
    assert all(f"`{one}`" in lab.section("A family NAS") for one in replaced)
    said = {}
    for step in lab.steps(lab.section("A family NAS")):
        if isinstance(step, lab.File):
            step.write()
            continue
        if "groupadd" in step.text:  # from here on with a password only
            config = Path("/etc/samba/smb.conf")
            config.write_text(config.read_text().replace(*replaced))
        said[step.text] = typed(step.text, demo_platform)
    listing = ["//localhost/courses", "-c", "ls"]
    assert GRAPHICS in program("smbclient", "-U", f"ada%{PASSWORD}", *listing)
    assert "NT_STATUS_ACCESS_DENIED" in program("smbclient", "-N", *listing, status=1)
    assert GRAPHICS in said["smbclient -N //localhost/courses -c ls"]
    assert "Courses" in httpx.get("http://localhost:7879/rootDesc.xml", trust_env=False).text


def test_a_lab_behind_a_thin_line(the_mount: dict[str, str], demo_platform: Platform) -> None:
    said = follow("A lab behind a thin line", demo_platform)
    assert GRAPHICS in said['nfs-ls "nfs://localhost/courses?version=4"']


def test_a_library_branch(the_mount: dict[str, str], demo_platform: Platform) -> None:
    said = follow("A library branch", demo_platform)
    listing = said['curl -s -X PROPFIND -H "Depth: 1" http://localhost:8080/']
    assert SKY.replace(" ", "%20") in listing
    film = next((COURSES / SKY).rglob("*.webm"))
    demo_platform.process.terminate()  # the line is down
    demo_platform.process.wait()
    address = "http://localhost:8080/" + "/".join(film.relative_to(COURSES).parts)
    assert len(httpx.get(address, trust_env=False).raise_for_status().content) == film.stat().st_size > 0


def test_a_laptop_as_a_hotspot(demo_platform: Platform) -> None:
    program("useradd", "--create-home", "teacher")
    home = Path("/home/teacher")
    typed("coursefs login coursera --cauth -", demo_platform, "teacher")
    serving = None
    try:
        for step in lab.steps(lab.section("A teacher's laptop as a hotspot")):
            assert isinstance(step, lab.Line)
            if step.text.startswith("nmcli "):
                continue  # no wireless network here
            if step.text.startswith("rclone "):
                typed("sudo apt install rclone", demo_platform)
                command = ["sudo", "-H", "-u", "teacher", "bash", "-c", f"exec {step.text}"]
                serving = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
                until(lambda: answers(8080), "rclone answered")
            else:
                typed(step.text, demo_platform, "teacher")
                demo_platform.forget()
        page = httpx.get(f"http://localhost:8080/{SKY}/index.html", trust_env=False).raise_for_status()
        assert SKY in page.text
        with pytest.raises(PermissionError):
            os.seteuid(65534)
            list((home / "courses").iterdir())
        os.seteuid(0)
        assert demo_platform.requests() == []  # -o offline
    finally:
        os.seteuid(0)
        if serving is not None:
            serving.terminate()
            serving.wait(timeout=LIMIT)
        subprocess.run(["fusermount3", "-u", "-z", str(home / "courses")], capture_output=True, check=False)


def test_a_shared_cache_for_accounts_of_their_own(the_mount: dict[str, str], demo_platform: Platform) -> None:
    title = "A shared cache for accounts of their own"
    said = follow(title, demo_platform)
    key = Path("/var/lib/coursefs/.config/coursefs/shared.key").read_text()
    (public,) = (
        line for line in said["sudo -H -u coursefs coursefs cache shared key"].splitlines() if "verify" in line
    )
    (token,) = (line for line in key.splitlines() if line.startswith("token "))
    found = re.search(r"^```toml\n(.*?)^```", lab.section(title), re.MULTILINE | re.DOTALL)
    assert found is not None
    settings = found[1].replace("//server:", "//localhost:")
    largest = max(COURSES.rglob("*.mp4"), key=lambda path: path.stat().st_size)
    film, size = largest.relative_to(COURSES), largest.stat().st_size
    taken = [
        _learner("ada", settings, key, film, demo_platform),  # fills it
        _learner("ben", settings, f"{public}\n{token}\n", film, demo_platform),  # takes from it
    ]
    assert taken == [0, size]


def _learner(name: str, settings: str, key: str, film: Path, platform: Platform) -> int:
    """Somebody mounts on a machine of their own and sees a film; the bytes that came from the shared cache."""
    program("useradd", "--create-home", name)
    home = Path("/home") / name
    folder = home / ".config" / "coursefs"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text(settings)
    (folder / "shared.key").write_text(key)
    (folder / "shared.key").chmod(0o600)
    program("chown", "-R", name, home / ".config")
    typed("coursefs login coursera --cauth -", platform, name)
    typed("coursefs mount ~/courses", platform, name)
    try:
        typed(f"cat {shlex.quote(str(home / 'courses' / film))} > ~/film", platform, name)
        assert (home / "film").read_bytes() == (COURSES / film).read_bytes()
        (mount,) = json.loads(typed("coursefs status --json", platform, name))["mounts"]
        typed("coursefs umount ~/courses", platform, name)  # what is being put is put
        return int(mount["shared"]["taken_bytes"])
    finally:
        subprocess.run(["fusermount3", "-u", "-z", str(home / "courses")], capture_output=True, check=False)
