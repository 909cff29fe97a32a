"""The finding of a check, and the exit status of all findings (pure).

It is a module of its own because all checks and the command share it.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any


class Severity(enum.StrEnum):
    """How serious a finding is."""

    OK = "ok"
    NOTE = "note"  # works, but the user may want to know
    SIGN_IN = "sign-in"  # an account needs a new sign-in
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check."""

    check: str  # what was checked: "FUSE device", "account campus"
    state: Severity
    message: str
    advice: str | None = None  # the command that fixes it

    def record(self) -> dict[str, Any]:
        """The finding as an object of `doctor --json`."""
        return {**asdict(self), "state": self.state.value}


def exit_status(findings: Iterable[Finding]) -> int:
    """0: no problem; 3: only sign-ins are needed; 1: any other problem."""
    states = {finding.state for finding in findings}
    return 1 if Severity.PROBLEM in states else 3 if Severity.SIGN_IN in states else 0
