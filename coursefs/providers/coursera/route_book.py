"""Which routes of the platform answer, and which it has removed, as far as they were used.

A removed route answers 404 or 405, or 200 with the web application's page.  One such answer may be an accident of one
item; several in a row, with no good one between them, mean that it is useless to ask on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import trio

from coursefs import model
from coursefs.errors import RouteGone
from coursefs.providers.coursera.routes import Route

#: after so many answers in a row that say that a route is gone it is not asked …
_ACCIDENTS = 3
#: … for so many seconds; then one request finds out whether it is back
_REST = 300.0


@dataclass(slots=True)
class _Page:
    trouble: str | None = None
    failures: int = 0  # in a row
    rests_until: float = 0.0


class RouteBook:
    """What was learned of each route.  `clock` gives seconds of any one kind."""

    def __init__(self, clock: Callable[[], float] = trio.current_time) -> None:
        self._clock = clock
        self._pages: dict[str, _Page] = {}  # by what is asked and with which resource

    def require(self, route: Route) -> None:
        """Raises `RouteGone` while it is useless to ask this route."""
        page = self._pages.get(_name(route))
        if page is not None and page.trouble is not None and self._clock() < page.rests_until:
            raise RouteGone(page.trouble)

    def answered(self, route: Route) -> None:
        """It is there: with what was asked for, or with a refusal of its own."""
        self._pages[_name(route)] = _Page()

    def gone(self, route: Route, error: RouteGone) -> None:
        """It answered as a removed one does."""
        page = self._pages.setdefault(_name(route), _Page())
        page.trouble = str(error)
        page.failures += 1
        if page.failures >= _ACCIDENTS:
            page.rests_until = self._clock() + _REST

    def routes(self) -> Sequence[model.Route]:
        """Every route that was used, in the order of first use."""
        return [model.Route(name, _short(name, page.trouble)) for name, page in self._pages.items()]


def _name(route: Route) -> str:
    return f"{route.name} ({route.resource})"


def _short(name: str, trouble: str | None) -> str | None:
    """What a route's trouble is, without the words that its name has already."""
    return None if trouble is None else trouble.removeprefix(f"{name.rpartition(' (')[0]}: ")
