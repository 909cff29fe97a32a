"""What is new, changed and gone between two looks at the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from coursefs.catalog.node import Node, Place
from coursefs.catalog.store import Store
from coursefs.model import Kind


@dataclass(frozen=True, slots=True)
class Seen:
    """Something as it was at one look: where it lay, and what would make it another."""

    path: str
    state: str = ""
    files: str | None = None  # what its files are; None: nobody has asked yet

    def differs_from(self, other: Seen) -> bool:
        """Whether it is another; that files were only not known before makes no difference."""
        new_files = None not in {self.files, other.files} and self.files != other.files
        return (self.path, self.state) != (other.path, other.state) or new_files


@dataclass(frozen=True, slots=True)
class News:
    """What a refresh brought, as paths below `about`, each list in order."""

    about: str
    new: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.new or self.changed or self.gone)


def compare(about: str, before: Mapping[str, Seen], after: Mapping[str, Seen]) -> News:
    """The difference of two looks, by stable id (pure)."""
    both = before.keys() & after.keys()
    return News(
        about,
        new=tuple(sorted(after[key].path for key in after.keys() - both)),
        changed=tuple(sorted(after[key].path for key in both if before[key].differs_from(after[key]))),
        gone=tuple(sorted(before[key].path for key in before.keys() - both)),
    )


def courses(store: Store, account: str) -> dict[str, Seen]:
    """The courses of an account."""
    return {node.key: Seen(node.name) for node in store.of_place(Place(account), (Kind.COURSE,))}


def course(store: Store, place: Place) -> dict[str, Seen]:
    """The items of a course, each by the beginning of its files' names, with what is known of its files."""
    nodes = store.of_place(place)
    directories = {node.inode: node for node in nodes if node.is_directory}
    files: dict[str, list[str]] = {}
    for node in nodes:
        if not node.is_directory:
            files.setdefault(node.item, []).append(f"{node.name} {node.identity or node.etag}")
    return {
        step.item.key: Seen(
            "/".join((*_path(step.directory, directories), step.stem)),
            "\n".join((step.item.locked or "", step.item.type_name)),
            None if step.fetched_ns is None else "\n".join(sorted(files.get(step.item.key, ()))),
        )
        for step in store.steps_of(place)
    }


def _path(inode: int, directories: Mapping[int, Node]) -> tuple[str, ...]:
    node = directories.get(inode)
    return () if node is None else (*_path(node.parent, directories), node.name)
