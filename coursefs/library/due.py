"""The parts of a course that are due until a day: the modules with the deadlines of its platform."""

from __future__ import annotations

from collections.abc import Sequence

from coursefs.catalog import Node, Place, Store
from coursefs.model import Deadline


def due_modules(store: Store, course: Node, deadlines: Sequence[Deadline], now_ns: int, until_ns: int) -> list[Node]:
    """The directories right below a course in which something is due from now until a moment, in the order of the tree.

    A deadline of an item counts for the module that it is in. One that belongs to nothing that is known is left out.
    """
    place = Place(course.place.account, course.key)
    directories = {stored.item.key: stored.directory for stored in store.items.of_course(place)}
    found: dict[int, Node] = {}
    for deadline in deadlines:
        if deadline.key is None or not now_ns <= deadline.due_ns <= until_ns:
            continue
        node = store.find(place, deadline.key) or store.node(directories.get(deadline.key, 0))
        while node is not None and node.parent not in {course.inode, node.inode}:
            node = store.node(node.parent)
        if node is not None and node.is_directory and not node.is_gone and node.parent == course.inode:
            found[node.inode] = node
    return sorted(found.values(), key=lambda node: node.name)
