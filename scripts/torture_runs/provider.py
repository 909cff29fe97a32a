"""The provider of the hostile server: the daemon finds it by its entry point, like any other.

It believes whatever the server's list says, types included, as a careless provider would.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.provider import local_platform
from coursefs.errors import BadReply, CoursefsError
from coursefs.model import Course, File, Identity, Item, Kind, Outline, Placement, Remote, Section, Source
from coursefs.providers.base import Account, Provider
from coursefs.transport import Transport

NAME = "torture"


class TortureProvider:
    """One course with one folder of files, as `/tree.json` lists them."""

    def __init__(self, base_url: str, transport: Transport) -> None:
        self._base_url = base_url
        self._transport = transport

    async def whoami(self) -> Identity:
        """Anybody."""
        return Identity(NAME)

    async def courses(self) -> Sequence[Course]:
        """What the list says."""
        return [Course(one["key"], one["slug"], one["title"]) for one in (await self._tree())["courses"]]

    async def outline(self, course: Course, *, tag: str | None = None) -> Outline:  # noqa: ARG002  # there are no tags
        """One folder."""
        items = tuple(
            Item(one["key"], one["title"], one["key"], one["position"], "file", details={"size": one["size"]})
            for one in (await self._tree())["files"]
        )
        return Outline((Section("folder", Kind.FOLDER, "Files", "files", None, items=items),))

    async def files(self, course: Course, items: Sequence[Item]) -> Mapping[str, Sequence[File] | CoursefsError]:  # noqa: ARG002
        """One file for each item."""
        return {item.key: [_file(item)] for item in items}

    async def source(self, course: Course, remote: Remote, *, fresh: bool) -> Source:  # noqa: ARG002
        """The server's word on where the bytes are now."""
        reply = await self._transport.fetch(f"{self._base_url}/url/{remote.locator['key']}?fresh={int(fresh)}")
        try:
            return Source(reply.json()["url"])
        except (KeyError, TypeError) as error:
            raise BadReply("the server names no address") from error

    async def _tree(self) -> Mapping[str, Any]:
        reply = await self._transport.fetch(f"{self._base_url}/tree.json")
        tree: Mapping[str, Any] = reply.json()
        return tree


def _file(item: Item) -> File:
    mime_type = "video/mp4" if item.title.endswith("film") else "application/octet-stream"
    extension = ".mp4" if item.title.endswith("film") else ".bin"
    remote = Remote(f"file/{item.key}", {"key": item.key})
    return File(item.key, Kind.ATTACHMENT, Placement.MAIN, "", extension, mime_type, remote)


def _create(account: Account, transport: Transport) -> Provider:
    return TortureProvider(account.settings["base_url"], transport)


#: the entry point's object
PLATFORM = local_platform(NAME, _create)
