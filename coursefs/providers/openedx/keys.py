"""Ids of courses, blocks and assets in both formats, and the addresses made from them (pure).

`course-v1:ORG+COURSE+RUN`, `block-v1:ORG+COURSE+RUN+type@video+block@ID` and `asset-v1:…`; until 2014 `ORG/COURSE/RUN`,
`i4x://ORG/COURSE/video/ID` (in pages `i4x:;_;_ORG;_…`) and `/c4x/ORG/COURSE/asset/NAME`.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

from coursefs.providers.kit.fields import Json, text

_COURSE = re.compile(r"course-v1:([^\s+/@:]+)\+([^\s+/@:]+)\+([^\s+/@:]+)|([^\s/+:@]+)/([^\s/+:@]+)/([^\s/+:@]+)")
_KEY = re.compile(r"\S{1,400}")
_NEW_IN_PATH = re.compile(r"/(course-v1:[^\s+/@:]+\+[^\s+/@:]+\+[^\s+/@:]+)(?=/|$)")
_OLD_IN_PATH = re.compile(r"^/courses/([^\s+/@:]+/[^\s+/@:]+/[^\s+/@:]+)(?=/|$)")
_TYPE = re.compile(r"block-v1:.+\+type@(\w+)\+block@.+|i4x://[^/]+/[^/]+/(\w+)/.+")
_QUOTED_SLASHES = re.compile(r";([_;])")


class CourseId(NamedTuple):
    """The parts of a course's id."""

    org: str
    number: str
    run: str


def course_id(key: str) -> CourseId | None:
    """The parts of a course id in either format; None when it is none."""
    match = _COURSE.fullmatch(key)
    return CourseId(*(part for part in match.groups() if part is not None)) if match else None


def course_slug(key: str) -> str:
    """`ORG+COURSE+RUN`, which is easy to type and can be part of a path; the id itself in any other format."""
    parts = course_id(key)
    return "+".join(parts) if parts else key.replace("/", "+")


def course_meant(words: str) -> str:
    """The id of the course that an id, a slug or the address of one of its pages names; "" when none matches."""
    if "://" not in words:
        return next((key for key in (words, f"course-v1:{words}") if course_id(key)), "")
    try:
        path = unquote(urlsplit(words).path)
    except ValueError:
        return ""
    match = _NEW_IN_PATH.search(path) or _OLD_IN_PATH.search(path)
    return match[1] if match else ""


def key_of(source: Json, name: str) -> str:
    """An id in a reply: printable, without blanks, at most 400 characters; "" when there is none."""
    value = text(source, name)
    return value if _KEY.fullmatch(value) and value.isprintable() else ""


def block_id(usage_key: str) -> str:
    """The part of a usage key that identifies the block: a hash, or a name from the author."""
    return re.split("[@/]", usage_key)[-1]


def block_type(usage_key: str) -> str:
    """The type in a usage key: `sequential`; "" when there is none."""
    match = _TYPE.fullmatch(usage_key)
    return (match[1] or match[2]) if match else ""


def jump_target(url: str) -> str:
    """The usage key of the block to which a link leads; "" when it leads to no block."""
    try:
        path = urlsplit(url).path
    except ValueError:
        return ""
    return unquote(path.partition("/jump_to/")[2]).rstrip("/")


def unquoted_slashes(usage_key: str) -> str:
    """The API's form of a usage key from a page, where old keys have `;_` for a slash and `;;` for a semicolon."""
    return _QUOTED_SLASHES.sub(lambda match: "/" if match[1] == "_" else ";", usage_key)


def course_url(base_url: str, key: str) -> str:
    """The web page of a course."""
    return f"{base_url}/courses/{quoted(key)}/course/"


def block_url(base_url: str, course_key: str, usage_key: str) -> str:
    """The web page of a block."""
    return f"{base_url}/courses/{quoted(course_key)}/jump_to/{quoted(usage_key)}"


def asset_path(course_key: str, name: str) -> str:
    """The path of the asset that texts of a course call `/static/NAME`; "" for a course id in an unknown format."""
    parts = course_id(course_key)
    if parts is None:
        return ""
    name = name.replace("/", "_")
    if course_key.startswith("course-v1:"):
        return f"/asset-v1:{'+'.join(parts)}+type@asset+block@{name}"
    return f"/c4x/{parts.org}/{parts.number}/asset/{name}"


def quoted(key: str) -> str:
    """An id encoded for a path; the platform's routes need `+`, `:`, `@` and the slashes of old ids unencoded."""
    return quote(key, safe="+:@/~")
