"""Requests to Coursera with fallbacks: other routes, another cookie, retries.

A failed request may succeed with another attempt (the platform refuses some at random), with another cookie (`login`
has stored a new one), or by an older route (the platform has removed the present one).  `decide` chooses the next step
(pure); `Asker` makes the requests.
"""

from __future__ import annotations

import enum
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import trio

from coursefs import model
from coursefs.errors import BadReply, CoursefsError, Gone, NoAnswer, NotAllowed, NotSignedIn, RouteGone, Unreachable
from coursefs.providers.coursera import replies, routes
from coursefs.providers.coursera.naptime import Envelope, envelope, is_random_refusal, refusal
from coursefs.providers.coursera.route_book import RouteBook
from coursefs.providers.coursera.routes import Route
from coursefs.providers.coursera.session import Session
from coursefs.providers.kit.known_fields import look
from coursefs.providers.kit.renewal import Renewal
from coursefs.transport import Bucket, Reply, Transport
from coursefs.transport.backoff import RETRIED_STATUSES, pause

#: how often a request is made at most when the platform refuses it at random
ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Trial:
    """One of several requests for the same thing: its route, and its attempt by that route."""

    routes: tuple[Route, ...]  # the present route, then its fallbacks
    number: int = 0  # index of the route
    attempt: int = 1  # by this route, with this cookie
    has_new_cookie: bool = False

    @property
    def route(self) -> Route:
        """The route of this request."""
        return self.routes[self.number]

    def older(self) -> Trial:
        """The first attempt by the next fallback route."""
        return Trial(self.routes, self.number + 1)


@dataclass(frozen=True, slots=True)
class _Tried:
    """The result of a trial."""

    outcome: Envelope | CoursefsError | None  # None: 304 Not Modified
    is_random: bool = False  # a refusal without a reason, which the platform gives now and then
    was_asked: bool = True  # False: no request was made, because the route is known to be gone


class Next(enum.Enum):
    """The next step after a trial."""

    ANSWER = "give the answer back"
    AGAIN = "make the same request again, after a pause"
    COOKIE = "look for another cookie"
    OLDER = "ask by the next older route"
    ALL_GONE = "say that every route is gone"
    FAIL = "raise the error"


def decide(trial: Trial, outcome: Envelope | CoursefsError | None, *, is_random: bool) -> Next:
    """The next step after a trial (pure).

    `outcome` is a reply, an error, or None for 304 Not Modified; `is_random`: it is a refusal without a reason, which
    the platform gives now and then.
    """
    if is_random and trial.attempt < ATTEMPTS:
        return Next.AGAIN
    if not isinstance(outcome, CoursefsError):
        return Next.ANSWER
    if isinstance(outcome, NotSignedIn):
        return Next.FAIL if trial.has_new_cookie else Next.COOKIE
    # any refusal of a fallback route counts as removed
    is_gone = isinstance(outcome, (Gone, BadReply) if trial.number else RouteGone)
    if is_gone and len(trial.routes) > 1:
        return Next.OLDER if trial.number + 1 < len(trial.routes) else Next.ALL_GONE
    return Next.FAIL


def routes_for(route: Route, values: Mapping[str, str]) -> tuple[Route, ...]:
    """A route and those of its fallbacks whose parameters are all known."""
    found = [route]
    if route.instead is not None and route.instead.needs <= values.keys():
        older: Route | None = route.instead
        while older is not None:
            found.append(older)
            older = older.instead
    return tuple(found)


class Asker:
    """Makes the requests of one account.

    `session` has the cookie; `other_url` is another address of the API, tried when it is not at `base_url`.
    """

    def __init__(
        self,
        transport: Transport,
        session: Session,
        *,
        base_url: str,
        other_url: str | None,
        account: str,
        bucket: Bucket | None,
    ) -> None:
        self.session = session
        self._transport = transport
        self._api: Renewal[str] = Renewal(base_url)
        self._other_url = other_url
        self._account = account
        self._bucket = bucket
        self._book = RouteBook()
        named = "" if account == "coursera" else f" --account {account}"
        self._sign_in = f"coursefs login coursera{named} --cauth …"
        self.headers = {
            "Accept": "application/json",  # without this header the platform sends a web page
            "X-Requested-With": "XMLHttpRequest",
            "Referer": f"{base_url}/",
        }

    @property
    def api_url(self) -> str:
        """The address of the API that requests are sent to at present."""
        assert self._api.value is not None
        return self._api.value

    def ask_again(self) -> None:
        """Try every route again, also those that seemed to be removed."""
        self._book.ask_again()

    def routes(self) -> Sequence[model.RouteState]:
        """The state of each route that was used so far.  No request is made."""
        return self._book.routes()

    async def ask(self, route: Route, **values: str) -> Envelope:
        """The reply of a route or of a fallback of it.  Raises the last error, or `RouteGone` when no route is left."""
        reply = await self.ask_for_another(None, route, **values)
        assert reply is not None  # without a tag there is no 304
        return reply

    async def ask_at_home(self, route: Route, **values: str) -> Envelope:
        """As `ask`, for the first requests: if their route is gone, the API is looked for at the other host."""
        asked = self.api_url
        try:
            return await self.ask(route, **values)
        except RouteGone:
            if await self._api.other_than(asked, self._address) == asked:
                raise
        return await self.ask(route, **values)

    async def ask_checking_session(self, route: Route, **values: str) -> Envelope:
        """The reply of a route that may refuse a living session with the error of an ended one.

        Raises `NotSignedIn` only when the session has really ended.
        """
        try:
            return await self.ask(route, **values)
        except NotSignedIn:
            await self.whoami()  # raises `NotSignedIn` if the session has ended
            raise NotAllowed(f"{route.name}: the platform withholds it") from None

    async def whoami(self) -> str:
        """The numeric id of the learner."""
        user_id = replies.user_id(await self.ask_at_home(routes.WHOAMI))
        if not user_id:
            raise BadReply(f"{self._account}: the platform does not say which user this is")
        self.session.belongs_to(user_id)
        return user_id

    async def post(self, route: Route, content: bytes, more_headers: Callable[[], Mapping[str, str]]) -> Reply:
        """The reply of any status to a request that only reads although it is a POST.

        It is repeated after random refusals and errors of the server, and with a newer cookie where there is one.
        `more_headers` makes the headers of each attempt; its `Cookie` is sent besides that of the sign-in.
        """
        self._book.require(route)
        cauth = self.session.cauth
        if not cauth and not route.public:
            raise NotSignedIn(f"{self._account}: not signed in; sign in: {self._sign_in}")
        attempt = 1
        while True:
            headers = {**self.headers, **more_headers()}
            if not route.public:
                headers["Cookie"] = f"CAUTH={cauth}; {headers['Cookie']}"
            url = route.url(self.api_url)
            reply = await self._transport.fetch(
                url, method="POST", headers=headers, bucket=self._bucket, content=content, data=True
            )
            if attempt < ATTEMPTS and (is_random_refusal(reply) or reply.status in RETRIED_STATUSES):
                await trio.sleep(pause(attempt, None, random.random()))
                attempt += 1
                continue
            error = refusal(reply, what=route.name, sign_in_again="") if reply.status != 200 else None
            if isinstance(error, NotSignedIn) and not route.public and await self.session.is_renewed(cauth):
                cauth, attempt = self.session.cauth, 1
                continue
            look(self._transport.surprises, "coursera", route.name, reply)
            self._note(route, error)
            return reply

    async def ask_for_another(self, tag: str | None, route: Route, **values: str) -> Envelope | None:
        """As `ask`; None when the reply still has this tag (304 Not Modified)."""
        trial = Trial(routes_for(route, values))
        cauth = self.session.cauth
        while True:
            tried = await self._try(trial, cauth, tag, values)
            outcome = tried.outcome
            following = decide(trial, outcome, is_random=tried.is_random)
            if following is Next.AGAIN:
                await trio.sleep(pause(trial.attempt, None, random.random()))
                trial = replace(trial, attempt=trial.attempt + 1)
                continue
            if following is Next.COOKIE:
                if await self.session.is_renewed(cauth):
                    cauth = self.session.cauth
                    trial = replace(trial, attempt=1, has_new_cookie=True)
                    continue
                if self.session.is_taken_over:
                    outcome = NotSignedIn(
                        f"{self._account}: another user has signed in; unmount and mount again to see their courses"
                    )
            if tried.was_asked:
                self._note(trial.route, outcome)
            if following is Next.OLDER:
                trial, cauth = trial.older(), self.session.cauth
            elif following is Next.ALL_GONE:
                raise self._all_gone(trial)
            elif isinstance(outcome, CoursefsError):
                raise outcome
            else:
                return outcome

    async def _try(self, trial: Trial, cauth: str, tag: str | None, values: Mapping[str, str]) -> _Tried:
        """Make one request, unless the route is known to be gone."""
        route = trial.route
        try:
            self._book.require(route)
        except RouteGone as error:
            return _Tried(error, was_asked=False)
        if not cauth and not route.public:
            return _Tried(NotSignedIn(f"{self._account}: not signed in; sign in: {self._sign_in}"))
        headers = dict(self.headers)
        if not route.public:
            headers["Cookie"] = f"CAUTH={cauth}"
        if tag is not None:
            headers["If-None-Match"] = tag
        is_random = False
        try:
            url = route.url(self.api_url, **values)
            reply = await self._transport.fetch(url, headers=headers, bucket=self._bucket, data=True)
            is_random = is_random_refusal(reply)
            if (not is_random or trial.attempt == ATTEMPTS) and (reply.status == 200 or not route.is_trial):
                look(self._transport.surprises, "coursera", route.name, reply)
            is_same = tag is not None and reply.status == 304
            return _Tried(None if is_same else self._envelope(route, reply), is_random)
        except CoursefsError as error:
            return _Tried(error, is_random)

    def _envelope(self, route: Route, reply: Reply) -> Envelope:
        again = f"{self._account}: the sign-in is no longer accepted; sign in again: {self._sign_in}"
        return envelope(reply, what=route.name, bare=route.bare, sign_in_again=again)

    def _note(self, route: Route, outcome: Envelope | CoursefsError | None) -> None:
        """Record whether a route exists.  An unusable reply is no evidence."""
        if route.is_trial:
            return
        if isinstance(outcome, RouteGone):
            self._book.gone(route, outcome)
        elif not isinstance(outcome, CoursefsError) or isinstance(outcome, (NotAllowed, Gone)):
            self._book.answered(route)

    def _all_gone(self, trial: Trial) -> RouteGone:
        known = ", ".join(route.resource for route in trial.routes)
        return RouteGone(
            f"{trial.routes[0].name}: the platform has removed the route that coursefs uses, and the older ones with it"
            f" ({known}); the present ones need a session: {self._sign_in}"
        )

    async def _address(self) -> str:
        """The address at which the API knows this learner; the other host is asked once for it."""
        if self._other_url is None:
            return self.api_url
        with suppress(Unreachable, NoAnswer):  # then the error of the first host is raised
            found = await self._knows_learner(self._other_url)
            other, self._other_url = self._other_url, None
            if found:
                self._book = RouteBook()  # a route removed at one host may exist at the other
                return other
        return self.api_url

    async def _knows_learner(self, url: str) -> bool:
        headers = {**self.headers, "Cookie": f"CAUTH={self.session.cauth}"}
        reply = await self._transport.fetch(routes.WHOAMI.url(url), headers=headers, bucket=self._bucket, data=True)
        with suppress(CoursefsError):
            return bool(replies.user_id(envelope(reply, what=routes.WHOAMI.name, sign_in_again="")))
        return False
