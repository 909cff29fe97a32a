"""The interface of a tier: a place outside this machine's cache where small immutable objects are stored by name.

A tier is not trusted, and may be emptied, filled or damaged by others at any moment.  There are no locks in it and no
database: an object is written once, as a whole, and only ever replaced by an equal one or removed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from coursefs.errors import CoursefsError

#: what ends the name of a claim: the name of its piece, and this
CLAIM_SUFFIX = ".claim"


class TierFailed(CoursefsError):
    """A tier did not answer in time, refused, or is full.  The message is for a person."""


class ReadOnlyTier(TierFailed):
    """A tier that can be read, and takes no objects from this machine."""


class FullTier(TierFailed):
    """A tier that has no room for an object."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An object of a tier, as a listing gives it."""

    name: str
    size: int  # bytes
    age: float  # seconds since it was written, by the tier's clock


class Tier(Protocol):
    """Where pieces and claims are stored.  Every method may be cancelled, and raises `TierFailed`."""

    @property
    def place(self) -> str:
        """The tier for a person: a path or an address, without secrets."""

    async def get(self, name: str, *, wait: float = 0.0, urgent: bool = True) -> bytes | None:
        """The bytes of an object; None: there is none, or `wait` seconds have passed without one.

        `urgent`: a program waits for it; a tier that can tell serves the others later.
        """

    async def put(self, name: str, data: bytes, *, only_new: bool = False) -> bool:
        """Write an object; `only_new`: False if there is one of this name already, which stays as it is."""

    async def age(self, name: str) -> float | None:
        """Seconds since an object was written, by the tier's clock; None: there is none."""

    async def remove(self, name: str) -> None:
        """Remove an object, if it is there."""

    async def aclose(self) -> None:
        """Close connections."""


class ListedTier(Tier, Protocol):
    """A tier that can say what it holds."""

    def entries(self) -> AsyncIterator[Entry]:
        """All objects, in any order.  Raises `TierFailed`."""
