"""README and docs: every command in them can be typed, every setting is one, every link leads somewhere."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from coursefs.cli.main import cli
from coursefs.providers import registry
from coursefs.settings.config import load

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
#: the end of what is typed, where something follows that is for the shell
_SHELL = re.compile(r"\s(?:[|>&;#]|&&)\s?.*")


def typed(document: Path) -> Iterator[str]:
    """The command lines of a document that call coursefs: in blocks, and between backquotes."""
    text = document.read_text()
    fenced = re.findall(r"^```(?:sh|console|bash)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = [line for block in fenced for line in block.splitlines()]
    lines += [line[4:] for line in text.splitlines() if line.startswith("    ")]
    plain = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    lines += [" ".join(one.split()) for one in re.findall(r"`([^`]+)`", plain)]
    for line in lines:
        command = _SHELL.sub("", line.strip().removeprefix("$ "))
        if re.match(r"coursefs (?!/)\S", command) and "fuse.coursefs" not in command:
            yield command


EVERY = [(document, command) for document in DOCUMENTS for command in sorted(set(typed(document)))]


def parse(words: list[str], command: click.Command = cli, parent: click.Context | None = None) -> None:
    """Have click read a command line; raises where it does not understand it."""
    context = command.make_context(words[0], words[1:], parent=parent)
    taken = "_protected_args" if hasattr(context, "_protected_args") else "protected_args"  # as it was up to click 8.1
    if isinstance(command, click.Group) and (rest := [*getattr(context, taken), *context.args]):
        name, found, arguments = command.resolve_command(context, rest)
        assert found is not None and name is not None
        parse([name, *arguments], found, context)


@pytest.mark.parametrize(("document", "command"), EVERY, ids=[f"{one.stem}: {line}" for one, line in EVERY])
def test_every_command_can_be_typed(document: Path, command: str) -> None:
    words = shlex.split(command)
    if words[1:2] == ["login"] and words[2:3] and words[2] not in {*registry.names(), "…"}:
        pytest.skip(f"there is no login {words[2]} here")
    if "--help" in words:
        words.remove("--help")
        if words == ["coursefs"]:
            return
    words = [word for word in words if word != "…"]  # "and so on"
    try:
        parse(words)
    except click.UsageError as error:
        if "…" in command or len(words) < 4:  # a command named in passing, without all that it takes
            assert "Missing" in error.format_message(), command
        else:
            raise


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_setting_is_one(document: Path, tmp_path: Path) -> None:
    for number, block in enumerate(re.findall(r"^```toml\n(.*?)^```", document.read_text(), re.MULTILINE | re.DOTALL)):
        if "build-system" in tomllib.loads(block):
            continue  # of a package, not of coursefs
        file = tmp_path / f"{number}.toml"
        file.write_text(block)
        load(file)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(document: Path) -> None:
    text = document.read_text()
    anchors = {
        re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^#+ (.+)$", text, re.M)
    }
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if target.startswith("https://"):
            continue
        if target.startswith("#"):
            assert target[1:] in anchors, target
        elif Path(target).stem in {"panopto", "openedx"} - set(registry.names()):
            continue  # comes with its platform
        else:
            assert (document.parent / target.partition("#")[0]).exists(), target
