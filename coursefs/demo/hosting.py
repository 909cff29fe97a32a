"""Serving ASGI applications on ports of 127.0.0.1.

A module of its own because all three sample platforms use it.
"""

from __future__ import annotations

import socket
from typing import cast

import trio
from hypercorn.config import Config
from hypercorn.trio import serve
from hypercorn.typing import Framework
from starlette.types import ASGIApp


async def serve_on(app: ASGIApp, port: socket.socket, *, task_status: trio.TaskStatus[list[str]]) -> None:
    """Serve an application on the port of a bound socket.

    The socket itself never listens: it reserves the port while nothing is served, so that connections are refused.
    """
    config = Config()
    config.bind = [f"fd://{bound_to(port.getsockname()[1]).detach()}"]  # closed by the server
    config.loglevel = "ERROR"
    config.include_server_header = False
    config.keep_alive_timeout = 60
    await serve(cast("Framework", app), config, mode="asgi", task_status=task_status)


def bound_to(port: int) -> socket.socket:
    """A socket bound to a port of 127.0.0.1; 0: any free one. Raises `OSError` if the port is taken."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        bound.bind(("127.0.0.1", port))
    except OSError:
        bound.close()
        raise
    return bound


def url_of(bound: socket.socket) -> str:
    """The URL of the application served on a socket's port."""
    host, port = bound.getsockname()
    return f"http://{host}:{port}"
