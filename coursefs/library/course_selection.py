"""The course selection: which courses the tree shows.

By default every enrolled course is shown.  The selection is stored on this machine only: it never enrols in a course,
or leaves one, on a platform.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from coursefs.base.crash_messages import told
from coursefs.catalog import Place, SelectionRule, Store, Tree, TreeAccount
from coursefs.catalog.node import Node
from coursefs.errors import CoursefsError, NotAllowed, UsageError
from coursefs.library.course_names import Candidate, ambiguous, named, unknown
from coursefs.model import Course
from coursefs.providers import checking
from coursefs.providers.base import Resolves

#: what lists the courses that are shown, and all of them
_LIST = "coursefs courses list"
_LIST_ALL = "coursefs courses list --all"


def select(courses: Iterable[tuple[Node, Course]], text: str, *, prefixes: bool = True) -> Node:
    """The one course that `text` names.  Raises `UsageError` when it names none, or more than one.

    With `prefixes` the beginning of a title is enough.
    """
    candidates = [Candidate(node, course, node.name) for node, course in courses]
    found = named(candidates, text, prefixes=prefixes)
    if not found:
        raise unknown(candidates, text, _LIST)
    if len({one.of.inode for one in found}) > 1:
        raise ambiguous(found, text, _LIST)
    return found[0].of


@dataclass(frozen=True, slots=True)
class Chosen:
    """The result for one course in a change of the selection."""

    account: str
    title: str
    shown: bool
    directory: str | None  # its path below the mount point
    note: str | None = None  # why it cannot be shown


@dataclass(frozen=True, slots=True)
class _NamedCourse:
    """A course that a text names, in one account."""

    account: TreeAccount
    course: Course
    is_known: bool  # among the account's courses


class CourseSelection:
    """The selection of courses: stored in the catalogue, and applied to the tree at once."""

    def __init__(self, store: Store, tree: Tree) -> None:
        self._store = store
        self._tree = tree

    @property
    def _accounts(self) -> Sequence[TreeAccount]:
        return self._tree.accounts

    def shows(self, account: str, course: Course) -> bool:
        """Whether the tree is to show a course of this account."""
        return self._store.enrolments.selection_rule(account).shows(course)

    def with_added(self, account: str, courses: Sequence[Course]) -> list[Course]:
        """These courses of an account, and those that the user has added."""
        enrolled = {course.key for course in courses}
        return [*courses, *(course for course in self._store.enrolments.added(account) if course.key not in enrolled)]

    def directories(self, texts: Sequence[str], *, prefixes: bool = True) -> list[Node]:
        """The directories of the courses that these texts name; of every course for no text or for `all`.

        With `prefixes` the beginning of a title names a course, if it is that of one alone.  Raises `UsageError` for a
        text that names no course.
        """
        shown = [
            (node, course)
            for account in self._accounts
            for course in self._store.enrolments.courses(account.name)
            if (node := self._store.find(Place(account.name), course.key)) is not None and not node.is_gone
        ]
        if not texts or "all" in texts:
            return [node for node, _ in shown]
        return [select(shown, text, prefixes=prefixes) for text in texts]

    async def choose(self, selection: Sequence[str], *, shown: bool) -> list[Chosen]:
        """Show or hide these courses; `all` is every course, including later enrolments.

        A course is named by its directory, slug, id or URL; the URL of a programme names all its courses.  The change
        is made completely or not at all.  Raises `UsageError` for a text that names no course, `NotAllowed` for one
        that names only courses without content to show, and the errors of requests to the platforms.
        """
        if "all" in selection:
            for account in self._accounts:
                self._store.enrolments.set_selection_rule(account.name, SelectionRule(others=shown))
                self._tree.refresher.arrange(account.name)
            every = [(one, course) for one in self._accounts for course in self._store.enrolments.courses(one.name)]
            return [self._chosen(_NamedCourse(one, course, True), shown) for one, course in every if not course.hidden]
        found = [await self._found(text, shown=shown) for text in selection]
        unique = {(one.account.name, one.course.key): one for some in found for one in some}
        for account in self._accounts:
            self._apply(account.name, [one for one in unique.values() if one.account == account], shown=shown)
        return [self._chosen(one, shown) for one in unique.values()]

    def _apply(self, account: str, found: Sequence[_NamedCourse], *, shown: bool) -> None:
        if not found:
            return
        with self._store.transaction():
            for one in found:
                if shown and not one.is_known and not one.course.hidden:
                    self._store.enrolments.add(account, one.course)
            keys = [one.course.key for one in found]
            self._store.enrolments.set_selection_rule(
                account, self._store.enrolments.selection_rule(account).including(keys, shown=shown)
            )
        self._tree.refresher.arrange(account)

    def _chosen(self, one: _NamedCourse, shown: bool) -> Chosen:
        course = one.course
        directory = self._tree.directory_of(one.account.name, course)
        note = _trouble(one) if shown else None
        return Chosen(one.account.name, course.title, shown and note is None, directory, note)

    async def _found(self, text: str, *, shown: bool) -> list[_NamedCourse]:
        """The courses that a text names: known ones, else from the enrolments listed anew, else from the platforms."""
        found = self._known(text, shown=shown, prefixes=not shown)
        if not found:
            errors = await self._ask_for_courses()
            found = self._known(text, shown=shown)
            if not found:
                found, more = await self._resolved(text)
                errors += more
            # the last: the whole name of a new course may be the beginning of another one's
            found = found or self._known(text, shown=shown, prefixes=True)
            if not found and errors:
                raise errors[0]
        if not found:
            raise unknown(self._candidates(), text, _LIST_ALL)
        if not shown:
            found = [one for one in found if one.is_known]
            if not found:
                raise UsageError(f"{text}: you have no such course; see: coursefs courses list")
        elif (troubles := [_trouble(one) for one in found]) and None not in troubles:
            raise NotAllowed(troubles[0])
        return found

    def _known(self, text: str, *, shown: bool, prefixes: bool = False) -> list[_NamedCourse]:
        """The known course that a text names, in each account that has it; with `prefixes` also by its beginning.

        A hidden course may share its name with a shown one: the text means the one that the change would affect.
        Raises `UsageError` when the text is still ambiguous.
        """
        candidates = named(self._candidates(), text, prefixes=prefixes)
        found = [one.of for one in candidates]
        if _is_one_course(found):
            return found
        other = [one for one in found if self.shows(one.account.name, one.course) != shown]
        if not other or not _is_one_course(other):
            raise ambiguous(candidates, text, _LIST_ALL)
        return other

    def _candidates(self) -> list[Candidate[_NamedCourse]]:
        """The known courses of all accounts, hidden ones included."""
        return [
            Candidate(_NamedCourse(account, course, True), course, self._name(account.name, course))
            for account in self._accounts
            for course in self._store.enrolments.courses(account.name)
        ]

    def _name(self, account: str, course: Course) -> str:
        """The name of a course's directory, also that of a hidden course."""
        node = self._store.find(Place(account), course.key)
        return "" if node is None else node.name

    async def _resolved(self, text: str) -> tuple[list[_NamedCourse], list[CoursefsError]]:
        """The courses that the platforms find for a text, and the errors of those that failed."""
        found: list[_NamedCourse] = []
        errors: list[CoursefsError] = []
        for account in self._accounts:
            if not isinstance(account.provider, Resolves):
                continue
            try:
                courses = checking.courses(await account.provider.resolve(text))
            except CoursefsError as error:
                errors.append(error)
                continue
            except Exception as error:  # of a provider: it fails for one account only
                errors.append(told(error))
                continue
            known = {course.key: course for course in self._store.enrolments.courses(account.name)}
            found += [_NamedCourse(account, known.get(one.key, one), one.key in known) for one in courses]
        return found, errors

    async def _ask_for_courses(self) -> list[CoursefsError]:
        """List the enrolments anew, in case one is new.  Returns the errors."""
        errors: list[CoursefsError] = []
        for account in self._accounts:
            try:
                await self._tree.update_courses(account.name)
            except CoursefsError as error:
                errors.append(error)
        return errors


def _is_one_course(found: Sequence[_NamedCourse]) -> bool:
    return len({one.course.key for one in found}) <= 1


def _trouble(one: _NamedCourse) -> str | None:
    """Why a course cannot be shown; None: it can."""
    if not one.course.hidden:
        return None
    if one.is_known:
        return f"{one.course.title}: the platform no longer shows it"
    where = f" at {one.course.url}" if one.course.url else ""
    return f"{one.course.title}: you are not enrolled in it; enrol{where} first"
