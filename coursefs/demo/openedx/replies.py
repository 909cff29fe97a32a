"""Replies of the API. Pure."""

from __future__ import annotations

from typing import Any

from coursefs.demo.openedx.description import AccessDenied, Course, iso


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
    assets = f"/asset-v1:{course.id.removeprefix('course-v1:')}+type@asset+block@"
    return {
        "created": iso(course.enrolled),
        "mode": "audit",
        "is_active": True,
        "certificate": {},
        "course": {
            **details,
            "start": iso(course.start),
            "end": iso(course.end),
            "start_type": "timestamp",
            "course_image": f"{assets}images_course_image.jpg",
        },
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
        "pacing": "self" if course.self_paced else "instructor",
        "mobile_available": course.mobile_available,
        "hidden": False,
        "invitation_only": False,
    }


def access(refusal: AccessDenied | None) -> dict[str, Any]:
    """The learner's access, as several replies contain it."""
    return {
        "has_access": refusal is None,
        "error_code": refusal and refusal.code,
        "developer_message": refusal and refusal.developer,
        "user_message": refusal and refusal.said,
        "additional_context_user_message": None,
        "user_fragment": None,
    }


def metadata(course: Course, user: str | None, refusal: AccessDenied | None, lms: str) -> dict[str, Any]:
    """`/api/course_home/course_metadata/…`; without a `user` there is no sign-in."""
    ended = course.ended is not None
    return {
        "verified_mode": {"access_expiration_date": iso(course.ended), "price": 49, "currency": "USD"}
        if ended
        else None,
        "course_access": access(refusal),
        "course_id": course.id,
        "is_enrolled": user is not None and course.enrolled is not None,
        "is_self_paced": course.self_paced,
        "is_staff": False,
        "number": course.number,
        "org": course.org,
        "start": iso(course.start),
        "tabs": [{"tab_id": name, "title": title, "url": url} for name, title, url in _tabs(course, lms)],
        "title": course.name,
        "username": user,
        "can_view_certificate": refusal is None,
        "course_modes": [{"slug": "audit", "name": "Audit"}],
    }


def _tabs(course: Course, lms: str) -> list[tuple[str, str, str]]:
    """The tabs at the top of a course's pages: id, title, URL."""
    base = f"{lms}/courses/{course.id}"
    books = [(f"pdftextbook/{n}", one["name"], f"{base}/pdfbook/{n}/") for n, one in enumerate(course.books)]
    own = [(f"static_tab_{one['slug']}", one["name"], f"{base}/{one['slug']}/") for one in course.tabs]
    return [("courseware", "Course", f"{base}/home"), *books, *own]


def home(course: Course, *, enrolled: bool, cdn: str) -> dict[str, Any]:
    """`/api/course_home/outline/…`: nearly empty for users who are not enrolled."""
    updates = [course.with_static(one["content"], cdn) for one in course.updates]
    return {
        "dates_banner_info": {"missed_deadlines": False, "content_type_gating_enabled": False},
        "access_expiration": None,
        "course_blocks": {"blocks": {}} if enrolled else None,
        "course_tools": [],
        "enroll_alert": {"can_enroll": True, "extra_text": None},
        "handouts_html": course.with_static(course.handouts or "", cdn) if enrolled else None,
        "has_ended": False,
        "offer": None,
        "welcome_message_html": (updates[0] if updates else None) if enrolled else None,
        "user_has_passing_grade": False,
    }


def dates(course: Course, lms: str) -> dict[str, Any]:
    """`/api/course_home/dates/…`.  Of a self-paced course the first date is that of the enrolment."""
    keys = {block.id: block.key for block in course.root.walk()}
    begins = {"title": "Enrollment Date", "type": "course-start-date", "date": iso(course.enrolled) or ""}
    listed = [begins] if course.self_paced else []
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
            for one in (*listed, *course.dates)
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
