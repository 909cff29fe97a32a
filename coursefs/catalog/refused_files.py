"""Refused files: is a file refused alone, and is it still refused?

A file that the platform refuses becomes a page that says so. That is done only if another file of its kind is served
at the same time, and at each refresh the file itself is probed again.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

import trio

from coursefs.catalog.file_nodes import REFUSED, refused_page
from coursefs.catalog.node import Node, Place, Space, id_of
from coursefs.catalog.store import Store
from coursefs.errors import CoursefsError, Gone, NotAllowed, NotSignedIn, RefusedByServer
from coursefs.model import Course, File, Remote, Version

log = logging.getLogger(__name__)

#: `probe(account, course, remote)`: asks the server of some bytes for their current version
Probe = Callable[[str, Course, Remote], Awaitable[Version]]

#: control samples: other files that are probed before a file counts as refused alone
_CONTROLS = 3


async def is_another_served(store: Store, probe: Probe | None, course: Course | None, node: Node) -> bool:
    """Whether the platform serves another file of the same kind and course now; False without a `probe`."""
    others = (one for one in store.of_place(node.place, (node.kind,)) if one.inode != node.inode)
    for other in [one for one in others if one.version is not None][:_CONTROLS]:
        if probe is None or course is None or other.remote is None:
            return False
        try:
            await probe(node.place.account, course, other.remote)
        except CoursefsError as error:
            log.debug("%s: not served either: %s", other.name, error)
        else:
            return True
    return False


async def still_refused(
    store: Store,
    probe: Probe | None,
    limit: trio.CapacityLimiter,
    place: Place,
    course: Course,
    replies: Mapping[str, Sequence[File] | CoursefsError],
) -> Mapping[str, tuple[bytes, str | None]]:
    """Probe the refused files among these again, and return the pages that stay in their place, by file key.

    With each page comes the reason why the item must be fetched again soon; None: it need not.
    """
    pages: dict[str, tuple[bytes, str | None]] = {}

    async def one(file: File, remote: Remote, node: Node) -> None:
        try:
            if probe is not None:
                async with limit:
                    await probe(place.account, course, remote)
                return
        except (NotAllowed, Gone) as error:
            if not isinstance(error, NotSignedIn):
                again = str(error) if isinstance(error, RefusedByServer) else None
                page = refused_page(node.wanted.removesuffix(REFUSED), str(error), file.url)
                pages[file.key] = (page, again)
                return
        except CoursefsError as error:
            log.debug("%s: not probed again: %s", node.name, error)
        page = store.page(node.inode) or refused_page(node.wanted.removesuffix(REFUSED), "it did not", file.url)
        pages[file.key] = (page, "it could not be checked again")

    listed = [file for reply in replies.values() if not isinstance(reply, CoursefsError) for file in reply]
    nodes = store.find_all(place, (id_of(file.key, Space.FILE) for file in listed))
    async with trio.open_nursery() as nursery:
        for file in listed:
            node = nodes.get(id_of(file.key, Space.FILE))
            if node is not None and node.is_refused and isinstance(file.body, Remote):
                nursery.start_soon(one, file, file.body, node)
    return pages
