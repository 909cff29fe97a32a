"""What follows a request to Coursera: the decision alone."""

from __future__ import annotations

import pytest

from coursefs.errors import BadReply, CoursefsError, Gone, NoAnswer, NotAllowed, NotSignedIn, RouteGone
from coursefs.providers.coursera import routes
from coursefs.providers.coursera.asking import ATTEMPTS, Next, Trial, decide, routes_for
from coursefs.providers.coursera.naptime import Envelope

PRESENT, OLD, OLDEST = routes.WHOAMI, routes.MEMBERSHIPS, routes.MATERIALS
ALONE = Trial((PRESENT,))
FIRST = Trial((PRESENT, OLD, OLDEST))
SECOND, LAST = Trial(FIRST.routes, 1), Trial(FIRST.routes, 2)
ANSWER = Envelope((), {}, "")


@pytest.mark.parametrize(
    ("trial", "outcome", "following"),
    [
        (ALONE, ANSWER, Next.ANSWER),
        (ALONE, None, Next.ANSWER),
        (ALONE, RouteGone("x"), Next.FAIL),
        (FIRST, RouteGone("x"), Next.OLDER),
        (FIRST, Gone("x"), Next.FAIL),
        (FIRST, BadReply("x"), Next.FAIL),
        (FIRST, NotAllowed("x"), Next.FAIL),
        (FIRST, NoAnswer("x"), Next.FAIL),
        (SECOND, RouteGone("x"), Next.OLDER),
        (SECOND, Gone("x"), Next.OLDER),
        (SECOND, BadReply("x"), Next.OLDER),
        (SECOND, NotAllowed("x"), Next.FAIL),
        (SECOND, ANSWER, Next.ANSWER),
        (LAST, Gone("x"), Next.ALL_GONE),
        (LAST, NoAnswer("x"), Next.FAIL),
        (FIRST, NotSignedIn("x"), Next.COOKIE),
        (SECOND, NotSignedIn("x"), Next.COOKIE),
        (Trial((PRESENT,), has_new_cookie=True), NotSignedIn("x"), Next.FAIL),
    ],
)
def test_what_follows(trial: Trial, outcome: Envelope | CoursefsError | None, following: Next) -> None:
    assert decide(trial, outcome, is_random=False) is following


def test_a_refusal_at_random_is_asked_again_a_few_times() -> None:
    for attempt in range(1, ATTEMPTS):
        assert decide(Trial((PRESENT,), attempt=attempt), BadReply("x"), is_random=True) is Next.AGAIN
    assert decide(Trial((PRESENT,), attempt=ATTEMPTS), BadReply("x"), is_random=True) is Next.FAIL
    assert decide(Trial(FIRST.routes, 1, ATTEMPTS), BadReply("x"), is_random=True) is Next.OLDER


def test_the_next_route_begins_anew() -> None:
    assert Trial(FIRST.routes, 0, 4, True).older() == SECOND


def test_an_older_route_is_asked_only_where_its_ids_are_known() -> None:
    assert routes.LECTURE_VIDEO.instead is not None
    assert routes_for(routes.LECTURE_VIDEO, {"id": "a"}) == (routes.LECTURE_VIDEO,)
    assert routes_for(routes.LECTURE_VIDEO, {"id": "a", "video_id": "b"})[1] is routes.LECTURE_VIDEO.instead
