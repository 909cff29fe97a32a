"""`coursefs update`."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import click

from coursefs.cli import completing, output
from coursefs.cli.alone import Interrupted, Show, alone
from coursefs.cli.options import Globals, pass_globals

#: is told what to print, and how many answers there are by now
_Tell = Callable[[Sequence[str], int], None]


@click.command()
@click.argument("courses", nargs=-1, metavar="[COURSE… | all]", shell_complete=completing.courses)
@pass_globals
def update(options: Globals, courses: tuple[str, ...]) -> int:
    """Ask the platforms now for what is new, course by course in the order given, and say what it is.

    A COURSE is named by its folder, its slug, its id or its URL; without any, every course is asked for.  A mount
    that runs shows what is new at once.

    \b
    Example: coursefs update interactive-computer-graphics
    """
    answers = 0
    has_news = False
    interrupted = 0
    with _waiting() as tell:

        def show(news: Mapping[str, Any]) -> None:
            nonlocal answers, has_news
            answers += 1
            lines = _lines(news)
            has_news |= bool(lines)
            tell(lines, answers)

        try:
            _run(options, courses, show)
        except KeyboardInterrupt:
            interrupted = signal.SIGINT
        except Interrupted as signalled:
            (interrupted,) = signalled.args
    if interrupted:
        output.error("interrupted; what was learned so far is kept")
        return 128 + interrupted
    if not has_news:
        click.echo("nothing new")
    return 0


def _run(options: Globals, courses: Sequence[str], show: Show) -> None:
    """Have it asked for by the mount that has the catalogue, or ask without one."""
    from coursefs.daemon import socket  # noqa: PLC0415  # slow to import

    if (mount := socket.mount_of_user(options.places().runtime_dir)) is None:
        alone(options, "update", {"courses": courses}, show, contents=False)
        return
    for news in socket.ask(mount, "update", courses=list(courses)):
        show(news)


def _lines(news: Mapping[str, Any]) -> list[str]:
    """What is new below something, for a person; nothing if nothing is (pure)."""
    lines = [f"  {what:<8} {path}" for what in ("new", "changed", "gone") for path in news[what]]
    return [output.clean(line) for line in (news["about"], *lines)] if lines else []


@contextmanager
def _waiting() -> Iterator[_Tell]:
    """What prints the news; where messages go to a terminal, a line there says that there may be more to come."""
    if not sys.stderr.isatty():
        yield lambda lines, _: _print(lines)
        return
    from rich.console import Console  # noqa: PLC0415  # slow to import: only for a terminal

    with Console(file=sys.stderr, highlight=False).status("asking the platforms") as line:

        def tell(lines: Sequence[str], answers: int) -> None:
            line.stop()  # both may go to one terminal
            _print(lines)
            line.update(f"asking the platforms: {answers} answers so far")
            line.start()

        yield tell


def _print(lines: Sequence[str]) -> None:
    for line in lines:
        click.echo(line)
