"""The list of enrolments as the platform of sessions gave it, until 2016 (pure).

`users/v1/me/enrollments` is 404 today; it is understood for a platform that has it and not `memberships.v1`.
"""

from __future__ import annotations

from coursefs.providers.coursera.naptime import Envelope
from coursefs.providers.coursera.replies import Membership
from coursefs.providers.fields import identifier, rows, text


def session_enrolments(envelope: Envelope) -> tuple[Membership, ...]:
    """The enrolments, each course once; joined by id, as courses and enrolments come in different orders."""
    courses = {identifier(row, "id"): row for row in rows(envelope.whole, "courses")}
    found: dict[str, Membership] = {}
    for row in rows(envelope.whole, "enrollments"):
        key = identifier(row, "courseId")
        course = courses.get(key, {})
        found[key] = Membership(
            course_id=key,
            user_id="",
            role="LEARNER",
            enrolled=None,  # it says when the session began, not when the learner came
            name=text(course, "name"),
            slug=text(course, "shortName"),
            course_type="",
        )
    return tuple(one for key, one in found.items() if key)
