"""The body of a response, which may be left before its end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import httpx
import trio


def is_framed(response: httpx.Response) -> bool:
    """Whether the end of the body can be told from the body; else it ends when the server hangs up, if ever."""
    return "content-length" in response.headers or "transfer-encoding" in response.headers


@asynccontextmanager
async def body_of(
    response: httpx.Response, *, decode: bool = False, chunk_size: int | None = None
) -> AsyncIterator[AsyncIterator[bytes]]:
    """The parts of the body inside the context: as they come, or of `chunk_size` bytes; decompressed with `decode`.

    httpx nests generators and does not close the inner ones when the outermost is left early, which trio warns of.
    They end by themselves when their connection is closed and they are asked once more.
    """
    parts = response.aiter_bytes(chunk_size) if decode else response.aiter_raw(chunk_size)
    try:
        yield parts
    finally:
        with trio.CancelScope(shield=True, deadline=trio.current_time() + 1.0):
            await response.aclose()
            with suppress(httpx.RequestError, httpx.StreamError):
                async for _ in parts:
                    pass
