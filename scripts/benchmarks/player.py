"""mpv as a student uses it, driven over its control socket: time to the first frame, seeks, pauses while it plays."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

#: seconds that one step of a player may take
_LIMIT = 120.0
#: as a user has it, but it shows and plays nothing; no settings and scripts of this machine
_OPTIONS = ("--no-config", "--idle", "--vo=null", "--ao=null", "--msg-level=all=no", "--ytdl=no", "--keep-open=yes")


class PlayerFailed(Exception):
    """mpv did not do what it was told."""


class Player:
    """One mpv without a window."""

    def __init__(self, connection: socket.socket, process: subprocess.Popen[bytes]) -> None:
        self._connection = connection
        self._process = process
        self._received = b""
        self._number = 0
        #: seconds, from the call of `play`, at which mpv paused because nothing had come, and went on
        self.underruns: list[tuple[float, float | None]] = []
        self._begun = time.perf_counter()

    def play(self, what: str) -> float:
        """Load a file or a URL; returns the seconds until it shows."""
        self._send("observe_property", 1, "paused-for-cache")
        self._begun = time.perf_counter()
        self._send("loadfile", what)
        self._wait("playback-restart")
        return time.perf_counter() - self._begun

    def seek(self, seconds: float) -> float:
        """Seek to a place by key frame, as the arrow keys do; returns the seconds until it plays there."""
        begun = time.perf_counter()
        self._send("seek", seconds, "absolute+keyframes")
        self._wait("playback-restart")
        return time.perf_counter() - begun

    def watch(self, seconds: float) -> None:
        """Go on playing."""
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            self._event(left)

    def _send(self, *command: object) -> None:
        self._number += 1
        self._connection.sendall(json.dumps({"command": command, "request_id": self._number}).encode() + b"\n")

    def _wait(self, name: str) -> None:
        end = time.perf_counter() + _LIMIT
        while (left := end - time.perf_counter()) > 0:
            event = self._event(left)
            if event is not None and event.get("event") == name:
                return
            if event is not None and event.get("event") == "end-file" and event.get("reason") == "error":
                raise PlayerFailed(f"mpv cannot play it: {event}")
        raise PlayerFailed(f"no {name} within {_LIMIT:.0f} s")

    def _event(self, patience: float) -> dict[str, Any] | None:
        while b"\n" not in self._received:
            self._connection.settimeout(max(patience, 0.001))
            try:
                data = self._connection.recv(65536)
            except TimeoutError:
                return None
            if not data:
                raise PlayerFailed("mpv has ended")
            self._received += data
        line, _, self._received = self._received.partition(b"\n")
        event: dict[str, Any] = json.loads(line)
        if event.get("event") == "property-change" and event.get("name") == "paused-for-cache":
            at = time.perf_counter() - self._begun
            if event.get("data"):
                self.underruns.append((at, None))
            elif self.underruns and self.underruns[-1][1] is None:
                self.underruns[-1] = (self.underruns[-1][0], at)
        return event


@contextlib.contextmanager
def player() -> Iterator[Player]:
    """A player that waits for something to play; it ends with the context."""
    with tempfile.TemporaryDirectory() as folder:
        address = Path(folder) / "mpv"
        process = subprocess.Popen(
            ["mpv", *_OPTIONS, f"--input-ipc-server={address}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"HOME": folder},
            start_new_session=True,
        )
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                _connect(connection, address, process)
                yield Player(connection, process)
        finally:
            process.kill()
            process.wait(_LIMIT)


def _connect(connection: socket.socket, address: Path, process: subprocess.Popen[bytes]) -> None:
    end = time.perf_counter() + _LIMIT
    while True:
        try:
            connection.connect(str(address))
        except OSError:
            if process.poll() is not None or time.perf_counter() > end:
                raise PlayerFailed("mpv does not start") from None
            time.sleep(0.02)
        else:
            return
