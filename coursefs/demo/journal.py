"""The request journal, for tests. Queries, cookies and signatures are not recorded."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send


@dataclass(slots=True)
class Entry:
    """One request, and the state of its reply."""

    port: str  # "api" or "cdn"; "panopto" or "panopto-cdn"
    method: str
    path: str
    range: str | None
    status: int | None = None  # None: no reply yet
    bytes: int = 0  # of the body, handed to the connection so far
    done: bool = False  # the reply is complete
    open: bool = True  # the reply is being sent; neither open nor done: the client disconnected
    #: "write": tries to change something; "mutation": in GraphQL; "leak": a secret to the media host
    notes: list[str] = field(default_factory=list)
    operation: str | None = None  # of a GraphQL request that reads


class Journal:
    """The requests since the last `clear`, in order of arrival."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        #: how many GraphQL requests could have changed something, also those that were cleared
        self.mutations = 0

    @property
    def entries(self) -> list[Entry]:
        """The requests so far."""
        return list(self._entries)

    def clear(self) -> None:
        """Delete all entries."""
        self._entries.clear()

    def as_json(self) -> list[Mapping[str, object]]:
        """The requests as JSON for the control port."""
        return [asdict(entry) for entry in self._entries]

    def recording(self, app: ASGIApp, port: str, *, reads: Collection[str] = ()) -> ASGIApp:
        """Wrap an application so that every request to it is recorded; `reads`: paths whose POST only reads."""

        async def recorded(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            headers = Headers(scope=scope)
            entry = Entry(port, scope["method"], scope["path"], headers.get("range"))
            self._entries.append(entry)
            if port.endswith("cdn") and ("cookie" in headers or "authorization" in headers):
                entry.notes.append("leak")
            if scope["method"] not in {"GET", "HEAD", "OPTIONS"} and scope["path"] not in reads:
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
                await app({**scope, "coursefs.entry": entry}, receive, counted)
            finally:
                entry.open = False

        return recorded
