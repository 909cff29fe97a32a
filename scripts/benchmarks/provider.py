"""A real provider for the benchmark's file server: the daemon finds it by its entry point, like any other.

The server has a list of its files at `/tree.json`: course, folder, files.  Nothing but that list and the files is
asked for, as `rclone` asks for index pages and files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING
from urllib.parse import quote

from benchmarks.contents import TREE
from coursefs.errors import CoursefsError
from coursefs.model import Course, File, Identity, Item, Kind, Outline, Placement, Remote, Section, Source
from coursefs.providers.base import Account, Provider
from coursefs.providers.platform import Create, Platform, SignedIn, SignInContext, Way
from coursefs.settings.account_keys import Setting, server

if TYPE_CHECKING:
    from coursefs.transport import Transport  # late, as in real platforms: a command that reads the settings is quick

NAME = "bench"


class BenchProvider:
    """Courses, folders and files as the server's list has them, without numbers before their names."""

    def __init__(self, base_url: str, transport: Transport) -> None:
        self._base_url = base_url
        self._transport = transport

    async def whoami(self) -> Identity:
        """Anybody."""
        return Identity(NAME)

    async def courses(self) -> Sequence[Course]:
        """The top folders."""
        return [Course(name, name, name) for name in await self._tree()]

    async def outline(self, course: Course, *, tag: str | None = None) -> Outline:  # noqa: ARG002  # there are no tags
        """The folders in a top folder, and the files in each."""
        folders = (await self._tree())[course.key]
        return Outline(
            tuple(
                Section(folder, Kind.FOLDER, folder, folder, None, items=tuple(_item(folder, name) for name in names))
                for folder, names in folders.items()
            )
        )

    async def files(self, course: Course, items: Sequence[Item]) -> Mapping[str, Sequence[File] | CoursefsError]:
        """One file for each item."""
        return {item.key: [_file(course, item)] for item in items}

    async def source(self, course: Course, remote: Remote, *, fresh: bool) -> Source:  # noqa: ARG002  # the protocol's
        """Where the file lies: always there."""
        return Source(f"{self._base_url}/{quote(remote.locator['path'])}")

    async def _tree(self) -> Mapping[str, Mapping[str, Sequence[str]]]:
        reply = await self._transport.fetch(f"{self._base_url}/{TREE}")
        tree: Mapping[str, Mapping[str, Sequence[str]]] = reply.json()
        return tree


def _item(folder: str, name: str) -> Item:
    return Item(f"{folder}/{name}", PurePath(name).stem, name, None, "file")


def _file(course: Course, item: Item) -> File:
    extension = PurePath(item.key).suffix
    kind, mime_type = (Kind.VIDEO, "video/mp4") if extension == ".mp4" else (Kind.ATTACHMENT, "application/pdf")
    path = f"{course.key}/{item.key}"
    return File(item.key, kind, Placement.MAIN, "", extension, mime_type, Remote(path, {"path": path}))


def local_platform(name: str, create: Create) -> Platform:
    """A platform whose server is on this machine, at the account's `base_url`, and asks for no sign-in."""

    async def sign_in(_: SignInContext) -> SignedIn:
        return SignedIn({})

    return Platform(
        protocol=1,
        name=name,
        summary="A server on this machine.",
        description="A server on this machine, which asks for no sign-in.",
        example=f"coursefs login {name}",
        settings=(Setting("base_url", server, "Address of the server.", is_shown=False),),
        sign_in_ways=(Way(name="none", usage="", options=(), needs=(), sign_in=sign_in),),
        create=create,
    )


def _create(account: Account, transport: Transport) -> Provider:
    return BenchProvider(account.settings["base_url"], transport)


#: the entry point's object
PLATFORM = local_platform(NAME, _create)
