"""A tolerant parser of the platform's markup, which is mostly well-formed XML.

Recorded replies hold `<text>intro</text></li></list></co-content>`, texts within texts, `&nbsp;`, attributes in both
cases.  A reading must not lose a sentence over that, so this parser accepts any string: whatever is not a tag is text.
(lxml's recovering parsers drop text after a stray end tag and in deep elements; `html.parser` treats broken input
differently in each minor version of Python.)  The references of elements, to assets by id or to web addresses, are
read here too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from urllib.parse import parse_qsl, urljoin, urlsplit

from coursefs.pages.cleaning import link_target, plain, unescaped

#: The deepest nesting that is kept; the text of deeper elements goes to the innermost kept one.
_DEPTH = 100
#: Elements of HTML that never have content or an end tag.
_VOID = frozenset({"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"})

_TAG = re.compile(
    r"""<(?P<end>/?)(?P<name>[A-Za-z][\w:.-]*+)(?P<attributes>(?:[^<>"']|"[^"]*+"|'[^']*+')*+)>|<[!?][^<>]*+>"""
)
# a name without a value is matched as a whole: else the search would restart at each letter, in quadratic time
_ATTRIBUTE = re.compile(r"""([A-Za-z_][\w:.-]*+)(?:\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s"'<>]++)))?+""")


@dataclass(frozen=True, slots=True)
class Element:
    """An element: tag and attribute names in lower case, text cleaned, entities decoded."""

    tag: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    children: list[Element | str] = field(default_factory=list)

    def walk(self) -> Iterator[Element]:
        """This element and its descendants, in document order."""
        yield self
        for child in self.children:
            if isinstance(child, Element):
                yield from child.walk()

    def text(self) -> str:
        """The text of this element and its descendants; a `br` is a newline."""
        if self.tag == "br":
            return "\n"
        return "".join(child if isinstance(child, str) else child.text() for child in self.children)


def parse(markup: str) -> Element:
    """Parse any string into a tree, under a root without a name.

    An end tag closes the innermost open element of its name and all elements in it; an end tag without a start tag is
    ignored.  Comments, declarations and processing instructions are dropped; everything else is kept.
    """
    builder = _Builder()
    position = 0
    markup = _without_comments(_with_literal_sections(markup))
    for tag in _TAG.finditer(markup):
        builder.text(markup[position : tag.start()])
        position = tag.end()
        if tag["name"] is None:
            continue
        name = tag["name"].lower()
        if tag["end"]:
            builder.end(name)
        else:
            builder.start(name, tag["attributes"])
    builder.text(markup[position:])
    return builder.root


class _Builder:
    def __init__(self) -> None:
        self.root = Element("")
        self._open = [self.root]
        self._too_deep = 0  # how many open elements are deeper than `_DEPTH`

    def text(self, raw: str) -> None:
        if text := plain(unescaped(raw)):
            self._open[-1].children.append(text)

    def start(self, name: str, attributes: str) -> None:
        closed = name in _VOID or attributes.rstrip().endswith("/")
        if len(self._open) > _DEPTH:
            self._too_deep += not closed
            return
        element = Element(name, _attributes(attributes))
        self._open[-1].children.append(element)
        if not closed:
            self._open.append(element)

    def end(self, name: str) -> None:
        if self._too_deep:
            self._too_deep -= 1
            return
        for depth in range(len(self._open) - 1, 0, -1):
            if self._open[depth].tag == name:
                del self._open[depth:]
                return


def _attributes(text: str) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for match in _ATTRIBUTE.finditer(text.rstrip().removesuffix("/")):
        if match.end() > match.end(1):
            value = match[2] or match[3] or match[4] or ""
            found.setdefault(match[1].lower(), plain(unescaped(value)))
    return found


def _with_literal_sections(markup: str) -> str:
    """The markup with the content of `<![CDATA[…]]>` as escaped text."""
    first, *others = markup.split("<![CDATA[")
    pieces = [first]
    for other in others:
        literal, end, after = other.partition("]]>")
        pieces += (escape(literal), after) if end else (literal,)
    return "".join(pieces)


def _without_comments(markup: str) -> str:
    """The markup without comments `<!-- … -->`; one that is never closed is text."""
    first, *others = markup.split("<!--")
    pieces = [first]
    for other in others:
        _, end, after = other.partition("-->")
        pieces.append(after if end else other)
    return "".join(pieces)


#: Query parameters of signed URLs: such a link expires within days, and differs in every reply.
_SIGNED = {"expires", "hmac", "signature", "x-amz-signature", "x-goog-signature"}


@dataclass(frozen=True, slots=True)
class AssetRef:
    """A reference of a reading to an asset: its id, and the name and kind that the reading gives."""

    id: str
    name: str | None  # of `<asset>`; of `<img>` its alternative text
    extension: str | None  # without a dot: "pdf"
    kind: str | None  # `assetType` of `<asset>`: "generic", "pdf", "audio" …; "image" of `<img>`


def asset_ref(element: Element) -> AssetRef | None:
    """The asset that this element refers to by id; None when there is none."""
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
    """The URL if a page may link to it and it does not expire; else None.

    `page_url`: the web page with the link, for relative links such as `/learn/some-course/resources/zVvo7`.
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
