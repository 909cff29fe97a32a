"""The targets of a command: the files and directories that its arguments name."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from coursefs.bulk.globs import Glob, State, glob, is_glob
from coursefs.errors import CoursefsError, UsageError
from coursefs.library import ROOT, Node
from coursefs.model import Kind

EVERYTHING = "all"


@dataclass(frozen=True, slots=True)
class Target:
    """One argument of a command: `text` as it was typed; `path`: its place below a mount point, if it has one."""

    text: str
    path: tuple[str, ...] | None = None


class Lookup(Protocol):
    """A tree in which names are looked up: the `Files` of a library, or the catalogue alone (`StoredTree`)."""

    def node(self, inode: int) -> Node:
        """The node with this inode number."""

    async def children(self, inode: int) -> Sequence[Node]:
        """The nodes of a directory."""

    async def child(self, inode: int, name: str) -> Node | None:
        """The node of this name in a directory."""


class CourseLookup(Protocol):
    """What finds a course by its name: the `Courses` of a library, or the catalogue alone (`StoredTree`)."""

    @property
    def accounts(self) -> Sequence[str]:
        """The accounts whose course lists may be refreshed if a name is unknown."""

    def select(self, courses: Sequence[str], *, prefixes: bool = True) -> list[Node]:
        """The directories of the courses that these texts name."""

    async def refresh(self, account: str) -> object:
        """Ask for the course list of an account."""


def below(mountpoint: Path, path: Path) -> tuple[str, ...] | None:
    """The parts of an absolute path below a mount point; None if it is outside (pure)."""
    return path.relative_to(mountpoint).parts if path.is_relative_to(mountpoint) else None


async def resolve(tree: Lookup, courses: CourseLookup, targets: Sequence[Target]) -> list[Node]:
    """The nodes that the targets name; without targets, or with `all`, the root.

    A path in the mount comes first, then a path below the root, then a course by its directory name, slug, id or URL,
    then a pattern for paths or courses (`coursefs.bulk.globs`), and last a course by the beginning of its title. The
    course lists are refreshed before that if a name is unknown. Raises `UsageError` if there is no such node, and the
    error that prevents the listing of courses.
    """
    root = tree.node(ROOT)
    if not targets or any(target.text == EVERYTHING for target in targets):
        return [root]
    errors: list[CoursefsError] = []
    for node in await tree.children(ROOT):
        if node.kind is Kind.ACCOUNT:  # descend, so that its courses can be named
            try:
                await tree.children(node.inode)
            except CoursefsError as error:  # its courses cannot be named, those of others can
                errors.append(error)
    try:
        return [node for target in targets for node in await _resolved(tree, courses, root, target, prefixes=False)]
    except UsageError:
        with suppress(CoursefsError):
            for account in courses.accounts:
                await courses.refresh(account)
        try:
            return [node for target in targets for node in await _resolved(tree, courses, root, target, prefixes=True)]
        except UsageError as unknown:
            raise (errors[0] if errors else unknown) from None


async def _resolved(tree: Lookup, courses: CourseLookup, root: Node, target: Target, *, prefixes: bool) -> list[Node]:
    is_url = "://" in target.text
    parts = tuple(part for part in target.text.split("/") if part not in {"", "."})
    is_path = len(parts) > 1 and not is_url
    places = [] if target.path is None else [target.path]
    if parts and not is_url and not target.text.startswith("/"):
        places.append(parts)
    for place in places:
        node = await _descend(tree, root, place)
        if node is not None:
            return [node]
    if not is_url and is_glob(target.text):
        return await _fitting(tree, root, target, places)
    if is_path and (target.path is not None or await tree.child(ROOT, _name(parts[0])) is not None):
        raise UsageError(f"{target.text}: there is no such file or folder")
    if target.text.startswith("/") and target.path is None and not _named(courses, target.text):
        raise UsageError(
            f"{target.text}: nothing is mounted there; without a mount, paths begin with the name of a course"
        )
    return courses.select([target.text], prefixes=prefixes)


def _named(courses: CourseLookup, text: str) -> bool:
    try:
        return bool(courses.select([text]))
    except UsageError:
        return False


async def _descend(tree: Lookup, root: Node, parts: Sequence[str]) -> Node | None:
    """The node at a path; None if there is none."""
    node = root
    for part in parts:
        child = await tree.child(node.inode, _name(part)) if node.is_directory else None
        if child is None:
            return None
        node = child
    return node


async def _fitting(tree: Lookup, root: Node, target: Target, places: Sequence[Sequence[str]]) -> list[Node]:
    """The nodes whose paths below the root fit a pattern, in the order of the tree; a lone name is for courses too."""
    for place in places:
        pattern = glob("/" + "/".join(place))
        found = await _below(tree, root, pattern, pattern.start)
        if not found and len(place) == 1:
            folders = [node for node in await tree.children(ROOT) if node.kind is Kind.ACCOUNT]
            found = [node for folder in folders for node in await _below(tree, folder, pattern, pattern.start)]
        if found:
            return found
    hint = "" if places else "; without a mount, patterns begin with the name of a course"
    raise UsageError(f"{target.text}: no file or folder fits{hint}")


async def _below(tree: Lookup, folder: Node, pattern: Glob, state: State) -> list[Node]:
    """The nodes below a folder that fit the rest of a pattern; what lies below one of them is not named again."""
    found: list[Node] = []
    for child in await tree.children(folder.inode):
        after = pattern.step(state, child.name)
        if pattern.ends(after):
            found.append(child)
        elif after and child.is_directory:
            found += await _below(tree, child, pattern, after)
    return found


def _name(text: str) -> str:
    """A name in the normal form of the tree (NFC), however it was typed."""
    return unicodedata.normalize("NFC", text)
