"""What a command is to work on: courses and paths by the words of a person, and every file below them."""

from __future__ import annotations

import unicodedata
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from coursefs.catalog.files import is_stand_in
from coursefs.errors import CoursefsError, UsageError
from coursefs.library import ROOT, Library, Node
from coursefs.model import Kind

EVERYTHING = "all"


@dataclass(frozen=True, slots=True)
class Target:
    """One argument of a command: `text` as it was typed; `path` is where that lies below a mount point, if it does."""

    text: str
    path: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A file, or a directory that holds nothing, and its path below the root."""

    path: str
    node: Node


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that could not be looked at, or is not to be had: its path below the root, and why."""

    path: str
    account: str
    error: CoursefsError


@dataclass(frozen=True, slots=True)
class Outdated:
    """An account that could not be asked for what is new, and why; what follows is as it was seen last."""

    account: str
    error: CoursefsError


def below(mountpoint: Path, path: Path) -> tuple[str, ...] | None:
    """The parts of an absolute path below a mount point; None where it does not lie there (pure)."""
    return path.relative_to(mountpoint).parts if path.is_relative_to(mountpoint) else None


async def resolve(library: Library, targets: Sequence[Target]) -> list[Node]:
    """What each of the targets names; without any, or with `all`, the root.

    A path in the mount comes first, then a path below the root, then a course by its directory's name, slug, id or
    URL.  The enrolments are asked for again where a name is not known.  Raises `UsageError` for what is none of these,
    and whatever keeps the courses from being known.
    """
    root = library.node(ROOT)
    if not targets or any(target.text == EVERYTHING for target in targets):
        return [root]
    for node in await library.tree.children(root):
        if node.kind is Kind.ACCOUNT:  # so that its courses can be named
            await library.tree.children(node)
    try:
        return [await _resolved(library, root, target) for target in targets]
    except UsageError:
        with suppress(CoursefsError):
            for account in library.settings.accounts:
                await library.refresh_courses(account.name)
        return [await _resolved(library, root, target) for target in targets]


async def _resolved(library: Library, root: Node, target: Target) -> Node:
    is_url = "://" in target.text
    parts = tuple(part for part in target.text.split("/") if part not in {"", "."})
    is_path = len(parts) > 1 and not is_url
    places = [] if target.path is None else [target.path]
    if parts and not is_url and not target.text.startswith("/"):
        places.append(parts)
    for place in places:
        node = await _descend(library, root, place)
        if node is not None:
            return node
    if is_path and (target.path is not None or await library.tree.child(root, _name(parts[0])) is not None):
        raise UsageError(f"{target.text}: there is no such file or folder")
    return library.select([target.text])[0]


async def _descend(library: Library, root: Node, parts: Sequence[str]) -> Node | None:
    """The node at a path; None when there is none."""
    node = root
    for part in parts:
        child = await library.tree.child(node, _name(part)) if node.is_directory else None
        if child is None:
            return None
        node = child
    return node


def _name(text: str) -> str:
    """A name as the tree has it, in whatever normal form it was typed."""
    return unicodedata.normalize("NFC", text)


async def walk(
    library: Library, targets: Sequence[Node], may_ask: Callable[[str], bool] = lambda _: True
) -> AsyncGenerator[Found | Trouble | Outdated, None]:
    """Every file at and below the targets, each once, in the order of the tree, and every empty directory.

    What is old is asked for again first, unless nothing `may_ask` of its account any more: then it is as it is known.
    Sizes may be unknown.
    """
    seen: set[int] = set()
    waiting = [(_path(library, node), node) for node in reversed(targets)]
    while waiting:
        path, node = waiting.pop()
        if node.inode in seen:
            continue
        seen.add(node.inode)
        if not node.is_directory:
            missing = _unavailable(library, node)
            yield Found(path, node) if missing is None else Trouble(path, node.place.account, missing)
            continue
        try:
            children = await _children(library, node, may_ask)
        except CoursefsError as error:
            yield Trouble(path, node.place.account, error)
            continue
        for account, reason in [] if library.offline else library.tree.outdated(node):  # offline is by choice
            yield Outdated(account, reason)
        if not children:
            yield Found(path, node)
        waiting += [(f"{path}/{child.name}" if path else child.name, child) for child in reversed(children)]


async def _children(library: Library, node: Node, may_ask: Callable[[str], bool]) -> Sequence[Node]:
    if not may_ask(node.place.account):
        return library.tree.store.children(node.inode)
    await library.foreground.idle(0.0)  # whatever somebody waits for goes first
    return await library.tree.current(node)


def _path(library: Library, node: Node) -> str:
    names: list[str] = []
    while node.inode != ROOT:
        names.append(node.name)
        node = library.node(node.parent)
    return "/".join(reversed(names))


def _unavailable(library: Library, node: Node) -> CoursefsError | None:
    """Why a file is but a page of ours that stands for an item which is not to be had; None: it is none."""
    if not is_stand_in(node.key):
        return None
    steps = library.tree.store.steps(node.parent)
    reason = next((step.error for step in steps if step.item.key == node.item), None)
    return CoursefsError(reason or "is not to be had")
