"""From the outline of a course to its directories, and to the items whose files will lie in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from coursefs.catalog import names
from coursefs.catalog.node import Entry, Place, Step
from coursefs.catalog.refresh import Changes, difference
from coursefs.catalog.store import Store
from coursefs.model import Item, Kind, Outline, Section


@dataclass(frozen=True, slots=True)
class OutlineChanges:
    """What a new outline writes."""

    changes: Changes
    steps: tuple[Step, ...]


def outline_changes(
    store: Store, place: Place, course_inode: int, outline: Outline, layout: names.Layout, now_ns: int
) -> OutlineChanges:
    """How a course's tree changes when this is its outline.

    Items that are new, or were moved, have never been asked for; those that were renamed, locked or unlocked are
    asked for again at the next chance, and keep what they show until then.
    """
    sections = store.of_place(place, (Kind.MODULE, Kind.LESSON, Kind.FOLDER))
    known = {node.key: node for node in sections if not node.item}  # `.files` directories belong to their items
    before = {step.item.key: step for step in store.steps_of(place)}
    gone = {step.item.key: step for step in store.steps_of(place, gone=True)}
    entries: list[Entry] = []
    steps: list[Step] = []

    def walk(directory: int, children: Sequence[Section], items: Sequence[Item]) -> None:
        steps.extend(_steps(place, directory, items, before, gone, layout))
        wishes = [_wish(section, layout) for section in children]
        siblings = store.children(directory)
        shown = {node.key: names.Shown(node.wanted, node.name) for node in siblings}
        others = [names.Wish(node.key, node.wanted) for node in siblings if node.item]  # files of items
        given = names.decide([*others, *wishes], shown, past_names(store, place, wishes))
        for section, wish in zip(children, wishes, strict=True):
            entry = Entry(place, section.key, section.kind, directory, given[section.key], wish.name, url=section.url)
            entries.append(entry)
            old = store.find(place, section.key)
            walk(store.new_inode(entry) if old is None else old.inode, section.sections, section.items)

    outline = _unique(outline)
    walk(course_inode, outline.sections, outline.items)
    staying = {step.item.key for step in steps if step.fetched_ns is not None}
    present = [*known.values(), *(node for node in store.of_place(place) if node.item and node.item not in staying)]
    changes = difference(present, entries, past=store.past(entries), new_inode=store.new_inode, now_ns=now_ns)
    return OutlineChanges(changes, tuple(steps))


def past_names(store: Store, place: Place, wishes: Iterable[names.Wish]) -> dict[str, names.Shown]:
    """The names that these had before they were gone."""
    nodes = (store.find(place, wish.key) for wish in wishes)
    return {node.key: names.Shown(node.wanted, node.name) for node in nodes if node is not None and node.is_gone}


def _wish(section: Section, layout: names.Layout) -> names.Wish:
    wanted = names.directory(
        layout, title=section.title, slug=section.slug, position=section.position, kind=section.kind.value
    )
    return names.Wish(section.key, wanted)


def _unique(outline: Outline) -> Outline:
    """The outline without what has a key that was there before: a broken reply must not break the catalogue."""
    sections: set[str] = set()
    items: set[str] = set()

    def first(key: str, seen: set[str]) -> bool:
        new = key not in seen and names.is_sound(key)
        seen.add(key)
        return new

    def kept(level: Sequence[Section]) -> Iterator[Section]:
        for section in level:
            if first(section.key, sections):
                yield replace(section, sections=tuple(kept(section.sections)), items=steps(section.items))

    def steps(level: Sequence[Item]) -> tuple[Item, ...]:
        return tuple(item for item in level if first(item.key, items))

    return Outline(tuple(kept(outline.sections)), steps(outline.items))


def _steps(
    place: Place,
    directory: int,
    items: Sequence[Item],
    before: Mapping[str, Step],
    gone: Mapping[str, Step],
    layout: names.Layout,
) -> Iterator[Step]:
    wishes = [
        names.Wish(
            item.key,
            names.stem(layout, title=item.title, slug=item.slug, position=item.position, kind=item.type_name or "item"),
            limit=names.STEM_BYTES,
        )
        for item in items
    ]
    shown, past = (
        {key: names.Shown(step.wanted, step.stem) for key, step in some.items() if step.directory == directory}
        for some in (before, gone)
    )
    given = names.decide(wishes, shown, past)
    for item, wish in zip(items, wishes, strict=True):
        step = Step(place, directory, given[item.key], wish.name, item)
        old = before.get(item.key)
        if old is not None and old.directory == directory:
            same = old.stem == step.stem and old.item.locked == item.locked and old.item.type_name == item.type_name
            step = replace(step, fetched_ns=old.fetched_ns if same or old.fetched_ns is None else 0, error=old.error)
        yield step
