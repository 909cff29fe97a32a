"""The transfers of the control socket: `fetch`, `download`, `pin` and `unpin`.

A command without a mount calls the same functions.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import trio

from coursefs.base import threads
from coursefs.bulk.copies import CopyFolder
from coursefs.bulk.download import Download
from coursefs.bulk.fetching import Fetch, Pin
from coursefs.bulk.globs import Filter, glob
from coursefs.bulk.plan import Amount, BytesToFetch, CopiesToMake, DryRun, Planned
from coursefs.bulk.selection import Selection
from coursefs.bulk.targets import EVERYTHING, Target, resolve
from coursefs.bulk.transfer import AT_ONCE, Failure, Job, Transfer, TransferState
from coursefs.daemon.socket import Reply
from coursefs.daemon.socket_server import Command
from coursefs.errors import CoursefsError, UsageError
from coursefs.library import ROOT, Courses, FileCache, Files, Library, Node
from coursefs.model import Kind, Wanted
from coursefs.settings.config_keys import lines_of, subtitles_of
from coursefs.settings.rates import parse_rate
from coursefs.transport.bandwidth import Bandwidth, of_command, rate_now

Replies = AsyncGenerator[Reply, None]
#: the keys of finished items, by account and course
_Finished = Mapping[tuple[str, str], frozenset[str]]

#: seconds between two progress replies, by which a disconnected client is noticed as well
_TELL_EVERY = 0.2


class Work:
    """The transfers of one command, with what is told of them."""

    def __init__(self, wanted: Mapping[str, Any]) -> None:
        """`wanted`: the options of the command. Raises `UsageError` for wrong ones."""
        _filter(wanted)
        self.amount: Amount | None = None  # what a fetch is about to bring, once that is known
        self._wanted = wanted
        self._plan: DryRun | None = None
        self._first_look: Transfer | None = None
        self._came: Sequence[int] = ()
        self._transfer: Transfer | None = None

    def begin(self, files: Files, job: Job, selection: Selection | None = None) -> Transfer:
        """A transfer of files of the daemon's own library, or of a variant of it, whose progress is told from now on.

        `selection`: in place of the one that the options make.
        """
        self._plan = job if isinstance(job, DryRun) else None
        at_once = 1 if self._plan else AT_ONCE  # a plan is in the order of the tree
        self._transfer = Transfer(files, job, selection or _selection(files, self._wanted), at_once=at_once)
        return self._transfer

    async def look_first(self, files: Files, cache: FileCache, selection: Selection, nodes: Sequence[Node]) -> None:
        """Find out how much there is to fetch; the selection takes the same files afterwards, but what has failed."""
        job = BytesToFetch(files, cache)
        plan = DryRun(job.look)
        self._came = job.came
        self._first_look = Transfer(files, plan, selection, at_once=1)
        await self._first_look.run(nodes)
        selection.settle()
        sizes = [one.bytes for one in plan.planned]
        self.amount = Amount(len(sizes), sum(sizes), self._first_look.state.failed)

    @property
    def state(self) -> TransferState:
        """The progress of the transfer; what failed at the first look, or came with it, belongs to it."""
        looked = self._first_look.state if self._first_look else TransferState(is_looking=False)
        if self._transfer is None:
            return TransferState(files=looked.files, failed=looked.failed)
        state = self._transfer.state
        came = self._came[: state.there]  # brought by the first look: new, and not there before
        return replace(
            state,
            files=state.files + looked.failed,
            failed=state.failed + looked.failed,
            new=state.new + len(came),
            there=state.there - len(came),
            bytes=state.bytes + sum(came),
            came=state.came + sum(came),
        )

    @property
    def failures(self) -> list[Failure]:
        """The failures so far, each once."""
        every = [*(self._first_look.failures if self._first_look else ())]
        return list(dict.fromkeys([*every, *(self._transfer.failures if self._transfer else ())]))

    @property
    def planned(self) -> list[Planned] | None:
        """The files of a dry run so far; None: it is none."""
        return None if self._plan is None else list(self._plan.planned)

    @property
    def exit_status(self) -> int:
        """The exit status of the failures so far."""
        return max((one.exit_status for one in (self._first_look, self._transfer) if one), default=0)


class UnderWay:
    """The running transfers of a library."""

    def __init__(self) -> None:
        self._running: dict[Transfer, str] = {}

    @contextmanager
    def carrying(self, command: str, transfer: Transfer) -> Iterator[None]:
        """Register a running transfer of a command while the context lasts."""
        self._running[transfer] = command
        try:
            yield
        finally:
            del self._running[transfer]

    def carried(self) -> Mapping[str, Node]:
        """The files that the transfers are working on, by path."""
        return {path: node for one in self._running for path, node in one.carried.items()}

    def report(self) -> list[Reply]:
        """The transfers as in `coursefs status --json`, in the order of their start."""
        return [
            {
                "command": command,
                "is_looking": state.is_looking,
                "files": state.files,
                "done": state.new + state.there,
                "failed": state.failed,
                "bytes": state.bytes,
                "received": state.came,
            }
            for command, state in ((command, one.state) for one, command in self._running.items())
        ]


def transfers(library: Library, under_way: UnderWay | None = None) -> dict[str, Command]:
    """The commands for many files, by their name on the control socket.

    `targets` are pairs of text and path (see `Target`). Of `fetch` and `download` these are optional: `only` and
    `except` (globs), `next` (items of each course), `until` (of
    `fetch`: ns since 1970), `dry_run`, `limit` (a rate in place of the settings'), and for
    `download` `overwrite`, `subtitles` and `video` (as in the settings).

    Replies report the progress several times a second: `state` as in `coursefs.bulk.transfer.TransferState`, and
    `failures`, those since the last reply, as pairs; of a dry run also `planned`, the files since the last reply, as
    pairs of path and bytes. The last one has the `exit_status`, which is not 0 if anything failed, and the result of
    `pin` and `unpin`. Before a fetch with `next` or `until` begins, one reply has the `amount`, as in
    `coursefs.bulk.plan.Amount`. Running transfers are registered in `under_way`.
    """
    running = under_way or UnderWay()
    files, cache, courses = library.files, library.cache, library.courses

    async def run(command: str, transfer: Transfer, nodes: Sequence[Node]) -> None:
        with running.carrying(command, transfer):
            await transfer.run(nodes)

    def fetch(wanted: Mapping[str, Any]) -> Replies:
        async def carry_out(work: Work) -> Reply:
            nodes = await resolve(files, courses, targets_of(wanted))
            if wanted.get("until") is not None:
                nodes = await _due(files, courses, nodes, int(wanted["until"]))
            finished = await _finished(files, courses, nodes) if wanted.get("next") else {}
            selection = _selection(files, wanted, finished)
            if not wanted.get("dry_run") and (wanted.get("next") or wanted.get("until") is not None):
                await work.look_first(files, cache, selection, nodes)
            job = Fetch(files, cache)
            await run("fetch", work.begin(files, DryRun(job.look) if wanted.get("dry_run") else job, selection), nodes)
            return {}

        return _told(library, wanted, carry_out)

    def download(wanted: Mapping[str, Any]) -> Replies:
        overwrite = bool(wanted.get("overwrite"))

        async def carry_out(work: Work) -> Reply:
            async with library.variant(_wanted_files(library, wanted)) as source:
                nodes = await resolve(source.files, source.courses, targets_of(wanted))
                if wanted.get("dry_run"):
                    look = CopiesToMake(source.files, Path(wanted["to"]), overwrite=overwrite).look
                    await run("download", work.begin(source.files, DryRun(look)), nodes)
                    return {}
                folder = await threads.run_sync(lambda: CopyFolder(Path(wanted["to"]), int(wanted["umask"])))
                with closing(folder):
                    job = Download(source.files, source.cache, folder, overwrite=overwrite)
                    await run("download", work.begin(source.files, job), nodes)
            return {}

        return _told(library, wanted, carry_out)

    def pin(wanted: Mapping[str, Any]) -> Replies:
        async def carry_out(work: Work) -> Reply:
            job = Pin(cache, pinned=True)
            await run("pin", work.begin(files, job), await resolve(files, courses, targets_of(wanted)))
            return {"complete": job.complete, "of": job.files}

        return _told(library, wanted, carry_out)

    def unpin(wanted: Mapping[str, Any]) -> Replies:
        async def carry_out(work: Work) -> Reply:
            targets = targets_of(wanted)
            if any(target.text == EVERYTHING for target in targets):  # also files that are no longer in the tree
                return {"unpinned": await cache.unpin_all()}
            transfer = work.begin(files, Pin(cache, pinned=False))
            await run("unpin", transfer, await resolve(files, courses, targets))
            return {"unpinned": transfer.state.new}

        return _told(library, wanted, carry_out)

    return {"fetch": fetch, "download": download, "pin": pin, "unpin": unpin}


def targets_of(wanted: Mapping[str, Any]) -> list[Target]:
    """The targets of a command, which come as pairs of text and path."""
    return [Target(str(text), None if path is None else tuple(path)) for text, path in wanted["targets"]]


def _filter(wanted: Mapping[str, Any]) -> Filter:
    """The filter that the options of a command make. Raises `UsageError`."""
    only, excepted = (tuple(glob(str(text)) for text in wanted.get(name, ())) for name in ("only", "except"))
    return Filter(only, excepted)


def _selection(files: Files, wanted: Mapping[str, Any], finished: _Finished | None = None) -> Selection:
    """The files that the options of a command take. Raises `UsageError`."""
    return Selection(files, _filter(wanted), wanted.get("next"), finished)


def _wanted_files(library: Library, wanted: Mapping[str, Any]) -> Wanted:
    """The subtitles and videos of a command: those of the settings, where it says nothing. Raises `UsageError`."""
    subtitles, video = wanted.get("subtitles"), wanted.get("video")
    settings = library.wanted
    return replace(
        settings,
        subtitles=settings.subtitles if subtitles is None else subtitles_of(subtitles),
        video=settings.video if video is None else lines_of(video),
    )


def _courses_of(courses: Courses, nodes: Sequence[Node]) -> list[Node]:
    """The known courses that are among these nodes, or below them, or that one of them is in."""
    inodes = {node.inode for node in nodes}
    places = {(node.place.account, node.place.course) for node in nodes}
    return [
        course
        for course in courses.select([])
        if {ROOT, course.inode, course.parent} & inodes or (course.place.account, course.key) in places
    ]


async def _finished(files: Files, courses: Courses, nodes: Sequence[Node]) -> _Finished:
    """What the learner has done in the courses of these nodes, as far as their platforms say it."""
    await _know_courses(files, nodes)
    found = {}
    for course in _courses_of(courses, nodes):
        with suppress(CoursefsError):  # the transfer meets it as well, and reports it
            found[course.place.account, course.key] = await courses.finished(course)
    return found


async def _know_courses(files: Files, nodes: Sequence[Node]) -> None:
    """Have the courses of the root and of accounts' folders listed. Raises the error of that."""
    for node in nodes:
        if node.kind in {Kind.ROOT, Kind.ACCOUNT}:
            for child in await files.children(node.inode):
                if child.kind is Kind.ACCOUNT:
                    await files.children(child.inode)


async def _due(files: Files, courses: Courses, nodes: Sequence[Node], until_ns: int) -> list[Node]:
    """The modules of these courses in which something is due until a moment.

    Raises `UsageError` for anything but courses, and `CoursefsError` if no platform of theirs has deadlines.
    """
    if any(node.place.course for node in nodes):
        raise UsageError("deadlines are those of courses: with --until, name courses, or all")
    await _know_courses(files, nodes)
    found = [(course, await courses.due(course, until_ns)) for course in _courses_of(courses, nodes)]
    if found and all(modules is None for _, modules in found):
        raise CoursefsError(f"{found[0][0].name}: the platform has no deadlines; without --until, see --next")
    return [module for _, modules in found for module in modules or ()]


def _bandwidth(wanted: Mapping[str, Any]) -> Bandwidth | None:
    """The bandwidth limit of a command alone; None: that of the settings holds. Raises `UsageError`."""
    limit = wanted.get("limit")
    if limit is None:
        return None
    timetable = parse_rate(limit)
    return Bandwidth(lambda: rate_now(timetable))


async def _told(library: Library, wanted: Mapping[str, Any], carry_out: Callable[[Work], Awaitable[Reply]]) -> Replies:
    """The replies to a command while it runs in the library's nursery; a client that disconnects cancels it."""
    work = Work(wanted)
    ended = trio.Event()
    scope = trio.CancelScope()
    bandwidth = _bandwidth(wanted)
    result: Reply | None = None
    error: Exception = CoursefsError("coursefs is ending")  # unless there is a better reason

    async def run() -> None:
        nonlocal result, error
        try:
            with scope, of_command(bandwidth):
                result = await carry_out(work)
        except Exception as failure:  # it is reported to the client, and ends nothing else
            error = failure
        finally:
            ended.set()

    library.start(run, name="transfer")
    told, planned, is_last, is_amount_told = 0, 0, False, False
    try:
        while not is_last:
            with trio.move_on_after(_TELL_EVERY):
                await ended.wait()
            is_last = ended.is_set()  # read before the state, so that the last reply is complete
            failures = work.failures
            reply: dict[str, Any] = {
                "state": asdict(work.state),
                "failures": [[one.about, one.reason] for one in failures[told:]],
            }
            told = len(failures)
            if work.amount is not None and not is_amount_told:
                is_amount_told = True
                reply["amount"] = asdict(work.amount)
            if (plan := work.planned) is not None:
                reply["planned"] = [[one.path, one.bytes] for one in plan[planned:]]
                planned = len(plan)
            if result is not None:
                reply |= {"exit_status": work.exit_status, **result}
            yield reply
        if result is None:
            raise error
    finally:
        scope.cancel()
        with trio.CancelScope(shield=True):
            await ended.wait()
