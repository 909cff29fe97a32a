"""Documents: which texts a catalogue has that can be searched, and what each is part of.

A lecture has one document for each language of its captions (its transcript where there are none), one for each
reading, and one for its title alone where it has no text.  Modules and courses have one for their titles.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from coursefs.base.characters import one_line

#: bytes; a larger file is no caption, transcript or reading
MOST_BYTES = 4 * 2**20
#: the rules of this module and of `texts`: a document that was made by others is made again
_RULES = 1

#: which of the files of one language is read: the one with times, and the quicker one to read
_PREFERRED = (".srt", ".vtt", ".txt", ".md", ".html", ".htm")
_MEDIA = frozenset({"video", "audio"})
_SECTIONS = frozenset({"course", "module", "lesson", "folder"})


@dataclass(frozen=True, slots=True)
class SearchDocument:
    """A text of a course, or a title alone."""

    account: str
    course: str  # its key
    key: str  # what is unique within the course
    version: str  # another one: the document is made again
    title: str
    directory: str  # of the course, below the root
    lecture: str  # below the course: the item's path without what tells its files apart
    path: str  # of the file, or of a file of the item, or of the directory, below the root
    media: str | None  # path of the recording that the text belongs to
    item: str  # key of the item; of a section: its own
    inode: int  # of a page that coursefs wrote; 0: of none
    identity: str | None  # of cached bytes
    size: int  # bytes; 0: a title alone
    extension: str


@dataclass(frozen=True, slots=True)
class _TextFile:
    """A row of a file."""

    inode: int
    name: str
    key: str
    kind: str
    item: str
    parent: int
    size: int | None
    etag: str | None
    modified_ns: int | None
    identity: str | None

    @property
    def extension(self) -> str:
        return f".{self.name.rpartition('.')[2].lower()}" if "." in self.name else ""

    @property
    def language(self) -> str:
        """What tells the captions of one lecture apart: its name without the last extension."""
        return self.name.rpartition(".")[0]


def documents(
    catalogue: sqlite3.Connection, accounts: Collection[str], is_cached: Mapping[tuple[str, str], int]
) -> Iterator[SearchDocument]:
    """The documents of these accounts, course by course.

    `is_cached`: the sizes of the contents that are cached completely, by account and identity.
    """
    courses = catalogue.execute(
        "SELECT node.account, node.key, node.inode, node.name, parent, course.title FROM node"
        " JOIN course ON course.account = node.account AND course.key = node.key"
        " WHERE kind = 'course' AND node.course = '' AND name IS NOT NULL ORDER BY node.account, node.key"
    ).fetchall()
    for account, key, inode, name, parent, title in courses:
        if account in accounts:
            above = catalogue.execute("SELECT name FROM node WHERE inode = ? AND inode <> parent", (parent,)).fetchone()
            directory = f"{above[0]}/{name}" if above and above[0] else name
            yield from _of_course(catalogue, account, key, inode, directory, title, is_cached)


def _of_course(
    catalogue: sqlite3.Connection,
    account: str,
    course: str,
    inode: int,
    directory: str,
    title: str,
    is_cached: Mapping[tuple[str, str], int],
) -> Iterator[SearchDocument]:
    rows = catalogue.execute(
        "SELECT inode, name, key, kind, item, parent, size, etag, modified_ns, identity FROM node"
        " WHERE account = ? AND course = ? AND name IS NOT NULL",
        (account, course),
    )
    files = [_TextFile(*row) for row in rows]
    folders = {one.inode: one for one in files if one.kind in _SECTIONS}
    paths: dict[int, str] = {inode: ""}

    def path_of(number: int) -> str | None:
        """The path of a directory below the course; None: it is in none that is shown."""
        if number not in paths and (folder := folders.get(number)) is not None:
            paths[number] = ""  # a circle ends here
            above = path_of(folder.parent)
            if above is None:
                del paths[number]
            else:
                paths[number] = f"{above}/{folder.name}".lstrip("/")
        return paths.get(number)

    def document(
        key: str, text: str, lecture: str, path: str, item: str, media: str | None = None, file: _TextFile | None = None
    ) -> SearchDocument:
        source: tuple[int, str | None, int, str] = (0, None, 0, "")
        if file is not None:
            source = (0 if file.identity else file.inode, file.identity, file.size or 0, file.extension)
        seen = None if file is None else (file.etag, file.modified_ns)
        text = one_line(text)
        state = repr((_RULES, text, directory, lecture, path, media, source, seen))
        version = hashlib.blake2b(state.encode(errors="replace"), digest_size=12).hexdigest()
        place = f"{directory}/{path}".rstrip("/")
        return SearchDocument(account, course, key, version, text, directory, lecture, place, media, item, *source)

    yield document("", title, "", "", "")
    for folder in folders.values():
        if not folder.item and (path := path_of(folder.inode)):
            yield document(f"s/{folder.key}", folder.name, path, path, folder.key)

    by_item: dict[str, list[_TextFile]] = {}
    for one in files:
        if one.item and one.kind not in _SECTIONS:
            by_item.setdefault(one.item, []).append(one)
    steps = catalogue.execute(
        "SELECT key, title, stem, directory FROM step WHERE account = ? AND course = ? AND NOT is_gone",
        (account, course),
    )
    for item, name, stem, parent in steps:
        above = path_of(parent)
        if above is None:
            continue
        lecture = f"{above}/{stem}".lstrip("/")
        own = sorted(by_item.get(item, ()), key=lambda one: one.name)
        placed = [(one, place) for one in own if (place := path_of(one.parent)) is not None]
        at = {one.inode: f"{place}/{one.name}".lstrip("/") for one, place in placed}
        own = [one for one, _ in placed]
        media = next((f"{directory}/{at[one.inode]}" for one in own if one.kind in _MEDIA), None)
        texts = chosen([one for one in own if _is_text(one, account, is_cached)])
        for one in texts:
            yield document(f"f/{one.key}", name, lecture, at[one.inode], item, media, one)
        if not texts:
            first = media.removeprefix(f"{directory}/") if media else at[own[0].inode] if own else above
            yield document(f"i/{item}", name, lecture, first, item, media)


def _is_text(file: _TextFile, account: str, is_cached: Mapping[tuple[str, str], int]) -> bool:
    """Whether a file is a text that can be read now."""
    if file.extension not in _PREFERRED or not file.size or file.size > MOST_BYTES:
        return False
    if file.identity is None:
        return file.kind == "reading" and file.extension != ".md"  # which says the same as the page
    return is_cached.get((account, file.identity)) == file.size


def chosen(files: Sequence[_TextFile]) -> list[_TextFile]:
    """The files to read of one item (pure): of one language the best, and every reading."""
    best: dict[str, _TextFile] = {}
    for one in sorted(files, key=lambda one: _PREFERRED.index(one.extension)):
        best.setdefault(one.language if one.kind in {"subtitle", "transcript"} else one.name, one)
    return sorted(best.values(), key=lambda one: one.name)


def difference(
    known: Mapping[tuple[str, str, str], tuple[int, str]], wanted: Iterable[SearchDocument]
) -> tuple[list[int], list[SearchDocument]]:
    """What an index has too much, by number, and what it lacks (pure).

    `known`: number and version of each of its documents, by account, course and key.
    """
    new: list[SearchDocument] = []
    kept: set[tuple[str, str, str]] = set()
    for one in wanted:
        place = (one.account, one.course, one.key)
        if place not in kept:
            kept.add(place)
            new += [one] if known.get(place, (0, ""))[1] != one.version else []
    replaced = {(one.account, one.course, one.key) for one in new}
    return [number for place, (number, _) in known.items() if place not in kept or place in replaced], new
