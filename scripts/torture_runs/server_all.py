"""The whole table of the hostile server: the modules that put their faults into it are brought in here."""

from __future__ import annotations

import torture_runs.server_bodies
import torture_runs.server_heads
import torture_runs.server_replies  # noqa: F401  # puts its own into the table
from torture_runs.server_table import CONNECTION, FAULTS, SAYS

__all__ = ["CONNECTION", "FAULTS", "SAYS"]
