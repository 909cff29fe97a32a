"""What it means that a platform has removed one of the routes that were used (pure)."""

from __future__ import annotations

from collections.abc import Sequence

from coursefs.doctor.finding import Finding, State
from coursefs.model import Route


def gone(check: str, routes: Sequence[Route], *, prefix: str = "") -> list[Finding]:
    """A finding for each route that is gone: a problem, unless another one answers for the same thing."""
    answered = {_what(route) for route in routes if route.trouble is None}
    return [
        Finding(check, State.NOTE, f"{prefix}{route.name}: {route.trouble}; another one answers")
        if _what(route) in answered
        else Finding(check, State.PROBLEM, f"{prefix}{route.name}: {route.trouble}", "pip install --upgrade coursefs")
        for route in routes
        if route.trouble is not None
    ]


def _what(route: Route) -> str:
    """What is asked for, without the resource that it is asked with."""
    return route.name.partition(" (")[0]
