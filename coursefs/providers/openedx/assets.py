"""The files of a course that its texts refer to (pure).

No API lists them: they are found in links, as `/asset-v1:ORG+COURSE+RUN+type@asset+block@NAME`, with a digest before it
(`/assets/courseware/v1/<md5>/asset-v1:…`), as `/c4x/ORG/COURSE/asset/NAME` of old courses, or as `/static/NAME` in
texts that the server has not rendered.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote, urljoin, urlsplit

from coursefs.providers.filenames import FileName, file_name, mime_type
from coursefs.providers.openedx.keys import asset_path
from coursefs.providers.openedx.session import is_own

_ASSET = re.compile(
    r"(?:/assets/courseware(?:/v\d+)?/[0-9a-f]+)?"
    r"(?P<key>/asset-v1:[^/]+\+type@asset\+block@(?P<new>[^/]+)|/c4x/[^/]+/[^/]+/asset/(?P<old>[^/]+))"
)
#: what runs in a browser, or is a part of what does: linked to on the web, never put beside a page
_ACTIVE = frozenset({".html", ".htm", ".xhtml", ".js", ".mjs", ".css", ".svg", ".xml", ".swf", ".map"})


@dataclass(frozen=True, slots=True)
class Asset:
    """One file of a course."""

    path: str  # on the server, not encoded, without a digest: the same whatever version it has
    name: FileName

    @property
    def id(self) -> str:
        """What tells it from all others."""
        return self.path.lstrip("/")

    @property
    def is_image(self) -> bool:
        """Whether it is something that a page shows."""
        return mime_type(self.name.extension).startswith("image/")


def asset(url: str, *, base_url: str, course_key: str, raw: bool) -> Asset | None:
    """The asset that a link in a text of this course leads to; None: something else.

    `raw`: the text was not rendered by the server, so that `/static/…` are files of the course and not of the site.
    """
    try:
        absolute = urljoin(f"{base_url}/", url.strip())
        path = unquote(urlsplit(absolute).path)
    except ValueError:
        return None
    if not is_own(base_url, absolute) or not path.isprintable():
        return None
    if raw and path.startswith("/static/"):
        path = asset_path(course_key, path.removeprefix("/static/"))
    match = _ASSET.fullmatch(path)
    if match is None:
        return None
    name = file_name((match["new"] or match["old"]).replace("_", " "), "")
    return None if name.extension in _ACTIVE else Asset(match["key"], name)
