"""What a check found (pure)."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any


class State(enum.StrEnum):
    """How it is."""

    OK = "ok"
    NOTE = "note"  # works, but a person may want to know
    SIGN_IN = "sign-in"  # an account needs a new sign-in
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    check: str  # what was looked at: "FUSE device", "account campus"
    state: State
    message: str
    advice: str | None = None  # what to type

    def record(self) -> dict[str, Any]:
        """As `doctor --json` has it."""
        return {**asdict(self), "state": self.state.value}


def exit_status(findings: Iterable[Finding]) -> int:
    """0: nothing is wrong; 3: nothing but sign-ins; 1: something else."""
    states = {finding.state for finding in findings}
    return 1 if State.PROBLEM in states else 3 if State.SIGN_IN in states else 0
