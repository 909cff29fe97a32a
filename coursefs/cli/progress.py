"""The progress of a transfer: bars on a terminal, else failures, and a line a minute."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from coursefs.cli import output
from coursefs.errors import named

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, ProgressColumn, Task, TaskID

#: columns of "1023.9 MiB of 1023.9 MiB", and of the bar
_NUMBERS = 24
_BAR = 20
#: columns of a terminal from which a part of a row is shown
_WIDE_ENOUGH = {"rate": 50, "time": 60, "bar": 90}


#: seconds between two lines where there is no terminal
_LINE_EVERY = 60.0


class Display(Protocol):
    """Shows the replies of a transfer (see `coursefs.daemon.commands`)."""

    def show(self, reply: Mapping[str, Any]) -> None:
        """Show what is new in a reply."""


@contextmanager
def display(*, bars: bool = True) -> Iterator[Display]:
    """The display that suits standard error; bars are removed when the context ends. Without `bars`: lines."""
    if not bars or not sys.stderr.isatty():
        yield Lines()
        return
    drawn = Bars()
    with drawn.progress:
        yield drawn


class Lines:
    """A line for each failure, and one a minute that says how far it is."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._last = now()

    def show(self, reply: Mapping[str, Any]) -> None:
        """See `Display`."""
        if "amount" in reply:
            output.message(f"coursefs: {amount(reply['amount'])}")
        for about, reason in reply["failures"]:
            output.error(named(about, reason))
        if self._now() - self._last >= _LINE_EVERY:
            self._last = self._now()
            output.message(f"coursefs: {so_far(reply['state'])}")


class Bars:
    """A bar for all files together, and one for each file in transfer; failures scroll past above them."""

    def __init__(self) -> None:
        from rich.console import Console  # slow to import: only for a terminal
        from rich.progress import Progress

        console = Console(file=sys.stderr, highlight=False)
        self.progress: Progress = Progress(_row_column(console), console=console, transient=True, expand=True)
        self._all = self.progress.add_task("looking", total=None)
        self._files: dict[str, TaskID] = {}

    def show(self, reply: Mapping[str, Any]) -> None:
        """See `Display`."""
        if "amount" in reply:
            self.progress.console.print(f"coursefs: {amount(reply['amount'])}", markup=False, soft_wrap=True)
        for about, reason in reply["failures"]:
            line = output.clean(" ".join(f"coursefs: {named(about, reason)}".split()))
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


def _row_column(console: Console) -> ProgressColumn:
    """The one column of the display: a task as `row` of the terminal's present width."""
    from rich.progress import ProgressColumn
    from rich.text import Text

    class Row(ProgressColumn):
        max_refresh = 0.2  # seconds: the rate need not be read faster

        def render(self, task: Task) -> Text:
            left = None if task.finished else task.time_remaining
            shown = row(task.description, task.completed, task.total, task.speed, left, console.width)
            return Text(shown, no_wrap=True, overflow="crop")

    return Row()


def row(  # the parts of one line
    name: str, done: float, total: float | None, rate: float | None, left: float | None, width: int
) -> str:
    """A line about one transfer in at most so many columns (pure).

    `done` and `total` in bytes, `rate` in bytes a second, `left` in seconds; None: unknown. The numbers stay, the name
    is shortened in the middle; the bar, then the time, then the rate are left out where there is no room.
    """
    from rich.cells import cell_len  # late: few commands need it

    numbers = f"{output.size(done)} of {output.size(total)}" if total is not None else output.size(done)
    parts = [f"{numbers:>{_NUMBERS}}"]
    speed = f"{output.size(rate)}/s" if rate is not None else ""
    time = f"{int(left) // 60}:{int(left) % 60:02}" if left is not None else ""
    if width >= _WIDE_ENOUGH["rate"]:
        parts.append(f"{speed:>12}")
    if width >= _WIDE_ENOUGH["time"]:
        parts.append(f"{time:>6}")
    if width >= _WIDE_ENOUGH["bar"]:
        cells = round(_BAR * min(1.0, done / total)) if total else 0
        parts.insert(0, "━" * cells + "┄" * (_BAR - cells))
    after = "  ".join(parts)
    room = max(0, width - len(after) - 2)
    shown = output.shortened(name, room)
    return shown + " " * (room - cell_len(shown)) + "  " + after


def overall(state: Mapping[str, Any]) -> str:
    """The number of files that are done, in few words (pure)."""
    done = state["new"] + state["there"] + state["failed"]
    more = " so far" if state["is_looking"] else ""
    failed = f", {state['failed']} failed" if state["failed"] else ""
    return f"{done} of {state['files']} files{more}{failed}"


def so_far(state: Mapping[str, Any]) -> str:
    """How far a transfer is, in one line (pure)."""
    return f"{overall(state)}, {output.size(state['came'])} of {output.size(state['bytes'])}"


def amount(found: Mapping[str, int]) -> str:
    """How much a fetch is about to bring, in one line (pure)."""
    files = f"{output.count(found['files'], 'file')}, {output.size(found['bytes'])}" if found["files"] else "nothing"
    return f"to fetch: {files}" + (f"; {found['unknown']} more of unknown size" if found["unknown"] else "")


def planned(state: Mapping[str, Any], do: str, there: str) -> str:
    """What a transfer would do, in one line (pure); `do`: the word for it."""
    files = f"{output.count(state['new'], 'file')} ({output.size(state['came'])})" if state["new"] else "nothing"
    return f"would {do} {files}, {state['there']} {there}, {state['failed']} failed"


def summary(state: Mapping[str, Any], there: str) -> str:
    """The result of a transfer in one line (pure); `there`: the words for files that needed nothing."""
    new = f"{state['new']} new ({output.size(state['came'])})" if state["new"] else "0 new"
    return f"{new}, {state['there']} {there}, {state['failed']} failed"
