"""How often Panopto may be asked.

Facts: 5 requests a second, 100 a minute and 5000 an hour for each endpoint and API client; endpoints are counted
separately.  Known from Panopto's community pages and from a downloader whose authors met them.
"""

from __future__ import annotations

import trio

from coursefs.foreground import is_behind
from coursefs.transport import Pace, Span

#: requests to one endpoint in any minute, where the settings say nothing: four fifths of what is allowed
PER_MINUTE = 80
#: five in a little more than a second, because what was sent within two seconds may arrive within one
_SECOND = Span(5, 1.2)
_MEDIA = Span(10, 1.0)


class Turns:
    """How many requests are under way at once: so many that somebody waits for, and so many that nobody does."""

    def __init__(self, most: int) -> None:
        self._waited_for = trio.CapacityLimiter(most)
        self._behind = trio.CapacityLimiter(most)

    @property
    def limiter(self) -> trio.CapacityLimiter:
        """The one for what is asked here."""
        return self._behind if is_behind() else self._waited_for


class Limits:
    """A pace for each endpoint, made when it is asked for the first time."""

    def __init__(self, per_minute: int = PER_MINUTE) -> None:
        self._spans = (_SECOND, Span(per_minute, 60.0), Span(per_minute * 50, 3600.0))
        self._paces: dict[str, Pace] = {}
        #: for files, which lie outside of the API; nobody knows of a limit there
        self.media = Pace((_MEDIA,))

    def of(self, endpoint: str) -> Pace:
        """The pace of an endpoint, by the name of its route."""
        if endpoint not in self._paces:
            self._paces[endpoint] = Pace(self._spans)
        return self._paces[endpoint]
