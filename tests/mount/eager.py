"""The program, but that its background fill begins at once: `python -m tests.mount.eager mount …`."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

from coursefs.catalog import IndexingDelays
from coursefs.cli.main import main
from coursefs.daemon import setup

_library_settings = setup.library_settings


def _eager(*arguments: Any) -> Any:
    delays = IndexingDelays(first=0.1, pause=0.0, quiet=0.0, again=1.0, failed=0.5)
    return replace(_library_settings(*arguments), delays=delays)


if __name__ == "__main__":
    setup.library_settings = _eager  # type: ignore[assignment]  # the same arguments
    sys.exit(main())
