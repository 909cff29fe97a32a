"""Inode numbers are made of stable ids."""

from __future__ import annotations

from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from coursefs.catalog.node import candidates, choose


@given(st.lists(st.text(st.characters(codec=None)), max_size=4))
def test_numbers_are_positive_63_bit_and_never_reserved(stable_id: list[str]) -> None:
    assert all(256 <= number < 2**63 for number in islice(candidates(*stable_id), 4))


def test_numbers_are_the_same_on_every_machine() -> None:
    # written down once: a change here would make every backup tool read everything again
    assert next(candidates("coursera", "Ab3dEf", "item/rS7tU/video")) == 7652613541402283929


def test_a_collision_goes_to_the_next_candidate() -> None:
    first, second = islice(candidates("a", "b"), 2)
    assert choose(lambda number: number == first, "a", "b") == second
    assert choose(lambda _: False, "a", "b") == first


def test_parts_do_not_run_into_each_other() -> None:
    assert next(candidates("ab", "c")) != next(candidates("a", "bc"))
