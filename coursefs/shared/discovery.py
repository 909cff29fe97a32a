"""DNS-SD (RFC 6763): web caches announce themselves on the local network, and are found there.

`coursefs serve-cache --announce` registers the service `_coursefs._tcp`; `cache.shared = "dns-sd"` takes the first one
that takes a connection.  Any machine of the network can announce one, and gets the token: what it serves is believed
only if it is signed, and what is put there is encrypted.  Multicast does not cross routers, and many guest networks and
containers do not pass it on: where nothing is found, name the address in the settings.
"""

from __future__ import annotations

import socket
import time
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
#: seconds for which the network is listened to, and of them for one connection; a read waits for two
_PATIENCE = 1.5
_CONNECT = 0.3
#: bytes of a machine's name in the announcement: a label of DNS has 63
_LONGEST_NAME = 48


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

    async def get(self, name: str, *, wait: float = 0.0, urgent: bool = True) -> bytes | None:
        """See `Tier.get`."""
        tier = await self._tier()
        try:
            return await tier.get(name, wait=wait, urgent=urgent)
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
def announced(host: str, port: int) -> Iterator[None]:
    """Announce a web cache that listens at this address inside the context.  Blocks for two seconds.

    Raises `UsageError` where no other machine could reach it, or zeroconf is not installed.
    """
    _require()
    from zeroconf import ServiceInfo

    addresses = [host] if not ip_address(host).is_unspecified else _addresses()
    if all(ip_address(one).is_loopback for one in addresses):
        raise UsageError("--announce is for other machines: give --listen 0.0.0.0:8765, or an address of this machine")
    name = socket.gethostname().partition(".")[0][:_LONGEST_NAME]
    info = ServiceInfo(
        _SERVICE, f"{name}-{port}.{_SERVICE}", port=port, server=f"{name}.local.", parsed_addresses=addresses
    )
    with _network() as zeroconf:
        zeroconf.register_service(info, allow_name_change=True)
        try:
            yield
        finally:
            zeroconf.unregister_service(info)


def _find() -> str | None:
    """The address of a web cache on the local network that takes connections; None: none was found in time."""
    from queue import Empty, SimpleQueue

    from zeroconf import ServiceBrowser, ServiceStateChange

    names: SimpleQueue[str] = SimpleQueue()

    def changed(zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange) -> None:  # noqa: ARG001  # zeroconf's names
        if state_change is ServiceStateChange.Added:
            names.put(name)

    until = time.monotonic() + _PATIENCE
    with _network() as zeroconf:
        ServiceBrowser(zeroconf, _SERVICE, handlers=[changed])
        while (left := until - time.monotonic()) > 0:
            try:
                info = zeroconf.get_service_info(_SERVICE, names.get(timeout=left), timeout=int(left * 1000))
            except Empty:
                break
            for address in info.parsed_addresses() if info is not None else ():
                if info is not None and info.port and _takes_connections(address, info.port):
                    host = f"[{address}]" if ip_address(address).version == 6 else address
                    return f"http://{host}:{info.port}"
    return None


def _takes_connections(address: str, port: int) -> bool:
    """Whether this machine reaches it: many have addresses in networks of their own, as for containers."""
    try:
        socket.create_connection((address, port), _CONNECT).close()
    except OSError:
        return False
    return True


@contextmanager
def _network() -> Iterator[Zeroconf]:
    from zeroconf import Zeroconf

    try:
        zeroconf = Zeroconf()
    except (OSError, RuntimeError) as error:  # RuntimeError: there is no network
        reason = getattr(error, "strerror", None) or "there is none"
        raise TierFailed(f"the local network cannot be listened to: {reason}") from None
    try:
        yield zeroconf
    finally:
        zeroconf.close()


def _addresses() -> list[str]:
    """The addresses (IPv4) of this machine in its networks.

    Its name is of no use for that: in many an /etc/hosts it is that of loopback.
    """
    from ifaddr import get_adapters

    found = [str(one.ip) for adapter in get_adapters() for one in adapter.ips if one.is_IPv4]
    return sorted(one for one in found if not ip_address(one).is_loopback)


def _require() -> None:
    try:
        import zeroconf  # noqa: F401
    except ImportError:
        raise UsageError("DNS-SD needs zeroconf: type pip install 'coursefs[shared]'") from None
