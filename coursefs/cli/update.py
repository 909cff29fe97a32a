"""`coursefs update`."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import click

from coursefs.base import hooks
from coursefs.cli import completion, output
from coursefs.cli.alone import Interrupted, Show, alone
from coursefs.cli.output import Globals, pass_globals
from coursefs.errors import CoursefsError
from coursefs.settings.config import load
from coursefs.settings.paths import socket_dirs

#: gets the lines to print, and the number of replies so far
_Tell = Callable[[Sequence[str], int], None]


@click.command()
@click.argument("courses", nargs=-1, metavar="[COURSE… | all]", shell_complete=completion.courses)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@pass_globals
def update(options: Globals, courses: tuple[str, ...], as_json: bool) -> int:
    """Refresh the catalogue now, course by course in the order given, and show what is new.

    A COURSE is named by its folder, slug, id, URL, or the beginning of its title; without any, all are refreshed.  A
    running mount shows changes at once.  If there is news, the command on_news of the settings is run with it.

    \b
    Example: coursefs update interactive-computer-graphics
    """
    hook = load(options.app_paths().config_file).hooks.on_news
    found: list[Mapping[str, Any]] = []
    failed: CoursefsError | None = None
    answers = 0
    interrupted = 0
    with _waiting() as tell:

        def show(news: Mapping[str, Any]) -> None:
            nonlocal answers
            answers += 1
            lines = _lines(news)
            found.extend([news] if lines else [])
            tell([] if as_json else lines, answers)

        try:
            _run(options, courses, show)
        except CoursefsError as error:
            failed = error
        except KeyboardInterrupt:
            interrupted = signal.SIGINT
        except Interrupted as signalled:
            (interrupted,) = signalled.args
    if as_json:
        output.show_json(found)
    if found and hook is not None:
        _run_hook(hook, found)
    if interrupted:
        output.error("interrupted; changes so far are kept")
        return 128 + interrupted
    if failed is not None:
        raise failed
    if not found and not as_json:
        click.echo("nothing new")
    return 0


def _run_hook(command: Sequence[str], found: Sequence[Mapping[str, Any]]) -> None:
    """Run the hook of the settings; that it fails is a line, and no failure of the update."""
    try:
        hooks.run("on_news", command, json.dumps(found, indent=2))
    except CoursefsError as error:
        output.error(str(error))


def _run(options: Globals, courses: Sequence[str], show: Show) -> None:
    """Update in the mount that has the catalogue, or in this process."""
    from coursefs.daemon import socket  # slow to import

    if (mount := socket.mount_of_user(socket_dirs(), demo=options.demo)) is None:
        alone(options, "update", {"courses": courses}, show, contents=False)
        return
    for news in socket.ask(mount, "update", courses=list(courses)):
        show(news)


def _lines(news: Mapping[str, Any]) -> list[str]:
    """The news below something, as lines for a person; none without news, one for a new course (pure)."""
    if news.get("is_first") and news["new"]:
        return [output.clean(f"{news['about']}: a new course, with {output.count(len(news['new']), 'item')}")]
    lines = [f"  {what:<8} {path}" for what in ("new", "changed", "gone") for path in news[what]]
    return [output.clean(line) for line in (news["about"], *lines)] if lines else []


@contextmanager
def _waiting() -> Iterator[_Tell]:
    """Yield the function that prints the news; on a terminal it also shows that the update goes on."""
    if not sys.stderr.isatty():
        yield lambda lines, _: _print(lines)
        return
    from rich.console import Console  # slow to import: only for a terminal

    with Console(file=sys.stderr, highlight=False).status("asking the platforms") as line:

        def tell(lines: Sequence[str], answers: int) -> None:
            line.stop()  # output and messages may go to the same terminal
            _print(lines)
            line.update(f"asking the platforms: {answers} answers so far")
            line.start()

        yield tell


def _print(lines: Sequence[str]) -> None:
    for line in lines:
        click.echo(line)
