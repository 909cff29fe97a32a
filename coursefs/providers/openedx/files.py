"""Files of the platform as a course's items have them: assets, and the page with texts that refers to them (pure)."""

from __future__ import annotations

from functools import partial

from coursefs.model import Course, File, Item, Kind, Page, Placement, Remote
from coursefs.pages import beside_url, document
from coursefs.providers.filenames import mime_type
from coursefs.providers.openedx.assets import Asset, asset
from coursefs.providers.openedx.markup import Links

_KINDS = {"image": Kind.IMAGE, "video": Kind.VIDEO, "audio": Kind.AUDIO}


class Assets:
    """The files of a course that the texts of one item refer to, as they are met.

    Images lie beside the page; what is linked to, a PDF for example, is attached to the item.
    """

    def __init__(self, course: Course, item: Item, base_url: str, *, raw: bool) -> None:
        self._item = item
        self._found: dict[str, Asset] = {}
        find = partial(asset, base_url=base_url, course_key=course.key, raw=raw)
        self.links = Links(base_url, find, self._refer)

    def files(self) -> list[File]:
        """The files that were referred to so far, each once, in their order."""
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
    """The page of an item, around clean markup."""
    html = document(title=item.title, body=body, url=item.url, course=course.title)
    key = f"{item.key}/page"
    return File(key, Kind.READING, Placement.MAIN, "", ".html", "text/html", Page(html), url=item.url)
