"""DNS-SD (RFC 6763): web caches announce themselves on the local network, and are found there.

`coursefs serve-cache --announce` registers the service `_coursefs._tcp`; `cache.shared = "dns-sd"` takes the first one
that answers.  Anybody on the network can announce one: what it serves is believed only if it is signed.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import TYPE_CHECKING

import trio

from coursefs.base import threads
from coursefs.errors import UsageError
from coursefs.shared.tier import TierFailed
from coursefs.shared.web import WebTier

if TYPE_CHECKING:
    from zeroconf import Zeroconf

_SERVICE = "_coursefs._tcp.local."
#: seconds for which the network is listened to, at most
_PATIENCE = 1.5


class DiscoveredTier:
    """The web cache that is found on the local network, when it is first needed; after a failure it is sought again."""

    def __init__(self, token: str) -> None:
        """Raises `UsageError` where zeroconf is not installed."""
        _require()
        self._token = token
        self._found: WebTier | None = None
        self._seeking = trio.Lock()

    @property
    def place(self) -> str:
        """The address that was found."""
        return "dns-sd" if self._found is None else f"dns-sd ({self._found.place})"

    async def get(self, name: str, *, wait: float = 0.0) -> bytes | None:
        """See `Tier.get`."""
        tier = await self._tier()
        try:
            return await tier.get(name, wait=wait)
        except TierFailed:
            await self._lose(tier)
            raise

    async def put(self, name: str, data: bytes, *, only_new: bool = False) -> bool:
        """See `Tier.put`."""
        return await (await self._tier()).put(name, data, only_new=only_new)

    async def age(self, name: str) -> float | None:
        """See `Tier.age`."""
        return await (await self._tier()).age(name)

    async def remove(self, name: str) -> None:
        """See `Tier.remove`."""
        await (await self._tier()).remove(name)

    async def aclose(self) -> None:
        """Close the connections."""
        if self._found is not None:
            await self._found.aclose()

    async def _tier(self) -> WebTier:
        async with self._seeking:
            if self._found is None:
                address = await threads.run_sync(_find, abandon_on_cancel=True)
                if address is None:
                    raise TierFailed("no shared cache announces itself on this network")
                self._found = WebTier(address, self._token)
            return self._found

    async def _lose(self, tier: WebTier) -> None:
        if self._found is tier:
            self._found = None
            await tier.aclose()


@contextmanager
def announced(port: int) -> Iterator[None]:
    """Announce a web cache on this port inside the context.  Blocks for a second.  Raises `UsageError`."""
    _require()
    from zeroconf import ServiceInfo

    host = socket.gethostname()
    info = ServiceInfo(
        _SERVICE, f"{host}-{port}.{_SERVICE}", port=port, server=f"{host}.local.", addresses=_addresses()
    )
    with _network() as zeroconf:
        zeroconf.register_service(info)
        try:
            yield
        finally:
            zeroconf.unregister_service(info)


def _find() -> str | None:
    """The address of a web cache on the local network; None: none has answered in time."""
    from queue import Empty, SimpleQueue

    from zeroconf import ServiceBrowser, ServiceStateChange

    names: SimpleQueue[str] = SimpleQueue()

    def changed(zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange) -> None:  # noqa: ARG001  # zeroconf's names
        if state_change is ServiceStateChange.Added:
            names.put(name)

    with _network() as zeroconf:
        ServiceBrowser(zeroconf, _SERVICE, handlers=[changed])
        try:
            info = zeroconf.get_service_info(_SERVICE, names.get(timeout=_PATIENCE), timeout=int(_PATIENCE * 1000))
        except Empty:
            return None
    for address in info.parsed_addresses() if info is not None else ():
        host = f"[{address}]" if ip_address(address).version == 6 else address
        return f"http://{host}:{info.port}" if info is not None else None
    return None


@contextmanager
def _network() -> Iterator[Zeroconf]:
    from zeroconf import Zeroconf

    try:
        zeroconf = Zeroconf()
    except OSError as error:
        raise TierFailed(f"the local network cannot be listened to: {error.strerror}") from None
    try:
        yield zeroconf
    finally:
        zeroconf.close()


def _addresses() -> list[bytes]:
    """The addresses of this machine in its networks; loopback where it has no other."""
    found = {str(one[4][0]) for one in socket.getaddrinfo(socket.gethostname(), None, family=socket.AF_INET)}
    outside = [one for one in sorted(found) if not ip_address(one).is_loopback]
    return [socket.inet_aton(one) for one in outside or ["127.0.0.1"]]


def _require() -> None:
    try:
        import zeroconf  # noqa: F401
    except ImportError:
        raise UsageError("DNS-SD needs zeroconf: type pip install 'coursefs[shared]'") from None
