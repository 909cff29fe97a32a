"""How far many files are: bars on a terminal, else failures alone."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from coursefs.cli import output

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Display(Protocol):
    """Is shown every reply of a transfer (see `coursefs.daemon.transfers`)."""

    def show(self, reply: Mapping[str, Any]) -> None:
        """Say what is new in it."""


@contextmanager
def display() -> Iterator[Display]:
    """What suits standard error, where messages go; bars are gone when the context ends."""
    if not sys.stderr.isatty():
        yield Lines()
        return
    bars = Bars()
    with bars.progress:
        yield bars


class Lines:
    """A line for each failure."""

    def show(self, reply: Mapping[str, Any]) -> None:
        """See `Display`."""
        for about, reason in reply["failures"]:
            output.error(f"{about}: {reason}")


class Bars:
    """A bar for all files together, and one for each that is on its way; failures scroll past above them."""

    def __init__(self) -> None:
        from rich.console import Console  # noqa: PLC0415  # slow to import: only for a terminal
        from rich.progress import (  # noqa: PLC0415
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )
        from rich.table import Column  # noqa: PLC0415

        name = Column(ratio=1, no_wrap=True, overflow="ellipsis")
        self.progress: Progress = Progress(
            TextColumn("{task.description}", markup=False, table_column=name),  # brackets in a title are no markup
            BarColumn(20),
            DownloadColumn(binary_units=True),
            TransferSpeedColumn(),
            TimeRemainingColumn(compact=True),
            console=Console(file=sys.stderr, highlight=False),
            transient=True,
            expand=True,
        )
        self._all = self.progress.add_task("looking", total=None)
        self._files: dict[str, TaskID] = {}

    def show(self, reply: Mapping[str, Any]) -> None:
        """See `Display`."""
        for about, reason in reply["failures"]:
            line = output.clean(" ".join(f"coursefs: {about}: {reason}".split()))
            self.progress.console.print(line, markup=False, soft_wrap=True)
        state = reply["state"]
        total = None if state["is_looking"] and not state["bytes"] else state["bytes"]
        self.progress.update(self._all, description=overall(state), completed=state["came"], total=total)
        moving = {one["path"]: one for one in state["moving"]}
        for path in self._files.keys() - moving.keys():
            self.progress.remove_task(self._files.pop(path))
        for path, one in moving.items():
            if path not in self._files:
                self._files[path] = self.progress.add_task(output.clean(path.rpartition("/")[2]), total=one["total"])
            self.progress.update(self._files[path], completed=one["done"])


def overall(state: Mapping[str, Any]) -> str:
    """How many files are done, in few words (pure)."""
    done = state["new"] + state["there"] + state["failed"]
    more = " so far" if state["is_looking"] else ""
    failed = f", {state['failed']} failed" if state["failed"] else ""
    return f"{done} of {state['files']} files{more}{failed}"


def summary(state: Mapping[str, Any], there: str) -> str:
    """What became of all files, in one line (pure); `there`: what is said of those that were there."""
    new = f"{state['new']} new ({output.size(state['came'])})" if state["new"] else "0 new"
    return f"{new}, {state['there']} {there}, {state['failed']} failed"
