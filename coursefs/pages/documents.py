"""Complete HTML documents: the frame around a reading, and the link page for an item without a file.

A document is self-contained: one file with its style, no script, and a content security policy that lets a browser load
only files beside it. The same input gives the same bytes, because sizes and checksums must not change between mounts.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from markupsafe import Markup

from coursefs.pages.cleaning import in_new_tabs, link_target, plain

if TYPE_CHECKING:
    from jinja2 import Environment

_STYLE = (resources.files("coursefs.pages") / "templates" / "style.css").read_text(encoding="utf-8")

#: `file:` is for a page opened from the mount, where browsers give files no origin; 'self' for a copy on a web server
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'sha256-" + base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode() + "'",
        "img-src 'self' file:",
        "media-src 'self' file:",
        "base-uri 'none'",
        "form-action 'none'",
    )
)
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")


def environment() -> Environment:
    """The templates of this package: everything is escaped, and a value that is missing is an error."""
    import jinja2  # late: a mount whose courses are known renders nothing at its start, and starts earlier without it

    return jinja2.Environment(
        loader=jinja2.PackageLoader("coursefs.pages"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


_templates = cache(environment)


def document(*, title: str, body: str, url: str | None, language: str | None = None, course: str | None = None) -> str:
    """A complete HTML5 document around `body`.

    `body` is markup that is already clean (`coursefs.pages.cleaning.safe`) and whose headings begin at `h2`; all other
    arguments are plain text. `url`: the web page of the item, linked at the end. `language`: a BCP 47 tag.
    """
    clean = Markup(in_new_tabs(body))  # noqa: S704 - clean by contract
    return _document(title=_line(title) or "Untitled", body=clean, url=url, language=language, course=course)


def link_page(*, title: str, what: str, reason: str, url: str | None, course: str | None = None) -> str:
    """A complete HTML5 document in place of a file, with a link to the item's web page.

    `what` is its kind for a person ("Quiz"), `reason` a sentence that says why there is no file.
    """
    target = link_target(url)
    notice = (
        _templates()
        .get_template("link.html.jinja")
        .render(what=_line(what), reason=_line(reason), url=target, host=_host(target))
    )
    return _document(title=_line(title) or _line(what), body=Markup(notice), url=None, language="en", course=course)  # noqa: S704 - of our own template


def _document(*, title: str, body: Markup, url: str | None, language: str | None, course: str | None) -> str:
    target = link_target(url)
    return (
        _templates()
        .get_template("document.html.jinja")
        .render(
            title=title,
            body=body,
            course=_line(course or ""),
            language=language if language and _LANGUAGE.fullmatch(language) else "",
            url=target,
            host=_host(target),
            policy=_POLICY,
            style=Markup(_STYLE),  # noqa: S704 - a file of this package
        )
    )


def _line(text: str) -> str:
    return " ".join(plain(text).split())


def _host(url: str | None) -> str:
    """The text of a link to this URL: `coursera.org`, or "the platform" if the URL has no host."""
    host = urlsplit(url).hostname if url else None
    return host.removeprefix("www.") if host else "the platform"
