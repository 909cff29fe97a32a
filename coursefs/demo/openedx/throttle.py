"""How often a user may ask."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable


class Throttle:
    """At most `most` requests of a user within any minute, as Django REST Framework counts them."""

    def __init__(self, most: int, now: Callable[[], float]) -> None:
        self._most = most
        self._now = now
        self._asked: defaultdict[str, deque[float]] = defaultdict(deque)

    def wait(self, user: str) -> float | None:
        """Count a request; the seconds after which to come back where there are too many."""
        now, asked = self._now(), self._asked[user]
        while asked and asked[0] <= now - 60:
            asked.popleft()
        if len(asked) >= self._most:
            return 60 - (now - asked[0])
        asked.append(now)
        return None
