"""The HTTP library: the one module that imports it, so that another one can take its place.

httpx has had no release since December 2024; httpx2 is its maintained fork, with the same interface.  The quick tests
run with either (`scripts/test-pythons`).  The rest of the code takes it from here:

    from coursefs.transport.http_library import httpx
"""

from __future__ import annotations

import sys

# Where rich and pygments are installed, httpx imports its own command-line program, which takes 30 ms of each command
# that makes requests, and 4 MB of a mount. Without this module it does as if they were not.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # None: an import fails

import httpx  # noqa: E402  # after the line above

__all__ = ["httpx"]
