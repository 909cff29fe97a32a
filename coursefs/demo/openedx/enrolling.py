"""`POST /api/bulk_enroll/v1/bulk_enroll/`: the error of a request, or the reply. Pure; no enrolment is made.

A module of its own because only tests use it.
"""

from __future__ import annotations

import json
from collections.abc import Container
from typing import Any


def bulk_enrolment(body: bytes, courses: Container[str]) -> tuple[int, dict[str, Any]]:
    """Status and reply, for staff."""
    try:
        asked = dict(json.loads(body))
    except (ValueError, TypeError):
        return 400, {"detail": "JSON parse error"}
    for name in ("identifiers", "courses", "action"):
        if not isinstance(asked.get(name), str) or not asked[name]:
            return 400, {name: ["This field is required."]}
    if asked["action"] not in {"enroll", "unenroll"}:
        return 400, {"action": ['"{}" is not a valid choice.'.format(asked["action"])]}
    named = asked["courses"].split(",")
    unknown = [one for one in named if one not in courses]
    if unknown:
        return 400, {"courses": [f"Course key not valid: {unknown[0]}"]}
    cohorts = asked["cohorts"].split(",") if asked.get("cohorts") else []
    if cohorts and asked["action"] != "enroll":
        return 400, {"non_field_errors": ["Cohorts can only be used for enrollments."]}
    if cohorts and len(cohorts) != len(named):
        return 400, {"non_field_errors": ["If provided, the cohorts and courses should have equal number of items."]}
    enrolled, auto = asked["action"] == "enroll", bool(asked.get("auto_enroll", False))
    results = [
        {
            "identifier": mail,
            "before": {"enrollment": not enrolled, "allowed": False, "user": True, "auto_enroll": False},
            "after": {"enrollment": enrolled, "allowed": False, "user": True, "auto_enroll": False},
        }
        for mail in asked["identifiers"].split(",")
    ]
    each = {"action": asked["action"], "results": results, "auto_enroll": auto}
    sends = bool(asked.get("email_students", False))
    return 200, {
        "action": asked["action"],
        "courses": dict.fromkeys(named, each),
        "email_students": sends,
        "auto_enroll": auto,
    }
