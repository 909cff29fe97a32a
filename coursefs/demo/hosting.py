"""Applications on ports of 127.0.0.1."""

from __future__ import annotations

import socket
from typing import cast

import trio
from hypercorn.config import Config
from hypercorn.trio import serve
from hypercorn.typing import Framework
from starlette.types import ASGIApp


async def serve_on(app: ASGIApp, port: socket.socket, *, task_status: trio.TaskStatus[list[str]]) -> None:
    """Serve an application on the port that a socket holds.

    The socket itself never listens: it keeps the port while nobody serves there, so that connections are refused.
    """
    config = Config()
    config.bind = [f"fd://{bound_to(port.getsockname()[1]).detach()}"]  # closed by the server
    config.loglevel = "ERROR"
    config.include_server_header = False
    config.keep_alive_timeout = 60
    await serve(cast("Framework", app), config, mode="asgi", task_status=task_status)


def bound_to(port: int) -> socket.socket:
    """A socket that holds a port of 127.0.0.1, any free one for 0.  Raises `OSError` when it is taken."""
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
    """The address of what is served on the port that a socket holds."""
    host, port = bound.getsockname()
    return f"http://{host}:{port}"
