"""What is remembered of routes: which of them seem to be removed, and when they are asked again."""

from __future__ import annotations

import pytest

from coursefs.errors import RouteGone
from coursefs.providers.coursera import routes
from coursefs.providers.coursera.route_book import RouteBook

GONE = RouteGone("the platform no longer has this route")


def test_a_rest_ends_when_the_account_is_refreshed_and_begins_again_with_one_answer() -> None:
    book = RouteBook(clock=lambda: 0.0)
    for _ in range(3):
        book.require(routes.SUPPLEMENT)
        book.gone(routes.SUPPLEMENT, GONE)
    with pytest.raises(RouteGone):
        book.require(routes.SUPPLEMENT)
    book.ask_again()
    book.require(routes.SUPPLEMENT)
    book.gone(routes.SUPPLEMENT, GONE)
    with pytest.raises(RouteGone):
        book.require(routes.SUPPLEMENT)
