"""The learner's standing, from the platform's dates and progress (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from coursefs.model import Deadline, Standing
from coursefs.pages.cleaning import link_target, without_tags
from coursefs.providers.kit.fields import Json, record
from coursefs.providers.openedx.keys import block_type, jump_target
from coursefs.providers.openedx.outline import tree_key
from coursefs.providers.openedx.replies import Block, Blocks, CourseDate

_START, _END = "course-start-date", "course-end-date"
#: types of date that are no deadlines
_NO_DEADLINE = frozenset({_START, _END, "todays-date", "event", "certificate-available-date"})


def standing(dates: Sequence[CourseDate], progress: Any, deadlines: Sequence[Deadline] = ()) -> Standing:
    """The standing from both replies; `deadlines` are those from the blocks, for a server without dates.

    A title of the dates may be HTML.
    """
    content: Json = progress if isinstance(progress, dict) else {}
    counts = record(content, "completion_summary")
    done = [_number(counts.get(name)) for name in ("complete_count", "incomplete_count", "locked_count")]
    total = sum(count or 0 for count in done)
    grade = record(content, "course_grade")
    passing = grade.get("is_passing", content.get("user_has_passing_grade"))
    due = [
        Deadline(without_tags(one.title), one.when_ns, _key(jump_target(one.link)), link_target(one.link))
        for one in dates
        if one.type not in _NO_DEADLINE
    ]
    return Standing(
        done=None if not total or done[0] is None else done[0] / total,
        grade=_part(grade.get("percent")),
        passed=passing if isinstance(passing, bool) else None,
        starts_ns=next((one.when_ns for one in dates if one.type == _START), None),
        ends_ns=next((one.when_ns for one in dates if one.type == _END), None),
        deadlines=tuple(sorted(due or deadlines, key=lambda one: (one.due_ns, one.title))),
    )


def due_blocks(blocks: Blocks) -> list[Deadline]:
    """The deadlines in the blocks; for a subsection only one, not one for each of its units."""
    found: list[Deadline] = []

    def walk(block: Block, above: int | None, key_above: str | None, seen: frozenset[str]) -> None:
        shown_as = tree_key(block.type, block.key) or key_above
        if block.due_ns is not None and block.due_ns != above:
            found.append(Deadline(block.name or "Unit", block.due_ns, shown_as, link_target(block.url)))
        for key in block.children:
            child = blocks.blocks.get(key)
            if child is not None and key not in seen:
                walk(child, block.due_ns if block.due_ns is not None else above, shown_as, seen | {key})

    root = blocks.blocks.get(blocks.root)
    if root is not None:
        walk(root, None, None, frozenset({blocks.root}))
    return found


def _key(usage_key: str) -> str | None:
    return tree_key(block_type(usage_key), usage_key)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0 else None


def _part(value: object) -> float | None:
    number = _number(value)
    return number if number is not None and number <= 1 else None
