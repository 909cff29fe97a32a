"""Log formatting and the log handler of a daemon.

It is a module of its own because commands and the daemon both need it, and it must not import either.
"""

from __future__ import annotations

import logging
from typing import Any

from coursefs.base.characters import printable

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class TerminalSafeFormatter(logging.Formatter):
    """A log formatter that makes text from platforms safe for a terminal: one line, no control characters."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # logging's name
        """The line of a record."""
        return printable(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802  # logging's name
        """A traceback; each of its lines is made safe."""
        return "\n".join(map(printable, super().formatException(ei).split("\n")))


def log_to_stderr(verbose: bool) -> None:
    """Log to standard error with time, level and origin; a daemon's stderr is a file or the journal.

    Only coursefs' own records are logged: the request lines of other libraries hold signed queries.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(TerminalSafeFormatter(_FORMAT))
    ours = logging.getLogger("coursefs")
    ours.handlers = [handler]
    ours.setLevel(logging.DEBUG if verbose else logging.INFO)
    ours.propagate = False
