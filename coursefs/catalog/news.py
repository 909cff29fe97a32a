"""News: what is new, changed and gone between two snapshots of the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from coursefs.catalog.node import Node, Place
from coursefs.catalog.store import Store
from coursefs.model import Kind


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of one course or item: its path, and what counts as a change."""

    path: str
    state: str = ""
    files: str | None = None  # the names and versions of its files; None: never fetched

    def differs_from(self, other: Snapshot) -> bool:
        """Whether it has changed; files that were never fetched before are no change."""
        new_files = None not in {self.files, other.files} and self.files != other.files
        return (self.path, self.state) != (other.path, other.state) or new_files


@dataclass(frozen=True, slots=True)
class News:
    """The result of an update, as paths below `about`, each list sorted."""

    about: str
    new: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    is_first: bool = False  # the course was never listed before: all of it is new

    def __bool__(self) -> bool:
        return bool(self.new or self.changed or self.gone)


def compare(about: str, before: Mapping[str, Snapshot], after: Mapping[str, Snapshot]) -> News:
    """The difference between two snapshots, by stable id (pure)."""
    both = before.keys() & after.keys()
    return News(
        about,
        new=tuple(sorted(after[key].path for key in after.keys() - both)),
        changed=tuple(sorted(after[key].path for key in both if before[key].differs_from(after[key]))),
        gone=tuple(sorted(before[key].path for key in before.keys() - both)),
    )


def courses(store: Store, account: str) -> dict[str, Snapshot]:
    """A snapshot of an account's courses."""
    return {node.key: Snapshot(node.name) for node in store.of_place(Place(account), (Kind.COURSE,))}


def course(store: Store, place: Place) -> dict[str, Snapshot]:
    """A snapshot of a course's items, each by the stem of its files' names."""
    nodes = store.of_place(place)
    directories = {node.inode: node for node in nodes if node.is_directory}
    files: dict[str, list[str]] = {}
    for node in nodes:
        if not node.is_directory:
            files.setdefault(node.item, []).append(f"{node.name} {node.identity or node.etag}")
    return {
        stored.item.key: Snapshot(
            "/".join((*_path(stored.directory, directories), stored.stem)),
            "\n".join((stored.item.locked or "", stored.item.type_name)),
            None if stored.fetched_ns is None else "\n".join(sorted(files.get(stored.item.key, ()))),
        )
        for stored in store.items.of_course(place)
    }


def _path(inode: int, directories: Mapping[int, Node]) -> tuple[str, ...]:
    node = directories.get(inode)
    return () if node is None else (*_path(node.parent, directories), node.name)
