"""The Panopto platform: recorded lectures in folders, read with the user's own sign-in."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from coursefs.providers.panopto.client import PanoptoClient
    from coursefs.providers.panopto.oauth import Client
    from coursefs.providers.panopto.routes import EndpointLimiters

__all__ = ["Client", "EndpointLimiters", "PanoptoClient"]

_WHERE = {"Client": "oauth", "EndpointLimiters": "routes", "PanoptoClient": "client"}


def __getattr__(name: str) -> object:
    """Import the client at its first use: reading the settings file must stay quick."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
