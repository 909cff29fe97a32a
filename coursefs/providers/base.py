"""The provider protocol, between a platform and the rest of coursefs: a provider only translates.

It turns replies of the platform into objects of `coursefs.model`, and knows nothing of inodes, caches, names or file
systems.  `coursefs.providers.platform.Platform.create` makes the provider of an account.  Every method may raise any
`CoursefsError`, and no other error on purpose.  Every method may be cancelled at any await, and leaves nothing
half-done then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from coursefs.errors import CoursefsError
from coursefs.model import (
    Course,
    CourseProgress,
    File,
    Identity,
    Item,
    Outline,
    Remote,
    RouteState,
    Source,
    Standing,
    Wanted,
)

#: how many items `files` is asked for at most, where `ProvisionalFiles` will not do
FEW = 20


class Provider(Protocol):
    """One account on one platform."""

    async def whoami(self) -> Identity:
        """The user of this sign-in, as the platform says.  Raises `NotSignedIn` when the sign-in is refused."""

    async def courses(self) -> Sequence[Course]:
        """Every course that the account is enrolled in: all pages of the list, in the platform's order."""

    async def outline(self, course: Course, *, tag: str | None = None) -> Outline | None:
        """The tree of a course, without a request for any single item.

        `tag` is that of the known outline.  Returns None when the platform says that it has not changed.
        """

    async def files(self, course: Course, items: Sequence[Item]) -> Mapping[str, Sequence[File] | CoursefsError]:
        """The files of these items, by item key.

        Many items are passed at once so that the provider can batch its requests.  The value of an item that fails (it
        is refused, gone or broken) is its error.  An error of the whole account or of the network (`NotSignedIn`,
        `Unreachable`, `NoAnswer`) is raised.  For a locked item the provider makes no request: it returns a page that
        says why the item is locked.

        A value may be `ProvisionalFiles`, which need no request for each item.  Such items are passed again later, at
        most `FEW` at a time; then the value must be all files of the item, or an error.
        """

    async def source(self, course: Course, remote: Remote, *, fresh: bool) -> Source:
        """The URL and headers to read these bytes with.  `fresh`: the last ones were refused; return no cached ones."""


@runtime_checkable
class Searches(Protocol):
    """A provider that can search its platform's public catalogue."""

    async def search(self, text: str, *, limit: int = 50) -> Sequence[Course]:
        """Courses of the public catalogue that match these words: the best match first, at most `limit`."""


@runtime_checkable
class Resolves(Protocol):
    """A provider that finds courses by slug, id or URL, also those without an enrolment."""

    async def resolve(self, text: str) -> Sequence[Course]:
        """The courses that a slug, an id or a URL names: one, or all of a programme; () when the text names none here.

        A course that the platform shows only to its learners is `hidden` while the account is not enrolled in it.
        """


@runtime_checkable
class Grades(Protocol):
    """A provider that knows the learner's standing: progress, deadlines and grades."""

    async def standing(self, course: Course) -> Standing:
        """The learner's standing in a course.  Parts that the platform does not give are left out."""


@runtime_checkable
class Tracks(Protocol):
    """A provider that knows how far the learner is in each part of a course."""

    async def progress(self, course: Course) -> CourseProgress:
        """What is done of a course, its sections and its items."""

    async def watched(self, course: Course, item: str) -> float | None:
        """The part of a lecture that was watched, 0 to 1, by the key of its item; None when that is not said."""


@runtime_checkable
class HasRoutes(Protocol):
    """A provider that uses several routes of an API, some of which the platform may have removed."""

    def routes(self) -> Sequence[RouteState]:
        """The state of each route that was used so far.  No request is made."""


@runtime_checkable
class Advises(Protocol):
    """A provider that gives advice on its account's settings."""

    def advice(self) -> Sequence[str]:
        """What the user should change and how, one line each.  No request is made."""


class Vault(Protocol):
    """The stored secrets of one account.  Both methods block, on files and on the desktop's keyring."""

    def load(self) -> Mapping[str, str]:
        """Read the secrets as they are stored now; another process may have renewed them.  Raises `CoursefsError`."""

    def save(self, secrets: Mapping[str, str]) -> None:
        """Store these secrets in place of the former ones.  Raises `CoursefsError`."""


@dataclass(frozen=True, slots=True)
class Account:
    """The settings and secrets of an account, as its provider gets them."""

    name: str
    settings: Mapping[str, str]  # its table in the settings, as text: base_url, server, client_id …
    secrets: Mapping[str, str] = field(repr=False)  # what `login` stored
    wanted: Wanted = field(default_factory=Wanted)
    vault: Vault | None = None  # where renewed secrets are stored and read again; None: they are not stored
