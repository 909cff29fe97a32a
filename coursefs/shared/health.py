"""Whether a tier is used at the moment: a tier that fails or is slow is left alone for a while (pure, no clock)."""

from __future__ import annotations

from dataclasses import dataclass

#: seconds for which a tier is left alone after a failure; doubled for each further one in a row
FIRST_PAUSE = 30.0
LONGEST_PAUSE = 600.0
#: seconds of a piece from which on the tier was slow, and how many such pieces in a row are a failure
SLOW = 1.6
SLOW_IN_A_ROW = 3
#: bad pieces in a row from which on the tier is left alone
BAD_IN_A_ROW = 3


@dataclass(frozen=True, slots=True)
class Health:
    """What is known of a tier; each method returns the state after an event.  Times are seconds of any one clock."""

    failures: int = 0  # in a row
    slow: int = 0  # pieces in a row
    bad: int = 0  # pieces in a row
    alone_until: float = float("-inf")
    trouble: str = ""  # of the last failure, for a person; "" when the tier works

    def is_usable(self, now: float) -> bool:
        """Whether the tier may be asked."""
        return now >= self.alone_until

    def failed(self, now: float, trouble: str) -> Health:
        """It failed, or did not answer in time."""
        if not self.is_usable(now):
            return self  # a request that was begun before
        pause = min(FIRST_PAUSE * 2**self.failures, LONGEST_PAUSE)
        return Health(self.failures + 1, 0, 0, now + pause, trouble)

    def brought(self, now: float, seconds: float, trouble: str) -> Health:
        """It brought a good piece in so many seconds; `trouble` says that it is slow, if it is again and again."""
        slow = self.slow + 1 if seconds >= SLOW else 0
        return self.failed(now, trouble) if slow >= SLOW_IN_A_ROW else Health(slow=slow)

    def lied(self, now: float, trouble: str) -> Health:
        """It brought an object that is not the piece of its name."""
        if self.bad + 1 >= BAD_IN_A_ROW:
            return Health(self.failures, 0, 0, self.alone_until, self.trouble).failed(now, trouble)
        return Health(self.failures, self.slow, self.bad + 1, self.alone_until, trouble)
