"""The course page and the overview of all courses as HTML (pure).

A page holds no script and no style of its own, and its policy lets a browser load only files beside it. The same input
gives the same bytes. What changes although the course does not, is in the progress script.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from itertools import groupby
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from coursefs.pages.cleaning import link_target
from coursefs.pages.course_page.model import CoursePage, CoursesOverview
from coursefs.pages.course_page.outline import items, rows
from coursefs.pages.course_page.texts import counted, key_of, length, line, link, seconds_of
from coursefs.pages.documents import environment

if TYPE_CHECKING:
    from jinja2 import Environment

#: `file:` is for a page opened from the mount, where browsers give files no origin; 'self' for a web server, which
#: live.js asks. Icons of the stylesheet are `data:` URLs.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' file:",
        "style-src 'self' file:",
        "img-src 'self' file: data:",
        "media-src 'self' file:",
        "connect-src 'self'",
        "frame-src 'self' file:",
        "base-uri 'none'",
        "form-action 'none'",
    )
)
_SPEEDS = ("0.5", "0.75", "1", "1.25", "1.5", "1.75", "2", "2.5", "3")
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")


def index_html(page: CoursePage) -> bytes:
    """The page of a course: a complete HTML5 document in UTF-8, readable without its script."""
    target = link_target(page.url)
    host = urlsplit(target).hostname if target else None
    return _rendered(
        "course.html.jinja",
        kind="course",
        page=page,
        title=line(page.title) or "Untitled",
        # the words of the page itself are English, and screen readers need a language
        language=page.language if page.language and _LANGUAGE.fullmatch(page.language) else "en",
        first="outline",
        first_name="outline",
        facts=_facts(page),
        url=target,
        host=host.removeprefix("www.") if host else "the platform",
        speeds=_SPEEDS,
        rows=list(rows(page)),
    )


def overview_html(page: CoursesOverview) -> bytes:
    """The page of all courses: a complete HTML5 document in UTF-8, by account."""
    ordered = sorted(page.courses, key=lambda course: course.account)
    accounts = [
        (
            line(account),
            [
                {
                    "key": key_of(course.key),
                    "href": link(f"{course.path}/index.html"),
                    "title": line(course.title) or "Untitled",
                    "count": "" if course.items is None else counted(course.items, "item"),
                }
                for course in courses
            ],
        )
        for account, courses in groupby(ordered, key=lambda course: course.account)
    ]
    return _rendered(
        "overview.html.jinja",
        kind="overview",
        page=page,
        title=line(page.title) or "Courses",
        language="en",
        first="main",
        first_name="courses",
        facts=counted(len(page.courses), "course"),
        accounts=accounts,
    )


@cache
def assets() -> Mapping[str, bytes]:
    """The script and the stylesheet of every page, by their names in `index.files/`, and the script of served pages."""
    folder = resources.files("coursefs.pages.course_page") / "assets"
    return {name: (folder / name).read_bytes() for name in ("page.css", "page.js", "live.js")}


@cache
def _templates() -> Environment:
    templates = environment()
    templates.filters |= {"path": link, "key": key_of}
    return templates


def _rendered(template: str, **values: object) -> bytes:
    text = _templates().get_template(template).render(policy=POLICY, **values)
    return text.encode("utf-8", "replace")  # a lone surrogate has no UTF-8: write `?`


def _facts(page: CoursePage) -> str:
    found = list(items(page))
    seconds = sum(seconds_of(item.duration) or 0 for item in found)
    parts = [
        counted(len(page.sections), "module" if all(one.kind == "module" for one in page.sections) else "section")
        if page.sections
        else "",
        counted(len(found), "item"),
        length(seconds) if seconds else "",
    ]
    return " · ".join(part for part in parts if part)
