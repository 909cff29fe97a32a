"""The selection of a transfer: which files below its targets it takes, and which folders it need not list."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from coursefs.bulk.globs import Filter
from coursefs.library import Files, Node


class Selection:
    """`--only`, `--except` and `--next` of one transfer.

    `most_items`: take the files of so many items of each course, the first ones that have something to transfer and are
    not among those that are `finished`, which are given by account and course.
    """

    def __init__(
        self,
        files: Files,
        chosen: Filter | None = None,
        most_items: int | None = None,
        finished: Mapping[tuple[str, str], frozenset[str]] | None = None,
    ) -> None:
        self._files = files
        self._chosen = chosen or Filter()
        self._most_items = most_items
        self._finished = finished or {}
        self._entered: set[str] = set()  # paths
        self._taken: set[str] = set()
        self._is_settled = False
        self._items: defaultdict[object, set[str]] = defaultdict(set)  # by course: those with missing bytes

    def enters(self, path: str, folder: Node) -> bool:
        """Whether a folder is to be listed."""
        if not self._is_settled and self._would_enter(path, folder):
            self._entered.add(path)
        return path in self._entered

    def takes(self, path: str, node: Node) -> bool:
        """Whether a file is taken, or the empty folder `node`."""
        if not self._is_settled and self._would_take(path, node):
            self._taken.add(path)
        return path in self._taken

    def leave_out(self, path: str) -> None:
        """Do not take this file again: it has failed."""
        self._taken.discard(path)

    def settle(self) -> None:
        """Give the same answers from now on: a second walk takes what the first one has taken, and nothing else."""
        self._is_settled = True

    def _would_enter(self, path: str, folder: Node) -> bool:
        within = self._files.within_course(folder, path)
        return within is None or (self._has_room(folder) and (not within or self._chosen.enters(within)))

    def _would_take(self, path: str, node: Node) -> bool:
        within = self._files.within_course(node, path)
        if within is None:  # an empty folder above the courses
            return not self._chosen.only
        if node.item in self._finished.get((node.place.account, node.place.course), ()):
            return False
        return self._has_room(node) and self._chosen.takes(within, is_folder=node.is_directory)

    def refuses(self, path: str, node: Node) -> bool:
        """Whether an item whose files are not known is left out: its own name says little of theirs."""
        if self._is_settled:  # the first walk has met it
            return True
        within = self._files.within_course(node, path)
        return within is not None and self._chosen.refuses(within, is_folder=node.is_directory)

    def note(self, node: Node) -> None:
        """Record that there is something to transfer of this file."""
        if self._most_items is not None and node.item:
            self._items[node.place].add(node.item)

    def _has_room(self, node: Node) -> bool:
        items = self._items[node.place]
        return self._most_items is None or len(items) < self._most_items or node.item in items
