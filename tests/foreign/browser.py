"""A browser without a window, spoken to in its own protocol over pipes (`--remote-debugging-pipe`)."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from tests.mount.world import LIMIT


@dataclass
class Browser:
    """One tab of a browser."""

    commands: IO[bytes]
    answers: IO[bytes]
    session: str = ""
    last: int = 0
    events: list[Mapping[str, Any]] = field(default_factory=list)

    def call(self, method: str, **parameters: Any) -> Any:
        """The result of a command; what the browser tells meanwhile is kept in `events`."""
        self.last += 1
        message: dict[str, Any] = {"id": self.last, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        self.commands.write(json.dumps(message).encode() + b"\0")
        self.commands.flush()
        while True:
            told = self._told()
            if told.get("id") == self.last:
                assert "error" not in told, told
                return told["result"]
            self.events.append(told)

    def visit(self, path: Path) -> None:
        """Open a file and return when it is loaded, with all that it shows."""
        self.events.clear()
        self.call("Page.navigate", url=path.as_uri())
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._told())

    def value(self, expression: str) -> Any:
        """What an expression has for a value in the page."""
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def requested(self) -> list[str]:
        """The URLs that the page asked for."""
        return [
            event["params"]["request"]["url"]
            for event in self.events
            if event.get("method") == "Network.requestWillBeSent"
        ]

    def complaints(self) -> list[str]:
        """What the browser found wrong: refused by the page's policy, not found, broken."""
        return [event["params"]["entry"]["text"] for event in self.events if event.get("method") == "Log.entryAdded"]

    def _told(self) -> Mapping[str, Any]:
        data = bytearray()
        while not data.endswith(b"\0"):
            byte = self.answers.read(1)
            assert byte, "the browser has ended"
            data += byte
        told: Mapping[str, Any] = json.loads(data[:-1])
        return told


@contextmanager
def browser(program: str, profile: Path) -> Iterator[Browser]:
    """A browser with one empty tab, as long as the context lasts."""
    their_commands, our_commands = os.pipe()
    our_answers, their_answers = os.pipe()
    arguments = [
        "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-extensions",
        "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
        "--remote-debugging-pipe", f"--user-data-dir={profile}",
    ]  # fmt: skip

    def hand_over() -> None:
        """The browser reads its commands from file 3 and writes to file 4."""
        high = [fcntl.fcntl(one, fcntl.F_DUPFD, 10) for one in (their_commands, their_answers)]
        os.dup2(high[0], 3)
        os.dup2(high[1], 4)

    process = subprocess.Popen(
        [program, *arguments, "about:blank"],
        pass_fds=(3, 4),
        preexec_fn=hand_over,  # noqa: PLW1509  these tests start no thread
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(their_commands)
    os.close(their_answers)
    with open(our_commands, "wb") as commands, open(our_answers, "rb") as answers:
        one = Browser(commands, answers)
        try:
            target = one.call("Target.createTarget", url="about:blank")["targetId"]
            one.session = one.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in ("Page", "Network", "Log"):
                one.call(f"{domain}.enable")
            yield one
            one.session = ""
            one.call("Browser.close")
        except BaseException:
            process.kill()
            raise
        finally:
            process.wait(timeout=LIMIT)
