"""A browser without a window, spoken to in its own protocol over pipes (`--remote-debugging-pipe`)."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import pytest

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

    def visit(self, page: Path | str) -> None:
        """Open a file, or a URL, and return when it is loaded, with all that it shows."""
        self.events.clear()
        self.call("Page.navigate", url=page if isinstance(page, str) else page.as_uri())
        self._wait_for_load()

    def follow(self, link: str) -> None:
        """Click a link to another page, and return when that is loaded."""
        self.events.clear()
        self.run(f"document.querySelector({json.dumps(link)}).click()")
        self._wait_for_load()

    def _wait_for_load(self) -> None:
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._told())

    def value(self, expression: str) -> Any:
        """What an expression has for a value in the page."""
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def run(self, expression: str) -> Any:
        """What an expression comes to, as if a person had caused it; promises are waited for, errors raised."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True, userGesture=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def until(self, condition: str) -> None:
        """Return when a condition holds in the page: it is looked at before each picture."""
        self.run(
            "new Promise((found, failed) => { const end = performance.now() + 20000; const look = () => {"
            f" if ({condition}) found(true);"
            f" else if (performance.now() > end) failed(new Error({json.dumps(condition)}));"
            " else requestAnimationFrame(look); }; look(); })"
        )

    def press(self, key: str) -> None:
        """Press a key and let it go."""
        text = key if len(key) == 1 else ""
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, text=text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key)

    def window(self, width: int, height: int, *, dark: bool = False) -> None:
        """A window of this size, with light or dark colours; a narrow one is a phone."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def requested(self) -> list[str]:
        """The URLs that the page asked for."""
        return [
            event["params"]["request"]["url"]
            for event in self.events
            if event.get("method") == "Network.requestWillBeSent"
        ]

    def complaints(self) -> list[str]:
        """What the browser found wrong: refused by the page's policy, not found, broken; errors of its script."""
        logged = [event["params"]["entry"]["text"] for event in self.events if event.get("method") == "Log.entryAdded"]
        thrown = [event for event in self.events if event.get("method") == "Runtime.exceptionThrown"]
        return logged + [str(event["params"]["exceptionDetails"]) for event in thrown]

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
            for domain in ("Page", "Network", "Log", "Runtime"):
                one.call(f"{domain}.enable")
            yield one
            one.session = ""
            one.call("Browser.close")
        except BaseException:
            process.kill()
            raise
        finally:
            process.wait(timeout=LIMIT)


@pytest.fixture
def chromium(tmp_path: Path) -> Iterator[Browser]:
    """Chromium, where it is installed."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("chromium is not installed")
    with browser(program, tmp_path / "profile") as one:
        yield one
