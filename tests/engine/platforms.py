"""A sample server of each platform on real sockets, with an account on it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from coursefs.demo.description import load_course
from coursefs.demo.openedx.accounts import APP
from coursefs.demo.panopto.platform import Panopto
from coursefs.demo.panopto.signing_in import WEB_CLIENT
from coursefs.demo.platform import Platform
from coursefs.library import ROOT, AccountSource, Library
from coursefs.model import Kind
from tests.engine.campus import folder, held, session
from tests.engine.openedx_world import lms
from tests.engine.small_platform import write_course


@asynccontextmanager
async def coursera(_: Path, path: Path) -> AsyncIterator[AccountSource]:
    platform = Platform([load_course(write_course(path / "small"))])
    async with trio.open_nursery() as nursery:
        addresses = await nursery.start(platform.serve)
        settings = {"base_url": addresses.api, "requests_per_second": "1000"}
        yield AccountSource("one", "coursera", settings, {"cauth": addresses.cauth})
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def panopto(film: Path, _: Path) -> AsyncIterator[AccountSource]:
    biology = folder("Biology 101")
    platform = Panopto(held([biology], [session("Lecture", biology, film)]))
    async with trio.open_nursery() as nursery:
        addresses = await nursery.start(platform.serve)
        settings = {"server": addresses.server, "client_id": WEB_CLIENT}
        yield AccountSource("one", "panopto", settings, platform.sign_ins.grant())
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def panopto_web(film: Path, _: Path) -> AsyncIterator[AccountSource]:
    """With a browser's cookies."""
    biology = folder("Biology 101")
    platform = Panopto(held([biology], [session("Lecture", biology, film)]))
    async with trio.open_nursery() as nursery:
        addresses = await nursery.start(platform.serve)
        cookies = platform.sign_ins.browser()
        secrets = {"aspxauth": cookies[".ASPXAUTH"], "csrf_token": cookies["csrfToken"]}
        yield AccountSource("one", "panopto", {"server": addresses.server}, secrets)
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def openedx(_: Path, __: Path) -> AsyncIterator[AccountSource]:
    async with lms() as world:
        yield AccountSource("one", "openedx", {"server": world.addresses.lms, "client_id": APP}, world.learner())


def write_film(path: Path, size: int) -> None:
    """Write `size` bytes that begin as a film does: random ones may begin with `<`, and would be taken for a page."""
    begins = (16).to_bytes(4, "big") + b"ftypisom0000"
    path.write_bytes(begins + os.urandom(size - len(begins)))


PLATFORMS = {"coursera": coursera, "panopto": panopto, "panopto's web site": panopto_web, "openedx": openedx}


async def film_below(library: Library, inode: int = ROOT) -> int | None:
    for node in await library.files.children(inode):
        if node.kind is Kind.VIDEO:
            return node.inode
        if node.is_directory and (found := await film_below(library, node.inode)) is not None:
            return found
    return None
