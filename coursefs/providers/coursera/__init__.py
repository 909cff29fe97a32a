"""The Coursera platform: on-demand courses, read with the learner's own sign-in."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from coursefs.providers.coursera.client import CourseraClient

__all__ = ["CourseraClient"]


def __getattr__(name: str) -> object:
    """Import the client at its first use: reading the settings file must stay quick."""
    if name != "CourseraClient":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from coursefs.providers.coursera.client import CourseraClient

    return CourseraClient
