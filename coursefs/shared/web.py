"""A tier behind HTTP: a static web server over a folder of pieces, or `coursefs serve-cache`.

    GET    ADDRESS/ab/abcdef….piece   200 with the object, or 404
    HEAD   ADDRESS/ab/abcdef….piece   its age is Date - Last-Modified
    PUT    ADDRESS/ab/abcdef….piece   201; or 204 where it has replaced one; with `If-None-Match: *` 412 instead
    DELETE ADDRESS/ab/abcdef….claim   204
    GET    ADDRESS/ab/abcdef….claim   with `Prefer: wait=N` (RFC 7240): 200 as soon as there is the piece, else 404

A piece never changes, so web caches on the way may keep it for ever.  A wait is asked of the claim, which no cache
keeps: caches that answer several requests for one address by one request of their own (nginx, varnish) would let forty
waits follow one another.  A server that does not know how to wait does not say `Preference-Applied`, and is asked again
and again.  A server that allows no PUT (nginx, Caddy) is only read.

The server is one of the same house, so no proxy of the environment is used.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import trio

from coursefs.errors import BadReply
from coursefs.shared.folder import path_of
from coursefs.shared.pieces import MOST_SEALED
from coursefs.shared.tier import CLAIM_SUFFIX, FullTier, ReadOnlyTier, TierFailed
from coursefs.transport.body import body_of
from coursefs.transport.http1 import body_with_length
from coursefs.transport.http1_transport import Http1Transport, repeatable
from coursefs.transport.http_library import httpx
from coursefs.transport.reasons import reason_of
from coursefs.transport.trust import Authorities

#: seconds until a connection is made, and between two parts of an answer
_TIMEOUT = 2.0
#: the same for what no program waits for, which the server lets others overtake
_LATER_TIMEOUT = 8.0
#: seconds between two looks for an object that is waited for, where the server does not know how to wait
_LOOK_EVERY = 0.25
#: read-ahead and downloads come after what a program waits for (RFC 9218; without this header the urgency is 3)
_LATER = {"Priority": "u=7"}
#: statuses of a server that takes no objects at all from this machine
_READ_ONLY = frozenset({403, 404, 405, 501})
#: by number: RFC 9110 has renamed it, and so has httpx2
_TOO_LARGE = 413


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: httpx.Headers
    body: bytes

    @property
    def is_success(self) -> bool:
        return 200 <= self.status <= 299


class WebTier:
    """Objects at an address; the token goes to that address alone, and redirects are not followed."""

    def __init__(self, address: str, token: str = "") -> None:
        """`address` begins with https:// or http://."""
        self._address = address.rstrip("/")
        self._client = httpx.AsyncClient(
            headers={"Accept-Encoding": "identity", **({"Authorization": f"Bearer {token}"} if token else {})},
            timeout=httpx.Timeout(_TIMEOUT),
            follow_redirects=False,
            trust_env=False,
            # no hedging: a tier that is slow because forty machines ask it would get twice as many requests
            transport=Http1Transport(Authorities(os.environ).context, patience=math.inf),
        )

    @property
    def place(self) -> str:
        """The address."""
        return self._address

    async def get(self, name: str, *, wait: float = 0.0, urgent: bool = True) -> bytes | None:
        """See `Tier.get`."""
        until = trio.current_time() + wait
        if wait and await self._has_waited(name, wait) is False:
            return None
        while True:
            if urgent:
                answer = await self._ask("GET", name, headers={})
            else:
                answer = await self._ask("GET", name, headers=_LATER, patience=_LATER_TIMEOUT)
            if answer.status == httpx.codes.OK:
                return answer.body
            if answer.status != httpx.codes.NOT_FOUND:
                raise self._unexpected(answer)
            left = until - trio.current_time()
            if left <= 0:
                return None
            await trio.sleep(min(_LOOK_EVERY, left))

    async def put(self, name: str, data: bytes, *, only_new: bool = False) -> bool:
        """See `Tier.put`."""
        answer = await self._ask("PUT", name, data, headers={"If-None-Match": "*"} if only_new else {})
        if answer.status == httpx.codes.PRECONDITION_FAILED:
            return False
        if answer.status in _READ_ONLY:
            raise ReadOnlyTier(f"{self._address}: takes no pieces from this machine")
        if answer.status == httpx.codes.INSUFFICIENT_STORAGE:
            raise FullTier(f"{self._address}: its disk is full")
        if answer.status == _TOO_LARGE:
            raise TierFailed(f"{self._address}: takes no bodies of {MOST_SEALED} bytes; allow 2 MB there")
        if not answer.is_success:
            raise self._unexpected(answer)
        # nginx knows no conditions for PUT: it has written the object again then, and says that it was there
        return not (only_new and answer.status == httpx.codes.NO_CONTENT)

    async def age(self, name: str) -> float | None:
        """See `Tier.age`.  In whole seconds; 0 where the server does not say it."""
        answer = await self._ask("HEAD", name, headers={})
        if answer.status == httpx.codes.NOT_FOUND:
            return None
        if not answer.is_success:
            raise self._unexpected(answer)
        try:
            now, written = (parsedate_to_datetime(answer.headers[one]) for one in ("Date", "Last-Modified"))
            return max(0.0, (now - written).total_seconds())
        except (KeyError, ValueError, TypeError):
            return 0.0

    async def remove(self, name: str) -> None:
        """See `Tier.remove`."""
        answer = await self._ask("DELETE", name, headers={})
        if not answer.is_success and answer.status != httpx.codes.NOT_FOUND:
            raise self._unexpected(answer)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _has_waited(self, name: str, wait: float) -> bool | None:
        """Whether the object has come while the server waited for it; None: it does not know how to wait."""
        headers = {"Prefer": f"wait={max(1, round(wait))}"}
        answer = await self._ask("GET", name + CLAIM_SUFFIX, headers=headers, patience=_TIMEOUT + wait)
        if "wait" not in answer.headers.get("Preference-Applied", ""):
            return None
        return answer.is_success

    async def _ask(
        self,
        method: str,
        name: str,
        data: bytes | None = None,
        *,
        headers: Mapping[str, str],
        patience: float | None = None,
    ) -> _Answer:
        """The answer to one request.  Of its body no more is read than an object can have."""
        if self._client.is_closed:
            raise TierFailed(f"{self._address}: is used no more")
        try:
            url = f"{self._address}/{path_of(name)}"
            timeout = _TIMEOUT if patience is None else patience
            request = self._client.build_request(
                method, url, content=data, headers=headers, timeout=timeout, extensions=repeatable(True)
            )
            response = await self._client.send(request, stream=True)
            async with aclosing(response):
                body = await _body_of(response)
        except (httpx.HTTPError, httpx.InvalidURL, BadReply) as error:
            raise TierFailed(f"{self._address}: {_words(error)}") from None
        return _Answer(response.status_code, response.headers, body)

    def _unexpected(self, answer: _Answer) -> TierFailed:
        if answer.status == httpx.codes.UNAUTHORIZED:
            return TierFailed(f"{self._address}: refuses the token in this machine's shared.key")
        return TierFailed(f"{self._address}: answers with status {answer.status}")


async def _body_of(response: httpx.Response) -> bytes:
    """The body of a response, as far as an object can be long, and a byte more where it is longer."""
    body = body_with_length(response)
    if body is None:  # a web cache that passes on what it is still receiving
        parts = bytearray()
        async with body_of(response) as received:
            async for part in received:
                parts += part
                if len(parts) > MOST_SEALED:
                    break
        return bytes(parts)
    buffer = memoryview(bytearray(min(int(response.headers.get("Content-Length", 0)), MOST_SEALED + 1)))
    got = 0
    while got < len(buffer) and (count := await body.receive_into(buffer[got:])):
        got += count
    return bytes(buffer[:got])


def _words(error: Exception) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "does not answer"
    if isinstance(error, httpx.ConnectError):
        return reason_of(error) or "cannot be reached"
    return f"breaks the connection off ({type(error).__name__})"
