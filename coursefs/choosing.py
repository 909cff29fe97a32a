"""Choosing what the tree shows: by default every enrolled course, else what was named.

The choice is a matter of this machine alone: nothing is enrolled in, or left, on any platform.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from coursefs.catalog import Choice, Place, Store, Tree, TreeAccount
from coursefs.errors import CoursefsError, NotAllowed, UsageError
from coursefs.model import Course
from coursefs.providers.base import Resolves
from coursefs.selection import names


@dataclass(frozen=True, slots=True)
class Chosen:
    """What became of one course that was named."""

    account: str
    title: str
    shown: bool
    directory: str | None  # where it is shown, below the mount point
    note: str | None = None  # why it is not shown although it was wanted


@dataclass(frozen=True, slots=True)
class _Found:
    """A course that somebody's text names."""

    account: TreeAccount
    course: Course
    is_known: bool  # among the account's courses


class Choosing:
    """The choice of courses, kept in the catalogue and taken up by the tree at once."""

    def __init__(self, store: Store, tree: Tree, accounts: Sequence[TreeAccount]) -> None:
        self._store = store
        self._tree = tree
        self._accounts = accounts

    def shows(self, account: str, course: Course) -> bool:
        """Whether the tree is to show a course of this account."""
        return self._store.enrolments.choice(account).shows(course)

    def with_added(self, account: str, courses: Sequence[Course]) -> list[Course]:
        """These courses of an account, and those that were added to it by hand."""
        enrolled = {course.key for course in courses}
        return [*courses, *(course for course in self._store.enrolments.added(account) if course.key not in enrolled)]

    async def choose(self, selection: Sequence[str], *, shown: bool) -> list[Chosen]:
        """Show, or no longer show, these courses; `all` is every course, those enrolled in later included.

        A course is named by its directory, slug, id or URL; the URL of a programme names all its courses.  Either all
        of it happens or nothing.  Raises `UsageError` for what names no course, `NotAllowed` for what names only
        courses of which there is nothing to show, and what keeps the platforms from being asked.
        """
        if "all" in selection:
            for account in self._accounts:
                self._store.enrolments.set_choice(account.name, Choice(others=shown))
                self._tree.renewal.arrange(account.name)
            every = [(one, course) for one in self._accounts for course in self._store.enrolments.courses(one.name)]
            return [self._chosen(_Found(one, course, True), shown) for one, course in every if not course.hidden]
        found = [await self._found(text, shown=shown) for text in selection]
        unique = {(one.account.name, one.course.key): one for some in found for one in some}
        for account in self._accounts:
            self._apply(account.name, [one for one in unique.values() if one.account == account], shown=shown)
        return [self._chosen(one, shown) for one in unique.values()]

    def _apply(self, account: str, found: Sequence[_Found], *, shown: bool) -> None:
        if not found:
            return
        with self._store.transaction():
            for one in found:
                if shown and not one.is_known and not one.course.hidden:
                    self._store.enrolments.add(account, one.course)
            keys = [one.course.key for one in found]
            self._store.enrolments.set_choice(
                account, self._store.enrolments.choice(account).including(keys, shown=shown)
            )
        self._tree.renewal.arrange(account)

    def _chosen(self, one: _Found, shown: bool) -> Chosen:
        course = one.course
        directory = self._tree.directory_of(one.account.name, course)
        note = _trouble(one) if shown else None
        return Chosen(one.account.name, course.title, shown and note is None, directory, note)

    async def _found(self, text: str, *, shown: bool) -> list[_Found]:
        """What a text names: among what is known, else after asking for the enrolments, else on the platforms."""
        found = self._known(text, shown=shown)
        if not found:
            errors = await self._ask_for_courses()
            found = self._known(text, shown=shown)
            if not found:
                found, more = await self._resolved(text)
                errors += more
            if not found and errors:
                raise errors[0]
        if not found:
            raise UsageError(f"no course is called {text}; see: coursefs courses list --all")
        if not shown:
            found = [one for one in found if one.is_known]
            if not found:
                raise UsageError(f"{text}: you have no such course; see: coursefs courses list")
        elif (troubles := [_trouble(one) for one in found]) and None not in troubles:
            raise NotAllowed(troubles[0])
        return found

    def _known(self, text: str, *, shown: bool) -> list[_Found]:
        """The course that a text names, in each account that has it.

        A course that is not shown may have the name of one that is: the one is meant that the choice would change.
        Raises `UsageError` where that does not tell them apart.
        """
        found = [
            _Found(account, course, True)
            for account in self._accounts
            for course in self._store.enrolments.courses(account.name)
            if names(course, self._name(account.name, course), text)
        ]
        if _is_one_course(found):
            return found
        other = [one for one in found if self.shows(one.account.name, one.course) != shown]
        if not other or not _is_one_course(other):
            raise UsageError(f"{text} names more than one course; name it by its id: coursefs courses list --all")
        return other

    def _name(self, account: str, course: Course) -> str:
        """The name of a course's directory, which it also had if it is not shown now."""
        node = self._store.find(Place(account), course.key)
        return "" if node is None else node.name

    async def _resolved(self, text: str) -> tuple[list[_Found], list[CoursefsError]]:
        """What the platforms say that a text names, and what kept them from saying it."""
        found: list[_Found] = []
        errors: list[CoursefsError] = []
        for account in self._accounts:
            if not isinstance(account.provider, Resolves):
                continue
            try:
                courses = await account.provider.resolve(text)
            except CoursefsError as error:
                errors.append(error)
                continue
            known = {course.key: course for course in self._store.enrolments.courses(account.name)}
            found += [_Found(account, known.get(one.key, one), one.key in known) for one in courses]
        return found, errors

    async def _ask_for_courses(self) -> list[CoursefsError]:
        """Ask for the enrolments, of which one may be new; what went wrong."""
        errors: list[CoursefsError] = []
        for account in self._accounts:
            try:
                await self._tree.update_courses(account.name)
            except CoursefsError as error:
                errors.append(error)
        return errors


def _is_one_course(found: Sequence[_Found]) -> bool:
    return len({one.course.key for one in found}) <= 1


def _trouble(one: _Found) -> str | None:
    """Why a course cannot be shown; None: it can."""
    if not one.course.hidden:
        return None
    if one.is_known:
        return f"{one.course.title}: the platform shows nothing of it any more"
    where = f" at {one.course.url}" if one.course.url else ""
    return f"{one.course.title}: you are not enrolled in it; enrol{where}, and it is shown"
