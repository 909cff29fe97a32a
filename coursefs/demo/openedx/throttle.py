"""The rate limit of a user.

A module of its own because it knows nothing of the API.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable


class Throttle:
    """At most `most` requests of a user in any minute, counted as by Django REST Framework."""

    def __init__(self, most: int, now: Callable[[], float]) -> None:
        self._most = most
        self._now = now
        self._asked: defaultdict[str, deque[float]] = defaultdict(deque)

    def wait(self, user: str) -> float | None:
        """Count a request; return the seconds after which to retry, if it is one too many."""
        now, asked = self._now(), self._asked[user]
        while asked and asked[0] <= now - 60:
            asked.popleft()
        if len(asked) >= self._most:
            return 60 - (now - asked[0])
        asked.append(now)
        return None
