"""Telling the service manager how a service is: the protocol of sd_notify(3)."""

from __future__ import annotations

import os
import socket
import time

#: names the socket of the service manager
VARIABLE = "NOTIFY_SOCKET"


class Manager:
    """The service manager that started this process, or nobody.  What it cannot be told is left unsaid."""

    def __init__(self) -> None:
        """Take its address out of the environment, so that no child speaks in our name."""
        self._address = os.environ.pop(VARIABLE, "")

    def __bool__(self) -> bool:
        return bool(self._address)

    def ready(self, status: str) -> None:
        """The service does its work; also said after `reloading`."""
        self._say(READY=1, STATUS=status)

    def reloading(self) -> None:
        """The settings are being read again; `ready` follows."""
        self._say(RELOADING=1, MONOTONIC_USEC=time.monotonic_ns() // 1000)

    def stopping(self, status: str = "") -> None:
        """The service is ending, and why where that is a failure."""
        self._say(STOPPING=1, STATUS=status)

    def _say(self, **what: object) -> None:
        if not self._address:
            return
        text = "\n".join(f"{name}={' '.join(str(value).split())}" for name, value in what.items() if value != "")
        address = self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as told:
                told.settimeout(1.0)
                told.sendto(text.encode(), "\0" + address[1:] if address.startswith("@") else address)
        except OSError:
            return
