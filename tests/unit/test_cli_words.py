"""What the command line says of itself: help, completion, man pages."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from coursefs.catalog import Node, Place, Store
from coursefs.catalog.difference import Changes
from coursefs.cli import completion
from coursefs.cli.main import cli, main
from coursefs.model import Course, Kind
from coursefs.mount import mountinfo
from coursefs.mount.mountinfo import Mounted
from coursefs.settings.paths import app_paths

_ROOT = Path(__file__).parents[2]


def commands(
    command: click.Command = cli, name: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command with its words."""
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for word in command.list_commands(context):
            found = command.get_command(context, word)
            assert found is not None
            yield from commands(found, (*name, word))


EVERY = dict(commands())


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_every_help_has_an_example_that_can_be_typed(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--help"]) == 0
    out = capsys.readouterr().out
    (example,) = re.findall(r"^ *Example: coursefs (.*)$", out, re.MULTILINE)
    assert tuple(example.split()[: len(words)]) == words
    command = max((known for known in EVERY if tuple(example.split()[: len(known)]) == known), key=len)
    arguments = example.split()[len(command) :]
    EVERY[command].make_context(command[-1], [*arguments], resilient_parsing=False)
    for parameter in EVERY[words].params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{parameter.name} says nothing of itself"


def test_no_module_of_a_command_is_slow_to_import() -> None:
    """Tab, --help and short commands come at once: what is slow is imported when it is used."""
    program = (
        "import sys, click\n"
        "from coursefs.cli.main import cli\n"
        "def walk(command):\n"
        "    context = click.Context(command)\n"
        "    for name in getattr(command, 'list_commands', lambda _: ())(context):\n"
        "        walk(command.get_command(context, name))\n"
        "walk(cli)\n"
        "sys.exit(sorted({'trio', 'httpx', 'keyring', 'rich', 'tomlkit', 'lxml', 'pyfuse3'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stderr == "[]\n"


def test_asking_a_mount_is_quick_to_import() -> None:
    code = (
        "import sys, coursefs.daemon.background, coursefs.daemon.socket, coursefs.mount.mountpoint\n"
        "assert not {'trio', 'httpx', 'lxml', 'pyfuse3'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script_for_that_shell(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert "_COURSEFS_COMPLETE" in script
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    assert subprocess.run([program, "-n"], input=script, text=True, check=False).returncode == 0


def completed(*words: str) -> list[str]:
    """The completions after these words."""
    environment = {
        **os.environ,
        "_COURSEFS_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(["coursefs", *words]),
        "COMP_CWORD": str(len(words)),
    }
    program = "import sys; sys.argv = ['coursefs']; from coursefs.cli.main import main; sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True)
    return [line.partition(",")[2] for line in done.stdout.splitlines() if line]


def test_tab_completes_commands_accounts_and_courses(own_home: Path) -> None:
    assert completed("logo") == ["logout"]
    assert completed("logout", "c") == completed("update", "alg") == []
    file = app_paths().config_file
    file.parent.mkdir(parents=True)
    file.write_text("[accounts.campus]\n[accounts.coursera]\n[accounts.edx]\n")
    store = Store(app_paths().state_dir / "catalogue.sqlite")
    store.enrolments.set_courses(
        "coursera", [Course("1", "algorithms", "Algorithms"), Course("2", "algebra", "A", hidden=True)]
    )
    store.close()
    assert completed("logout", "c") == ["campus", "coursera"]
    assert completed("update", "al") == ["algorithms", "all"]


@pytest.mark.parametrize(
    "words",
    [
        ["fetch"],
        ["pin"],
        ["unpin"],
        ["download"],
        ["ls"],
        ["tree"],
        ["size"],
        ["courses", "add"],
        ["courses", "remove"],
        ["update"],
        ["search", "x", "--course"],
    ],
    ids=" ".join,
)
def test_tab_completes_courses_wherever_one_is_named(own_home: Path, words: list[str]) -> None:
    store = Store(app_paths().state_dir / "catalogue.sqlite")
    hostile = [Course(str(n), slug, "A") for n, slug in enumerate(["algebra;reboot", "al$(x)", "-alias", "al gebra"])]
    store.enrolments.set_courses("coursera", [Course("9", "algorithms", "Algorithms"), *hostile])
    store.close()
    assert completed(*words, "alg") == ["algorithms"]


def test_tab_completes_paths_of_the_catalogue_that_need_no_quotes(own_home: Path) -> None:
    store = Store(app_paths().state_dir / "catalogue.sqlite")
    names = ["01_week-1", "01_wee;reboot", "02 week", "01_$HOME", "01_welcome.mp4"]
    nodes = [Node(1000, 1, "graphics", "graphics", Place("x"), "c", Kind.COURSE, 0)]
    nodes += [Node(1001 + n, 1000, name, name, Place("x", "c"), str(n), Kind.MODULE, 0) for n, name in enumerate(names)]
    nodes.append(Node(2000, 1001, "01_hello.mp4", "01_hello.mp4", Place("x", "c"), "f", Kind.VIDEO, 0))
    store.write(Changes(added=tuple(nodes)))
    store.close()
    assert completed("ls", "gra") == ["graphics/"]
    assert completed("ls", "graphics/01_w") == ["graphics/01_week-1/", "graphics/01_welcome.mp4"]
    assert completed("ls", "graphics/01_week-1/") == ["graphics/01_week-1/01_hello.mp4"]
    assert completed("ls", "graphics/nothing/") == ["graphics/nothing/"], "the shell completes it as a file"


@pytest.mark.parametrize("begun", ["/mnt", "~/x", "./x"])
def test_paths_on_the_disk_are_left_to_the_shell(begun: str) -> None:
    (only,) = completion.targets(click.Context(cli), click.Argument(["x"]), begun)
    assert (only.value, only.type) == (begun, "file")


def test_tab_completes_mount_points(monkeypatch: pytest.MonkeyPatch) -> None:
    home = Path("~").expanduser()
    places = [home / "courses", Path("/mnt/a;reboot"), Path("/mnt/two words"), Path("/mnt/courses")]
    found = [Mounted(place, "fuse.coursefs", "coursefs", (0, 1)) for place in places]
    monkeypatch.setattr(mountinfo, "mounted", lambda: [*found, Mounted(Path("/mnt/disk"), "ext4", "x", (0, 2))])

    def mountpoints(begun: str) -> list[tuple[str, str]]:
        items = completion.mountpoints(click.Context(cli), click.Argument(["x"]), begun)
        return [(item.value, item.type) for item in items]

    assert mountpoints("/mnt/") == [("/mnt/courses", "plain")]
    assert mountpoints("~/c") == [("~/courses", "plain")]
    assert mountpoints("/media") == [("/media", "dir")]
    assert {path for path, _ in mountpoints("")} >= {"/mnt/courses"}


@pytest.mark.parametrize("words", [["umount"], ["unmount"], ["status"], ["service", "uninstall"]], ids=" ".join)
def test_mount_points_are_completed_wherever_one_is_named(words: list[str]) -> None:
    command = EVERY[tuple(word.replace("unmount", "umount") for word in words)]
    (argument,) = (one for one in command.params if isinstance(one, click.Argument))
    assert argument._custom_shell_complete is completion.mountpoints


def test_each_command_has_a_man_page_with_its_help(tmp_path: Path) -> None:
    pytest.importorskip("click_man")
    environment = {**os.environ, "PYTHONPATH": str(_ROOT), "SOURCE_DATE_EPOCH": "0"}
    command = [sys.executable, str(_ROOT / "scripts" / "make-man"), str(tmp_path / "man")]
    subprocess.run(command, check=True, env=environment)
    pages = {path.name: path.read_text() for path in (tmp_path / "man").iterdir()}
    assert set(pages) == {"-".join(["coursefs", *words]) + ".1" for words in EVERY}
    assert "1970-01-01" in pages["coursefs.1"]
    assert "coursefs umount ~/courses" in pages["coursefs-umount.1"]
    assert not any("\b" in page or "..." in page.partition("SYNOPSIS")[0] for page in pages.values())
    program = shutil.which("man")
    if program is not None:
        page = str(tmp_path / "man" / "coursefs-umount.1")
        done = subprocess.run([program, "--warnings", "-l", page], capture_output=True, text=True, check=True)
        assert (done.stderr, "--lazy" in done.stdout) == ("", True)


def test_a_wheel_that_is_built_by_an_installer_has_the_man_pages(tmp_path: Path) -> None:
    pytest.importorskip("click_man")
    pytest.importorskip("hatchling")
    left = set((_ROOT / "build").rglob("*")) if (_ROOT / "build").is_dir() else set()
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(command, cwd=_ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.rpartition("/")[2] for name in names if "share/man/man1/" in name} == {
        "-".join(["coursefs", *words]) + ".1" for words in EVERY
    }
    assert (set((_ROOT / "build").rglob("*")) if (_ROOT / "build").is_dir() else set()) == left
