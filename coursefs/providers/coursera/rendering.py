"""The renderer of a reading's tree as HTML."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape

from coursefs.pages.formulas import with_formulas
from coursefs.providers.coursera.markup import Element, asset_ref, web_target

_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_LISTS = {"list", "ol", "ul"}
_CELLS = {"td", "th"}
_ROW_GROUPS = {"tbody", "tfoot", "thead"}
_PARAGRAPHS = """
address article aside blockquote body caption center co-content dd details dialog div dl dt fieldset
figcaption figure footer form header html legend main nav option p section select summary text textarea title
widget
""".split()
_BLOCKS = {"heading", "hr", "li", "pre", "table", "tr", *_HEADINGS, *_LISTS, *_CELLS, *_ROW_GROUPS, *_PARAGRAPHS}
_MARKS = {tag: tag for tag in ("b", "em", "i", "s", "strong", "sub", "sup", "u", "var")}
_MARKS |= {"del": "s", "strike": "s", "kbd": "code", "samp": "code", "tt": "code"}
_AUDIO = {"aac", "flac", "m4a", "mp3", "oga", "ogg", "opus", "wav"}
_LANGUAGE = re.compile(r"[a-z0-9_+#.-]{1,40}")
#: limits in characters of a link's address and title: of a link that any number of lines may repeat, and of all copies
#: of a longer one together
_LONG_LINK = 200
_MOST_OF_LINKS = 1 << 20
_BLANK_LINES = re.compile(r"\A(?:[ \t]*\n)+")


@dataclass(frozen=True, slots=True)
class Renderer:
    """Renders parts of the tree: `flow` where blocks are allowed, `inline` within a line."""

    links: Mapping[str, str]
    formulas: bool = False  # within an element that is flagged as containing formulas
    page_url: str | None = None  # the web page that links are relative to
    marks: tuple[Element, ...] = ()  # inline elements around blocks; in HTML they go around the lines in the blocks
    #: cached results of `_is_block` by `id()`; the tree outlives this object
    _blocks: dict[int, bool] = field(default_factory=dict, repr=False)

    def flow(self, nodes: Sequence[Element | str], line_tag: str = "p") -> str:
        """HTML of blocks; text between them becomes lines of their own: paragraphs, or elements of `line_tag`."""
        words = any(isinstance(node, str) and node.strip() for node in nodes)
        pieces: list[str] = []
        line: list[Element | str] = []
        for node in nodes:
            # an asset among words stays among them, else it is a line of its own
            if isinstance(node, Element) and (self._is_block(node) or (node.tag == "asset" and not words)):
                pieces += (_whole(line_tag, self._line(line)), self._block(node))
                line = []
            else:
                line.append(node)
        return "".join((*pieces, _whole(line_tag, self._line(line))))

    def inline(self, nodes: Iterable[Element | str]) -> str:
        """HTML of one line; a block in it is replaced by its content."""
        return "".join(
            with_formulas(node, flagged=self.formulas) if isinstance(node, str) else self._within(node)
            for node in nodes
        )

    def _block(self, element: Element) -> str:
        inner = self._inside(element)
        match element.tag:
            case "heading" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6":
                html = inner._heading(element)
            case "list" | "ol" | "ul":
                html = inner._list(element)
            case "code" | "pre":
                html = _preformatted(element)
            case "table":
                html = inner._table(element)
            case "hr":
                html = "<hr>"
            case "blockquote":
                html = f"<blockquote>{inner.flow(element.children)}</blockquote>"
            case "asset":
                html = _whole("p", self._file(element)) + inner.flow(element.children)
            case tag if tag == "a" or tag in _MARKS:
                html = replace(inner, marks=self._with_mark(element)).flow(element.children)
            case _:
                html = inner.flow(element.children)
        return html

    def _within(self, element: Element) -> str:
        content = self._inside(element).inline(element.children)
        match element.tag:
            case "br":
                return "<br>"
            case "img":
                return self._image(element)
            case "asset":
                return self._file(element) + content
            case "code" | "pre":
                return f"<code>{escape(element.text(), quote=False)}</code>"
            case tag if tag == "a" or tag in _MARKS:
                return self._marked(element, content)
        return f" {content} " if element.tag in _BLOCKS else content

    def _is_block(self, element: Element) -> bool:
        known = self._blocks.get(id(element))
        if known is None:
            if element.tag == "code":  # CML uses it for a listing and for a word in a sentence
                known = "language" in element.attributes or "\n" in element.text()
            else:
                known = element.tag in _BLOCKS or any(
                    self._is_block(node) for node in element.children if isinstance(node, Element)
                )
            self._blocks[id(element)] = known
        return known

    def _with_mark(self, element: Element) -> tuple[Element, ...]:
        """The marks for the lines in an element.

        They are written on each line.  So each mark is kept only once, of links the innermost, as in a browser; and a
        long link is dropped when there are many lines.
        """
        if element.tag != "a":
            known = any(mark.tag == element.tag for mark in self.marks)
            return self.marks if known else (*self.marks, element)
        others = tuple(mark for mark in self.marks if mark.tag != "a")
        length = sum(len(element.attributes.get(name, "")) for name in ("href", "title"))
        if length > _LONG_LINK and length * sum(1 for _ in element.walk()) > _MOST_OF_LINKS:
            return others
        return (*others, element)

    def _inside(self, element: Element) -> Renderer:
        return replace(self, formulas=True) if element.attributes.get("hasmath") == "true" else self

    def _line(self, nodes: Iterable[Element | str]) -> str:
        content = self.inline(nodes).strip()
        if content:
            for mark in reversed(self.marks):
                content = self._marked(mark, content)
        return content

    def _marked(self, element: Element, content: str) -> str:
        """The content in this inline element: a link, or a mark."""
        if element.tag != "a":
            tag = _MARKS[element.tag]
            return _whole(tag, content) if content.strip() else content
        target = web_target(element.attributes.get("href"), self.page_url)
        if target is None:
            return content
        title = element.attributes.get("title")
        extra = f' title="{escape(title)}"' if title else ""
        # recorded readings have <a href="…"/>, a link without words
        return f'<a href="{escape(target)}"{extra}>{content if content.strip() else escape(target, quote=False)}</a>'

    def _tight(self, nodes: Sequence[Element | str]) -> str:
        """The content of a list item or a cell; a single paragraph in it needs no `<p>`."""
        html = self.flow(nodes)
        if html.startswith("<p>") and html.count("<p>") == 1:
            return html.removeprefix("<p>").replace("</p>", "", 1)
        return html

    def _heading(self, element: Element) -> str:
        level = element.attributes.get("level", "1") if element.tag == "heading" else element.tag[1:]
        lower = int(level) + 1 if level in {"1", "2", "3", "4", "5"} else 6 if level == "6" else 2
        within = (node for node in element.walk() if node is not element and node.tag not in _PARAGRAPHS)
        if any(self._is_block(node) for node in within):
            # a recorded reading has a heading that is closed pages later, with lists and headings in it
            return self.flow(element.children, f"h{lower}")
        return _whole(f"h{lower}", self._line(element.children))

    def _list(self, element: Element) -> str:
        bullets = element.tag == "ul" or element.attributes.get("bullettype", "").lower().startswith("bullet")
        tag = "ul" if bullets else "ol"
        items = [
            self._inside(node)._tight(node.children)
            if isinstance(node, Element) and node.tag == "li"
            else self._tight([node])
            for node in element.children
            if isinstance(node, Element) or node.strip()
        ]
        return _whole(tag, "".join(f"<li>{item}</li>" for item in items))

    def _table(self, element: Element) -> str:
        rows: list[str] = []
        others: list[Element | str] = []
        for node in element.children:
            if isinstance(node, Element) and node.tag == "tr":
                rows.append(self._inside(node)._row(node))
            elif isinstance(node, Element) and node.tag in _ROW_GROUPS:
                rows += (self._row(row) for row in node.children if isinstance(row, Element))
            else:
                others.append(node)
        return self.flow(others) + _whole("table", "".join(rows))

    def _row(self, element: Element) -> str:
        cells: list[str] = []
        for node in element.children:
            if isinstance(node, Element) and node.tag in _CELLS:
                cells.append(f"<{node.tag}{_spans(node)}>{self._inside(node)._tight(node.children)}</{node.tag}>")
            elif isinstance(node, Element) or node.strip():
                cells.append(f"<td>{self._tight([node])}</td>")
        return f"<tr>{''.join(cells)}</tr>"

    def _image(self, element: Element) -> str:
        """The image file beside the page; never a remote image, which would track the reader and need the network."""
        alt = element.attributes.get("alt", "").strip()
        link = self.links.get(element.attributes.get("assetid", ""))
        if link is not None:
            return f'<img src="{escape(link)}" alt="{escape(alt)}">'
        target = web_target(element.attributes.get("src"), self.page_url)
        if target is not None:
            return f'<a href="{escape(target)}">{escape(alt or "Image", quote=False)}</a>'
        return _missing(f"Image: {alt}" if alt else "Image")

    def _file(self, element: Element) -> str:
        """A link to the file beside the page; its name when there is none."""
        reference = asset_ref(element)
        if reference is None:
            return ""
        label = reference.name or "File"
        extension = (reference.extension or "").lower()
        if extension and not label.lower().endswith(f".{extension}"):
            label = f"{label}.{extension}"
        link = self.links.get(reference.id)
        if link is None:
            return _missing(label)
        url = escape(link)
        if reference.kind == "image":
            return f'<img src="{url}" alt="{escape(label)}">'
        player = ""
        if reference.kind == "audio" or extension in _AUDIO:
            player = f'<audio controls preload="none" src="{url}"></audio>'
        return f'<a href="{url}">{escape(label, quote=False)}</a>{player}'


def _whole(tag: str, content: str) -> str:
    return f"<{tag}>{content}</{tag}>" if content else ""


def _missing(name: str) -> str:
    return f'<span class="missing">{escape(name, quote=False)} (not available)</span>'


def _preformatted(element: Element) -> str:
    text = _BLANK_LINES.sub("", element.text()).rstrip()
    if not text:
        return ""
    languages = (inner.attributes.get("language", "").lower() for inner in element.walk())
    language = next((name for name in languages if _LANGUAGE.fullmatch(name)), None)
    name = f' class="language-{language}"' if language else ""
    return f"<pre><code{name}>{escape(text, quote=False)}</code></pre>"


def _spans(element: Element) -> str:
    spans = ((name, element.attributes.get(name, "")) for name in ("colspan", "rowspan"))
    return "".join(f' {name}="{value}"' for name, value in spans if re.fullmatch("[1-9][0-9]?", value))
