"""Packed listings: what goes in comes out, from any entry on; and what the cache of them forgets."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursefs.catalog import node_cache
from coursefs.catalog.node import ROOT, Node, Place
from coursefs.catalog.node_cache import NodeCache
from coursefs.catalog.packed_listing import PackedListing
from coursefs.model import Kind

_NUMBERS = st.integers(1, 2**63 - 1)
_ENTRIES = st.lists(
    st.tuples(
        _NUMBERS,
        st.text(min_size=1, max_size=80).map(lambda text: text.encode(errors="replace")),
        st.booleans(),
        st.none() | st.integers(0, 2**63 - 1),
        st.integers(-(2**63), 2**63 - 1),
    ),
    max_size=30,
)


@given(_NUMBERS, _ENTRIES, st.integers(0, 40))
def test_what_goes_in_comes_out_from_any_entry_on(
    parent: int, entries: list[tuple[int, bytes, bool, int | None, int]], first: int
) -> None:
    listing = PackedListing.of_entries(parent, entries)
    assert (listing.parent, listing.length) == (parent, len(entries))
    assert list(listing.entries(first)) == entries[first:]


def node(inode: int, parent: int = ROOT) -> Node:
    return Node(inode, parent, f"Größe {inode}", "x", Place("a"), f"k{inode}", Kind.VIDEO, 7, size=3)


def test_it_tells_of_nodes_what_a_listing_needs() -> None:
    listing = PackedListing.of(5, [node(8), replace(node(9), kind=Kind.LESSON, size=None)])
    assert list(listing.entries()) == [
        (8, "Größe 8".encode(), False, 3, 7),
        (9, "Größe 9".encode(), True, None, 7),
    ]


def test_a_file_takes_sixty_bytes() -> None:
    entries = [(2**62 + number, b"01 A name of thirty characters", False, 1, 2) for number in range(100)]
    assert len(PackedListing.of_entries(1, entries)) <= 6000 + 12


def test_a_change_drops_the_node_and_the_listings_that_show_it() -> None:
    cache = NodeCache()
    cache.add_listing(ROOT, (node(300), node(301)))
    for directory in (ROOT, 300, 301):
        cache.add_packed(directory, PackedListing.of(ROOT, [node(400, directory)]))
    cache.invalidate(300, None)
    assert (cache.node(300), cache.listing(ROOT), cache.packed(ROOT), cache.packed(300)) == (None,) * 4
    assert cache.node(301) is not None and cache.packed(301) is not None
    cache.invalidate(400, 301)
    assert cache.packed(301) is None
    assert cache._packed_bytes == 0


def test_a_full_cache_begins_anew_but_for_the_nodes_of_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_cache, "_MAX_NODES", 10)
    monkeypatch.setattr(node_cache, "_MAX_PACKED", 1000)
    cache = NodeCache()
    cache.add_listing(ROOT, (node(300),))
    for inode in range(400, 430):
        cache.add((node(inode, 300),))
        cache.add_packed(inode, PackedListing.of(ROOT, [node(inode, 300)]))
    assert cache.node(300) is not None and cache.node(429) is not None
    assert cache.node(400) is None and cache.packed(400) is None and cache.packed(429) is not None
    assert len(cache._nodes) <= 10 and cache._packed_bytes <= 1000
    assert cache.listing(ROOT) is None
