"""What the platforms say: the clock, each account's sign-in, and the routes that are known."""

from __future__ import annotations

import time
from collections.abc import Sequence
from email.utils import parsedate_to_datetime

import trio

from coursefs.credentials import expiry
from coursefs.doctor import routes
from coursefs.doctor.finding import Finding, State
from coursefs.errors import CoursefsError, NotSignedIn
from coursefs.library import AccountSource, provider_of
from coursefs.model import Wanted
from coursefs.providers.base import HasRoutes, Provider
from coursefs.transport import Transport

#: seconds that clocks may differ: signed addresses and tokens are made for minutes
_CLOCK = 120.0
#: seconds for all questions to one account
_PATIENCE = 30.0
_DAY = 86400.0


async def platforms(accounts: Sequence[AccountSource], wanted: Wanted, transport: Transport) -> list[Finding]:
    """Each account's findings, in the order of the accounts.  Nothing on the platform is changed."""
    found: dict[str, list[Finding]] = {}

    async def one(account: AccountSource) -> None:
        found[account.name] = await _account(account, wanted, transport)

    async with trio.open_nursery() as nursery:
        for account in accounts:
            nursery.start_soon(one, account)
    return [finding for account in accounts for finding in found[account.name]]


def clock(where: str, date: str | None, now: float) -> Finding | None:
    """What the `Date` of a reply says of the clock here; None when it says nothing."""
    try:
        ahead = now - parsedate_to_datetime(date or "").timestamp()
    except ValueError:
        return None
    if abs(ahead) > _CLOCK:
        way = "ahead of" if ahead > 0 else "behind"
        message = f"the clock here is {abs(ahead) / 60:.0f} minutes {way} that of {where}; signed addresses fail"
        return Finding("clock", State.PROBLEM, message, "sudo timedatectl set-ntp true")
    return Finding("clock", State.OK, f"as that of {where}")


async def _account(account: AccountSource, wanted: Wanted, transport: Transport) -> list[Finding]:
    name = f"account {account.name}"
    login = f"coursefs login {account.provider} --account {account.name} …"
    findings: list[Finding] = []
    with trio.move_on_after(_PATIENCE):
        findings += await _clock(account, transport)
        try:
            provider = provider_of(account, wanted, transport)
            identity = await provider.whoami()
            expires = expiry(account.secrets) or identity.expires
            who = f"signed in as {identity.name or identity.user_id}"
            if expires is not None and expires - time.time() < _DAY:
                hours = max(0.0, expires - time.time()) / 3600
                return [*findings, Finding(name, State.NOTE, f"{who}; that ends in {hours:.0f} hours", login)]
            findings.append(Finding(name, State.OK, who))
            return [*findings, *await _routes(account, provider)]
        except NotSignedIn as error:
            return [*findings, Finding(name, State.SIGN_IN, str(error), login)]
        except CoursefsError as error:
            return [*findings, Finding(name, State.PROBLEM, str(error), "coursefs -v doctor   # says what was asked")]
    return [*findings, Finding(name, State.PROBLEM, f"no answer within {_PATIENCE:.0f} s", "coursefs -v doctor")]


async def _clock(account: AccountSource, transport: Transport) -> list[Finding]:
    address = account.settings.get("base_url") or account.settings.get("server")
    if address is None:
        return []
    try:
        reply = await transport.fetch(address, method="HEAD")
    except CoursefsError:
        return []  # the sign-in's check says it
    found = clock(account.name, reply.headers.get("date"), time.time())
    return [] if found is None else [found]


async def _routes(account: AccountSource, provider: Provider) -> list[Finding]:
    """Whether the platform still has the routes; what only a look into a course uses is not known here."""
    name = f"routes of {account.name}"
    try:
        courses = await provider.courses()
        if courses:
            await provider.outline(courses[0])
    except CoursefsError as error:
        return [Finding(name, State.PROBLEM, str(error), "pip install --upgrade coursefs")]
    gone = routes.gone(name, provider.routes() if isinstance(provider, HasRoutes) else ())
    if any(finding.state is State.PROBLEM for finding in gone):
        return gone
    return [Finding(name, State.OK, f"{len(courses)} courses are listed, and the first one's outline"), *gone]
