"""Ports of 127.0.0.1."""

from __future__ import annotations

import socket


def free_port() -> int:
    """A port of 127.0.0.1 that no process listens on."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        return port


def answers(port: int) -> bool:
    """Whether a process accepts connections on a port of 127.0.0.1."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
