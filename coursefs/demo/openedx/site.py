"""Feature flags of a site, its simulated faults, and the records that reading has left on it.

A module of its own because both the API and the web site use it.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Site:
    """The state of one server; tests may change it while it runs."""

    gone: set[str] = field(default_factory=set)  # path prefixes that its release does not have: 404
    broken: set[str] = field(default_factory=set)  # path prefixes at which the server fails: 500
    third_party_auth: bool = True  # without it a token cannot be exchanged for a session
    progress: bool = True  # the waffle flag of the progress page; without it 404
    search_engine: bool = False  # without one, `search_term` is ignored
    extracted: bool = False  # the extracted XBlocks of the releases from Verawood on, with a PDF block of their own
    rows: set[tuple[str, str]] = field(default_factory=set)  # (user, block): records that opening a page has left
