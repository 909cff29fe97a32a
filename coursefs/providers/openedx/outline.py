"""The tree of a course, built from its blocks (pure).

Chapters become modules, subsections lessons, and their children, which are usually units, items.  A closed subsection
becomes an item that says why.  Positions count all children that the platform lists, also those without a description
for this learner.  So no other item changes its position, and its name, when one opens later.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from coursefs.model import LEAVES_TRACES, Course, Item, Kind, Outline, Section
from coursefs.providers.openedx.course_outline import Chapter, Subsection, merged
from coursefs.providers.openedx.keys import block_url
from coursefs.providers.openedx.replies import Access, Block, Blocks
from coursefs.providers.openedx.unit_page import CONTAINERS

HANDOUTS = "item/handouts"
UPDATES = "item/updates"
ACCESS = "item/access"
UNIT = "unit"
SUBSECTION = "subsection"

#: types of block whose page is the same for all learners; opening any other may store a random seed or choice there
_WITHOUT_TRACES = frozenset({"vertical", "wrapper", "html", "raw", "about", "video", "videoalpha", "pdf", "audio",
                             "discussion"})  # fmt: skip
#: types of block that become directories; two of them are from before 2014
_SECTIONS = frozenset({"course", "chapter", "sequential", "videosequence", "problemset"})
_DEPTH = 20
_NO_WORD = re.compile(r"[\W_]+")


def outline(
    blocks: Blocks, course: Course, base_url: str, *, chapters: Sequence[Chapter] = (), now_ns: int = 0
) -> Outline:
    """The chapters of a course with their subsections and units, its handouts and its updates.

    `chapters` are those of the platform's course outline, if it has one.
    """
    walk = _Walk(blocks, course, base_url, chapters, now_ns)
    sections, items = walk.level(blocks.blocks[blocks.root], 1)
    own = (
        Item(HANDOUTS, "Handouts", "handouts", None, "handouts", url=course.url),
        Item(UPDATES, "Updates", "updates", None, "updates", url=course.url),
    )
    return Outline(sections=sections, items=(*items, *own))


def closed(course: Course, access: Access) -> Outline:
    """The tree of a course that the learner may not see: a page that says why, and since or until when."""
    reason = _REASONS.get(access.error_code, access.said or "the platform does not show this course to you")
    if access.error_code == "course_not_started" and access.starts_ns is not None:
        reason = f"{reason}; it begins on {_day(access.starts_ns)}"
    elif access.error_code == "audit_expired" and access.ends_ns is not None:
        reason = f"your access to this course ended on {_day(access.ends_ns)}; the platform sells a longer one"
    elif access.error_code in _WORDED and access.said:
        reason = f"{reason} ({access.said.rstrip('.')})"
    item = Item(ACCESS, "This course", "this-course", None, "course", url=course.url, locked=reason.rstrip("."))
    return Outline(sections=(), items=(item,))


_REASONS = {
    "course_not_started": "the course has not begun",
    "audit_expired": "your access to this course has ended; the platform sells a longer one",
    "enrollment_required": "you are not enrolled in this course",
    "unfulfilled_milestones": "another course has to be completed before this one",
    "data_sharing_access_required": "your employer's consent is missing",
    "survey_required": "a survey has to be answered first, on the course's web page",
    "visibility_error": "the school does not show this course now",
    "not_visible_to_user": "the school does not show this course now",
}
#: reasons for which the platform's own message may have more details, such as a date
_WORDED = frozenset({"audit_expired", "course_not_started"})


def _day(ns: int) -> str:
    return f"{datetime.fromtimestamp(ns / 10**9, UTC):%Y-%m-%d}"


def tree_key(block_type: str, usage_key: str) -> str | None:
    """The key in the tree of a block that is a directory or an item; None for a part of an item."""
    prefix = _TREE_PREFIXES.get(block_type)
    return f"{prefix}/{usage_key}" if prefix else None


_TREE_PREFIXES = {"chapter": Kind.MODULE.value, "sequential": Kind.LESSON.value, "vertical": "item"}


def parts(blocks: Blocks, unit: Block) -> list[Block]:
    """The parts of a unit in order: its blocks without children, also those in libraries and other containers."""
    found: list[Block] = []
    seen: set[str] = set()

    def walk(block: Block, depth: int, is_drawn: bool) -> None:
        if block.key in seen or depth > _DEPTH:
            return
        seen.add(block.key)
        inner = [blocks.blocks[key] for key in block.children if key in blocks.blocks]
        if not inner and (block is not unit or not block.children) and block.type not in CONTAINERS:
            found.append(replace(block, is_drawn=True) if is_drawn else block)
        for child in inner:
            walk(child, depth + 1, is_drawn or block.type in _LOTS)

    walk(unit, 0, False)
    return found


#: types of block that show each learner a random choice of their children; the Blocks API lists all children
_LOTS = frozenset({"itembank", "library_content", "randomize", "split_test"})


class _Walk:
    """A walk through the blocks that visits each once: a block that a broken reply repeats keeps its first place."""

    def __init__(self, blocks: Blocks, course: Course, base_url: str, chapters: Sequence[Chapter], now_ns: int) -> None:
        self._blocks = blocks.blocks
        self._course = course
        self._base_url = base_url
        self._now_ns = now_ns
        self._seen = {blocks.root}
        self._chapters = {chapter.key: chapter for chapter in chapters}
        self._subsections = {one.key: one for chapter in chapters for one in chapter.subsections}
        self._listed = {blocks.root: [chapter.key for chapter in chapters]}
        self._listed |= {chapter.key: [one.key for one in chapter.subsections] for chapter in chapters}

    def level(self, block: Block, depth: int) -> tuple[tuple[Section, ...], tuple[Item, ...]]:
        """The sections and items in a block."""
        sections: list[Section] = []
        items: list[Item] = []
        for position, key in self._children(block):
            child = self._blocks.get(key)
            if child is None and key in self._chapters:
                sections.append(self._closed_chapter(self._chapters[key], position))
            elif child is None:
                items += self._closed(self._subsections[key], position)
            elif child.type in _SECTIONS and depth <= _DEPTH:
                sections.append(self._section(child, position, depth))
            else:
                items.append(self._item(child, position))
        return tuple(sections), tuple(items)

    def _children(self, block: Block) -> Iterator[tuple[int, str]]:
        is_course = block.type == "course"
        order = merged(self._listed.get(block.key, ()), block.children, shown_first=is_course)
        for position, key in enumerate(order, 1):
            there = key in self._blocks or key in self._chapters or key in self._subsections
            if there and key not in self._seen:
                self._seen.add(key)
                yield position, key

    def _closed(self, one: Subsection, position: int) -> list[Item]:
        """The item for a subsection that is not among the blocks; [] when the platform gives no reason."""
        why = one.why_closed(self._now_ns)
        url = block_url(self._base_url, self._course.key, one.key)
        slug = _slug(one.title) or SUBSECTION
        return [Item(f"item/{one.key}", one.title, slug, position, SUBSECTION, url=url, locked=why)] if why else []

    def _closed_chapter(self, chapter: Chapter, position: int) -> Section:
        inner = enumerate(chapter.subsections, 1)
        return Section(
            key=f"{Kind.MODULE.value}/{chapter.key}",
            kind=Kind.MODULE,
            title=chapter.title,
            slug=_slug(chapter.title) or Kind.MODULE.value,
            position=position,
            url=block_url(self._base_url, self._course.key, chapter.key),
            items=tuple(item for place, one in inner for item in self._closed(one, place)),
        )

    def _section(self, block: Block, position: int, depth: int) -> Section:
        sections, items = self.level(block, depth + 1)
        kind = Kind.MODULE if depth == 1 else Kind.LESSON
        return Section(
            key=f"{kind.value}/{block.key}",
            kind=kind,
            title=block.name,
            slug=_slug(block.name) or kind.value,
            position=position,
            url=block.url or block_url(self._base_url, self._course.key, block.key),
            sections=sections,
            items=items,
        )

    def _item(self, block: Block, position: int) -> Item:
        return Item(
            key=f"item/{block.key}",
            title=block.name or "Unit",
            slug=_slug(block.name) or UNIT,
            position=position,
            type_name=UNIT,
            url=block.url or block_url(self._base_url, self._course.key, block.key),
            details={"block": block.key} | ({LEAVES_TRACES: "yes"} if self._leaves_traces(block) else {}),
            duration=self._duration(block),
        )

    def _duration(self, unit: Block) -> float | None:
        """The length of a unit's videos together, in seconds; None if the length of one is unknown."""
        videos = [block.video for block in self._within(unit) if block.video is not None]
        known = [one.seconds for one in videos if one.seconds is not None]
        return sum(known) if known and len(known) == len(videos) else None

    def _leaves_traces(self, unit: Block) -> bool:
        """Whether opening the page of this unit stores something for the learner on the platform."""
        return any(block.type not in _WITHOUT_TRACES for block in self._within(unit))

    def _within(self, unit: Block) -> Iterator[Block]:
        """A unit and all blocks in it, each once."""
        waiting, seen = [unit.key], set[str]()
        while waiting:
            block = self._blocks.get(waiting.pop())
            if block is None or block.key in seen:
                continue
            yield block
            seen.add(block.key)
            waiting += block.children


def _slug(title: str) -> str:
    """A title as a slug; letters of all scripts are kept."""
    return _NO_WORD.sub("-", title.casefold()).strip("-")
