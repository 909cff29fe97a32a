"""How long the machine lets nobody run: `python -m torture_runs.heartbeat COUNTERS` notes its own late wake-ups.

On a machine that is busy with other things an operation may be late without anybody's fault; what the heartbeat lost
is forgiven to operations of the same time.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from torture_runs.counters import Counters

_BEAT = 0.05
_LATE = 0.2


def main() -> None:
    """Beat until killed."""
    counters = Counters(Path(sys.argv[1]))
    while True:
        begun = time.monotonic()
        time.sleep(_BEAT)
        lost = time.monotonic() - begun - _BEAT
        if lost > _LATE:
            counters.stalled(int(lost * 1e9))


if __name__ == "__main__":
    main()
