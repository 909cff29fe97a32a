"""`coursefs fetch`, `pin`, `unpin` and `download`: run in the mount that has the files, or in this process."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from datetime import time as clock
from pathlib import Path
from typing import Any, TypeVar

import click

from coursefs.cli import completion, output
from coursefs.cli.alone import Interrupted, Reply, Show, alone
from coursefs.cli.located import located
from coursefs.cli.output import Globals, pass_globals
from coursefs.cli.progress import display, planned, summary
from coursefs.errors import CoursefsError, UsageError

_F = TypeVar("_F", bound=Callable[..., Any])
_Tell = Callable[[Reply], str]


def _filters(command: _F) -> _F:
    """The options of `fetch` and `download` that say which files, and how."""
    decorators = (
        click.option(
            "--only",
            multiple=True,
            metavar="GLOB",
            help="Only files that fit, such as '*.mp4' or '01*/**'; may be repeated.",
        ),
        click.option("--except", "excepted", multiple=True, metavar="GLOB", help="No files that fit; may be repeated."),
        click.option(
            "--bwlimit",
            "limit",
            metavar="RATE",
            help="At most so many bytes a second, such as 2MB/s or '08:00,500kB/s 23:00,off'.",
        ),
        click.option("--dry-run", is_flag=True, help="Only list the files and their sizes."),
    )
    for decorate in reversed(decorators):
        command = decorate(command)
    return command


def carry_out(
    options: Globals,
    command: str,
    texts: Sequence[str],
    tell: _Tell,
    *,
    bars: bool = True,
    **arguments: Any,
) -> int:
    """Run a command of `coursefs.daemon.commands` to its end and return the exit status.

    `texts` are the courses and paths as they were typed. `tell` makes the text for standard output of the last reply,
    also if the command failed as a whole after it had done something. Of a dry run each planned file is a line.
    """
    last: Reply = {}
    error: CoursefsError | None = None
    interrupted = 0

    with display(bars=bars) as shown:

        def show(reply: Reply) -> None:
            nonlocal last
            last = reply
            for path, size in reply.get("planned", ()):
                click.echo(output.clean(f"{output.size(size):>11}  {path}"))
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
        output.error(f"interrupted{so_far}; the next run continues from here")
        return 128 + interrupted
    if error is None:
        click.echo(output.clean(tell(last)))
        return int(last["exit_status"])
    if last and last["state"]["files"]:
        click.echo(output.clean(tell(last) if "planned" in last else summary(last["state"], "already there")))
    raise error


def transferred(options: Globals, command: str, texts: Sequence[str], **arguments: Any) -> Reply:
    """The last reply of such a command, whose progress is shown; for a command that goes on with something else.

    Raises `CoursefsError` and `KeyboardInterrupt`.
    """
    last: Reply = {}
    with display() as shown:

        def show(reply: Reply) -> None:
            nonlocal last
            last = reply
            shown.show(reply)

        try:
            _run(options, command, texts, arguments, show)
        except Interrupted as signalled:
            raise KeyboardInterrupt from signalled
    return last


def _run(options: Globals, command: str, texts: Sequence[str], arguments: Mapping[str, Any], show: Show) -> None:
    place = located(texts, demo=options.demo)
    if place is None:
        alone(options, command, {"targets": [(text, None) for text in texts], **arguments}, show)
    else:
        place.ask(command, show, **arguments)


def _given(**values: Any) -> dict[str, Any]:
    """The options that were given."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items() if value}


def _checked(only: Sequence[str], excepted: Sequence[str], limit: str | None) -> None:
    """Raise `UsageError` for a pattern or a rate that is none, before anything is asked."""
    from coursefs.bulk.globs import glob
    from coursefs.settings.rates import parse_rate

    if limit is not None:
        parse_rate(limit)
    for text in (*only, *excepted):
        glob(text)


@click.command()
@click.argument("targets", nargs=-1, metavar="(COURSE… | PATH… | all)", shell_complete=completion.targets)
@click.option("--next", "most_items", type=click.IntRange(min=1), metavar="N", help="The next N items of each course.")
@click.option("--until", metavar="DATE", help="What is due until this day, such as 2026-12-31, or in so many days: 7d.")
@_filters
@pass_globals
def fetch(
    options: Globals,
    targets: tuple[str, ...],
    most_items: int | None,
    until: str | None,
    only: tuple[str, ...],
    excepted: tuple[str, ...],
    dry_run: bool,
    limit: str | None,
) -> int:
    """Fetch contents into the cache, so that they can be read without a network.

    A COURSE is named by its folder, slug, id, URL, or the beginning of its title, a PATH is a folder or file in the
    mount, or a pattern for such; on a terminal it asks which if there is none.  Cached contents are not fetched again,
    so an interrupted run continues where it was.  Programs that read in the mount go first.  Ends with status 1 if
    something could not be fetched.

    --next counts items that are neither done nor cached, in the order of the course; --until takes the modules in which
    something is due, if the platform has deadlines.

    \b
    Example: coursefs fetch ~/courses/"Sound and Hearing" --except '*.pdf'
    """
    _checked(only, excepted, limit)
    if most_items is not None and until is not None:
        raise UsageError("--next and --until do not go together")
    until_ns = None if until is None else end_of_day(until, datetime.now().astimezone().date())
    named = targets or _asked_for(options, "fetch")
    tell = _teller("fetch", "already there", dry_run)
    chosen = _given(only=only, dry_run=dry_run, limit=limit, next=most_items, until=until_ns, **{"except": excepted})
    return carry_out(options, "fetch", named, tell, bars=not dry_run, **chosen)


def end_of_day(text: str, today: date) -> int:
    """The end of a day, in ns since 1970 (pure): a date, or `7d`, so many days after `today`. Raises `UsageError`."""
    wrong = UsageError(f'"{text}" is not a day, such as 2026-12-31 or 7d')
    try:
        if re.fullmatch(r"[0-9]{1,4}d", text):
            day = today + timedelta(days=int(text[:-1]))
        elif re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            day = date.fromisoformat(text)
        else:
            raise wrong
        return int(datetime.combine(day, clock.max).timestamp()) * 10**9  # by the clock of this machine
    except (ValueError, OverflowError):
        raise wrong from None


def _asked_for(options: Globals, command: str) -> tuple[str, ...]:
    """The courses that a person chooses on a terminal. Raises `UsageError` where there is none."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(f"which course? name it, or all of them: coursefs {command} all")
    from coursefs.library import stored_tree  # slow to import

    with stored_tree(*options.catalogue()) as tree:
        paths = [tree.path(node) for node, _ in tree.courses()]
    for number, path in enumerate(paths, 1):
        output.message(f"{number:>3}  {path}")
    while True:
        try:
            return chosen(click.prompt("Which? Numbers, or all", err=True), paths)
        except UsageError as error:
            output.error(str(error))


def chosen(answer: str, paths: Sequence[str]) -> tuple[str, ...]:
    """The courses that an answer means (pure): numbers of the list, or `all`. Raises `UsageError` for anything else."""
    words = answer.replace(",", " ").split()
    if words == ["all"]:
        return ("all",)
    if words and all(word.isdecimal() and 1 <= int(word) <= len(paths) for word in words):
        return tuple(dict.fromkeys(paths[int(word) - 1] for word in words))
    raise UsageError(f"{answer}: type numbers from 1 to {len(paths)}, such as 1 3, or all")


def _languages(text: str) -> list[str] | str:
    """The languages of `--subtitles`, as the settings have them. Raises `UsageError`."""
    from coursefs.settings.config_keys import subtitles_of

    languages = text if text == "all" else [one.strip() for one in text.split(",")]
    try:
        subtitles_of(languages)
    except UsageError:
        raise UsageError(f"--subtitles {text}: expected languages, such as en,de, or all") from None
    return languages


def _check_video(text: str) -> None:
    """Raise `UsageError` for a resolution that is none."""
    from coursefs.settings.config_keys import lines_of

    try:
        lines_of(text)
    except UsageError:
        raise UsageError(f"--video {text}: expected a number of lines, such as 720p, or highest") from None


def _teller(do: str, there: str, dry_run: bool) -> _Tell:
    """The function that says in one line what a transfer has done, or would do."""
    return lambda last: planned(last["state"], do, there) if dry_run else summary(last["state"], there)


@click.command()
@click.argument("targets", nargs=-1, required=True, metavar="COURSE… | PATH… | all", shell_complete=completion.targets)
@pass_globals
def pin(options: Globals, targets: tuple[str, ...]) -> int:
    """Pin files in the cache: their cached parts, now and later, stay until they are unpinned.

    A COURSE is named by its folder, slug, id, URL, or the beginning of its title, a PATH is a folder or file in the
    mount.  Of a folder its present files are pinned; pin it again for later ones.  Nothing is fetched.

    \b
    Example: coursefs pin ~/courses/"Sound and Hearing" && coursefs fetch ~/courses/"Sound and Hearing"
    """

    def tell(last: Mapping[str, Any]) -> str:
        rest = (
            ""
            if last["complete"] == last["of"]
            else f", {last['complete']} of them completely cached (for the rest: coursefs fetch)"
        )
        return f"{last['of']} files pinned{rest}"

    return carry_out(options, "pin", targets, tell)


@click.command()
@click.argument("targets", nargs=-1, required=True, metavar="COURSE… | PATH… | all", shell_complete=completion.targets)
@pass_globals
def unpin(options: Globals, targets: tuple[str, ...]) -> int:
    """Unpin files: they can be evicted from the cache again; `all` also unpins files that are no longer shown.

    \b
    Example: coursefs unpin ~/courses/"Sound and Hearing"
    """
    return carry_out(options, "unpin", targets, lambda last: f"{last['unpinned']} files unpinned")


@click.command()
@click.argument("targets", nargs=-1, metavar="(COURSE… | PATH… | all)", shell_complete=completion.targets)
@click.option(
    "--to",
    "folder",
    required=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Target folder; created if it is missing.",
)
@_filters
@click.option("--subtitles", metavar="L,…", help="Languages, such as en,de, or all; else those of the settings.")
@click.option("--video", metavar="R", help="720p, 540p, 360p … or highest; else that of the settings.")
@click.option("--overwrite", is_flag=True, help="Copy also what is there with the same size and date.")
@pass_globals
def download(
    options: Globals,
    targets: tuple[str, ...],
    folder: Path,
    only: tuple[str, ...],
    excepted: tuple[str, ...],
    dry_run: bool,
    limit: str | None,
    subtitles: str | None,
    video: str | None,
    overwrite: bool,
) -> int:
    """Make plain copies of your courses in the folder DIR, with the names that the mount has; no FUSE is needed.

    A COURSE is named by its folder, slug, id, URL, or the beginning of its title, a PATH is a folder or file in the
    mount, or a pattern for such; on a terminal it asks which if there is none.  Copies of the same size and date are
    skipped, so that the next run adds only what is new.  Nothing is ever deleted.  Ends with status 1 if something
    could not be copied.

    \b
    Example: coursefs download sound-and-hearing --to /media/stick --only '*.mp4' --only '*.srt'
    """
    from coursefs.mount import mountinfo  # slow to import

    _checked(only, excepted, limit)
    languages = None if subtitles is None else _languages(subtitles)
    if video is not None:
        _check_video(video)
    to = mountinfo.absolute(folder)
    if any(one.is_coursefs and to.is_relative_to(one.mountpoint) for one in mountinfo.mounted()):
        raise UsageError(f"{folder}: is inside the mount; choose another folder")
    umask = os.umask(0o077)
    os.umask(umask)
    tell = _teller("copy", "skipped", dry_run)
    chosen = _given(
        only=only,
        dry_run=dry_run,
        limit=limit,
        overwrite=overwrite,
        subtitles=languages,
        video=video,
        **{"except": excepted},
    )
    named = targets or _asked_for(options, "download")
    return carry_out(options, "download", named, tell, bars=not dry_run, to=str(to), umask=umask, **chosen)
