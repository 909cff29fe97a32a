"""Which of an account's courses the tree shows (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from coursefs.model import Course


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen: some courses by name, and what becomes of all others, later enrolments among them."""

    others: bool = True
    named: Mapping[str, bool] = field(default_factory=dict)  # by course key: whether it is shown

    def shows(self, course: Course) -> bool:
        """Whether a course is shown; one of which there is nothing to show never is."""
        return not course.hidden and self.named.get(course.key, self.others)

    def including(self, keys: Iterable[str], *, shown: bool) -> Choice:
        """The choice after these courses were named too."""
        return Choice(self.others, {**self.named, **dict.fromkeys(keys, shown)})
