"""Checks of the platforms: the clock, each account's sign-in, removed routes, and what running mounts report."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import trio

from coursefs.doctor.finding import Finding, Severity
from coursefs.errors import CoursefsError, NotSignedIn
from coursefs.library import AccountSource, Advises, Factories, HasRoutes, Provider, provider_of
from coursefs.model import RouteState, Wanted
from coursefs.settings.account_keys import server_of
from coursefs.settings.credentials import expiry
from coursefs.transport import Surprise, Transport
from coursefs.transport.parsing import seconds_of_date

#: seconds that clocks may differ: signed URLs and tokens are valid for minutes
_CLOCK_TOLERANCE = 120.0
#: seconds for all requests of one account
_TIMEOUT = 30.0
_DAY = 86400.0
#: courses whose outlines are fetched until one of them is open
_MAX_COURSES = 3


async def platforms(
    accounts: Sequence[AccountSource], wanted: Wanted, transport: Transport, *, providers: Factories | None = None
) -> list[Finding]:
    """The findings of all accounts, in their order, checked concurrently. Nothing on the platform is changed.

    `providers`: as for `open_library`.
    """
    found: dict[str, list[Finding]] = {}

    async def one(account: AccountSource) -> None:
        found[account.name] = await _account(
            account, partial(provider_of, account, wanted, transport, providers), transport
        )

    async with trio.open_nursery() as nursery:
        for account in accounts:
            nursery.start_soon(one, account)
    return [finding for account in accounts for finding in found[account.name]]


def new_replies(surprises: Sequence[Surprise]) -> list[Finding]:
    """A finding about platform replies with unknown fields or values (pure)."""
    if not surprises:
        return []
    first = surprises[0]
    more = f" and {len(surprises) - 1} more" if len(surprises) > 1 else ""
    message = f"replies that are new to coursefs: {first.provider}, {first.route}: {first.what}{more}"
    return [Finding("replies", Severity.NOTE, message, "coursefs report --to surprises.zip")]


def clock(where: str, date: str | None, now: float) -> Finding | None:
    """Compare the `Date` of a reply with the clock here; None without a date."""
    there = seconds_of_date(date)
    if there is None:
        return None
    ahead = now - there
    if abs(ahead) > _CLOCK_TOLERANCE:
        way = "ahead of" if ahead > 0 else "behind"
        message = f"the clock here is {abs(ahead) / 60:.0f} minutes {way} that of {where}; signed addresses fail"
        return Finding("clock", Severity.PROBLEM, message, "sudo timedatectl set-ntp true")
    return Finding("clock", Severity.OK, f"agrees with that of {where}")


async def _account(account: AccountSource, create: Callable[[], Provider], transport: Transport) -> list[Finding]:
    name = f"account {account.name}"
    login = f"coursefs login {account.provider} --account {account.name} …"
    findings: list[Finding] = []
    with trio.move_on_after(_TIMEOUT):
        findings += await _clock(account, transport)
        try:
            provider = create()
            identity = await provider.whoami()
            expires = expiry(account.secrets) or identity.expires
            who = f"signed in as {identity.name or identity.user_id}"
            if expires is not None and expires - time.time() < _DAY:
                hours = max(0.0, expires - time.time()) / 3600
                return [*findings, Finding(name, Severity.NOTE, f"{who}; it expires in {hours:.0f} hours", login)]
            findings.append(Finding(name, Severity.OK, who))
            if isinstance(provider, Advises):
                findings += [Finding(name, Severity.NOTE, line, login) for line in provider.advice()]
            return [*findings, *await _routes(account, provider)]
        except NotSignedIn as error:
            return [*findings, Finding(name, Severity.SIGN_IN, str(error).removeprefix(f"{account.name}: "), login)]
        except CoursefsError as error:
            return [
                *findings,
                Finding(name, Severity.PROBLEM, str(error), "coursefs -v doctor   # shows the requests"),
            ]
    return [*findings, Finding(name, Severity.PROBLEM, f"no answer within {_TIMEOUT:.0f} s", "coursefs -v doctor")]


async def _clock(account: AccountSource, transport: Transport) -> list[Finding]:
    address = server_of(account.settings)
    if address is None:
        return []
    try:
        reply = await transport.fetch(address, method="HEAD")
    except CoursefsError:
        return []  # the check of the sign-in reports it
    found = clock(account.name, reply.headers.get("date"), time.time())
    return [] if found is None else [found]


async def _routes(account: AccountSource, provider: Provider) -> list[Finding]:
    """Check that the platform still has the routes of course lists and outlines; others are not used here."""
    name = f"routes of {account.name}"
    try:
        courses = await provider.courses()
        for course in courses[:_MAX_COURSES]:
            outline = await provider.outline(course)
            if outline is None or outline.sections:
                break  # an empty outline of a closed course does not prove the route
    except CoursefsError as error:
        return [Finding(name, Severity.PROBLEM, str(error), "pip install --upgrade coursefs")]
    gone = removed_routes(name, provider.routes() if isinstance(provider, HasRoutes) else ())
    if any(finding.state is Severity.PROBLEM for finding in gone):
        return gone
    return [Finding(name, Severity.OK, f"{len(courses)} courses are listed, and an outline"), *gone]


def removed_routes(check: str, routes: Sequence[RouteState], *, prefix: str = "") -> list[Finding]:
    """A finding for each removed route: a problem, unless another route serves the same purpose."""
    answered = {_purpose(route) for route in routes if route.trouble is None}
    return [
        Finding(check, Severity.NOTE, f"{prefix}{route.name}: {route.trouble}; another one answers")
        if _purpose(route) in answered
        else Finding(
            check, Severity.PROBLEM, f"{prefix}{route.name}: {route.trouble}", "pip install --upgrade coursefs"
        )
        for route in routes
        if route.trouble is not None
    ]


def _purpose(route: RouteState) -> str:
    """The purpose of a route, without the resource."""
    return route.name.partition(" (")[0]


def mount_answers(status: Mapping[str, Any]) -> Iterator[Finding]:
    """Findings from the status of a running mount.

    It has used more routes than doctor may try: a route that is gone for it is a problem here.
    """
    check = f"mount {status['mountpoint']}"
    yield Finding(check, Severity.OK, f"answers, process {status['pid']}")
    for account in status["accounts"]:
        met = [RouteState(route["name"], route["trouble"]) for route in account["routes"]]
        yield from removed_routes(check, met, prefix=f"{account['name']}, ")
    for found in new_replies([Surprise(**one) for one in status.get("surprises", ())]):
        yield replace(found, check=check)


def is_silent(mountpoint: Path) -> Finding:
    """The finding for a mount whose process does not answer."""
    return Finding(f"mount {mountpoint}", Severity.PROBLEM, "its process does not answer", _umount(mountpoint))


def is_dead(mountpoint: Path) -> Finding:
    """The finding for a mount whose process was killed."""
    return Finding(f"mount {mountpoint}", Severity.PROBLEM, "its process is gone", _umount(mountpoint))


def _umount(mountpoint: Path) -> str:
    return f"coursefs umount {shlex.quote(str(mountpoint))}"
