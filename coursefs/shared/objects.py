"""A tier in an object store, by obstore: S3 and what speaks its protocol, Google Cloud Storage, Azure.

Credentials come from where the store's own tools take them: the environment (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT` …) or
the machine's role.  obstore speaks to asyncio or to threads; here it runs in a few threads of its own.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

import trio

from coursefs.base import threads
from coursefs.errors import UsageError
from coursefs.shared.folder import path_of
from coursefs.shared.pieces import MOST_SEALED
from coursefs.shared.tier import Entry, TierFailed

T = TypeVar("T")

_THREADS = 8
#: seconds between two looks for an object that is waited for: each is a request that is paid for
_LOOK_EVERY = 0.5


class ObjectTier:
    """Objects below a bucket and a prefix (`s3://bucket/prefix`)."""

    def __init__(self, place: str, **options: Any) -> None:
        """`options` are those of obstore.  Raises `UsageError` where it is not installed, or refuses the address."""
        try:
            import obstore
            from obstore.exceptions import BaseError
            from obstore.store import from_url
        except ImportError:
            raise UsageError(f"cache.shared = {place} needs obstore: type pip install 'coursefs[shared]'") from None
        self._obstore = obstore
        self._error: type[Exception] = BaseError
        self._place = place
        try:
            retries: Any = {"max_retries": 1}
            limits: Any = {"timeout": "5s", "connect_timeout": "2s"}
            self._store: Any = from_url(place, retry_config=retries, client_options=limits, **options)
        except (BaseError, ValueError) as error:
            raise UsageError(f"cache.shared = {place}: {_first_line(error)}") from None
        self._limiter = trio.CapacityLimiter(_THREADS)
        self._ahead: float | None = None  # seconds that the store's clock is ahead of ours; None: not known

    @property
    def place(self) -> str:
        """The address, without credentials."""
        return self._place

    async def get(self, name: str, *, wait: float = 0.0) -> bytes | None:
        """See `Tier.get`."""
        until = trio.current_time() + wait
        while True:
            found = await self._run(self._get, path_of(name))
            if found is not None or trio.current_time() >= until:
                return found
            await trio.sleep(min(_LOOK_EVERY, max(0.0, until - trio.current_time())))

    async def put(self, name: str, data: bytes, *, only_new: bool = False) -> bool:
        """See `Tier.put`."""
        return await self._run(self._put, path_of(name), data, only_new)

    async def age(self, name: str) -> float | None:
        """See `Tier.age`."""
        return await self._run(self._age, path_of(name))

    async def remove(self, name: str) -> None:
        """See `Tier.remove`."""
        await self._run(self._remove, path_of(name))

    async def aclose(self) -> None:
        """There is nothing to close."""

    async def entries(self) -> AsyncIterator[Entry]:
        """All objects."""
        stream = iter(self._obstore.list(self._store))
        while (part := await self._run(next, stream, None)) is not None:
            for one in part:
                age = max(0.0, time.time() + (self._ahead or 0.0) - one["last_modified"].timestamp())
                yield Entry(str(one["path"]).rpartition("/")[2], int(one["size"]), age)

    # -- in a thread -----------------------------------------------------------------------------------------------

    async def _run(self, function: Callable[..., T], *arguments: object) -> T:
        try:
            return await threads.run_sync(lambda: function(*arguments), limiter=self._limiter, abandon_on_cancel=True)
        except (self._error, OSError) as error:
            raise TierFailed(f"{self._place}: {_first_line(error)}") from None

    def _get(self, path: str) -> bytes | None:
        try:
            found = self._obstore.get(self._store, path)
            if found.meta["size"] > MOST_SEALED:
                return b""  # no piece; what is wrong with it is found out by that
            return bytes(found.bytes())
        except FileNotFoundError:
            return None

    def _put(self, path: str, data: bytes, only_new: bool) -> bool:
        from obstore.exceptions import AlreadyExistsError

        try:
            self._obstore.put(self._store, path, data, mode="create" if only_new else "overwrite")
        except AlreadyExistsError:
            return False
        if self._ahead is None:
            self._ahead = self._written(path) - time.time()
        return True

    def _age(self, path: str) -> float | None:
        try:
            written = self._written(path)
        except FileNotFoundError:
            return None
        return max(0.0, time.time() + (self._ahead or 0.0) - written)

    def _written(self, path: str) -> float:
        return float(self._obstore.head(self._store, path)["last_modified"].timestamp())

    def _remove(self, path: str) -> None:
        try:
            self._obstore.delete(self._store, path)
        except FileNotFoundError:
            return


def _first_line(error: Exception) -> str:
    """What an error says, without the request that it quotes further down."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
