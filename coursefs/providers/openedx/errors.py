"""Errors of the API and of pages: the exception that a reply means (pure).

Errors are `{"developer_message": …, "error_code"?}`, `{"message": …}` or `{"detail": …}`, or web pages of the site or
of a proxy in front of it.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

from coursefs.errors import BadReply, Gone, NotAllowed, RouteGone
from coursefs.providers.kit.fields import text
from coursefs.transport import Reply, parse_json


def api_json(reply: Reply, what: str) -> Any:
    """The JSON of a reply, an object or a list.  Raises the error that it means; `what` names the request in it.

    404 with JSON is a missing object (`Gone`), 404 with a web page a missing route (`RouteGone`).
    """
    body = parse_json(reply.body)
    is_data = isinstance(body, (dict, list))
    if reply.status == 200 and is_data:
        return body
    if reply.status == 404 and is_data:
        raise Gone(f"{what}: the platform does not have it{_said(body)}")
    if reply.status in {404, 405, 410} or (reply.status == 200 and reply.body.lstrip()[:1] == b"<"):
        raise RouteGone(f"{what}: the platform does not have this route (HTTP {reply.status})")
    if reply.status in {401, 403}:
        raise NotAllowed(f"{what}: the platform refuses it{_said(body)}")
    raise BadReply(f"{what}: the platform answered HTTP {reply.status} without what was asked for{_said(body)}")


def page_text(url: str, reply: Reply) -> str:
    """The HTML of the page at `url`.  Raises the error that the reply means.

    For content with an unmet condition the platform redirects to a page that says so; this page is an error, never the
    content.
    """
    if reply.status == 403:
        raise NotAllowed("the platform refuses to show this, as it does with exams")
    if reply.status in {404, 410}:
        raise Gone("the platform does not show this to you")
    if reply.status != 200:
        raise BadReply(f"the page of this unit: the platform answered HTTP {reply.status}")
    asked, came = (unquote(urlsplit(one).path).rstrip("/") for one in (url, reply.url))
    if asked != came:
        raise NotAllowed("the platform shows this only after something else was done: see its web page")
    if not reply.headers.get("content-type", "text/html").lower().startswith("text/html"):
        raise BadReply("the page of this unit: the answer is not a page")
    return reply.body.decode("utf-8", "replace")


def _said(body: object) -> str:
    """The platform's error message, made safe for one line."""
    found = ""
    if isinstance(body, dict):
        found = next((said for name in ("developer_message", "message", "detail") if (said := text(body, name))), "")
    line = " ".join("".join(c if c.isprintable() else " " for c in found).split())[:120]
    return f": {line}" if line else ""
