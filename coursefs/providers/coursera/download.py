"""A file of the platform as a file on the disk: streamed, under another name until it is complete."""

from __future__ import annotations

import os
import random
import re
import unicodedata
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import httpx
import trio

from coursefs.errors import BadReply, CoursefsError, Gone, NoAnswer, Stale, Unreachable
from coursefs.transport import Transport
from coursefs.transport.backoff import RETRIED_STATUSES, pause
from coursefs.transport.body import body_of

#: told after each chunk that is saved: the chunk, bytes so far, bytes altogether (0: not known), name of the file
Callback = Callable[[bytes, int, int, str], None]
#: gives the file's present URL; True: the last one was refused, another one is wanted
FindUrl = Callable[[bool], Awaitable[str]]

CHUNK = 256 * 1024
_ATTEMPTS = 5  # in a row that bring nothing
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")
_DROPPED = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def plain_name(title: str, otherwise: str) -> str:
    """A title as a file's name (pure): no slash, no control or bidi character, no outer dot or blank, 200 bytes."""
    text = unicodedata.normalize("NFC", _DROPPED.sub("", title).replace("/", "-")).strip(". ")
    return text.encode()[:200].decode(errors="ignore").rstrip(". ") or otherwise


async def download(
    transport: Transport,
    find_url: FindUrl,
    target: Path,
    *,
    chunk_size: int = CHUNK,
    callback: Callback | None = None,
) -> Path:
    """Fetch a file to this path, whose folder is made; whatever lies there is replaced when all of it has come.

    A connection that breaks is taken up where it broke, and a URL that has ended is replaced.  When it fails, or is
    cancelled, nothing is left behind.  Raises `Gone`, `Stale` (the file changed meanwhile), what a request raises, and
    `OSError` for what is wrong with the disk.
    """
    folder = trio.Path(target.parent)
    await folder.mkdir(parents=True, exist_ok=True)
    part = folder / f".{random.randrange(16**12):012x}.part"
    try:
        async with await part.open("xb") as file:
            arrival = _Arrival(file, target.name, chunk_size, callback)
            await _fetch(transport, find_url, arrival)
            await file.flush()
            await trio.to_thread.run_sync(os.fsync, file.fileno())
        await part.rename(target)
    finally:
        with trio.CancelScope(shield=True), suppress(FileNotFoundError):
            await part.unlink()
    return target


class _File(Protocol):
    async def write(self, data: bytes, /) -> int: ...
    async def seek(self, offset: int, /) -> int: ...
    async def truncate(self) -> int: ...


class _Arrival:
    """What has come of a file so far."""

    def __init__(self, file: _File, name: str, chunk_size: int, callback: Callback | None) -> None:
        self._file = file
        self._name = name
        self._callback = callback
        self.chunk_size = chunk_size
        self.received = 0
        self.total = 0  # 0: not known
        self.validator: str | None = None  # what tells this version of the file from another one

    async def take(self, chunk: bytes) -> None:
        await self._file.write(chunk)
        self.received += len(chunk)
        if self._callback is not None:
            self._callback(chunk, self.received, self.total, self._name)

    async def begin_anew(self) -> None:
        self.received = 0
        await self._file.seek(0)
        await self._file.truncate()


async def _fetch(transport: Transport, find_url: FindUrl, arrival: _Arrival) -> None:
    """Fetch until all of it is there."""
    refused, failures = False, 0
    while True:
        before = arrival.received
        try:
            status = await _ask(transport, await find_url(refused), arrival)
        except (Unreachable, NoAnswer):
            failures = 1 if arrival.received > before else failures + 1
            if failures >= _ATTEMPTS or transport.offline:
                raise
        else:
            if status is None:
                return
            if status == 403 and not refused:  # signed URLs end
                refused = True
                continue
            failures += 1
            if status not in RETRIED_STATUSES or failures >= _ATTEMPTS:
                raise _refusal(status)
        refused = False
        await trio.sleep(pause(failures, None, random.random()))


async def _ask(transport: Transport, url: str, arrival: _Arrival) -> int | None:
    """Ask for what is missing; None when it all has come, else the status of the refusal."""
    headers: dict[str, str] = {}
    if arrival.received and arrival.validator is not None:  # else nobody could tell whether it is still the same file
        headers = {"Range": f"bytes={arrival.received}-", "If-Range": arrival.validator}
    async with transport.stream(url, headers=headers) as response:
        if response.status_code not in {200, 206}:
            return response.status_code
        await _begin(response, arrival)
        async with body_of(response, chunk_size=arrival.chunk_size) as chunks:
            async for chunk in chunks:
                await arrival.take(chunk)
    if arrival.total and arrival.received != arrival.total:
        raise Unreachable("the connection broke before the file was complete")
    return None


async def _begin(response: httpx.Response, arrival: _Arrival) -> None:
    """See what is coming, and where it belongs."""
    kind = response.headers.get("content-type", "")
    if kind.startswith("text/html") or "content-encoding" in response.headers:
        raise BadReply("the media host answered with a page in place of the file")
    found = _CONTENT_RANGE.fullmatch(response.headers.get("content-range", ""))
    if response.status_code == 206:
        if found is None or int(found[1]) != arrival.received:
            raise BadReply("the media host sent another part than was asked for")
        if arrival.total and int(found[2]) != arrival.total:
            raise Stale("the file has changed while it was being fetched")
        arrival.total = int(found[2])
        return
    if arrival.received:
        await arrival.begin_anew()
    length = response.headers.get("content-length", "")
    arrival.total = int(length) if length.isdecimal() else 0
    etag = response.headers.get("etag", "")
    arrival.validator = etag if etag.startswith('"') else response.headers.get("last-modified")


def _refusal(status: int) -> CoursefsError:
    if status in {404, 410}:
        return Gone("the platform no longer has this file")
    return BadReply(f"the media host answered HTTP {status}")
