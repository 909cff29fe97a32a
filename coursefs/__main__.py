"""`python -m coursefs`."""

from __future__ import annotations

import sys

from coursefs.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
