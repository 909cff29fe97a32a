"""The tree of folders and recordings, from the rows of the web site's listings (pure)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from coursefs.providers.panopto import routes
from coursefs.providers.panopto.replies import Folder, Playlist, Recording
from coursefs.providers.panopto.settings import PanoptoSettings
from coursefs.providers.panopto.web_replies import ListingRow, WebFolder


def children_of(folders: Iterable[Folder]) -> dict[str, list[Folder]]:
    """The folders below each folder, by its id."""
    below: defaultdict[str, list[Folder]] = defaultdict(list)
    for one in folders:
        if one.parent_id:
            below[one.parent_id].append(one)
    return dict(below)


def shown_below(
    top: Folder, children: Mapping[str, Sequence[Folder]], settings: PanoptoSettings
) -> dict[str, list[Folder]]:
    """The folders of a tree that are shown, each with its shown children; a repeated one stays in its first place."""
    shown: dict[str, list[Folder]] = {}
    waiting: list[tuple[Folder, tuple[str, ...]]] = [(top, (top.name,))]
    seen = {top.id}
    while waiting:
        folder, path = waiting.pop(0)
        shown[folder.id] = []
        for one in children.get(folder.id, ()):
            if one.id not in seen and not settings.skips((*path, one.name)):
                seen.add(one.id)
                shown[folder.id].append(one)
                waiting.append((one, (*path, one.name)))
    return shown


def placed(one: WebFolder, parent: Folder | None) -> WebFolder:
    """A folder that was listed below a parent, which its row may not repeat."""
    if one.folder.parent_id or parent is None:
        return one
    folder = Folder(one.folder.id, one.folder.name, parent.id, parent.name)
    return WebFolder(folder, one.has_children)


def with_pages(folders: Mapping[str, Folder], server: str) -> dict[str, Folder]:
    """The folders with the addresses of their web pages."""
    return {
        one.id: Folder(one.id, one.name, one.parent_id, one.parent_name, routes.folder_page(server, one.id))
        for one in folders.values()
    }


def session(row: ListingRow, start: float | None, server: str) -> Recording:
    """A row as a recording that started at this instant."""
    return Recording(
        id=row.id,
        name=row.name,
        start=start,
        duration=0.0 if row.is_scheduled else row.duration,
        folder_id=row.folder_id,
        viewer_url=routes.VIEWER.url(server, id=row.id),
        captions_url=routes.CAPTIONS.url(server, id=row.id) if row.has_captions else "",
        is_archived=row.is_archived,
    )


def playlist(row: ListingRow, server: str) -> Playlist:
    """A row as a playlist."""
    return Playlist(row.id, row.name, routes.PLAYLIST_PAGE.url(server, id=row.id))


def shared_page(server: str) -> str:
    """The web page of what was shared with the user."""
    return f"{server}/Panopto/Pages/Sessions/List.aspx#isSharedWithMe=true"
