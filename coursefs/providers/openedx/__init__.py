"""The Open edX platform: the courses of any Open edX server, read with the learner's own sign-in."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from coursefs.providers.openedx.client import OpenEdxClient, OpenEdxReader
    from coursefs.providers.openedx.session import Session, SignIn

__all__ = ["OpenEdxClient", "OpenEdxReader", "Session", "SignIn"]

_WHERE = {"OpenEdxClient": "client", "OpenEdxReader": "client", "Session": "session", "SignIn": "session"}


def __getattr__(name: str) -> object:
    """Import the client at its first use: reading the settings file must stay quick."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
