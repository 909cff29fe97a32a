"""Learning how long a content is, and which version, without downloading it where that can be avoided."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import urlsplit

import httpx
import trio

from coursefs.content.answers import Part, Whole, judge, version_of
from coursefs.content.draft import Draft
from coursefs.content.identity import Content, Key, expects_html, same
from coursefs.content.location import Location
from coursefs.content.persistence import persist
from coursefs.content.services import Services
from coursefs.content.store import NoRoom
from coursefs.content.turns import NoTurn
from coursefs.errors import BadReply, CoursefsError, NoAnswer
from coursefs.flight import Flights
from coursefs.model import Source, Version
from coursefs.transport.body import body_of, is_framed

log = logging.getLogger(__name__)

#: a body of at most so many bytes that comes unasked is taken rather than broken off
_SHORT = 2**20
#: questions that run at once: as many connections as the transport keeps open
_MOST = 40
#: a body that is taken while it is measured is written in pieces of this many bytes, so that many may be in memory
_PIECE = 2**18


class Measure:
    """Asks each content once, however many want to know; a question goes on when nobody waits any more."""

    def __init__(self, services: Services, location: Callable[[Content], Location]) -> None:
        self._services = services
        self._location = location
        self._questions: Flights[Key, Version] = Flights(services.nursery)
        self._turns = trio.CapacityLimiter(_MOST)

    async def ask(self, content: Content) -> Version:
        """The version that the server has now; it is recorded.  Raises `CoursefsError`."""
        if self._services.nursery.cancel_scope.cancel_called:
            raise CoursefsError("the cache is being closed")
        with trio.move_on_after(self._services.read_timeout):
            return await self._questions.join(content.key, lambda: self._answer(content))
        raise NoAnswer(f"no answer within {self._services.read_timeout:g} s")

    async def _answer(self, content: Content) -> Version:
        found: list[Version] = []

        async def request(source: Source) -> bool:
            version = await self._request(content, source)
            found.extend([] if version is None else [version])
            return bool(found)

        try:
            async with self._turns:
                await persist(
                    request,
                    location=self._location(content),
                    transport=self._services.transport,
                    progress=lambda: 0,
                    patience=self._services.read_timeout,
                )
        except CoursefsError:
            raise
        except Exception:
            log.exception("a size could not be learned, in a way that was not foreseen")
            raise BadReply("the size of the file could not be learned; the log says more") from None
        return found[-1]

    async def _request(self, content: Content, source: Source) -> Version | None:
        """One request; None when the body came to an early end."""
        if source.once and (version := await self._head(content, source)) is not None:
            return version
        self._location(content).use_up(source)
        headers = {**source.headers, **({} if source.once else {"Range": "bytes=0-0"})}
        async with self._services.transport.stream(source.url, headers=headers, bulk=True) as response:
            answer = _judged(content, source, response)
            if isinstance(answer, Whole):
                if answer.length is None or answer.length <= _SHORT:
                    return await self._take(content, response, answer)
                size = answer.length
            else:
                size = await _total(answer, response, urlsplit(source.url).hostname or "")
            return await self._note(content, version_of(response.headers, size))

    async def _head(self, content: Content, source: Source) -> Version | None:
        """What a HEAD says, which does not use up a source for one use; None where the server says nothing to it."""
        async with self._services.transport.stream(
            source.url, headers=source.headers, method="HEAD", bulk=True
        ) as response:
            elsewhere = str(response.url) != source.url  # whose signature may be for a GET alone
            if response.status_code in {405, 501} or (response.status_code == 403 and elsewhere):
                return None
            answer = _judged(content, source, response)
            if isinstance(answer, Part) or answer.length is None:
                return None
            return await self._note(content, version_of(response.headers, answer.length))

    async def _note(self, content: Content, version: Version) -> Version:
        recorded = self._services.store.version(content.key)
        if recorded is not None and same(recorded, version):
            self._services.store.ledger.confirm(content.key, recorded)
            return recorded
        with suppress(NoTurn):  # then it is asked for again next time
            await self._services.writes.take_soon(self._services.store.note, content.key, version)
        return version

    async def _take(self, content: Content, response: httpx.Response, answer: Whole) -> Version | None:
        """Take the whole body into the cache, or count it where there is no room."""
        store, writing = self._services.store, self._services.writing
        draft: Draft | None = store.draft()
        size = 0
        try:
            buffer = bytearray()
            async with body_of(response, decode=answer.encoded) as chunks:
                async for chunk in chunks:
                    size += len(chunk)
                    buffer += chunk
                    while len(buffer) >= _PIECE:
                        draft = await self._append(draft, bytes(buffer[:_PIECE]))
                        del buffer[:_PIECE]
            if answer.length not in {None, size}:
                return None
            if buffer:
                draft = await self._append(draft, bytes(buffer))
            version = await self._note(content, version_of(response.headers, size))
            if draft is not None:
                await writing(store.keep, draft, content.key, version)
                draft = None
            return version
        finally:
            if draft is not None:
                with trio.CancelScope(shield=True):
                    await writing(store.give_up, draft)

    async def _append(self, draft: Draft | None, piece: bytes) -> Draft | None:
        if draft is None:
            return None
        try:
            await self._services.writes.take_soon(self._services.store.append, draft, memoryview(piece))
        except NoRoom:
            await self._services.writing(self._services.store.give_up, draft)
            return None
        except NoTurn:
            self._services.nursery.start_soon(self._services.writing, self._services.store.give_up, draft)
            return None
        return draft


def _judged(content: Content, source: Source, response: httpx.Response) -> Part | Whole:
    html = expects_html(content, source)
    where = urlsplit(source.url).hostname or ""
    return judge(response.status_code, response.headers, where, html=html, now=time.time(), guarded=source.guarded)


async def _total(answer: Part, response: httpx.Response, where: str) -> int:
    if answer.total is None:
        raise BadReply(f"{where}: does not say how long the file is")
    if (answer.start, answer.end) != ((0, 1) if answer.total else (0, 0)):
        raise BadReply(f"{where}: sent another part than it was asked for")
    async with body_of(response) as parts:
        async for part in parts:  # one byte: with the end of the body the connection can be used again
            if len(part) > 1 or not is_framed(response):
                break
    return answer.total
