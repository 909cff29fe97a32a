"""The walk through the tree for bulk jobs: every file below some directories, revalidated on the way."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass

from coursefs.base.foreground import Foreground
from coursefs.catalog import Node, Store, Tree
from coursefs.errors import CoursefsError


@dataclass(frozen=True, slots=True)
class Found:
    """A file or an empty directory, and its path below the root."""

    path: str
    node: Node


@dataclass(frozen=True, slots=True)
class Unavailable:
    """A directory that could not be listed, or an item without files: its path below the root, and the error."""

    path: str
    node: Node
    error: CoursefsError


@dataclass(frozen=True, slots=True)
class Outdated:
    """An account that could not be refreshed, and the reason; its files follow as last seen."""

    account: str
    error: CoursefsError


class Walk:
    """A walk through one tree; its requests yield to those of readers."""

    def __init__(self, tree: Tree, store: Store, foreground: Foreground, *, offline: bool) -> None:
        self._tree = tree
        self._store = store
        self._foreground = foreground
        self._offline = offline

    async def below(
        self,
        targets: Sequence[Node],
        may_ask: Callable[[str], bool],
        enters: Callable[[str, Node], bool] = lambda *_: True,
    ) -> AsyncGenerator[Found | Unavailable | Outdated, None]:
        """Every file at and below the targets, each once, in the order of the tree, and every empty directory.

        Old listings are refreshed first if `may_ask` allows it for their account; else they are as in the catalogue.
        A directory for which `enters` (with its path) returns False is left out.  Sizes may be unknown.
        """
        seen: set[int] = set()
        waiting = [(self._store.path_of(node), node) for node in reversed(targets)]
        while waiting:
            path, node = waiting.pop()
            if node.inode in seen:
                continue
            seen.add(node.inode)
            if not node.is_directory:
                missing = self._missing(node)
                yield Found(path, node) if missing is None else Unavailable(path, node, missing)
                continue
            if not enters(path, node):
                continue
            try:
                children = await self._children(node, may_ask)
            except CoursefsError as error:
                yield Unavailable(path, node, error)
                continue
            for account, reason in [] if self._offline else self._tree.outdated(node):  # offline is a choice
                yield Outdated(account, reason)
            if not children:
                yield Found(path, node)
            waiting += [(f"{path}/{child.name}" if path else child.name, child) for child in reversed(children)]

    async def _children(self, node: Node, may_ask: Callable[[str], bool]) -> Sequence[Node]:
        if not may_ask(node.place.account):
            return self._store.children(node.inode)
        await self._foreground.idle(0.0)
        return await self._tree.current(node)

    def _missing(self, node: Node) -> CoursefsError | None:
        """The reason why an item has no files, if this file is our page about it; None for any other file."""
        if not node.is_notice:
            return None
        steps = self._store.items.in_directory(node.parent)
        reason = next((step.error for step in steps if step.item.key == node.item), None)
        return CoursefsError(reason or "is not available")
