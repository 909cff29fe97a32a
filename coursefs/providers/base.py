"""The protocol between a platform and the rest of coursefs: a provider only translates.

It knows nothing of inodes, caches, names or file systems.  Providers are found through the entry-point group
`coursefs.providers`; each entry is a `ProviderFactory`.  Every method may raise any `CoursefsError` and nothing else
on purpose; every method may be cancelled at any await and leaves nothing half-done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from coursefs.errors import CoursefsError
from coursefs.model import Course, File, Identity, Item, Outline, Remote, Route, Source, Standing, Wanted
from coursefs.transport import Transport

#: items that are asked for together when their files are to be known as they are
FEW = 20


class Provider(Protocol):
    """One account on one platform."""

    async def whoami(self) -> Identity:
        """Ask the platform whose sign-in this is.  Raises `NotSignedIn` when the platform refuses it."""

    async def courses(self) -> Sequence[Course]:
        """Every course that the account is enrolled in, all pages, in the platform's order."""

    async def outline(self, course: Course, *, tag: str | None = None) -> Outline | None:
        """The tree of a course, without a request for any single item.

        `tag` is that of the outline which is known; None when the platform says that it is still the one.
        """

    async def files(self, course: Course, items: Sequence[Item]) -> Mapping[str, Sequence[File] | CoursefsError]:
        """The files of these items, by item key.

        They are asked for together so that the provider can batch.  An item that cannot be had by itself (refused,
        gone, broken) gives its error as the value; what stands against the whole account or network (`NotSignedIn`,
        `Unreachable`, `NoAnswer`) is raised.  Locked items are never asked for: they give a page that says why.

        A `Sketch` among the values is what can be said at once where many are asked for; those items are asked for
        again later, at most `FEW` at a time, and then it is all or an error.
        """

    async def source(self, course: Course, remote: Remote, *, fresh: bool) -> Source:
        """Where these bytes can be had now.  `fresh`: the last answer was refused, do not repeat it."""


@runtime_checkable
class Searches(Protocol):
    """A provider of a platform with a public catalogue."""

    async def search(self, text: str, *, limit: int = 50) -> Sequence[Course]:
        """Courses of the public catalogue that fit these words, best first, at most `limit`."""


@runtime_checkable
class Resolves(Protocol):
    """A provider that knows more courses than those of the enrolments."""

    async def resolve(self, text: str) -> Sequence[Course]:
        """The courses that a slug, an id or a URL names: one, or all of a programme; () when it is not ours.

        One that the platform shows to its learners only is `hidden` while the account is not enrolled in it.
        """


@runtime_checkable
class Grades(Protocol):
    """A provider of a platform that says how its learners stand."""

    async def standing(self, course: Course) -> Standing:
        """How the learner stands in a course.  What cannot be had of it is left out."""


@runtime_checkable
class HasRoutes(Protocol):
    """A provider that knows several ways to ask, some of which may be gone."""

    def routes(self) -> Sequence[Route]:
        """The ways to ask, as far as they were used; no request is made."""


class Vault(Protocol):
    """Where the secrets of one account are kept.  Both methods block, on files and on the desktop's keyring."""

    def load(self) -> Mapping[str, str]:
        """The secrets as they are kept now: another process may have renewed them.  Raises `CoursefsError`."""

    def save(self, secrets: Mapping[str, str]) -> None:
        """Keep these in place of the ones that are kept.  Raises `CoursefsError`."""


@dataclass(frozen=True, slots=True)
class Account:
    """What a provider is told of its account."""

    name: str
    settings: Mapping[str, str]  # its table in the settings, as text: base_url, server, client_id …
    secrets: Mapping[str, str] = field(repr=False)  # what `login` stored
    wanted: Wanted = field(default_factory=Wanted)
    vault: Vault | None = None  # where renewed secrets go and come from; None: nothing is kept


class ProviderFactory(Protocol):
    """What an entry point of the group `coursefs.providers` gives."""

    def __call__(self, account: Account, transport: Transport) -> Provider:
        """A provider for this account that speaks through this transport.  No request is made here."""
