"""A mount in a process of its own whose platform is as the lines of its standard input say.

`python -m tests.mount.changing MOUNTPOINT FOLDER`: each line is a JSON object, and is answered by one.  `items` are the
steps of the one course from now on, by key: their title and the text of their page or film; all of it is asked for
anew then.  `hold` has the server of the films give nothing but their sizes while it is true.  The answer says what was
new, and which handlers the kernel has called since the last one, with the inode where there is one.
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx
import trio

from coursefs.library import AccountSource, Library, LibrarySettings, open_library
from coursefs.model import Course, Outline, Wanted
from coursefs.mount.operations import Operations
from coursefs.mount.options import MountOptions
from coursefs.mount.session import mount
from coursefs.transport import Transport
from tests.engine.fakes import FakeProvider, lecture, made_by, reading, section, video


class Films(httpx.AsyncBaseTransport):
    """Serves films in ranges."""

    def __init__(self) -> None:
        self.bodies: dict[str, bytes] = {}
        self.may_go_on = trio.Event()
        self.may_go_on.set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        span = request.headers["range"].removeprefix("bytes=")
        if span != "0-0":
            await self.may_go_on.wait()
        body = self.bodies[request.url.path]
        first, _, last = span.partition("-")
        part = body[int(first) : int(last or len(body)) + 1]
        headers = {"content-range": f"bytes {first}-{int(first) + len(part) - 1}/{len(body)}", "etag": f'"{len(body)}"'}
        return httpx.Response(206, headers=headers, stream=httpx.ByteStream(part))

    def hold(self, is_held: bool) -> None:
        if not is_held:
            self.may_go_on.set()
        elif self.may_go_on.is_set():
            self.may_go_on = trio.Event()


def list_items(provider: FakeProvider, films: Films, items: Mapping[str, Mapping[str, str]]) -> None:
    """The course consists of these from now on."""
    steps = [lecture(key, one["title"], None) for key, one in items.items()]
    provider.outlines["c1"] = Outline((section("m", "Start", 1, *steps),))
    for step, one in zip(steps, items.values(), strict=True):
        if "page" in one:
            provider.contents[step.key] = list(reading(step, one["page"]))
        else:
            provider.contents[step.key] = [video(step)]
            provider.urls[f"{step.key}/video"] = f"https://films.example/{step.key}"
            films.bodies[f"/{step.key}"] = one["film"].encode()


def count_calls(calls: list[tuple[str, int]], name: str) -> None:
    handler: Callable[..., Awaitable[Any]] = getattr(Operations, name)

    @functools.wraps(handler)
    async def counted(self: Operations, number: int, *arguments: Any) -> Any:
        calls.append((name, number))
        return await handler(self, number, *arguments)

    setattr(Operations, name, counted)


async def obey(library: Library, provider: FakeProvider, films: Films, calls: list[tuple[str, int]]) -> None:
    while line := await trio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True):
        wanted = json.loads(line)
        films.hold(wanted.get("hold", False))
        news = []
        if "items" in wanted:
            list_items(provider, films, wanted["items"])
            news = [asdict(one) async for one in library.courses.update([]) if one]
        answer(news=news, calls=calls)
        calls.clear()


def answer(**values: object) -> None:
    print(json.dumps(values), flush=True)


async def main(mountpoint: Path, folder: Path) -> None:
    provider, films = FakeProvider([Course("c1", "graphics", "Graphics")]), Films()
    list_items(provider, films, {})
    calls: list[tuple[str, int]] = []
    for name in ("lookup", "getattr", "read"):
        count_calls(calls, name)
    settings = LibrarySettings(folder / "catalogue", folder / "cache", [AccountSource("x", "x", {}, {})], Wanted())
    films_alone, platforms = Transport(http_transport=films), made_by("x", provider)
    async with open_library(settings, films_alone, providers=platforms) as library, trio.open_nursery() as nursery:
        nursery.start_soon(
            functools.partial(mount, library, mountpoint, MountOptions(), mounted=lambda _: answer(is_mounted=True))
        )
        await obey(library, provider, films, calls)
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main, Path(sys.argv[1]), Path(sys.argv[2]))
