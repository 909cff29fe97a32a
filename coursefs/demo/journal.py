"""What was asked of the platform: every request, for tests to look at.  No query, cookie or signature is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send


@dataclass(slots=True)
class Entry:
    """One request, and its reply as far as it has gone."""

    port: str  # "api" or "cdn"; "panopto" or "panopto-cdn"
    method: str
    path: str
    range: str | None
    status: int | None = None  # None: no reply yet
    bytes: int = 0  # of the body, handed to the connection so far
    done: bool = False  # the reply is complete
    open: bool = True  # the platform is still at it; neither open nor done: the client went away
    notes: list[str] = field(
        default_factory=list
    )  # "write": tries to change something; "leak": a secret to the media host


class Journal:
    """The requests since the last `clear`, in the order in which they came."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []

    @property
    def entries(self) -> list[Entry]:
        """The requests so far."""
        return list(self._entries)

    def clear(self) -> None:
        """Forget them."""
        self._entries.clear()

    def as_json(self) -> list[Mapping[str, object]]:
        """The requests as the control port shows them."""
        return [asdict(entry) for entry in self._entries]

    def recording(self, app: ASGIApp, port: str) -> ASGIApp:
        """The same application, every request to it written down."""

        async def recorded(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            headers = Headers(scope=scope)
            entry = Entry(port, scope["method"], scope["path"], headers.get("range"))
            self._entries.append(entry)
            if port.endswith("cdn") and ("cookie" in headers or "authorization" in headers):
                entry.notes.append("leak")
            if scope["method"] not in {"GET", "HEAD", "OPTIONS"}:
                entry.notes.append("write")

            async def counted(message: Message) -> None:
                if message["type"] == "http.response.start":
                    entry.status = message["status"]
                elif message["type"] == "http.response.body":
                    if entry.method != "HEAD":
                        entry.bytes += len(message.get("body", b""))
                    entry.done = not message.get("more_body", False)
                await send(message)

            try:
                await app(scope, receive, counted)
            finally:
                entry.open = False

        return recorded
