"""Naptime, the protocol of Coursera's API: its envelope and its errors (pure)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from coursefs.errors import BadReply, CoursefsError, Gone, NotAllowed, NotSignedIn, RouteGone
from coursefs.providers.fields import Json, record, rows, text
from coursefs.transport import Reply

_CONFUSED_DEPUTY = b"Confused deputy"


@dataclass(frozen=True, slots=True)
class Envelope:
    """What every good reply is: elements, the objects they refer to, and where the next page starts."""

    elements: tuple[Json, ...]
    linked: Json
    next: str  # opaque; "": this is the last page
    tag: str | None = None  # the reply's ETag
    whole: Json = field(default_factory=dict, repr=False)  # of a route that is older than the envelope: all it said

    def related(self, resource: str) -> tuple[Json, ...]:
        """The linked objects of a resource, such as `courses.v1`."""
        return rows(self.linked, resource)


def is_random_refusal(reply: Reply) -> bool:
    """Whether this is the guard that refuses GETs at random, late in long runs: worth asking again."""
    return reply.status == 400 and reply.body.lstrip().startswith(_CONFUSED_DEPUTY)


def envelope(reply: Reply, *, what: str, sign_in_again: str, bare: bool = False) -> Envelope:
    """The envelope of a reply of any status, or the error that it means.

    `what` was asked for (`lecture video`); `sign_in_again` is the message of `NotSignedIn`; `bare`: the route is older
    than the envelope.  The status alone says too little: 403 is a dead session or one locked item, 404 a missing
    object or a route that was removed.
    """
    content = _json_object(reply)
    if reply.status == 200 and content is not None:
        if bare:
            return Envelope((), {}, "", tag=reply.headers.get("etag"), whole=content)
        if not isinstance(content.get("elements"), list):
            raise BadReply(f"{what}: the platform's answer holds no list of elements")
        return Envelope(
            elements=rows(content, "elements"),
            linked=record(content, "linked"),
            next=text(record(content, "paging"), "next"),
            tag=reply.headers.get("etag"),
        )
    raise _error(reply.status, content, _is_markup_or_empty(reply), what, sign_in_again)


def _error(status: int, content: Json | None, not_data: bool, what: str, sign_in_again: str) -> CoursefsError:
    code = text(content or {}, "errorCode")
    route_gone = RouteGone(f"{what}: the platform no longer has this route (HTTP {status})")
    if status == 401 or (status == 403 and code == "Not Authorized"):
        return NotSignedIn(sign_in_again)
    if status == 403 and content is not None:
        return NotAllowed(f"{what}: {_said(content) or 'the platform refuses it'}")
    routing = content is not None and text(content, "msg").startswith("Routing error")
    if status == 405 or (status in (400, 404) and routing) or (status in (200, 404) and not_data):
        return route_gone
    if status == 404 and content is not None:
        return Gone(f"{what}: the platform does not have it")
    return BadReply(f"{what}: the platform answered HTTP {status} without what was asked for")


def _json_object(reply: Reply) -> Json | None:
    try:
        content = json.loads(reply.body)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _is_markup_or_empty(reply: Reply) -> bool:
    return reply.body.lstrip()[:1] not in (b"{", b"[")


def _said(content: Json) -> str:
    """The platform's own words, made safe for one line of a message."""
    return " ".join("".join(c if c.isprintable() else " " for c in text(content, "message")).split())[:120]
