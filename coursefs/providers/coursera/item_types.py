"""The types of items in a course, an open set: their words for people, and their web addresses (pure).

Segments of web addresses: `lecture`, `supplement`, `quiz`, `exam`, `assignment-submission` and `ungradedLab` are from
real links; the others are derived from the type's name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import quote

LECTURE = "lecture"
READING = "supplement"
READINGS = frozenset({READING, "supplementary"})
PROGRAMMING = frozenset({"gradedProgramming", "ungradedProgramming"})
PROGRAMMING_EXERCISE = "programming"
PEER_ASSIGNMENT = "phasedPeer"
DISCUSSION = "discussionPrompt"
LABS = frozenset({"ungradedLab", "workspaceLauncher", "workspace", "authoringWorkspace"})
QUIZZES = frozenset({"staffGraded", "ungradedAssignment", "assessOpenSinglePage", "quiz", "exam"})
#: the Resources tab, which coursefs shows as an item; no type of the platform
REFERENCES = "references"


class ItemType(NamedTuple):
    """The word and the address segment of a type."""

    word: str  # for a person, and the marker of link pages: "quiz"
    segment: str  # of the web address


ITEM_TYPES: Mapping[str, ItemType] = MappingProxyType(
    {
        LECTURE: ItemType("lecture", "lecture"),
        READING: ItemType("reading", "supplement"),
        "supplementary": ItemType("reading", "supplement"),
        "quiz": ItemType("quiz", "quiz"),
        "exam": ItemType("exam", "exam"),
        "staffGraded": ItemType("quiz", "assignment-submission"),
        "ungradedAssignment": ItemType("quiz", "assignment-submission"),
        "assessOpenSinglePage": ItemType("quiz", "quiz"),
        "phasedPeer": ItemType("peer assignment", "peer"),
        "gradedPeer": ItemType("peer assignment", "peer"),
        "closedPeer": ItemType("peer assignment", "peer"),
        "splitPeerReviewItem": ItemType("peer assignment", "peer"),
        "gradedProgramming": ItemType("programming assignment", "programming"),
        "ungradedProgramming": ItemType("programming assignment", "programming"),
        "programming": ItemType("programming assignment", "programming"),
        "discussionPrompt": ItemType("discussion", "discussionPrompt"),
        "ungradedLab": ItemType("lab", "ungradedLab"),
        "notebook": ItemType("lab", "notebook"),
        "workspaceLauncher": ItemType("lab", "workspaceLauncher"),
        "workspace": ItemType("lab", "ungradedLab"),
        "authoringWorkspace": ItemType("lab", "ungradedLab"),
        "ungradedWidget": ItemType("widget", "ungradedWidget"),
        "widget": ItemType("widget", "widget"),
        "ungradedLti": ItemType("external tool", "ungradedLti"),
        "gradedLti": ItemType("external tool", "gradedLti"),
        "coach": ItemType("coach", "coach"),
    }
)

_SEGMENT = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,60}")


def word(type_name: str) -> str:
    """The word of a type for people: `quiz`; `item` for an unknown or missing type."""
    known = ITEM_TYPES.get(type_name)
    return known.word if known else "item"


def course_url(base_url: str, slug: str) -> str:
    """The web page of a course."""
    return f"{base_url}/learn/{quote(slug, safe='')}"


def module_url(base_url: str, slug: str, position: int) -> str:
    """The web page of the module at this position, counted from 1."""
    return f"{course_url(base_url, slug)}/home/module/{position}"


def reference_url(course_page: str | None, short_id: str) -> str | None:
    """The web page of an entry of the Resources tab, in the form of links in readings."""
    return f"{course_page}/resources/{quote(short_id, safe='')}" if course_page and short_id else course_page


def item_url(base_url: str, slug: str, type_name: str, item_id: str, item_slug: str) -> str | None:
    """The web page of an item; None when its type is missing or cannot be part of an address."""
    known = ITEM_TYPES.get(type_name)
    segment = known.segment if known else type_name
    if not _SEGMENT.fullmatch(segment):
        return None
    page = f"{course_url(base_url, slug)}/{segment}/{quote(item_id, safe='~')}"
    return f"{page}/{quote(item_slug, safe='')}" if item_slug else page
