"""Web caches that announce themselves on the local network, in two processes on one machine."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio

from coursefs.errors import UsageError
from coursefs.shared import discovery
from coursefs.shared.discovery import DiscoveredTier, announced
from coursefs.shared.folder import FolderTier
from coursefs.shared.tier import TierFailed
from tests.engine.shared_tiers import KEY, piece, sealed, served

NAME = piece().name
ADDRESSES = discovery._addresses()


def passes_multicast(address: str) -> bool:
    """Whether what is sent to a group in the network of this address comes back, as mDNS needs it."""
    group = "239.255.77.77"
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        try:
            receiver.bind(("", 0))
            receiver.settimeout(2)
            receiver.setsockopt(
                socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group) + socket.inet_aton(address)
            )
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
            sender.sendto(b"?", (group, receiver.getsockname()[1]))
            return receiver.recv(1) == b"?"
        except OSError:
            return False


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    """One run of these tests at a time: another one on this machine would be found as well."""
    with (Path(tempfile.gettempdir()) / "coursefs-tests-dns-sd.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture
def network() -> None:
    if not any(map(passes_multicast, ADDRESSES)):
        pytest.skip("this machine has no network that passes multicast on")


@contextmanager
def announcing(port: int, host: str = "0.0.0.0") -> Iterator[None]:
    """Another process announces a port until the context ends."""
    code = (
        "import sys\nfrom coursefs.shared.discovery import announced\n"
        "with announced(sys.argv[1], int(sys.argv[2])):\n    print('announced', flush=True)\n    sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", code, host, str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"announced\n"
        yield


async def test_a_web_cache_is_found_and_after_its_end_no_more(network: None, tmp_path: Path) -> None:
    address = ADDRESSES[0]
    listeners = await trio.open_tcp_listeners(0, host=address)
    port = listeners[0].socket.getsockname()[1]
    tier = DiscoveredTier(KEY.token)
    assert tier.place == "dns-sd"
    async with trio.open_nursery() as nursery, served(FolderTier(tmp_path)) as there:

        async def passed_on(stream: trio.SocketStream) -> None:
            """The web server of the tests listens on loopback alone."""
            host, _, behind = there.removeprefix("http://").partition(":")
            async with stream, await trio.open_tcp_stream(host, int(behind)) as other, trio.open_nursery() as both:

                async def pump(source: trio.SocketStream, sink: trio.SocketStream) -> None:
                    async for part in source:
                        await sink.send_all(part)
                    both.cancel_scope.cancel()

                both.start_soon(pump, stream, other)
                both.start_soon(pump, other, stream)

        nursery.start_soon(trio.serve_listeners, passed_on, listeners)
        with announcing(port):
            data = sealed()
            assert await tier.put(NAME, data)
            assert await tier.get(NAME) == data
            assert await tier.age(NAME) is not None
            assert tier.place == f"dns-sd (http://{address}:{port})"
        await tier.aclose()
        nursery.cancel_scope.cancel()
    with pytest.raises(TierFailed, match="is used no more"):
        await tier.get(NAME)
    with pytest.raises(TierFailed, match=r"^no shared cache announces itself on this network$"):
        await tier.get(NAME)


async def test_one_that_takes_no_connection_is_passed_over(network: None) -> None:
    with socket.socket() as closed:
        closed.bind(("0.0.0.0", 0))  # and does not listen
        with announcing(closed.getsockname()[1]):
            began = trio.current_time()
            with pytest.raises(TierFailed, match=r"^no shared cache announces itself on this network$"):
                await DiscoveredTier("").get(NAME)
            assert trio.current_time() - began < 4


def test_what_no_other_machine_reaches_is_not_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    said = r"--announce is for other machines: give --listen 0\.0\.0\.0:8765"
    with pytest.raises(UsageError, match=said), announced("127.0.0.1", 8765):
        pass
    monkeypatch.setattr(discovery, "_addresses", list)
    with pytest.raises(UsageError, match=said), announced("0.0.0.0", 8765):
        pass


def test_the_addresses_are_those_of_networks() -> None:
    assert not [one for one in ADDRESSES if one.startswith("127.")]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RuntimeError("No interfaces to listen on"), "there is none"),
        (OSError(errno.ENODEV, os.strerror(errno.ENODEV)), "No such device"),
    ],
)
async def test_a_machine_without_a_network_finds_nothing(
    monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    """As zeroconf says it."""

    def none() -> None:
        raise error

    monkeypatch.setattr("zeroconf.Zeroconf", none)
    with pytest.raises(TierFailed, match=f"^the local network cannot be listened to: {said}$"):
        await DiscoveredTier("").get(NAME)
