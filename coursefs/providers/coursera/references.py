"""What a reading refers to: files of the platform by their id, and the web by links."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl, urljoin, urlsplit

from coursefs.pages.cleaning import link_target, plain
from coursefs.providers.coursera.markup import Element

#: Parameters of signed URLs: such a link is dead within days, and its signature differs with every reply.
_SIGNED = {"expires", "hmac", "signature", "x-amz-signature", "x-goog-signature"}


@dataclass(frozen=True, slots=True)
class AssetRef:
    """A file that a reading shows or links to, as far as the reading itself tells."""

    id: str
    name: str | None  # of `<asset>`; of `<img>` the text that stands in for it
    extension: str | None  # without a dot: "pdf"
    kind: str | None  # `assetType` of `<asset>`: "generic", "pdf", "audio" …; "image" of `<img>`


def asset_ref(element: Element) -> AssetRef | None:
    """What this element itself refers to by an id; None: nothing."""
    attributes = {name: value.strip() for name, value in element.attributes.items()}
    if element.tag == "img" and attributes.get("assetid"):
        return AssetRef(attributes["assetid"], attributes.get("alt") or None, None, "image")
    if element.tag == "asset" and attributes.get("id"):
        extension = attributes.get("extension", "").lstrip(".")
        return AssetRef(
            attributes["id"], attributes.get("name") or None, extension or None, attributes.get("assettype") or None
        )
    return None


def web_target(url: str | None, page_url: str | None = None) -> str | None:
    """The URL if a page may link to it and the link will last; None otherwise.

    `page_url`: the web page that the link stands in, for links such as `/learn/some-course/resources/zVvo7`.
    """
    if url is not None and page_url is not None and plain(url).strip().startswith("/"):
        try:
            url = urljoin(page_url, plain(url).strip())
        except ValueError:
            return None
    target = link_target(url)
    if target is None or any(key.lower() in _SIGNED for key, _ in parse_qsl(urlsplit(target).query)):
        return None
    return target
