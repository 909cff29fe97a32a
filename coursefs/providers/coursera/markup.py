"""Reading the platform's markup, which is mostly well-formed XML and sometimes not.

Recorded replies hold `<text>intro</text></li></list></co-content>`, texts within texts, `&nbsp;`, attributes in both
cases.  A reading must not lose a sentence over that, so this reader accepts any string: whatever is not a tag is text.
(lxml's recovering parsers drop what follows a stray end or lies too deep, and `html.parser` answers broken input
differently from one minor version of Python to the next.)
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from coursefs.pages.cleaning import plain

#: Elements within more elements than this are not opened; their text goes to the innermost that is.
_DEPTH = 100
#: Elements of HTML that never have content and so need no end.
_VOID = frozenset({"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"})

_TAG = re.compile(
    r"""<(?P<end>/?)(?P<name>[A-Za-z][\w:.-]*+)(?P<attributes>(?:[^<>"']|"[^"]*+"|'[^']*+')*+)>|<[!?][^<>]*+>"""
)
_ATTRIBUTE = re.compile(r"""([A-Za-z_][\w:.-]*+)\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s"'<>]++))""")


@dataclass(frozen=True, slots=True)
class Element:
    """One element: names of tag and attributes in lower case, text cleaned and without entities."""

    tag: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    children: list[Element | str] = field(default_factory=list)

    def walk(self) -> Iterator[Element]:
        """This element and all within it, in document order."""
        yield self
        for child in self.children:
            if isinstance(child, Element):
                yield from child.walk()

    def text(self) -> str:
        """All text within it, in document order; a `br` is a newline."""
        if self.tag == "br":
            return "\n"
        return "".join(child if isinstance(child, str) else child.text() for child in self.children)


def parse(markup: str) -> Element:
    """The tree of any string at all, under a root without a name.

    An end closes the innermost element of its name and whatever is open within that; an end without a beginning is
    passed over.  Comments, declarations and processing instructions are dropped; everything else is kept.
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
        self._too_deep = 0  # how many elements are open beyond the depth that is kept

    def text(self, raw: str) -> None:
        if text := plain(html.unescape(raw)):
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
        value = match[2] or match[3] or match[4] or ""
        found.setdefault(match[1].lower(), plain(html.unescape(value)))
    return found


def _with_literal_sections(markup: str) -> str:
    """With the content of `<![CDATA[…]]>` as escaped text."""
    first, *others = markup.split("<![CDATA[")
    pieces = [first]
    for other in others:
        literal, end, after = other.partition("]]>")
        pieces += (html.escape(literal), after) if end else (literal,)
    return "".join(pieces)


def _without_comments(markup: str) -> str:
    """Without `<!-- … -->`; a comment that is never closed is none."""
    first, *others = markup.split("<!--")
    pieces = [first]
    for other in others:
        _, end, after = other.partition("-->")
        pieces.append(after if end else other)
    return "".join(pieces)
