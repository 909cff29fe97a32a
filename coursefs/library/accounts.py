"""The accounts of a library: creating their providers, checking sign-ins, and updating courses."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence

import trio

from coursefs.catalog import News, Node, Place, Store, Tree
from coursefs.content import Content
from coursefs.errors import CoursefsError, Gone, NoAnswer, NotSignedIn, Unreachable, UsageError, named
from coursefs.library.settings import AccountSource
from coursefs.model import Source, Wanted
from coursefs.providers import checking, registry
from coursefs.providers.base import Account, Provider
from coursefs.providers.platform import Create
from coursefs.transport import Transport

#: seconds that a mount of known courses waits for the check of a sign-in
_SIGN_IN_CHECK = 3.0

Factories = Mapping[str, Create]


def provider_of(
    account: AccountSource, wanted: Wanted, transport: Transport, factories: Factories | None = None
) -> Provider:
    """Create an account's provider with one of these factories; None: one of the installed platforms.

    Raises `UsageError` when there is no platform of that name.
    """
    create = registry.platform(account.provider).create if factories is None else factories.get(account.provider)
    if create is None:
        raise UsageError(f"unknown provider {account.provider!r}")
    return create(Account(account.name, account.settings, account.secrets, wanted, account.vault), transport)


async def source_of(providers: Mapping[str, Provider], content: Content, fresh: bool) -> Source:
    """The present URL of a content, from its account's provider; `fresh`: the last one was refused.

    Raises the provider's errors, and `Gone` when the account is no longer in the settings.
    """
    provider = providers.get(content.account)
    if provider is None:
        raise Gone(f"the account {content.account} is no longer in the settings")
    return checking.source(await provider.source(content.course, content.remote, fresh=fresh))


async def check_accounts(tree: Tree, store: Store, providers: Mapping[str, Provider], *, offline: bool) -> list[str]:
    """Check before mounting that at least one account can be shown.

    An account that was never listed is listed now.  For a known account the sign-in is checked, within a few seconds.
    Returns a line for each account with a problem while others work.  Raises the problem when every account has one.
    For a known account a missing network is no problem.
    """
    problems: list[CoursefsError] = []
    notes: list[str] = []

    async def check(name: str) -> None:
        known = store.fetch_log.fetched_ns(Place(name)) is not None
        if known and offline:
            return
        try:
            if not known or not store.enrolments.courses(name):  # the first enrolment may be new
                await tree.update_courses(name)
                return
            with trio.move_on_after(_SIGN_IN_CHECK):
                await providers[name].whoami()
        except NotSignedIn as error:
            tree.refresher.errors.sign_in_ended(name, error)
            hint = "; to read what is cached: coursefs mount -o offline …" if known else ""
            problems.append(NotSignedIn(f"{error}{hint}"))
        except CoursefsError as error:
            if known:
                notes.append(f"{named(name, error)}; showing what is known")
            else:
                problems.append(
                    type(error)(f"{named(name, error)}; its courses were never listed, so there is nothing to show")
                )

    async with trio.open_nursery() as nursery:
        for name in providers:
            nursery.start_soon(check, name)
    if problems and len(problems) == len(providers):
        raise min(problems, key=lambda error: not isinstance(error, NotSignedIn))
    return [*notes, *(str(error) for error in problems)]


async def updated(
    tree: Tree,
    accounts: Iterable[str],
    courses: Callable[[], Sequence[Node]],
    after: Callable[[Node], Awaitable[None]] | None = None,
) -> AsyncGenerator[News, None]:
    """Update the metadata, and yield the news: first of each account's enrolments, then of the courses, in order.

    `courses` is called when the enrolments are known, `after` with each course that was updated.  After an error of one
    account or course the others are still updated; an account that cannot be reached, or whose sign-in has ended, gets
    no more requests.  Raises the first error at the end; its message has the number of the others.
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
            if after is not None:
                await after(course)
            yield news
            doubt = tree.refresher.errors.doubt(Place(course.place.account, course.key))
            if doubt is not None:
                failed(course.place.account, course.name, doubt)
    if troubles:
        raise _summary(troubles)


def _summary(troubles: Sequence[tuple[str, CoursefsError]]) -> CoursefsError:
    (about, first), *others = troubles
    text = named(about, first)
    return type(first)(f"{text} (and {len(others)} more could not be refreshed)" if others else text)
