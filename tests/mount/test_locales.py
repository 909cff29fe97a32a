"""Names are UTF-8 bytes in every locale, and what a terminal cannot show ends nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mount.program import PROGRAM
from tests.mount.world import COURSES, LIMIT, Platform, World, platform, platform_names

LOCALES = {"de_DE": "ISO-8859-1", "zh_CN": "GBK", "ru_RU": "KOI8-R"}
TITLE = "Größe, 日本語, Проба, €"


@pytest.fixture
def demo_platform(tmp_path: Path) -> Iterator[Platform]:
    """A platform with one course, whose title no encoding but Unicode has."""
    course = tmp_path / "platform" / "sound-and-hearing"
    shutil.copytree(COURSES / course.name, course)
    described = (course / "course.toml").read_text()
    assert described.count("Sound & Hearing / Schall & Gehör") == 1
    (course / "course.toml").write_text(described.replace("Sound & Hearing / Schall & Gehör", TITLE))
    with platform("--courses", str(course.parent)) as running:
        yield running


@pytest.fixture(scope="session")
def locales(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of locales that are not in UTF-8, made for the tests alone."""
    if shutil.which("localedef") is None or not Path("/usr/share/i18n/charmaps").is_dir():
        pytest.skip("no locales can be made here: localedef and its charmaps (package locales) are missing")
    folder = tmp_path_factory.mktemp("locales")
    for name, charmap in LOCALES.items():
        made = ["localedef", "-i", name, "-f", charmap, str(folder / f"{name}.{charmap}")]
        subprocess.run(made, check=False, capture_output=True, timeout=LIMIT)  # 1: with warnings
        assert (folder / f"{name}.{charmap}" / "LC_CTYPE").exists()
    return folder


@pytest.fixture(params=[*(f"{name}.{charmap}" for name, charmap in LOCALES.items()), "C", "no_SUCH.locale"])
def foreign(world: World, locales: Path, request: pytest.FixtureRequest) -> World:
    """A user of the demo platform with another locale."""
    world.login()
    for variable in [name for name in world.environment if name.startswith(("LC_", "LANG", "PYTHONUTF8"))]:
        del world.environment[variable]
    world.environment |= {"LC_ALL": request.param, "LOCPATH": str(locales)}
    return world


def run(world: World, *arguments: str | bytes | Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*PROGRAM, *arguments],
        capture_output=True,
        timeout=LIMIT,
        env=world.environment,
        check=False,
    )


def names(folder: Path | bytes) -> set[bytes]:
    """Every path below a folder, as the bytes that the disk has."""
    root = os.fsencode(folder)
    return {
        os.path.join(os.path.relpath(above, root), name)
        for above, _, files in os.walk(root, onerror=_raise)
        for name in files
    }


def _raise(error: OSError) -> None:
    raise error


def test_names_of_copies_are_utf8_and_what_the_terminal_cannot_show_ends_nothing(
    foreign: World, tmp_path: Path
) -> None:
    to = os.fsencode(tmp_path) + b"/copies \xff\xfe \xe4"  # which is no text
    done = run(foreign, "download", "all", "--to", to)
    assert (done.returncode, done.stderr) == (0, b"")
    assert platform_names(to) == [TITLE.encode()]
    copies = names(to)
    assert len(copies) > 20
    again = run(foreign, "download", "all", "--to", to)
    assert (again.returncode, again.stdout.startswith(b"0 new, ")) == (0, True), again.stdout
    assert names(to) == copies

    done = run(foreign, "courses", "list")
    assert (done.returncode, done.stderr) == (0, b"")
    encoding = foreign.environment["LC_ALL"].partition(".")[2]
    if encoding in LOCALES.values():  # in the others Python takes UTF-8 for the encoding of the terminal
        assert TITLE.encode(encoding, "backslashreplace") in done.stdout
    else:
        assert TITLE.encode() in done.stdout


@pytest.mark.mount
@pytest.mark.parametrize("foreign", ["zh_CN.GBK"], indirect=True)
def test_the_mount_has_the_same_names(foreign: World, tmp_path: Path) -> None:
    done = run(foreign, "mount", foreign.mountpoint)
    assert done.returncode == 0 and done.stderr.count(b"\n") == 1 and b"to unmount: coursefs umount" in done.stderr
    mounted = names(foreign.mountpoint)
    assert sum(name.startswith(f"{TITLE}/".encode()) for name in mounted) > 20
    assert run(foreign, "download", "all", "--to", tmp_path / "copies").returncode == 0, "by way of the mount"
    assert names(tmp_path / "copies") == mounted
    assert run(foreign, "umount", foreign.mountpoint).returncode == 0
    assert "Traceback" not in foreign.log
