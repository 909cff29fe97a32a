"""Naptime, the protocol of Coursera's API: its envelope and its errors (pure)."""

from __future__ import annotations

from dataclasses import dataclass, field

from coursefs.errors import BadReply, CoursefsError, Gone, NotAllowed, NotSignedIn, RouteGone
from coursefs.providers.kit.fields import Json, record, rows, text
from coursefs.transport import Reply, parse_json
from coursefs.transport.parsing import sendable

_CONFUSED_DEPUTY = b"Confused deputy"


@dataclass(frozen=True, slots=True)
class Envelope:
    """The envelope of a good reply: elements, the objects linked to them, and the start of the next page."""

    elements: tuple[Json, ...]
    linked: Json
    next: str  # opaque; "": this is the last page
    tag: str | None = None  # the reply's ETag
    whole: Json = field(default_factory=dict, repr=False)  # the complete reply of a route older than the envelope

    def related(self, resource: str) -> tuple[Json, ...]:
        """The linked objects of a resource, such as `courses.v1`."""
        return rows(self.linked, resource)


def is_random_refusal(reply: Reply) -> bool:
    """Whether this is a refusal of the guard that refuses GETs at random, late in long runs; a retry may succeed."""
    return reply.status == 400 and reply.body.lstrip().startswith(_CONFUSED_DEPUTY)


def envelope(reply: Reply, *, what: str, sign_in_again: str, bare: bool = False) -> Envelope:
    """The envelope of a reply of any status, or the error that it means.

    `what` names the request in messages (`lecture video`); `sign_in_again` is the message of `NotSignedIn`; `bare`: the
    route is older than the envelope.  The status is ambiguous, so the body is examined too: 403 is an ended session or
    one locked item, 404 a missing object or a removed route.
    """
    content = _json_object(reply)
    if reply.status == 200 and content is not None:
        if bare:
            return Envelope((), {}, "", tag=sendable(reply.headers.get("etag")), whole=content)
        if not isinstance(content.get("elements"), list):
            raise BadReply(f"{what}: the platform's answer holds no list of elements")
        return Envelope(
            elements=rows(content, "elements"),
            linked=record(content, "linked"),
            next=text(record(content, "paging"), "next"),
            tag=sendable(reply.headers.get("etag")),
        )
    raise refusal(reply, what=what, sign_in_again=sign_in_again)


def refusal(reply: Reply, *, what: str, sign_in_again: str) -> CoursefsError:
    """The error that a reply means which does not have what was asked for."""
    return _error(reply.status, _json_object(reply), _is_markup_or_empty(reply), what, sign_in_again)


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
    content = parse_json(reply.body)
    return content if isinstance(content, dict) else None


def _is_markup_or_empty(reply: Reply) -> bool:
    return reply.body.lstrip()[:1] not in (b"{", b"[")


def _said(content: Json) -> str:
    """The platform's error message, made safe for one line."""
    return " ".join("".join(c if c.isprintable() else " " for c in text(content, "message")).split())[:120]
