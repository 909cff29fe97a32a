"""The assets of a course, found in its texts, and the pages with those texts (pure).

No API lists them; links have these forms: `/asset-v1:ORG+COURSE+RUN+type@asset+block@NAME`; in rendered pages the same
with `block/` and a digest (`/assets/courseware/v1/<md5>/asset-v1:…+block/NAME`); in old courses
`/c4x/ORG/COURSE/asset/NAME`; in texts that the server has not rendered `/static/NAME`.  Sites may link to a host of
their own for public files; the server itself has them at the same path.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import unquote, urljoin, urlsplit

from coursefs.model import Course, File, Item, Kind, Page, Placement, Remote
from coursefs.pages import beside_url, document
from coursefs.pages.cleaning import link_target
from coursefs.providers.kit.files import FileName, file_name, is_active, mime_type
from coursefs.providers.openedx.keys import asset_path
from coursefs.providers.openedx.session import is_own

_ASSET = re.compile(
    r"(?:/assets/courseware(?:/v\d+)?/[0-9a-f]+)?"
    r"(?P<key>/asset-v1:(?P<course>[^/]+)\+type@asset\+block[@/](?P<new>[^/]+)|/c4x/[^/]+/[^/]+/asset/(?P<old>[^/]+))"
)


@dataclass(frozen=True, slots=True)
class Asset:
    """An asset: one file of a course."""

    path: str  # on the server, decoded, without the digest, so that it is the same for all versions
    name: FileName

    @property
    def id(self) -> str:
        """The unique id of the asset."""
        return self.path.lstrip("/")

    @property
    def is_image(self) -> bool:
        """Whether it is an image that a page can show."""
        return mime_type(self.name.extension).startswith("image/")


def asset(url: str, *, base_url: str, course_key: str, raw: bool) -> Asset | None:
    """The asset to which a link in a text of this course leads; None for any other link.

    `raw`: the server has not rendered the text, so `/static/…` is a file of the course and not of the site.
    """
    try:
        absolute = urljoin(f"{base_url}/", url.strip())
        path = unquote(urlsplit(absolute).path)
    except ValueError:
        return None
    if not path.isprintable():
        return None
    is_ours = is_own(base_url, absolute)
    if is_ours and raw and path.startswith("/static/"):
        path = asset_path(course_key, path.removeprefix("/static/"))
    match = _ASSET.fullmatch(path)
    if match is None or not (is_ours or f"course-v1:{match['course']}" == course_key):
        return None
    name = file_name((match["new"] or match["old"]).replace("_", " "), "")
    if is_active(f"{name.title}{name.extension}"):  # a file that may run code stays a link to the web
        return None
    return Asset(match["key"].replace("+type@asset+block/", "+type@asset+block@"), name)


@dataclass(slots=True)
class Links:
    """The replacement of links in a text.

    `find` returns the asset of a URL; `base_url` is the base of relative links; `refer` is called with each asset and
    returns its placeholder.  `given` collects the placeholders.
    """

    base_url: str
    find: Callable[[str], Asset | None]
    refer: Callable[[Asset], str]
    given: set[str] = field(default_factory=set)

    def beside(self, url: str) -> str | None:
        """The placeholder of the asset at this URL; None when the URL is of no asset."""
        found = self.find(url)
        if found is None:
            return None
        placeholder = self.refer(found)
        self.given.add(placeholder)
        return placeholder

    def web(self, url: str) -> str | None:
        """The absolute URL if a page may link to it; else None."""
        try:
            return link_target(urljoin(f"{self.base_url}/", url.strip())) if url.strip()[:1] not in ("", "#") else None
        except ValueError:
            return None


_KINDS = {"image": Kind.IMAGE, "video": Kind.VIDEO, "audio": Kind.AUDIO}


class Assets:
    """Collects the assets that the texts of one item refer to.

    Images are placed beside the page; linked files, such as a PDF, become attachments of the item.
    """

    def __init__(self, course: Course, item: Item, base_url: str, *, raw: bool) -> None:
        self._item = item
        self._found: dict[str, Asset] = {}
        find = partial(asset, base_url=base_url, course_key=course.key, raw=raw)
        self.links = Links(base_url, find, self._refer)

    def files(self) -> list[File]:
        """The files of the assets so far, each once, in order of first use."""
        return [self._file(one) for one in self._found.values()]

    def _refer(self, found: Asset) -> str:
        self._found.setdefault(found.id, found)
        return beside_url(self._key(found))

    def _key(self, found: Asset) -> str:
        return f"{self._item.key}/asset/{found.id}"

    def _file(self, found: Asset) -> File:
        return File(
            key=self._key(found),
            kind=_KINDS.get(mime_type(found.name.extension).partition("/")[0], Kind.ATTACHMENT),
            placement=Placement.BESIDE if found.is_image else Placement.ATTACHED,
            title=found.name.title,
            extension=found.name.extension,
            mime_type=mime_type(found.name.extension),
            body=Remote(f"asset/{found.id}", {"what": "asset", "path": found.path}),
            url=self._item.url,
        )


def page(course: Course, item: Item, body: str) -> File:
    """The page of an item, with clean markup as its body."""
    html = document(title=item.title, body=body, url=item.url, course=course.title)
    key = f"{item.key}/page"
    return File(key, Kind.READING, Placement.MAIN, "", ".html", "text/html", Page(html), url=item.url)
