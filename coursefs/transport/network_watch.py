"""Notices that connections may be dead although they were not closed: the machine slept, or has another way out.

While a machine sleeps, servers and routers forget its connections; after a change of the network (VPN, Wi-Fi, cable)
packets of the old ones go nowhere.  In both cases nothing arrives, and no error either.

A sleep is seen by two clocks: CLOCK_BOOTTIME counts it, CLOCK_MONOTONIC (which trio's deadlines use) does not.  The way
out is the default routes, with the addresses that the kernel would send from, which also shows policy routing (VPNs).
The kernel tells of changes over a netlink socket, which needs no privileges, and no timer while nothing changes;
where there is none, the way out is compared now and then while there are requests.
"""

from __future__ import annotations

import errno
import logging
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import trio

log = logging.getLogger(__name__)

#: seconds by which CLOCK_BOOTTIME must have run ahead: two readings are not of the same moment
_NAP = 1.0
#: seconds for which comparing the way out is not repeated where the kernel does not tell of changes
_COMPARED = 5.0
#: multicast groups of rtnetlink(7), as bits: addresses, routes and (IPv4) rules
_GROUPS = 0x10 | 0x40 | 0x80 | 0x100 | 0x400
_ROUTES = ("/proc/net/route", "/proc/net/ipv6_route")
#: addresses of documentation (RFC 5737, RFC 3849): no packet is sent to them, the kernel only chooses a route
_ELSEWHERE = ((socket.AF_INET, "203.0.113.1"), (socket.AF_INET6, "2001:db8::1"))

#: what identifies the way out of the machine; equal where it is the same
WayOut = tuple[str, ...]


class NetworkChange(Enum):
    """Why connections may be dead."""

    SLEPT = "the machine slept"
    MOVED = "the network has changed"


@dataclass(frozen=True, slots=True)
class Clocks:
    """A reading of two clocks, in seconds."""

    awake: float  # stands still while the machine sleeps
    elapsed: float  # does not

    def slept_until(self, now: Clocks) -> float:
        """The seconds that the machine slept between this reading and a later one (pure)."""
        return max(0.0, (now.elapsed - self.elapsed) - (now.awake - self.awake))


def read_clocks() -> Clocks:
    """The clocks now; where a system has no CLOCK_BOOTTIME, no sleep is seen."""
    awake = time.clock_gettime(time.CLOCK_MONOTONIC)
    boottime: int | None = getattr(time, "CLOCK_BOOTTIME", None)
    return Clocks(awake, awake if boottime is None else time.clock_gettime(boottime))


def default_routes(table: str) -> list[str]:
    """The default routes in the text of a file of `_ROUTES`: interface, gateway and metric (pure).

    See proc_net_route(5): a line of IPv4 begins with the interface, one of IPv6 ends with it.
    """
    found = []
    for fields in (line.split() for line in table.splitlines()):
        if len(fields) == 11 and fields[1] == fields[7] == "00000000":
            found.append(" ".join((fields[0], fields[2], fields[6])))
        elif len(fields) == 10 and fields[1] == "00" and set(fields[0]) == {"0"} and fields[9] != "lo":
            found.append(" ".join((fields[9], fields[4], fields[5])))
    return sorted(found)


def read_way_out() -> WayOut:
    """The way out now; empty where there is none."""
    found = []
    for name in _ROUTES:
        with suppress(OSError):
            found += default_routes(Path(name).read_text("ascii", "replace"))
    for family, address in _ELSEWHERE:
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((address, 9))
            found.append(str(probe.getsockname()[0]))
    return tuple(found)


class NetworkWatch:
    """Tells whether the machine slept, or has another way out, since it was last asked.

    `clocks` and `way_out` read them.
    """

    def __init__(
        self, clocks: Callable[[], Clocks] = read_clocks, way_out: Callable[[], WayOut] = read_way_out
    ) -> None:
        self._read_clocks, self._read_way_out = clocks, way_out
        self._clocks, self._way_out = clocks(), way_out()
        self._compared = self._clocks.awake  # when the way out was read last
        self._is_told = False  # whether the kernel tells of changes

    def look(self) -> NetworkChange | None:
        """The change since the last call; None: none.  Cheap enough for every request."""
        now, before = self._read_clocks(), self._clocks
        self._clocks = now
        if before.slept_until(now) >= _NAP:
            self._moved()
            return NetworkChange.SLEPT
        if not self._is_told and now.awake - self._compared >= _COMPARED and self._moved():
            return NetworkChange.MOVED
        return None

    async def run(self, changed: Callable[[NetworkChange], None]) -> None:
        """Call `changed` whenever the kernel tells of another way out; returns where it cannot tell."""
        try:
            told = open_netlink()
        except (OSError, AttributeError):  # another system than Linux has none, and a sandbox may refuse it
            log.debug("the kernel does not tell of changes of the network")
            return
        self._is_told = True
        try:
            with told:
                while True:
                    if self._moved():
                        changed(NetworkChange.MOVED)
                    await trio.lowlevel.wait_readable(told)
                    _drain(told)
        finally:
            self._is_told = False

    def _moved(self) -> bool:
        """Whether the way out is another one than it was when it was last read."""
        self._compared = self._clocks.awake
        before, self._way_out = self._way_out, self._read_way_out()
        return before != self._way_out


def open_netlink() -> socket.socket:
    """A non-blocking socket that becomes readable when addresses or routes change.  Raises `OSError` without one."""
    told = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)  # NETLINK_ROUTE
    try:
        told.bind((0, _GROUPS))
    except BaseException:
        told.close()
        raise
    return told


def _drain(told: socket.socket) -> None:
    """Take all messages: what they say is read elsewhere.  That the kernel had to drop some is no error."""
    while True:
        try:
            told.recv(2**16)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
