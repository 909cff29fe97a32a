"""Commands that work on many files: by way of the mount that has them, or alone where there is none."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from coursefs.cli import output
from coursefs.cli.alone import Interrupted, Reply, Show, alone
from coursefs.cli.options import Globals
from coursefs.cli.progress import display, summary
from coursefs.errors import CoursefsError, UsageError


def carry_out(
    options: Globals, command: str, texts: Sequence[str], tell: Callable[[Reply], str], **arguments: Any
) -> int:
    """Run a command of `coursefs.daemon.transfers` to its end and give the exit status.

    `texts` are the courses and paths as they were typed.  What `tell` makes of the last reply goes to standard output,
    also when the command failed as a whole after it had done something.
    """
    last: Reply = {}
    error: CoursefsError | None = None
    interrupted = 0

    with display() as shown:

        def show(reply: Reply) -> None:
            nonlocal last
            last = reply
            shown.show(reply)

        try:
            _run(options, command, texts, arguments, show)
        except CoursefsError as failure:
            error = failure
        except KeyboardInterrupt:
            interrupted = signal.SIGINT
        except Interrupted as signalled:
            (interrupted,) = signalled.args
    if interrupted:
        so_far = f" after {summary(last['state'], 'already there')}" if last else ""
        output.error(f"interrupted{so_far}; the next run goes on from here")
        return 128 + interrupted
    if error is None:
        click.echo(tell(last))
        return int(last["exit_status"])
    if last and last["state"]["files"]:
        click.echo(summary(last["state"], "already there"))
    raise error


def _run(options: Globals, command: str, texts: Sequence[str], arguments: Mapping[str, Any], show: Show) -> None:
    from coursefs.daemon import socket  # noqa: PLC0415  # slow to import
    from coursefs.targets import below  # noqa: PLC0415

    places = [_place(text) for text in texts]
    mounts = [
        (Path(found["mountpoint"]), path, found) for path, found in socket.all_mounts(options.places().runtime_dir)
    ]
    named = {path: root for root, path, _ in mounts for place in places if place and below(root, place) is not None}
    if len(named) > 1:
        raise UsageError("these paths lie in different mounts; name those of one at a time")
    of_user = {path: root for root, path, found in mounts if not found["demo"]}
    for path, root in (named or of_user).items():
        targets = [(text, place and below(root, place)) for text, place in zip(texts, places, strict=True)]
        try:
            for reply in socket.ask(path, command, targets=targets, **arguments):
                show(reply)
        except ConnectionError:
            raise CoursefsError(f"{root}: was unmounted just now; try again") from None
        return

    alone(options, command, {"targets": [(text, None) for text in texts], **arguments}, show)


def _place(text: str) -> Path | None:
    """Where this lies in the file system, should it be a path."""
    from coursefs.mount import mountinfo  # noqa: PLC0415  # slow to import

    if "://" in text:
        return None
    try:
        return mountinfo.absolute(Path(text))
    except UsageError:  # the home of a user that there is not
        return None
