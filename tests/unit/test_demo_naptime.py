"""The protocol of the demo's API, without a server."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from coursefs.demo.naptime import (
    Answer,
    Query,
    envelope,
    page,
    parse_fields,
    split_compound,
    split_ids,
    unordered,
)


@given(count=st.integers(0, 30), limit=st.integers(1, 12), largest=st.integers(1, 12))
def test_following_next_gives_every_element_once(count: int, limit: int, largest: int) -> None:
    elements = [{"id": number} for number in range(count)]
    seen: list[object] = []
    start: object = "0"
    while start is not None:
        answer = page(elements, Query({"limit": str(limit), "start": str(start)}), largest=largest)
        assert answer.paging is not None
        assert answer.paging["total"] == count
        assert len(answer.elements) <= min(limit, largest)
        seen.extend(element["id"] for element in answer.elements)
        start = answer.paging.get("next")
    assert seen == list(range(count))


@given(st.lists(st.text(), unique=True, min_size=2))
def test_lists_without_order_are_never_in_the_given_one(ids: list[str]) -> None:
    elements = [{"id": one} for one in ids]
    scattered = unordered(elements)
    assert scattered != elements
    assert sorted(str(one["id"]) for one in scattered) == sorted(ids)


def test_only_what_was_asked_for_is_in_the_envelope() -> None:
    answer = Answer([{"id": 1, "a": 2, "b": 3, "c": 4}], {"other.v1": [{"id": 5, "a": 6, "b": 7}]})
    reply = envelope("some.v1", answer, Query({"fields": "b,zzz,other.v1(b,zzz)"}), {"some.v1": frozenset({"a"})})
    assert reply == {
        "elements": [{"id": 1, "a": 2, "b": 3}],
        "paging": {},
        "linked": {"other.v1": [{"id": 5, "b": 7}]},
    }


def test_fields_are_parsed() -> None:
    assert parse_fields("") == (frozenset(), {})
    own, linked = parse_fields("a,r.v1(b,c),d,r.v1(e),s.v2()")
    assert own == {"a", "d"}
    assert linked == {"r.v1": {"b", "c", "e"}, "s.v2": frozenset()}


def test_ids_are_split() -> None:
    assert split_ids(r"a,b\,c,,a") == {"a", "b,c"}
    assert split_compound("1~child!~x") == ("1", "child~x")
