"""File nodes: the changes of a directory when the files of some of its items change.

Pure, but for the store that it reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from coursefs import pages
from coursefs.catalog import names
from coursefs.catalog.difference import Changes, difference
from coursefs.catalog.node import DesiredNode, Node, Place, Space, StoredItem, digest_of, id_of
from coursefs.catalog.outline_nodes import former_names
from coursefs.catalog.store import Store
from coursefs.errors import CoursefsError
from coursefs.formats.markdown import with_markdown_links
from coursefs.model import File, Kind, Page, Placement
from coursefs.providers.kit.files import is_active

#: end of the name of the page in place of a refused file
REFUSED = " (not available).html"


@dataclass(frozen=True, slots=True)
class Notice(File):
    """The page in place of an item whose files were never fetched: no file of the platform, whatever its key."""


@dataclass(frozen=True, slots=True)
class MarkdownTwin(File):
    """A reading as Markdown, beside it: no file of the platform, although it has the key of the reading."""


def _space(file: File) -> Space:
    if isinstance(file, MarkdownTwin):
        return Space.MARKDOWN
    return Space.NOTICE if isinstance(file, Notice) else Space.FILE


def _id(file: File) -> str:
    return id_of(file.key, _space(file))


def unavailable(stored: StoredItem, error: CoursefsError) -> Notice:
    """The page in place of an item whose files were never fetched successfully; it gives the reason."""
    html = pages.link_page(
        title=stored.item.title, what="Unavailable", reason=f"{error}. coursefs asks again later.", url=stored.item.url
    )
    return Notice(
        key=f"{stored.item.key}/unavailable",
        kind=Kind.LINK,
        placement=Placement.MARKED,
        title="unavailable",
        extension=".html",
        mime_type="text/html",
        body=Page(html),
        url=stored.item.url,
    )


def refused_page(title: str, reason: str, url: str | None) -> bytes:
    """The HTML of the page in place of a refused file; the same bytes for the same reason."""
    why = f"The platform does not give this file: {reason}. coursefs asks again at the next refresh."
    return pages.link_page(title=title, what="Not available", reason=why, url=url).encode()


def refusal(store: Store, node: Node, reason: str) -> Changes:
    """The changes that replace a refused file by a page that says so."""
    siblings = [other for other in store.children(node.parent) if other.inode != node.inode]
    desired_name = _refused_name(names.DesiredName(node.key, node.wanted, space=node.space))
    shown = {other.id: names.DecidedName(other.wanted, other.name) for other in siblings}
    others = (names.DesiredName(other.key, other.wanted, space=other.space) for other in siblings)
    given = names.decide([*others, desired_name], shown)
    page = refused_page(node.wanted, reason, node.url)
    after = replace(
        node,
        name=given[node.id],
        wanted=desired_name.name,
        kind=Kind.LINK,
        mime_type="text/html",
        identity=None,  # the locator stays: see `Node.is_refused`
        page=page,
        size=len(page),
        etag=digest_of(page),
        modified_ns=None,
        is_hint=False,
    )
    return Changes(changed=((node, after),))


def _refused_name(desired_name: names.DesiredName) -> names.DesiredName:
    """The name of the page in place of a file: the file's own name, with "(not available)"."""
    body, extension = REFUSED.removesuffix(".html"), ".html"
    return replace(desired_name, body=f"{desired_name.name}{body}", extension=extension, limit=names.MAX_BYTES)


def file_changes(
    store: Store,
    place: Place,
    directory: int,
    files: Mapping[str, Sequence[File]],
    layout: names.Layout,
    now_ns: int,
    refused: Mapping[str, bytes] | None = None,
) -> Changes:
    """The changes of a directory for these files of some of its items, by item key.

    The files of its other items, and its sub-directories, keep their nodes and names. `refused` are the pages in place
    of refused files, by file key.
    """
    refused = refused or {}

    def desired_name_of(stem: str, file: File) -> names.DesiredName:
        desired_name = replace(names.desired_name(layout, stem, file), space=_space(file))
        is_refused = file.key in refused and desired_name.space is Space.FILE
        return _refused_name(desired_name) if is_refused else desired_name

    stems = {stored.item.key: stored.stem for stored in store.items.in_directory(directory)}
    asked = {key: [_inert(layout, stems[key], file) for file in some] for key, some in files.items() if key in stems}
    children = store.children(directory)
    present = store.of_items(place, asked)
    own_inodes = {node.inode for node in present}
    shown = {node.id: names.DecidedName(node.wanted, node.name) for node in (*children, *present)}

    desired = {
        _id(file): desired_name_of(stems[item], file)
        for item, some in asked.items()
        for file in some
        if file.placement is not Placement.BESIDE
    }
    folders = {
        item: names.DesiredName(
            _folder_key(item), stems[item], ".files", mark=item.rsplit("/", 1)[-1], space=Space.FOLDER
        )
        for item, some in asked.items()
        if any(file.placement is Placement.BESIDE for file in some)
    }
    others = [
        names.DesiredName(node.key, node.wanted, space=node.space) for node in children if node.inode not in own_inodes
    ]
    own_names = [*folders.values(), *desired.values()]
    given = names.decide([*others, *own_names], shown, former_names(store, place, own_names))

    numbers: dict[str, int] = {}

    def new_inode(node: DesiredNode) -> int:
        if node.id not in numbers:  # a file may have the key of a `.files` directory
            numbers[node.id] = store.new_inode(node, numbers.values())
        return numbers[node.id]

    desired_nodes: list[DesiredNode] = []
    for item, some in asked.items():
        links = {
            file.key: given[_id(file)]
            for file in some
            if file.placement is not Placement.BESIDE and not isinstance(file, MarkdownTwin)
        }
        beside = [file for file in some if file.placement is Placement.BESIDE]
        if beside:
            wanted = folders[item]
            folder = DesiredNode(
                place, wanted.key, Kind.FOLDER, directory, given[wanted.id], wanted.name, item, space=wanted.space
            )
            desired_nodes.append(folder)
            old = store.find(place, folder.key, folder.space)
            inode = new_inode(folder) if old is None else old.inode
            inner = {_id(file): desired_name_of("", file) for file in beside}
            inner_names = names.decide(inner.values(), shown, former_names(store, place, inner.values()))
            links |= {file.key: f"{folder.name}/{inner_names[_id(file)]}" for file in beside}
            desired_nodes += [
                _desired_node(place, item, inode, file, inner_names[_id(file)], inner[_id(file)].name, links, refused)
                for file in beside
            ]
        desired_nodes += [
            _desired_node(place, item, directory, file, given[_id(file)], desired[_id(file)].name, links, refused)
            for file in some
            if file.placement is not Placement.BESIDE
        ]
    return difference(
        present, desired_nodes, former_nodes=store.former_nodes(desired_nodes), new_inode=new_inode, now_ns=now_ns
    )


def _inert(layout: names.Layout, stem: str, file: File) -> File:
    """The file with a name that no program executes: `.txt` is added to the extension of active content."""
    if isinstance(file.body, Page) or not is_active(names.desired_name(layout, stem, file).name):
        return file
    return replace(file, extension=f"{file.extension}.txt", mime_type="text/plain")


def _desired_node(
    place: Place,
    item: str,
    parent: int,
    file: File,
    name: str,
    wanted: str,
    links: Mapping[str, str],
    refused: Mapping[str, bytes],
) -> DesiredNode:
    desired_node = DesiredNode(
        place,
        file.key,
        file.kind,
        parent,
        name,
        wanted,
        item,
        file.url,
        file.mime_type,
        file.modified_ns,
        space=_space(file),
    )
    if isinstance(file, MarkdownTwin) and isinstance(file.body, Page):
        return replace(desired_node, page=with_markdown_links(file.body.html, links))
    if isinstance(file.body, Page):
        return replace(desired_node, size=file.size, page=pages.with_links(file.body.html, links))
    if (page := refused.get(file.key)) is not None:
        return replace(desired_node, kind=Kind.LINK, mime_type="text/html", page=page, refused=file.body)
    return replace(desired_node, size=file.size, remote=file.body)


def _folder_key(item: str) -> str:
    return f"{item}/files"
