"""Download of one file to the disk: resumed after a broken connection, and named only when it is complete."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import trio

from coursefs.base import threads
from coursefs.base.characters import legible
from coursefs.errors import BadReply, CoursefsError, Gone, NoAnswer, Stale, Unreachable
from coursefs.transport import Transport
from coursefs.transport.backoff import RETRIED_STATUSES, pause
from coursefs.transport.body import body_of
from coursefs.transport.http_library import httpx
from coursefs.transport.parsing import count_of, sendable

#: called after each chunk that is saved: the chunk, bytes so far, bytes in total (0: not known), name of the file
Callback = Callable[[bytes, int, int, str], None]
#: returns the URL of the file; True: the last URL was refused, return a new one
FindUrl = Callable[[bool], Awaitable[str]]

CHUNK = 256 * 1024
_ATTEMPTS = 5  # in a row that receive nothing
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18})")


def plain_name(title: str, otherwise: str) -> str:
    """A title as a file name (pure): no slash, nothing invisible, no outer dot or blank, no first dash, 200 bytes."""
    text = legible(title).replace("/", "-").strip(". ").lstrip("-. ")
    return text.encode()[:200].decode(errors="ignore").rstrip(". ") or otherwise


async def download(
    transport: Transport,
    find_url: FindUrl,
    target: Path,
    *,
    chunk_size: int = CHUNK,
    callback: Callback | None = None,
) -> Path:
    """Download a file to this path; its folder is made, and a file there is replaced when the download is complete.

    After a broken connection a range request gets the rest; an expired URL is replaced.  On failure or cancellation
    nothing is left behind.  Raises `Gone`, `Stale` (the file changed during the download), the errors of a request, and
    `OSError` for an error of the disk.
    """
    folder = trio.Path(target.parent)
    await folder.mkdir(parents=True, exist_ok=True)
    part = folder / f".{random.randrange(16**12):012x}.part"
    try:
        async with await part.open("xb") as file:
            arrival = _Arrival(file, target.name, chunk_size, callback)
            await _fetch(transport, find_url, arrival)
            await file.flush()
            await threads.run_sync(os.fsync, file.fileno())
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
    """The part of a file that has been received."""

    def __init__(self, file: _File, name: str, chunk_size: int, callback: Callback | None) -> None:
        self._file = file
        self._name = name
        self._callback = callback
        self.chunk_size = chunk_size
        self.received = 0
        self.total = 0  # 0: not known
        self.validator: str | None = None  # ETag or Last-Modified of this version of the file

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
    """Make requests until the file is complete."""
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
            if status == 403 and not refused:  # the signed URL has expired
                refused = True
                continue
            failures += 1
            if status not in RETRIED_STATUSES or failures >= _ATTEMPTS:
                raise _refusal(status)
        refused = False
        await trio.sleep(pause(failures, None, random.random()))


async def _ask(transport: Transport, url: str, arrival: _Arrival) -> int | None:
    """Request the missing bytes; None when the file is complete, else the status of the refusal."""
    headers: dict[str, str] = {}
    if arrival.received and arrival.validator is not None:  # else a new version would go unnoticed
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
    """Check a response's status and headers, and move to the offset of its body."""
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
    arrival.total = count_of(response.headers.get("content-length")) or 0
    etag = response.headers.get("etag", "")
    arrival.validator = sendable(etag if etag.startswith('"') else response.headers.get("last-modified"))


def _refusal(status: int) -> CoursefsError:
    if status in {404, 410}:
        return Gone("the platform no longer has this file")
    return BadReply(f"the media host answered HTTP {status}")
