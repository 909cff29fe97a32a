"""A plugin for pytest that puts httpx2, the maintained fork, in the place of httpx: `-p tests.with_httpx2`.

It is loaded before the code and the tests, so both import the fork under the name of httpx.
"""

from __future__ import annotations

import importlib
import sys

sys.modules["httpx"] = importlib.import_module("httpx2")


def pytest_report_header() -> str:
    """Say so at the beginning of the run."""
    return f"with httpx2 {sys.modules['httpx'].__version__} in place of httpx"
