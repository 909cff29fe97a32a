"""Replies of the API, as the server makes them.  Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from coursefs.demo.openedx.description import FILES, Block, Course, media_path


def iso(moment: datetime | None) -> str | None:
    """A time as the API writes it."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z") if moment else None


def enrolment(course: Course, user: str) -> dict[str, Any]:
    """One enrolment of `/api/enrollment/v1/enrollment`."""
    return {
        "created": iso(course.enrolled),
        "mode": "audit",
        "is_active": True,
        "user": user,
        "course_details": {
            "course_id": course.id,
            "course_name": course.name,
            "enrollment_start": None,
            "enrollment_end": None,
            "course_start": iso(course.start),
            "course_end": iso(course.end),
            "invite_only": False,
            "course_modes": [{"slug": "audit", "name": "Audit", "min_price": 0, "currency": "usd"}],
        },
    }


def mobile_enrolment(course: Course) -> dict[str, Any]:
    """One enrolment of `/api/mobile/v1/users/…/course_enrollments/`."""
    details = {"id": course.id, "name": course.name, "number": course.number, "org": course.org}
    return {
        "created": iso(course.enrolled),
        "mode": "audit",
        "is_active": True,
        "certificate": {},
        "course": {**details, "start": iso(course.start), "end": iso(course.end), "start_type": "timestamp"},
    }


def catalogue_entry(course: Course, lms: str) -> dict[str, Any]:
    """One course of `/api/courses/v1/courses/`."""
    return {
        "blocks_url": f"{lms}/api/courses/v2/blocks/?course_id={course.id.replace('+', '%2B')}",
        "effort": None,
        "start": iso(course.start),
        "end": iso(course.end),
        "id": course.id,
        "course_id": course.id,
        "name": course.name,
        "number": course.number,
        "org": course.org,
        "short_description": "",
        "pacing": "instructor",
        "mobile_available": False,
        "hidden": False,
        "invitation_only": False,
    }


def metadata(course: Course, user: str, *, has_begun: bool) -> dict[str, Any]:
    """`/api/course_home/v1/course_metadata/…`."""
    code = None if has_begun else "course_not_started"
    said = None if has_begun else f"Course does not start until {course.start:%B %d, %Y}"
    return {
        "course_access": {
            "has_access": has_begun,
            "error_code": code,
            "developer_message": said,
            "user_message": said,
            "additional_context_user_message": None,
            "user_fragment": None,
        },
        "course_id": course.id,
        "is_enrolled": True,
        "is_staff": False,
        "number": course.number,
        "org": course.org,
        "start": iso(course.start),
        "title": course.name,
        "username": user,
    }


def dates(course: Course, lms: str) -> dict[str, Any]:
    """`/api/course_home/v1/dates/…`."""
    keys = {block.id: block.key for block in course.root.walk()}
    return {
        "dates_banner_info": {"missed_deadlines": False, "content_type_gating_enabled": False},
        "course_date_blocks": [
            {
                "assignment_type": None,
                "complete": None,
                "date": one["date"],
                "date_type": one["type"],
                "description": "",
                "learner_has_access": True,
                "link": f"{lms}/courses/{course.id}/jump_to/{keys[one['block']]}" if "block" in one else "",
                "link_text": "",
                "title": one["title"],
                "extra_info": None,
                "first_component_block_id": "",
            }
            for one in course.dates
        ],
        "has_ended": False,
        "learner_is_full_access": True,
        "user_timezone": None,
    }


def progress(course: Course) -> dict[str, Any]:
    """`/api/course_home/progress/…`."""
    return {
        "completion_summary": {"complete_count": 2, "incomplete_count": 6, "locked_count": 0},
        "course_grade": {"letter_grade": None, "percent": 0.5, "is_passing": False},
        "end": iso(course.end),
        "user_has_passing_grade": False,
    }


def blocks(
    course: Course, *, fields: Collection[str], views: Collection[str], depth: int | None, lms: str, media: str
) -> dict[str, Any]:
    """`/api/courses/v2/blocks/`: what is not asked for is not there, leaves have no `children`."""
    found: dict[str, Any] = {}

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
            row["due"] = block.fields["due"]
        if "graded" in fields:
            row["graded"] = block.type == "problem"
        if block.type in views:
            data = _student_view(course, block, lms, media)
            if data is not None:
                row["student_view_data"] = data
        found[block.key] = row
        if left == 0:
            return
        if "children" in fields and block.blocks:
            row["children"] = [inner.key for inner in block.blocks]
        for inner in block.blocks:
            add(inner, None if left is None else left - 1)

    add(course.root, depth)
    return {"root": course.root.key, "blocks": dict(sorted(found.items(), key=lambda one: one[1]["block_id"]))}


def _student_view(course: Course, block: Block, lms: str, media: str) -> Mapping[str, Any] | None:
    match block.type:
        case "html":
            return {
                "enabled": False,
                "message": 'To enable, set FEATURES["ENABLE_HTML_XBLOCK_STUDENT_VIEW_DATA"]',
            }
        case "pdf":
            return {"last_modified": "2026-08-01T00:00:00Z", "url": media + media_path(FILES / block.fields["pdf"])}
        case "video":
            return _video(course, block, lms, media)
        case _:
            return None


def _video(course: Course, block: Block, lms: str, media: str) -> Mapping[str, Any]:
    fields = block.fields
    if fields.get("only_on_web"):
        return {"only_on_web": True}
    encoded: dict[str, Any] = {
        profile: {"url": media + media_path(FILES / name), "file_size": (FILES / name).stat().st_size}
        for profile, name in fields.get("encodings", {}).items()
    }
    sources: Sequence[str] = ()
    if "fallback" in fields:
        sources = [media + media_path(FILES / fields["fallback"])]
        encoded["fallback"] = {"url": f" {sources[0]} ", "file_size": 0}
    if "youtube" in fields:
        encoded["youtube"] = {"url": fields["youtube"], "file_size": 0}
    handler = f"{lms}/courses/{course.id}/xblock/{block.key}/handler_noauth/transcript/download"
    return {
        "only_on_web": False,
        "duration": None,
        "transcripts": {language: f"{handler}?lang={language}" for language in fields.get("transcripts", {})},
        "encoded_videos": encoded,
        "all_sources": list(sources),
    }
