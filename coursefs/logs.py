"""Logging in one place: what coursefs says of itself, and where."""

from __future__ import annotations

import logging

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def to_file_like_journal(verbose: bool) -> None:
    """Log to standard error, which is a file or the journal, with time, level and origin: how a daemon logs.

    Other libraries' request lines hold signatures in their queries, so theirs are never shown.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter(_FORMAT))
    ours = logging.getLogger("coursefs")
    ours.handlers = [handler]
    ours.setLevel(logging.DEBUG if verbose else logging.INFO)
    ours.propagate = False
