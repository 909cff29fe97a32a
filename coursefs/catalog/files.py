"""From the files of items, as a provider gives them, to the files of a directory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from coursefs import pages
from coursefs.catalog import names
from coursefs.catalog.node import Entry, Place, Step
from coursefs.catalog.outline import past_names
from coursefs.catalog.refresh import Changes, difference
from coursefs.catalog.store import Store
from coursefs.errors import CoursefsError
from coursefs.model import File, Kind, Page, Placement, Remote

_STAND_IN = "/unavailable"


def is_stand_in(key: str) -> bool:
    """Whether this is the key of a page that `unavailable` made."""
    return key.endswith(_STAND_IN)


def unavailable(step: Step, error: CoursefsError) -> File:
    """What stands in a directory for an item that could not be had and never was: a page that says why."""
    html = pages.link_page(
        title=step.item.title, what="Unavailable", reason=f"{error}. coursefs asks again later.", url=step.item.url
    )
    return File(
        key=f"{step.item.key}{_STAND_IN}",
        kind=Kind.LINK,
        placement=Placement.MARKED,
        title="unavailable",
        extension=".html",
        mime_type="text/html",
        body=Page(html),
        url=step.item.url,
    )


def file_changes(
    store: Store,
    place: Place,
    directory: int,
    files: Mapping[str, Sequence[File]],
    layout: names.Layout,
    now_ns: int,
) -> Changes:
    """How a directory changes when these are the files of some of its items, by item key.

    The files of its other items, and its sub-directories, stay as they are and keep their names.
    """
    stems = {step.item.key: step.stem for step in store.steps(directory)}
    asked = {key: _unique(some) for key, some in files.items() if key in stems}
    children = store.children(directory)
    present = [node for node in store.of_place(place) if node.item in asked]
    mine = {node.inode for node in present}
    shown = {node.key: names.Shown(node.wanted, node.name) for node in (*children, *present)}

    wishes = {
        file.key: names.wish(layout, stems[item], file)
        for item, some in asked.items()
        for file in some
        if file.placement is not Placement.BESIDE
    }
    folders = {
        _folder_key(item): names.Wish(_folder_key(item), stems[item], ".files", mark=item.rsplit("/", 1)[-1])
        for item, some in asked.items()
        if any(file.placement is Placement.BESIDE for file in some)
    }
    others = [names.Wish(node.key, node.wanted) for node in children if node.inode not in mine]
    mine_too = [*folders.values(), *wishes.values()]
    given = names.decide([*others, *mine_too], shown, past_names(store, place, mine_too))

    entries: list[Entry] = []
    for item, some in asked.items():
        links = {file.key: given[file.key] for file in some if file.placement is not Placement.BESIDE}
        beside = [file for file in some if file.placement is Placement.BESIDE]
        if beside:
            key = _folder_key(item)
            folder = Entry(place, key, Kind.FOLDER, directory, given[key], folders[key].name, item)
            entries.append(folder)
            old = store.find(place, key)
            inode = store.new_inode(folder) if old is None else old.inode
            inner = {file.key: names.wish(layout, "", file) for file in beside}
            inner_names = names.decide(inner.values(), shown, past_names(store, place, inner.values()))
            links |= {file.key: f"{folder.name}/{inner_names[file.key]}" for file in beside}
            entries += [
                _entry(place, item, inode, file, inner_names[file.key], inner[file.key].name, links) for file in beside
            ]
        entries += [
            _entry(place, item, directory, file, given[file.key], wishes[file.key].name, links)
            for file in some
            if file.placement is not Placement.BESIDE
        ]
    return difference(present, entries, past=store.past(entries), new_inode=store.new_inode, now_ns=now_ns)


def _entry(place: Place, item: str, parent: int, file: File, name: str, wanted: str, links: Mapping[str, str]) -> Entry:
    return Entry(
        place=place,
        key=file.key,
        kind=file.kind,
        parent=parent,
        name=name,
        wanted=wanted,
        item=item,
        url=file.url,
        mime_type=file.mime_type,
        modified_ns=file.modified_ns,
        size=file.size,
        remote=file.body if isinstance(file.body, Remote) else None,
        page=pages.with_links(file.body.html, links) if isinstance(file.body, Page) else None,
    )


def _folder_key(item: str) -> str:
    return f"{item}/files"


def _unique(files: Sequence[File]) -> list[File]:
    return list({file.key: file for file in files if names.is_sound(file.key)}.values())
