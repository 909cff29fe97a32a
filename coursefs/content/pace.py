"""How quickly bytes come (pure)."""

from __future__ import annotations

#: seconds that are measured at least, so that one full socket says little
_INTERVAL = 0.2


class Pace:
    """The rate of a file's bytes over the last interval in which any came."""

    def __init__(self) -> None:
        self.rate: float | None = None  # bytes a second; None: too early to say
        self._since: float | None = None
        self._bytes = 0

    def came(self, size: int, now: float) -> None:
        """So many bytes came before `now`, in seconds on any clock."""
        if self._since is None:
            self._since = now  # these came in a time that nobody knows
            return
        self._bytes += size
        elapsed = now - self._since
        if elapsed >= _INTERVAL:
            self.rate = self._bytes / elapsed
            self._since, self._bytes = now, 0
