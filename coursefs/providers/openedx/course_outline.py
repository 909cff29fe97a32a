"""The course outline: all subsections of a course in order, and why some are closed (pure).

The Blocks API omits exams, subsections with an unmet prerequisite, and those of the future.
`/api/learning_sequences/v1/course_outline/ID` lists them, but omits chapters without a subsection, and subsections
hidden from the table of contents.  So the order of a level is merged from both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from coursefs.providers.kit.fields import Json, record, rows, text
from coursefs.providers.openedx.keys import key_of
from coursefs.providers.openedx.replies import time_ns


@dataclass(frozen=True, slots=True)
class Subsection:
    """A subsection of a course, open or not.  Times are ns since 1970."""

    key: str
    title: str
    accessible: bool = True
    starts_ns: int | None = None
    due_ns: int | None = None
    is_over: bool = False  # closed after its deadline
    exam: str = ""  # the platform's word for the kind of exam; "": none

    def why_closed(self, now_ns: int) -> str:
        """Why it is not among the course's blocks, for people; "" when the platform gives no reason."""
        if self.starts_ns is not None and self.starts_ns > now_ns:
            return f"it opens on {_day(self.starts_ns)}"
        if self.is_over:
            return f"it was closed when it was due, on {_day(self.due_ns)}" if self.due_ns else "it was closed"
        if self.exam:
            due = f", due on {_day(self.due_ns)}" if self.due_ns else ""
            return f"it is an exam ({self.exam}{due}), which can be taken on its web page only"
        return "" if self.accessible else "another part of the course has to be completed before it"


@dataclass(frozen=True, slots=True)
class Chapter:
    """A chapter of a course with all its subsections."""

    key: str
    title: str
    subsections: tuple[Subsection, ...] = ()


def chapters(body: Any) -> tuple[Chapter, ...]:
    """The chapters in a reply; () when it has none, as for a closed course."""
    outline = record(body if isinstance(body, dict) else {}, "outline")
    sequences = record(outline, "sequences")  # an empty one may be a list
    found: dict[str, Chapter] = {}
    for row in rows(outline, "sections"):
        listed = row.get("sequence_ids")
        keys = [key_of({"key": one}, "key") for one in listed] if isinstance(listed, list) else []
        inner = tuple(_subsection(key, record(sequences, key)) for key in dict.fromkeys(keys) if key in sequences)
        if key := key_of(row, "id"):
            found.setdefault(key, Chapter(key, text(row, "title"), inner))
    return tuple(found.values())


def _subsection(key: str, row: Json) -> Subsection:
    exam = record(row, "exam")
    return Subsection(
        key=key,
        title=text(row, "title"),
        accessible=row.get("accessible") is not False,
        starts_ns=time_ns(row.get("effective_start") or row.get("start")),
        due_ns=time_ns(row.get("due")),
        is_over=row.get("inaccessible_after_due") is True,
        exam=(text(exam, "short_description") or "exam") if exam else "",
    )


def merged(listed: Sequence[str], shown: Sequence[str], *, shown_first: bool) -> list[str]:
    """Merge two lists into one order.

    An entry that only `shown` has is placed before its successor there; with `shown_first` directly after its
    predecessor.  If both lists have own entries at one place, no reply gives their order.  Chapters without a
    subsection are placed before future ones, because courses open from the front; for subsections nothing is known.
    """
    anchors = set(listed)
    beside: dict[str, list[str]] = {}  # "": the beginning, or the end
    keys = shown if shown_first else shown[::-1]
    anchor = ""
    for key in keys:
        if key in anchors:
            anchor = key
        else:
            beside.setdefault(anchor, []).append(key)
    if shown_first:
        order = [*beside.get("", ()), *(one for key in listed for one in (key, *beside.get(key, ())))]
    else:
        before = {key: some[::-1] for key, some in beside.items()}
        order = [*(one for key in listed for one in (*before.get(key, ()), key)), *before.get("", ())]
    return list(dict.fromkeys(order))


def _day(ns: int) -> str:
    return f"{datetime.fromtimestamp(ns / 10**9, UTC):%Y-%m-%d}"
