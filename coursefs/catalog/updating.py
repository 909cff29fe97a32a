"""Asking for everything now, account by account and course by course; what fails for one keeps no other from it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Sequence

from coursefs.catalog.news import News
from coursefs.catalog.node import Node
from coursefs.catalog.tree import Tree
from coursefs.errors import CoursefsError, NoAnswer, NotSignedIn, Unreachable


async def updated(
    tree: Tree, accounts: Iterable[str], courses: Callable[[], Sequence[Node]]
) -> AsyncGenerator[News, None]:
    """What is new: first of the accounts' enrolments, then of the courses, which are named once those are known.

    Raises at the end what went wrong first, and says of how many others something did; an account that cannot be
    reached, or whose sign-in has ended, is asked for nothing more.
    """
    troubles: list[tuple[str, CoursefsError]] = []
    lost: set[str] = set()

    def failed(account: str, about: str, error: CoursefsError) -> None:
        troubles.append((about, error))
        if isinstance(error, (NotSignedIn, Unreachable, NoAnswer)):
            lost.add(account)

    for account in accounts:
        try:
            news = await tree.update_courses(account)
        except CoursefsError as error:
            failed(account, account, error)
        else:
            yield news
    for course in courses():
        if course.place.account in lost:
            continue
        try:
            news = await tree.update_course(course)
        except CoursefsError as error:
            failed(course.place.account, course.name, error)
        else:
            yield news
    if troubles:
        raise _summary(troubles)


def _summary(troubles: Sequence[tuple[str, CoursefsError]]) -> CoursefsError:
    (about, first), *others = troubles
    text = str(first) if str(first).startswith(f"{about}:") else f"{about}: {first}"
    return type(first)(f"{text} (and {len(others)} more could not be asked for)" if others else text)
