"""What an answer of the API, or a page, means where it is not what was asked for (pure).

Errors come as `{"developer_message": …, "error_code"?}`, `{"message": …}` or `{"detail": …}`, and as web pages of the
site or of what stands before it.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote, urlsplit

from coursefs.errors import BadReply, Gone, NotAllowed, RouteGone
from coursefs.providers.fields import text
from coursefs.transport import Reply


def api_json(reply: Reply, what: str) -> Any:
    """The JSON of a reply of any status, an object or a list, or the error that it means; `what` was asked for.

    404 is a missing object where the API says so in JSON, and a missing route where the site answers with a page.
    """
    try:
        body = json.loads(reply.body)
    except (ValueError, RecursionError):
        body = None
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
    """The HTML of a page that was asked for at `url`, or the error that it means.

    Where content is kept back until something else is done, the platform leads to the page that says so: such a page
    is never taken for the content.
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
        raise BadReply("the page of this unit: something else than a page came")
    return reply.body.decode("utf-8", "replace")


def _said(body: object) -> str:
    """The platform's own words, made safe for one line of a message."""
    found = ""
    if isinstance(body, dict):
        found = next((said for name in ("developer_message", "message", "detail") if (said := text(body, name))), "")
    line = " ".join("".join(c if c.isprintable() else " " for c in found).split())[:120]
    return f": {line}" if line else ""
