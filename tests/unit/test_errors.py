"""Errors that are remembered."""

from __future__ import annotations

import gc
import traceback
import weakref
from collections.abc import Iterator

import pytest

from coursefs.errors import BadReply, CoursefsError, named, without_variables


class Large:
    """What a function has in a variable: a reply, for example."""


@pytest.fixture(autouse=True)
def _no_collector() -> Iterator[None]:
    """Nothing waits for the collector of cycles: it may take minutes to come to what is old."""
    gc.disable()
    yield
    gc.enable()


def parse(seen: list[weakref.ref[Large]]) -> None:
    reply = Large()
    seen.append(weakref.ref(reply))
    raise ValueError


def ask(seen: list[weakref.ref[Large]]) -> None:
    reply = Large()
    seen.append(weakref.ref(reply))
    try:
        parse(seen)
    except ValueError as error:
        raise BadReply("no good") from error


def ask_hidden(seen: list[weakref.ref[Large]]) -> None:
    reply = Large()
    seen.append(weakref.ref(reply))
    try:
        parse(seen)
    except ValueError:
        raise BadReply("no good") from None


def ask_in_group(seen: list[weakref.ref[Large]]) -> None:
    errors: list[Exception] = []
    for one in (ask, ask_hidden):
        try:
            one(seen)
        except CoursefsError as error:
            errors.append(error)
    raise ExceptionGroup("both", errors)


@pytest.mark.parametrize("function", [ask, ask_hidden, ask_in_group])
def test_an_error_that_is_remembered_keeps_no_reply(function: object) -> None:
    seen: list[weakref.ref[Large]] = []
    try:
        function(seen)  # type: ignore[operator]
    except Exception as error:
        remembered = without_variables(error)
    assert len(seen) >= 2
    assert not [one for one in seen if one() is not None]
    assert traceback.extract_tb(remembered.__traceback__)[-1].name == function.__name__  # type: ignore[attr-defined]


def test_what_still_runs_keeps_its_variables() -> None:
    seen: list[weakref.ref[Large]] = []
    mine = Large()
    try:
        ask(seen)
    except CoursefsError as error:
        without_variables(error)
    assert isinstance(mine, Large)


def test_a_chain_that_bites_its_tail_has_an_end() -> None:
    one, two = BadReply("1"), BadReply("2")
    one.__cause__, two.__cause__ = two, one
    assert without_variables(one) is one


def test_a_name_is_not_said_twice() -> None:
    assert named("campus", CoursefsError("it has ended")) == "campus: it has ended"
    assert named("campus", CoursefsError("campus: it has ended")) == "campus: it has ended"
    assert named("campus", "campus2: it has ended") == "campus: campus2: it has ended"
