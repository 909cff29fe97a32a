"""A TCP relay whose connections share a rate: the local network of a lab.

It runs as a process of its own, prints its port, and ends when its standard input is closed.

    python -m benchmarks.paced PORT RATE      (of the server behind it, and in bytes a second)
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import trio

from benchmarks.link import Pipe


@contextmanager
def paced(port: int, rate: float) -> Iterator[int]:
    """The port of a relay to `port`, as long as the context lasts."""
    command = [sys.executable, "-m", "benchmarks.paced", str(port), str(rate)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()


async def _serve(port: int, rate: float) -> None:
    pipe = Pipe(rate)

    async def relayed(source: trio.SocketStream, target: trio.SocketStream) -> None:
        try:
            async for part in source:
                await trio.sleep_until(pipe.passed_at(len(part), trio.current_time()))
                await target.send_all(part)
            await target.send_eof()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            await source.aclose()
            await target.aclose()

    async def connected(stream: trio.SocketStream) -> None:
        try:
            server = await trio.open_tcp_stream("127.0.0.1", port)
        except OSError:
            return
        async with stream, server, trio.open_nursery() as nursery:
            nursery.start_soon(relayed, stream, server)
            nursery.start_soon(relayed, server, stream)

    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    print(listeners[0].socket.getsockname()[1], flush=True)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, connected, listeners)
        await trio.to_thread.run_sync(sys.stdin.read)
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(_serve, int(sys.argv[1]), float(sys.argv[2]))
