"""The tree of a course, out of its blocks (pure).

Chapters become modules, subsections lessons, and what lies in them, a unit as a rule, an item.  Positions count all
children that the platform lists, also those that it does not describe to this learner, so that one that opens later
moves nobody.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from coursefs.model import Course, Item, Kind, Outline, Section
from coursefs.providers.openedx.keys import block_url
from coursefs.providers.openedx.replies import Access, Block, Blocks

HANDOUTS = "item/handouts"
UPDATES = "item/updates"
ACCESS = "item/access"
UNIT = "unit"

#: blocks that become directories; two of them are of before 2014
_SECTIONS = frozenset({"course", "chapter", "sequential", "videosequence", "problemset"})
_DEPTH = 20
_NO_WORD = re.compile(r"[\W_]+")


def outline(blocks: Blocks, course: Course, base_url: str) -> Outline:
    """The chapters of a course with their subsections and units, its handouts and its updates."""
    walk = _Walk(blocks, course, base_url)
    sections, items = walk.level(blocks.blocks[blocks.root], 1)
    own = (
        Item(HANDOUTS, "Handouts", "handouts", None, "handouts", url=course.url),
        Item(UPDATES, "Updates", "updates", None, "updates", url=course.url),
    )
    return Outline(sections=sections, items=(*items, *own))


def closed(course: Course, access: Access) -> Outline:
    """What is shown of a course that the learner may not see: a page that says why."""
    reason = _REASONS.get(access.error_code, access.said or "the platform does not show this course to you")
    if access.error_code == "course_not_started" and access.starts_ns is not None:
        reason = f"{reason}; it begins on {datetime.fromtimestamp(access.starts_ns / 10**9, UTC):%Y-%m-%d}"
    item = Item(ACCESS, "This course", "this-course", None, "course", url=course.url, locked=reason.rstrip("."))
    return Outline(sections=(), items=(item,))


_REASONS = {
    "course_not_started": "the course has not begun",
    "audit_expired": "your access to this course has ended; the platform sells a longer one",
    "enrollment_required": "you are not enrolled in this course",
    "unfulfilled_milestones": "another course has to be completed before this one",
    "data_sharing_access_required": "your employer's consent is missing",
    "survey_required": "a survey has to be answered first, on the course's web page",
    "authentication_required": "the platform wants you to sign in anew for this course",
    "visibility_error": "the school does not show this course now",
    "not_visible_to_user": "the school does not show this course now",
}


def tree_key(block_type: str, usage_key: str) -> str | None:
    """What the tree knows a block by that is a directory or an item in it; None for what is only a part of one."""
    prefix = _TREE_PREFIXES.get(block_type)
    return f"{prefix}/{usage_key}" if prefix else None


_TREE_PREFIXES = {"chapter": Kind.MODULE.value, "sequential": Kind.LESSON.value, "vertical": "item"}


def parts(blocks: Blocks, unit: Block) -> list[Block]:
    """What a unit consists of, in order: blocks without children; libraries and the like are opened."""
    found: list[Block] = []
    seen: set[str] = set()

    def walk(block: Block, depth: int) -> None:
        if block.key in seen or depth > _DEPTH:
            return
        seen.add(block.key)
        inner = [blocks.blocks[key] for key in block.children if key in blocks.blocks]
        if not inner and (block is not unit or not block.children) and block.type not in _CONTAINERS:
            found.append(block)
        for child in inner:
            walk(child, depth + 1)

    walk(unit, 0)
    return found


#: blocks that hold others: without any, they are nothing
_CONTAINERS = _SECTIONS | {
    "vertical",
    "library_content",
    "itembank",
    "split_test",
    "conditional",
    "randomize",
    "wrapper",
}


class _Walk:
    """One way through the blocks, each met once: what a broken reply lists twice is shown where it came first."""

    def __init__(self, blocks: Blocks, course: Course, base_url: str) -> None:
        self._blocks = blocks.blocks
        self._course = course
        self._base_url = base_url
        self._seen = {blocks.root}

    def level(self, block: Block, depth: int) -> tuple[tuple[Section, ...], tuple[Item, ...]]:
        """What lies in a block: directories and items."""
        sections: list[Section] = []
        items: list[Item] = []
        for position, child in self._children(block):
            if child.type in _SECTIONS and depth <= _DEPTH:
                sections.append(self._section(child, position, depth))
            else:
                items.append(self._item(child, position))
        return tuple(sections), tuple(items)

    def _children(self, block: Block) -> Iterator[tuple[int, Block]]:
        for position, key in enumerate(block.children, 1):
            if key in self._blocks and key not in self._seen:
                self._seen.add(key)
                yield position, self._blocks[key]

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
            details={"block": block.key},
        )


def _slug(title: str) -> str:
    """A title as it is written in addresses; letters of all scripts stay."""
    return _NO_WORD.sub("-", title.casefold()).strip("-")
