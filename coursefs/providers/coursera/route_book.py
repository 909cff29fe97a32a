"""The record of which routes of the platform answer and which are removed, from their replies so far.

A removed route answers 404 or 405, or 200 with the page of the web application.  One such reply may be an error of one
item.  After several in a row the route counts as removed, and gets no requests for some minutes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import trio

from coursefs import model
from coursefs.errors import RouteGone
from coursefs.providers.coursera.routes import Route

#: after so many replies in a row as of a removed route it gets no requests …
_ACCIDENTS = 3
#: … for so many seconds; then one request tests whether it is back
_REST = 300.0


@dataclass(slots=True)
class _Page:
    trouble: str | None = None
    failures: int = 0  # in a row
    rests_until: float = 0.0


class RouteBook:
    """The state of each route.  `clock` is a monotonic clock in seconds."""

    def __init__(self, clock: Callable[[], float] = trio.current_time) -> None:
        self._clock = clock
        self._pages: dict[str, _Page] = {}  # by name of the request and resource

    def require(self, route: Route) -> None:
        """Raise `RouteGone` while this route counts as removed."""
        page = self._pages.get(_name(route))
        if page is not None and page.trouble is not None and self._clock() < page.rests_until:
            raise RouteGone(page.trouble)

    def answered(self, route: Route) -> None:
        """Record that a route exists: it gave a good reply, or a refusal of its own."""
        self._pages[_name(route)] = _Page()

    def gone(self, route: Route, error: RouteGone) -> None:
        """Record that a route answered as a removed one does."""
        page = self._pages.setdefault(_name(route), _Page())
        page.trouble = str(error)
        page.failures += 1
        if page.failures >= _ACCIDENTS:
            page.rests_until = self._clock() + _REST

    def ask_again(self) -> None:
        """Allow one request to each removed route; if it fails again, the route counts as removed again.

        A login page in front of the platform, or an outage, looks like a removal for a while.
        """
        for page in self._pages.values():
            page.rests_until = 0.0

    def routes(self) -> Sequence[model.RouteState]:
        """The state of every route that was used, in the order of first use."""
        return [model.RouteState(name, _short(name, page.trouble)) for name, page in self._pages.items()]


def _name(route: Route) -> str:
    return f"{route.name} ({route.resource})"


def _short(name: str, trouble: str | None) -> str | None:
    """A route's error message, without the words that repeat its name."""
    return None if trouble is None else trouble.removeprefix(f"{name.rpartition(' (')[0]}: ")
