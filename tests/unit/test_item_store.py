"""Items in the catalogue: fetch times that are kept in memory are those on the disk, whatever is written between."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coursefs.catalog import item_store
from coursefs.catalog.freshness import FetchTimes
from coursefs.catalog.node import Place, StoredItem
from coursefs.catalog.store import Store
from coursefs.model import Item

COURSES, DIRECTORIES, ITEMS = 3, 4, 3


def places() -> list[Place]:
    return [Place("a", f"c{number}") for number in range(COURSES)]


def items_of(place: Place) -> list[StoredItem]:
    """Of each directory but the last."""
    first = 100 * (1 + int(place.course[1:]))
    return [
        StoredItem(place, first + directory, "s", "s", Item(f"i/{directory}/{number}", "t", "s", number, "x"), None)
        for directory in range(DIRECTORIES - 1)
        for number in range(ITEMS)
    ]


def directories() -> list[int]:
    return [100 * (1 + course) + number for course in range(COURSES) for number in range(DIRECTORIES)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "catalogue.sqlite")
    for place in places():
        store.items.replace(place, items_of(place))
    yield store
    store.close()


def read_anew(store: Store, directory: int) -> FetchTimes:
    """The fetch times of a directory, by its rows alone."""
    stored = store.items.in_directory(directory)
    good = [one.fetched_ns for one in stored if one.fetched_ns is not None and one.error is None]
    broken = [one.fetched_ns for one in stored if one.fetched_ns is not None and one.error is not None]
    return FetchTimes(
        len(stored),
        len(stored) - len(good) - len(broken),
        min(good, default=None),
        min(broken, default=None),
        max(good + broken, default=None),
    )


DOINGS = st.lists(
    st.one_of(
        st.tuples(st.just("read"), st.sampled_from(directories()), st.just(0), st.none()),
        st.tuples(
            st.sampled_from(["fetched", "rolled back", "leave out"]),
            st.integers(0, COURSES * (DIRECTORIES - 1) * ITEMS - 1),
            st.integers(1, 1000),
            st.sampled_from([None, "broken"]),
        ),
    ),
    max_size=30,
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(doings=DOINGS, most=st.sampled_from([4096, 6, 2]))
def test_fetch_times_are_those_of_now(doings: list[tuple[str, int, int, str | None]], most: int, store: Store) -> None:
    for place in places():
        store.items.replace(place, items_of(place))
    every = [item for place in places() for item in items_of(place)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(item_store, "_MOST_FETCH_TIMES", most)
        patch.setattr(item_store, "_FEW", most // 2)
        for what, number, now, error in doings:
            if what == "read":
                assert store.items.fetch_times(number) == read_anew(store, number)
            elif what == "fetched":
                store.items.set_state(every[number], now, error)
            elif what == "leave out":
                place = every[number].place
                store.items.replace(place, [one for one in items_of(place) if one.item.key != every[number].item.key])
            else:
                with pytest.raises(ZeroDivisionError), store.transaction():
                    store.items.set_state(every[number], now, error)
                    directory = every[number].directory
                    assert store.items.fetch_times(directory) == read_anew(store, directory)
                    raise ZeroDivisionError
        for directory in directories() * 2:
            assert store.items.fetch_times(directory) == read_anew(store, directory)


def test_a_walk_reads_the_fetch_times_of_a_course_at_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    statements: list[str] = []
    store._database._connection.set_trace_callback(statements.append)
    for directory in directories():
        store.items.fetch_times(directory)
    assert sum("GROUP BY" not in one for one in statements) == item_store._FEW
    monkeypatch.setattr(item_store, "_FEW", 1)
    for number in range(2):  # the first time the first one alone; a directory without items is in no course
        statements.clear()
        store.items.set_state(items_of(places()[0])[0], number, None)
        for directory in directories() * 2:
            store.items.fetch_times(directory)
        assert sum("GROUP BY" in one for one in statements) <= 2 * COURSES
        assert sum("count(fetched_ns)" in one for one in statements) <= 1 + 2 * COURSES


@pytest.mark.logs
def test_another_database_is_read_anew(store: Store) -> None:
    """A catalogue that is replaced by an empty one has as many changes as the one before after as many rows."""
    for directory in (100, 100, 101):
        assert store.items.fetch_times(directory).items == ITEMS
    store.items.fetch_times(100)
    state = store._database.state
    store._database.replace_damaged(ValueError())
    while store._database.changes < state[1]:  # type: ignore[index]
        store.fetch_log.set_fetched(Place("b"), store._database.changes)
    assert store._database.changes == state[1]  # type: ignore[index]
    assert store.items.fetch_times(100).items == store.items.fetch_times(101).items == 0
