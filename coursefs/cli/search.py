"""`coursefs search`: words in titles, readings, transcripts and captions, and the player at the place of a hit."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from coursefs.cli import completion, output
from coursefs.cli.output import Globals, pass_globals
from coursefs.errors import CoursefsError, UsageError
from coursefs.settings.paths import socket_dirs

if TYPE_CHECKING:
    from coursefs.library import FoundText

_COLUMNS = ("n", "course", "lecture", "time", "text")
#: what `--fetch` brings
_TEXTUAL = ("*.srt", "*.vtt", "*.txt", "*.md", "*.html")
#: seconds to wait for the mount to take up what is new
_PATIENCE = 10.0
_LIMIT = 20


@click.command()
@click.argument("words", nargs=-1, required=True)
@click.option("--course", metavar="C", shell_complete=completion.courses, help="Only in this course.")
@click.option("--fetch", "with_fetch", is_flag=True, help="First fetch the texts that are not cached yet.")
@click.option("--play", type=click.IntRange(min=1), metavar="N", help="Open the player at hit N.")
@click.option("--limit", type=click.IntRange(1, 1000), default=_LIMIT, show_default=True, help="At most so many hits.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@pass_globals
def search(
    options: Globals,
    words: tuple[str, ...],
    course: str | None,
    with_fetch: bool,
    play: int | None,
    limit: int,
    as_json: bool,
) -> int:
    """Search titles, readings, transcripts and captions for WORDS, in everything that is cached.

    All words must occur; the beginning of a word is enough, and words in one "argument with blanks" belong together.
    Case, accents and punctuation make no difference.  Nothing is requested from a platform, unless --fetch is given.
    Ends with status 1 if nothing was found.

    \b
    Example: coursefs search basilar membrane --course sound-and-hearing
    """
    from coursefs.library import require_terms, stored_tree  # slow to import

    text = " ".join(map(as_typed, words))
    require_terms(text)
    catalogue, accounts = options.catalogue()
    directory: str | None = None
    if course is not None:
        with stored_tree(catalogue, accounts) as tree:
            (node,) = tree.select([course])
            directory = tree.path(node)
    if with_fetch:
        _fetch(options, course or "all")
    found = _found(options, catalogue, text, accounts, directory, max(limit, play or 0))
    if play is not None and found:
        if len(found) < play:
            raise UsageError(f"there is no hit {play}; {output.count(len(found), 'hit')} in all")
        _play(options, found[play - 1])
        return 0
    if as_json:
        output.show_json([one.record() for one in found])
    else:
        output.table([row_of(number, one) for number, one in enumerate(found, 1)], _COLUMNS)
    if not found:
        output.message("coursefs: nothing found in what is cached; to fetch all texts first: --fetch")
    return 0 if found else 1


def as_typed(word: str) -> str:
    """An argument as it was before the shell took its quotation marks away (pure): one that holds blanks had some."""
    return f'"{word}"' if len(word.split()) > 1 and '"' not in word else word


def row_of(number: int, one: FoundText) -> tuple[str, ...]:
    """The line of a hit (pure)."""
    return str(number), one.course, one.lecture or "-", "-" if one.at is None else clock(one.at), one.text


def clock(seconds: float) -> str:
    """A time in a recording: `1:02:03`, `2:03` (pure)."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _found(
    options: Globals, catalogue: Path, text: str, accounts: Sequence[str], directory: str | None, limit: int
) -> list[FoundText]:
    """The hits, after the index was brought up to date; an index that is damaged is built again.

    Where it cannot be brought up to date, the index that is there is searched, and a line says so.
    """
    from coursefs.library import IndexMissing, search_texts

    trouble: CoursefsError | None = None
    try:
        _bring_up_to_date(options)
    except CoursefsError as error:
        trouble = error
    try:
        found = search_texts(catalogue, text, accounts, directory, limit)
    except IndexMissing:
        if trouble is not None:
            raise trouble from None
        _bring_up_to_date(options, again=True)
    else:
        if trouble is not None:
            output.error(f"the search index is not up to date, so there may be more hits: {trouble}")
        return found
    try:
        return search_texts(catalogue, text, accounts, directory, limit)
    except IndexMissing:
        raise CoursefsError("the search index is being built; try again in a moment") from None


def _bring_up_to_date(options: Globals, **wanted: bool) -> None:
    """Have the mount that has the catalogue bring the index up to date, or do it in this process.

    Raises `CoursefsError` for whatever prevents it: other programs, the disk, the child process.
    """
    import sqlite3

    from coursefs.daemon import socket

    last: Mapping[str, Any] = {}
    try:
        with _Line() as line:

            def show(progress: Mapping[str, Any]) -> None:
                nonlocal last
                last = progress
                if progress["of"]:
                    line.show(f"indexing: {progress['done']} of {progress['of']}")

            if (mount := socket.mount_of_user(socket_dirs(), demo=options.demo)) is None:
                from coursefs.cli.alone import Interrupted, alone

                try:
                    alone(options, "searchable", {"is_background": False, **wanted}, show)
                except Interrupted as signalled:
                    raise KeyboardInterrupt from signalled
            else:
                _ask(mount, wanted, show)
    except ConnectionError:
        raise CoursefsError("the mount has just ended; try again") from None
    except OSError as error:
        about = "" if error.filename is None else f"{error.filename}: "
        raise CoursefsError(f"{about}{error.strerror or error}") from None
    except sqlite3.Error as error:
        raise CoursefsError(f"a database of coursefs cannot be used: {error}") from None
    if last and not last["is_complete"]:
        rest = f", {last['done']} of {last['of']} texts are done" if last["of"] else ""
        output.message(f"coursefs: the search index is still being built{rest}; there may be more hits later")


def _ask(mount: Path, wanted: Mapping[str, bool], show: Callable[[Mapping[str, Any]], None]) -> None:
    """Have a mount bring the index up to date; after a while it goes on by itself."""
    from coursefs.daemon import socket

    end = time.monotonic() + _PATIENCE
    with closing(socket.ask(mount, "searchable", within=_PATIENCE, **wanted)) as replies:
        for reply in replies:
            show(reply)
            if time.monotonic() >= end:
                return


class _Line:
    """A line on a terminal that is written over, and gone in the end."""

    def __enter__(self) -> _Line:
        self._is_shown = False
        return self

    def show(self, text: str) -> None:
        """Show this line."""
        if sys.stderr.isatty():
            self._is_shown = True
            sys.stderr.write(f"\r\x1b[K{output.clean(text)}")
            sys.stderr.flush()

    def __exit__(self, *_: object) -> None:
        if self._is_shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def _fetch(options: Globals, target: str) -> None:
    """Fetch the texts of a course, or of all; what cannot be fetched is a line, and the search goes on."""
    from coursefs.cli.progress import summary
    from coursefs.cli.transfers import transferred

    try:
        last = transferred(options, "fetch", [target], only=list(_TEXTUAL))
    except UsageError:
        raise
    except CoursefsError as error:
        output.error(f"not all texts were fetched: {error}")
        return
    output.message(f"coursefs: {summary(last['state'], 'already there')}")


def _play(options: Globals, hit: FoundText) -> None:
    """Play the recording of a hit at its time, or open the text where there is none."""
    from coursefs.cli.player import play
    from coursefs.daemon import socket

    mounts = [Path(one["mountpoint"]) for _, one in socket.all_mounts(socket_dirs()) if one["demo"] == options.demo]
    if not mounts:
        raise CoursefsError("to play a hit the courses must be mounted: coursefs mount ~/courses")
    play(mounts[0] / (hit.media or hit.path), None if hit.media is None else hit.at or 0.0)
