"""Outline nodes: the changes of a course's directories and items when its outline changes.

Pure, but for the store that it reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from coursefs.catalog import names
from coursefs.catalog.difference import Changes, difference
from coursefs.catalog.node import DesiredNode, Place, Space, StoredItem
from coursefs.catalog.store import Store
from coursefs.formats.media_center import SPECIALS
from coursefs.model import Item, Kind, Outline, Section


@dataclass(frozen=True, slots=True)
class OutlineChanges:
    """What a new outline writes: directories, and the items of the course."""

    changes: Changes
    stored_items: tuple[StoredItem, ...]


def outline_changes(
    store: Store, place: Place, course_inode: int, outline: Outline, layout: names.Layout, now_ns: int
) -> OutlineChanges:
    """The changes of a course's tree for this outline.

    New and moved items count as never fetched. Renamed, locked, unlocked or edited ones are due at the next refresh
    (`fetched_ns` 0) and show their old files until then.
    """
    nodes = [node for node in store.of_place(place) if node.space is not Space.PAGE]
    sections = [node for node in nodes if node.kind in {Kind.MODULE, Kind.LESSON, Kind.FOLDER}]
    known = {node.id: node for node in sections if not node.item}  # those of an item are its `.files` directories
    before = {stored.item.key: stored for stored in store.items.of_course(place)}
    gone = {stored.item.key: stored for stored in store.items.of_course(place, gone=True)}
    desired_nodes: list[DesiredNode] = []
    stored_items: list[StoredItem] = []

    episodes = _episodes(outline) if layout is names.Layout.MEDIA_CENTER else {}

    def walk(directory: int, children: Sequence[Section], items: Sequence[Item]) -> None:
        stored_items.extend(_stored_items(place, directory, items, before, gone, layout, episodes))
        desired = [_desired_name(section, layout) for section in children]
        siblings = store.children(directory)
        shown = {node.id: names.DecidedName(node.wanted, node.name) for node in siblings}
        # of files of items
        others = [names.DesiredName(node.key, node.wanted, space=node.space) for node in siblings if node.item]
        given = names.decide([*others, *desired], shown, former_names(store, place, desired))
        for section, desired_name in zip(children, desired, strict=True):
            desired_node = DesiredNode(
                place, section.key, section.kind, directory, given[section.key], desired_name.name, url=section.url
            )
            desired_nodes.append(desired_node)
            old = store.find(place, section.key)
            walk(store.new_inode(desired_node) if old is None else old.inode, section.sections, section.items)

    walk(course_inode, outline.sections, outline.items)
    staying = {stored.item.key for stored in stored_items if stored.fetched_ns is not None}
    present = [*known.values(), *(node for node in nodes if node.item and node.item not in staying)]
    changes = difference(
        present, desired_nodes, former_nodes=store.former_nodes(desired_nodes), new_inode=store.new_inode, now_ns=now_ns
    )
    return OutlineChanges(changes, tuple(stored_items))


def former_names(store: Store, place: Place, desired: Iterable[names.DesiredName]) -> dict[str, names.DecidedName]:
    """The names of these stable ids before they were gone."""
    nodes = store.find_all(place, (one.id for one in desired))
    return {node.id: names.DecidedName(node.wanted, node.name) for node in nodes.values() if node.is_gone}


def _desired_name(section: Section, layout: names.Layout) -> names.DesiredName:
    wanted = names.directory(
        layout, title=section.title, slug=section.slug, position=section.position, kind=section.kind.value
    )
    return names.DesiredName(section.key, wanted)


def is_same(one: StoredItem, other: StoredItem) -> bool:
    """Whether the files of one are those of the other: all that they are made from is the same."""
    return (one.stem, one.item.locked, one.item.type_name, one.item.details) == (
        other.stem,
        other.item.locked,
        other.item.type_name,
        other.item.details,
    )


def _stem(item: Item, layout: names.Layout, episode: tuple[int, int] | None) -> str:
    kind = item.type_name or "item"
    if episode is not None:
        return names.episode_stem(*episode, title=item.title, slug=item.slug, kind=kind)
    return names.stem(layout, title=item.title, slug=item.slug, position=item.position, kind=kind)


def _episodes(outline: Outline) -> dict[str, tuple[int, int]]:
    """Season and number of each item: the seasons are the modules, and what is in none is a special."""
    found = {item.key: (SPECIALS, number) for number, item in enumerate(outline.items, 1)}
    for season, module in enumerate(outline.sections, 1):
        found |= {item.key: (season, number) for number, item in enumerate(_items(module), 1)}
    return found


def _items(section: Section) -> Iterator[Item]:
    """All items of a section, in order."""
    for inner in section.sections:
        yield from _items(inner)
    yield from section.items


def _stored_items(
    place: Place,
    directory: int,
    items: Sequence[Item],
    before: Mapping[str, StoredItem],
    gone: Mapping[str, StoredItem],
    layout: names.Layout,
    episodes: Mapping[str, tuple[int, int]],
) -> Iterator[StoredItem]:
    desired = [
        names.DesiredName(item.key, _stem(item, layout, episodes.get(item.key)), limit=names.STEM_BYTES)
        for item in items
    ]
    shown, former_nodes = (
        {
            key: names.DecidedName(stored.wanted, stored.stem)
            for key, stored in some.items()
            if stored.directory == directory
        }
        for some in (before, gone)
    )
    given = names.decide(desired, shown, former_nodes)
    for item, desired_name in zip(items, desired, strict=True):
        stored = StoredItem(place, directory, given[item.key], desired_name.name, item)
        old = before.get(item.key)
        if old is not None and old.directory == directory:
            same = is_same(old, stored)
            stored = replace(
                stored, fetched_ns=old.fetched_ns if same or old.fetched_ns is None else 0, error=old.error
            )
        yield stored
