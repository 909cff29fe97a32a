"""A tier in an object store, by obstore: S3 and what speaks its protocol, Google Cloud Storage, Azure.

Credentials come from where the store's own tools take them: the environment (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT` …) or
the machine's role.  obstore speaks to asyncio or to threads; here it runs in a few threads of its own.

A claim is created by a conditional PUT (`If-None-Match: *`).  SeaweedFS refuses the second one, as Amazon, Google and
Azure document it; `rclone serve s3` (1.75) writes it again and says that all is well.  So the first claim tries that,
and with such a store each claim looks first: machines that look at the same moment all fetch the piece, which costs
bytes alone.
"""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import trio

from coursefs.base import threads
from coursefs.errors import UsageError
from coursefs.shared.folder import is_object, path_of
from coursefs.shared.pieces import MOST_SEALED
from coursefs.shared.tier import Entry, TierFailed

T = TypeVar("T")

_THREADS = 8
#: seconds of a request, and of them until a connection is made
_TIMEOUT = 5.0
_CONNECT_TIMEOUT = 2.0
#: seconds between two looks for an object that is waited for: each is a request that is paid for
_LOOK_EVERY = 0.5
_STATUS = re.compile(r"status code: (\d{3})")
_CREDENTIAL_SERVICE = "//169.254."  # of Amazon's and others' machines


@dataclass(frozen=True, slots=True)
class _Store:
    """What was tried of a store."""

    ahead: float  # seconds that its clock is ahead of ours, give or take one: its dates are in whole seconds
    refuses: bool  # whether it refuses to create an object of a name that there is


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
            times = {"timeout": f"{_TIMEOUT:g}s", "connect_timeout": f"{_CONNECT_TIMEOUT:g}s"}
            limits: Any = {**times, "allow_http": _allows_http(os.environ)}
            self._store: Any = from_url(place, retry_config=retries, client_options=limits, **options)
        except (BaseError, ValueError) as error:
            raise UsageError(f"cache.shared = {place}: {str(error).splitlines()[0]}") from None
        self._limiter = trio.CapacityLimiter(_THREADS)
        self._tried: _Store | None = None

    @property
    def place(self) -> str:
        """The address, without credentials."""
        return self._place

    async def get(self, name: str, *, wait: float = 0.0, urgent: bool = True) -> bytes | None:  # noqa: ARG002
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
                if not is_object(str(one["path"])):
                    continue
                age = max(0.0, time.time() + self._ahead - one["last_modified"].timestamp())
                yield Entry(str(one["path"]).rpartition("/")[2], int(one["size"]), age)

    # -- in a thread -----------------------------------------------------------------------------------------------

    async def _run(self, function: Callable[..., T], *arguments: object) -> T:
        try:
            return await threads.run_sync(lambda: function(*arguments), limiter=self._limiter, abandon_on_cancel=True)
        except (self._error, OSError) as error:
            raise TierFailed(f"{self._place}: {words(error)}") from None

    def _get(self, path: str) -> bytes | None:
        try:
            found = self._obstore.get(self._store, path)
            if found.meta["size"] > MOST_SEALED:
                return b""  # no piece; what is wrong with it is found out by that
            return bytes(found.bytes())
        except FileNotFoundError:
            return None

    def _put(self, path: str, data: bytes, only_new: bool) -> bool:
        if only_new:
            self._tried = self._tried or self._try()
            if not self._tried.refuses and self._age(path) is not None:
                return False
        return self._write(path, data, only_new)

    def _write(self, path: str, data: bytes, only_new: bool) -> bool:
        from obstore.exceptions import AlreadyExistsError

        try:
            self._obstore.put(self._store, path, data, mode="create" if only_new else "overwrite")
        except AlreadyExistsError:
            return False
        return True

    def _try(self) -> _Store:
        """Try the store with a claim on nothing.

        A machine whose clock is wrong would take over what others have just claimed.
        """
        path = path_of(f"{secrets.token_hex(32)}.claim")
        self._write(path, b"", only_new=False)
        now = time.time()
        ahead = self._written(path) - now
        refuses = not self._write(path, b"", only_new=True)
        self._remove(path)
        return _Store(ahead, refuses)

    def _age(self, path: str) -> float | None:
        try:
            written = self._written(path)
        except FileNotFoundError:
            return None
        return max(0.0, time.time() + self._ahead - written)

    @property
    def _ahead(self) -> float:
        return 0.0 if self._tried is None else self._tried.ahead

    def _written(self, path: str) -> float:
        return float(self._obstore.head(self._store, path)["last_modified"].timestamp())

    def _remove(self, path: str) -> None:
        try:
            self._obstore.delete(self._store, path)
        except FileNotFoundError:
            return


def _allows_http(environ: Mapping[str, str]) -> bool:
    """Whether the environment allows a store without TLS; obstore reads that itself only without other options."""
    return any(environ.get(f"{vendor}_ALLOW_HTTP", "").lower() in {"1", "true"} for vendor in ("AWS", "AZURE"))


def words(error: Exception) -> str:
    """What has gone wrong, for a person (pure).

    obstore's own messages hold the object's name, the milliseconds, and all that the store has replied: no two are
    alike, and a log would be full of them.
    """
    from obstore.exceptions import PermissionDeniedError, UnauthenticatedError

    said = str(error).partition("Debug source")[0]
    status = int(found[1]) if (found := _STATUS.search(said)) else 0
    if _CREDENTIAL_SERVICE in said:  # where obstore asks when the environment has none
        return "there are no credentials in the environment, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    if isinstance(error, (PermissionDeniedError, UnauthenticatedError)) or status in {401, 403}:
        return "refuses the credentials of this machine"
    if isinstance(error, FileNotFoundError) or status == 404:
        return "there is no such bucket"
    if status:
        return f"answers with status {status}"
    if "builder error" in said:
        return "its address is http://, which has no TLS; to allow that, set AWS_ALLOW_HTTP=true in the environment"
    if "error sending request" in said:
        return "cannot be reached, or does not answer"
    if "body error" in said:
        return "breaks the connection off"
    return f"gives an answer that is none of an object store ({type(error).__name__})"
