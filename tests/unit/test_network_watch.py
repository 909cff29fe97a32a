"""What tells that the machine slept or has another way out; without a network."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass

import pytest

from coursefs.transport.network_watch import (
    Clocks,
    NetworkChange,
    NetworkWatch,
    default_routes,
    read_clocks,
    read_way_out,
)

HEAD = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT"
V4 = f"""{HEAD}
wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0
wlan0\t0001A8C0\t00000000\t0001\t0\t0\t600\t00FFFFFF\t0\t0\t0
"""
ZERO = "0" * 32
V6 = f"""{ZERO} 00 {ZERO} 00 fe80000000000000000000000000beef 00000400 00000003 00000000 00450003    wlan0
fe800000000000000000000000000000 40 {ZERO} 00 {ZERO} 00000400 00000001 00000000 00000001    wlan0
{ZERO} 00 {ZERO} 00 {ZERO} ffffffff 00000001 00000000 00200200       lo
"""


@dataclass
class Fake:
    awake: float = 100.0
    asleep: float = 0.0
    way_out: tuple[str, ...] = ("wlan0",)
    reads: int = 0

    def clocks(self) -> Clocks:
        return Clocks(self.awake, self.awake + self.asleep)

    def read(self) -> tuple[str, ...]:
        self.reads += 1
        return self.way_out


@pytest.mark.parametrize(
    ("now", "slept"),
    [(Clocks(110, 1010), 0), (Clocks(110, 1070), 60), (Clocks(110, 1009), 0), (Clocks(100, 1000.5), 0.5)],
)
def test_how_long_the_machine_slept(now: Clocks, slept: float) -> None:
    assert Clocks(100, 1000).slept_until(now) == slept


def test_the_clocks_of_this_machine() -> None:
    before = read_clocks()
    assert before.slept_until(read_clocks()) < 1.0


@pytest.mark.parametrize(
    ("table", "found"),
    [
        (V4, ["wlan0 0101A8C0 600"]),
        (V4.replace("wlan0", "tun0"), ["tun0 0101A8C0 600"]),
        (V6, ["wlan0 fe80000000000000000000000000beef 00000400"]),
        (HEAD, []),
        ("", []),
    ],
)
def test_the_default_routes_in_the_tables_of_the_kernel(table: str, found: list[str]) -> None:
    assert default_routes(table) == found


def test_a_sleep_is_told_once_and_noise_of_the_clocks_is_none() -> None:
    machine = Fake()
    watch = NetworkWatch(machine.clocks, machine.read)
    machine.asleep += 0.2
    assert watch.look() is None
    machine.asleep += 8 * 3600.0
    assert watch.look() is NetworkChange.SLEPT
    assert watch.look() is None


def test_another_way_out_is_found_within_seconds_where_the_kernel_tells_nothing() -> None:
    machine = Fake()
    watch = NetworkWatch(machine.clocks, machine.read)
    machine.way_out = ("tun0",)
    assert (watch.look(), machine.reads) == (None, 1)  # not with each request
    machine.awake += 6.0
    assert watch.look() is NetworkChange.MOVED
    machine.awake += 6.0
    assert watch.look() is None


def test_another_way_out_after_a_sleep_is_no_second_change() -> None:
    machine = Fake()
    watch = NetworkWatch(machine.clocks, machine.read)
    machine.asleep, machine.way_out = 60.0, ("eth0",)
    assert watch.look() is NetworkChange.SLEPT
    machine.awake += 6.0
    assert watch.look() is None


def test_a_machine_without_any_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the tables, nor addresses, nor the clock that counts a sleep."""

    class NoSocket:
        def __init__(self, *_: object) -> None:
            raise PermissionError

    monkeypatch.setattr("coursefs.transport.network_watch._ROUTES", ("/nowhere",))
    monkeypatch.setattr(socket, "socket", NoSocket)
    monkeypatch.delattr("time.CLOCK_BOOTTIME")
    assert read_way_out() == ()
    assert NetworkWatch().look() is None


WATCHED = """
import subprocess, trio
from coursefs.transport.network_watch import NetworkWatch

def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True)

async def main():
    ip("link", "set", "lo", "up")
    watch, changes = NetworkWatch(), []
    send, receive = trio.open_memory_channel(9)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch.run, send.send_nowait)
        await trio.testing.wait_all_tasks_blocked()
        with trio.fail_after(20):
            for address in ("192.0.2.7/24", "10.8.0.2/24"):
                ip("addr", "add", address, "dev", "lo")
            await trio.testing.wait_all_tasks_blocked()
            while True:
                try:
                    receive.receive_nowait()
                except trio.WouldBlock:
                    break
            ip("route", "add", "default", "dev", "lo", "src", "192.0.2.7")
            print((await receive.receive()).value)
            ip("route", "add", "0.0.0.0/1", "dev", "lo", "src", "10.8.0.2")
            ip("route", "add", "128.0.0.0/1", "dev", "lo", "src", "10.8.0.2")
            print((await receive.receive()).value)
        nursery.cancel_scope.cancel()

import trio.testing
trio.run(main)
"""


@pytest.mark.skipif(
    shutil.which("ip") is None
    or shutil.which("unshare") is None
    or subprocess.run(
        ["unshare", "--user", "--map-root-user", "--net", "ip", "link", "set", "lo", "up"],
        capture_output=True,
        check=False,
    ).returncode
    != 0,
    reason="no network of one's own can be made here",
)
def test_the_kernel_tells_of_a_default_route_and_of_a_vpn() -> None:
    """In a network of its own; the VPN changes the way out without a default route, as OpenVPN does."""
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--net", sys.executable, "-c", WATCHED],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
    )
    assert (done.returncode, done.stdout.split("\n")) == (0, ["the network has changed"] * 2 + [""]), done.stderr
