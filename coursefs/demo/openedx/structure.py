"""The tree of a course, as the two APIs show it to a learner. Pure.

The Blocks API does not list exams, subsections with a prerequisite, and future ones; `special_exam_info` and
`show_gated_sections` include the first two. The course outline lists all of them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from coursefs.demo.openedx.description import FILES, Block, Course, iso, media_path

_ALL = frozenset({"special_exam_info", "show_gated_sections"})


def keeps_back(course: Course, block: Block, now: datetime) -> str:
    """Why a chapter or subsection is closed: "exam", "gated", "future", "over", "staff"; "" if it is open."""
    fields = block.fields
    if fields.get("staff_only"):
        return "staff"
    parent = course.parent(block.key)
    starts = max((one.fields["start"] for one in (block, parent) if one and "start" in one.fields), default=None)
    if block.type in {"chapter", "sequential"} and starts is not None and starts > now:
        return "future"
    if fields.get("hide_after_due") and fields["due"] <= now:
        return "over"
    if fields.get("exam"):
        return "exam"
    return "gated" if fields.get("gated") and block.type == "sequential" else ""


def blocks(
    course: Course,
    *,
    fields: Collection[str],
    views: Collection[str],
    depth: int | None,
    lms: str,
    media: str,
    now: datetime,
    extracted: bool = False,
) -> dict[str, Any]:
    """`/api/courses/v2/blocks/`: only requested fields; leaves have no `children`."""
    found: dict[str, Any] = {}
    back = {"exam", "gated"} if _ALL.issubset(fields) else set()

    def shown(block: Block) -> bool:
        return (keeps_back(course, block, now) or "open") in {"open", *back}

    def add(block: Block, left: int | None) -> None:
        page = f"{lms}/courses/{course.id}/jump_to/{block.key}"
        row: dict[str, Any] = {
            "id": block.key,
            "block_id": block.id,
            "lms_web_url": page,
            "legacy_web_url": f"{page}?experience=legacy",
            "student_view_url": f"{lms}/xblock/{block.key}",
            "type": block.type,
            "display_name": block.name,
        }
        if "due" in fields and "due" in block.fields:
            due = block.fields["due"]
            row["due"] = iso(due) if isinstance(due, datetime) else due
        if "graded" in fields:
            row["graded"] = block.type == "problem"
        if "special_exam_info" in fields and block.fields.get("exam"):
            row["special_exam_info"] = _exam(block)
        if block.type in views:
            data = _student_view(course, block, lms, media, extracted=extracted)
            if data is not None:
                row["student_view_data"] = data
        found[block.key] = row
        if left == 0:
            return
        inner = [one for one in block.blocks if shown(one)]
        if "children" in fields and inner:
            row["children"] = [one.key for one in inner]
        for one in inner:
            add(one, None if left is None else left - 1)

    add(course.root, depth)
    return {"root": course.root.key, "blocks": dict(sorted(found.items(), key=lambda one: one[1]["block_id"]))}


def course_outline(course: Course, user: str, now: datetime) -> dict[str, Any]:
    """`/api/learning_sequences/v1/course_outline/…`: without chapters that have no subsection."""
    sections: list[dict[str, Any]] = []
    sequences: dict[str, Any] = {}
    for chapter in course.root.blocks if course.refusal(now) is None else ():
        shown = [one for one in chapter.blocks if one.type == "sequential" and not one.fields.get("staff_only")]
        if not shown:
            continue
        begins = chapter.fields.get("start")
        sections.append(
            {
                "id": chapter.key,
                "title": chapter.name,
                "sequence_ids": [one.key for one in shown],
                "start": iso(begins),
                "effective_start": iso(begins or course.start),
            }
        )
        for one in shown:
            why = keeps_back(course, one, now)
            start = one.fields.get("start")
            sequences[one.key] = {
                "id": one.key,
                "title": one.name,
                "accessible": why in {"", "exam"},
                "inaccessible_after_due": why == "over",
                "start": iso(start),
                "effective_start": iso(start or begins or course.start),
                "due": iso(one.fields.get("due")),
                "exam": _exam(one) if one.fields.get("exam") else {},
            }
    return {
        "course_key": course.id,
        "course_start": iso(course.start),
        "course_end": iso(course.end),
        "title": course.name,
        "entrance_exam_id": None,
        "self_paced": course.self_paced,
        "username": user,
        "at_time": iso(now),
        "outline": {"sections": sections, "sequences": sequences},
    }


def _exam(block: Block) -> Mapping[str, Any]:
    return {"short_description": block.fields["exam"], "suggested_icon": "fa-clock-o", "in_completed_state": False}


def _student_view(course: Course, block: Block, lms: str, media: str, *, extracted: bool) -> Mapping[str, Any] | None:
    match block.type:
        case "html":
            return {
                "enabled": False,
                "message": 'To enable, set FEATURES["ENABLE_HTML_XBLOCK_STUDENT_VIEW_DATA"]',
            }
        case "pdf":
            url = media + media_path(FILES / block.fields["pdf"])
            return None if extracted else {"last_modified": "2026-08-01T00:00:00Z", "url": url}
        case "video":
            return _video(course, block, lms, media)
        case _:
            return None


def _video(course: Course, block: Block, lms: str, media: str) -> Mapping[str, Any]:
    """The encodings of a video. Each lists an English transcript, whether or not it exists."""
    fields = block.fields
    if fields.get("only_on_web"):
        return {"only_on_web": True}
    encoded: dict[str, Any] = {
        profile: {
            "url": media + media_path(FILES / name),
            "file_size": (FILES / name).stat().st_size,
            "stream_priority": 2,
        }
        for profile, name in fields.get("encodings", {}).items()
    }
    sources: Sequence[str] = ()
    if "fallback" in fields:
        sources = [media + media_path(FILES / fields["fallback"])]
        encoded["fallback"] = {"url": f" {sources[0]} ", "file_size": 0, "stream_priority": 6}
    elif "static" in fields:  # what the author wrote, as it is
        sources = [f"/static/{fields['static']}"]
        encoded["fallback"] = {"url": sources[0], "file_size": 0, "stream_priority": 6}
    if "youtube" in fields:
        encoded["youtube"] = {"url": fields["youtube"], "file_size": 0, "stream_priority": 0}
    handler = f"{lms}/courses/{course.id}/xblock/{block.key}/handler_noauth/transcript/download"
    languages = fields.get("transcripts", {}) or ["en"]
    return {
        "only_on_web": False,
        "duration": 0.0,
        "transcripts": {language: f"{handler}?lang={language}" for language in languages},
        "encoded_videos": encoded,
        "all_sources": list(sources),
    }
