"""What an answer of Panopto's API means by its status and body (pure).

Facts: 400 and 404 bring `{"Error": {…}}`, 401 and 403 may be empty, 5xx may be a web page; pages behind the cookie do
not refuse, they send their sign-in page with the status of success.
"""

from __future__ import annotations

import json

from coursefs.errors import BadReply, CoursefsError, Gone, NoAnswer, NotAllowed, NotSignedIn, RouteGone
from coursefs.providers.panopto.replies import said
from coursefs.transport import Reply


def content_of(reply: Reply, *, what: str, sign_in_again: str) -> object:
    """The JSON of a reply, or the error that it means.  `what` was asked for; `sign_in_again` says what to do."""
    try:
        content = json.loads(reply.body)
    except (ValueError, RecursionError):
        content = None
    if reply.status == 200 and content is not None:
        return content
    raise _error(reply.status, content, what, sign_in_again)


def _error(status: int, content: object, what: str, sign_in_again: str) -> CoursefsError:
    words = said(content)
    because = f": {words}" if words else ""
    match status:
        case 401:
            return NotSignedIn(sign_in_again)
        case 403:
            return NotAllowed(f"{what}: the platform refuses it{because}")
        case 404 if content is not None:
            return Gone(f"{what}: the platform does not have it{because}")
        case 200 | 404 | 405:
            return RouteGone(f"{what}: the platform no longer has this route (HTTP {status})")
        case 429:
            return NoAnswer(f"{what}: the platform was asked too often; coursefs asks again later")
        case _:
            return BadReply(f"{what}: the platform answered HTTP {status}{because}")
