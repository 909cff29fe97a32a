"""The HTML of a course's texts, made fit for a page (pure).

Texts are what their authors pasted: whole web sites, scripts, forms.  What refers to a file of the course becomes a
link to that file beside the page, what shows something from elsewhere a link to it, and what can be answered a sketch
of itself.  `coursefs.pages.cleaning.safe` has the last word.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from html import unescape
from typing import Any, TypeAlias
from urllib.parse import urljoin

import lxml.html
from lxml import etree

from coursefs.pages.cleaning import link_target, plain, safe
from coursefs.pages.formulas import with_formulas
from coursefs.providers.openedx.assets import Asset

_DROPPED = "style noscript template link meta title head button input datalist track param canvas".split()
_EMBEDDING = {"iframe": "src", "embed": "src", "object": "data", "video": "src", "audio": "src"}
#: in problems: what is there to act, speaks of an answer that was given, or repeats the name
_NOISE = frozenset(
    """action indicator-container is-hidden loading-spinner notification problem-action-buttons-wrapper
    problem-header problem-progress sr sr-only status submit-attempt-container""".split()
)
_TAG = re.compile(r"(<[^<>]*+>)")
_LITERAL = re.compile(r"<(/?)(?:pre|code)\b")
#: the delimiters that the platform tells MathJax; a formula is short, which bounds the work on one that never ends
_FORMULA = re.compile(
    r"\\\((.{1,4000}?)\\\)|\\\[(.{1,4000}?)\\\]"
    r"|\[mathjaxinline\](.{1,4000}?)\[/mathjaxinline\]|\[mathjax\](.{1,4000}?)\[/mathjax\]",
    re.DOTALL,
)
_HEADING = re.compile(r"h[1-6]")
_DIGITS = re.compile(r"[1-9]\d?")

_Element: TypeAlias = Any  # an lxml.html.HtmlElement: lxml has no types


@dataclass(slots=True)
class Links:
    """What links of a text become.

    `find` says which file of the course a URL leads to; `base_url` is what relative links are relative to; `refer`
    hears of each such file and gives the placeholder for its place.  The placeholders given are in `given`.
    """

    base_url: str
    find: Callable[[str], Asset | None]
    refer: Callable[[Asset], str]
    given: set[str] = field(default_factory=set)

    def beside(self, url: str) -> str | None:
        """The placeholder for the file that this URL leads to; None: it leads to none."""
        found = self.find(url)
        if found is None:
            return None
        placeholder = self.refer(found)
        self.given.add(placeholder)
        return placeholder

    def web(self, url: str) -> str | None:
        """Where on the web a URL leads that a page may have; None: nowhere."""
        try:
            return link_target(urljoin(f"{self.base_url}/", url.strip())) if url.strip()[:1] not in ("", "#") else None
        except ValueError:
            return None


def parsed(html: str) -> _Element | None:
    """The tree of a page or a piece of one; None where there is nothing in it."""
    text = plain(html).strip()
    if not text:
        return None
    try:
        # bytes, because a text with an XML declaration is refused as a string
        parser = lxml.html.HTMLParser(encoding="utf-8", huge_tree=True, remove_comments=True, remove_pis=True)
        return lxml.html.document_fromstring(text.encode("utf-8", "replace"), parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError):
        return None


def clean_html(html: str, links: Links, *, problem: bool = False) -> str:
    """A text of the platform as the body of a page; "" where nothing of it is left."""
    tree = parsed(f"<!doctype html><html><body>{html}")  # else a script at its beginning would be part of the head
    return "" if tree is None else clean(tree, links, problem=problem)


def clean(element: _Element, links: Links, *, problem: bool = False) -> str:
    """An element's content as the body of a page; the element itself stays as it is."""
    root = copy.deepcopy(element)
    root.tail = None
    waiting = list(root)[::-1]
    while waiting:  # without recursion: texts nest as deep as they like
        one = waiting.pop()
        if _rewritten(one, links, problem=problem):
            waiting += list(one)[::-1]
    html: str = lxml.html.tostring(root, encoding="unicode")
    cleaned = safe(_with_formulas(html), beside=frozenset(links.given)).strip()
    return cleaned if _says_something(cleaned) else ""


def _with_formulas(html: str) -> str:
    """The markup with MathML where the platform would have MathJax set formulas; listings stay as they are."""
    pieces: list[str] = []
    literal = 0
    for piece in _TAG.split(html):
        if (tag := _LITERAL.match(piece)) is not None:
            literal = max(0, literal + (-1 if tag[1] else 1))
        pieces.append(piece if literal or piece.startswith("<") else _FORMULA.sub(_formula, piece))
    return "".join(pieces)


def _formula(match: re.Match[str]) -> str:
    inline, display = match[1] or match[3], match[2] or match[4]
    source = unescape(inline or display)
    return with_formulas(f"\\({source}\\)" if inline else f"\\[{source}\\]", flagged=True)


def _rewritten(one: _Element, links: Links, *, problem: bool) -> bool:
    """Put what a page may have in place of an element; whether what lies in it is to be looked at too."""
    if not isinstance(one.tag, str) or (problem and _NOISE.intersection(one.get("class", "").split())):
        _drop(one)
        return False
    match one.tag:
        case "script":
            _drop(one, _tex(one))
        case "textarea":
            _drop(one, " ____ ")
        case "select":
            _select(one)
        case "img":
            _image(one, links)
        case "a":
            _anchor(one, links)
            return True
        case tag if tag in _DROPPED:
            _drop(one, _sketch(one))
        case tag if tag in _EMBEDDING:
            return _embedded(one, links)
        case _:
            _tidied(one)
            return True
    return False


def _tidied(one: _Element) -> None:
    if one.tag == "label" and one.xpath(".//input[@type='radio' or @type='checkbox']"):
        one.tag = "p"
    elif _HEADING.fullmatch(one.tag):
        one.tag = f"h{min(6, int(one.tag[1]) + 1)}"  # the page has its title at the top
    for name in ("colspan", "rowspan"):
        if name in one.attrib and not _DIGITS.fullmatch(one.get(name)):
            del one.attrib[name]


def _sketch(element: _Element) -> str:
    """What stands for a control where one may answer."""
    if element.tag != "input":
        return ""
    match element.get("type", "text"):
        case "radio":
            return "\u25cb "
        case "checkbox":
            return "\u2610 "
        case "text" | "number":
            return " ____ "
        case _:
            return ""


def _tex(element: _Element) -> str:
    kind = element.get("type", "")
    text: str = (element.text or "").strip()
    if not kind.startswith("math/tex") or not text:
        return ""
    return f"\\[{text}\\]" if "display" in kind else f"\\({text}\\)"


def _image(element: _Element, links: Links) -> None:
    """The image beside the page; of a remote one, which would tell its host who reads, a link."""
    source, alt = element.get("src", ""), element.get("alt", "").strip()
    placeholder = links.beside(source)
    if placeholder is not None:
        _becomes(element, "img", {"src": placeholder, "alt": alt})
    elif (target := links.web(source)) is not None:
        _becomes(element, "a", {"href": target}, alt or "Image")
    else:
        _drop(element, alt)


def _anchor(element: _Element, links: Links) -> None:
    target = links.beside(element.get("href", "")) or links.web(element.get("href", ""))
    title = element.get("title")
    element.attrib.clear()
    if target is None:
        element.tag = "span"
        return
    element.set("href", target)
    if title:
        element.set("title", title)


def _embedded(element: _Element, links: Links) -> bool:
    """A link to what is shown, beside the page or on the web; where there is none, what is said in its stead."""
    sources = [element.get(_EMBEDDING[element.tag], ""), *(one.get("src", "") for one in element.iter("source"))]
    name = element.get("title", "").strip()
    for url in filter(str.strip, sources):
        target = links.beside(url) or links.web(url)
        if target is not None:
            _becomes(element, "a", {"href": target}, name or _file_label(links.find(url)) or target)
            return False
    element.tag = "span"
    element.attrib.clear()
    return True


def _file_label(found: Asset | None) -> str:
    return f"{found.name.title}{found.name.extension}" if found else ""


def _select(element: _Element) -> None:
    options = [" ".join(one.text_content().split()) for one in element.iter("option")]
    _drop(element, f" [{' / '.join(option for option in options if option)}] ")


def _becomes(element: _Element, tag: str, attributes: dict[str, str], text: str = "") -> None:
    """Another element in its place, with nothing in it but this text."""
    tail = element.tail
    element.clear()
    element.tag = tag
    for name, value in attributes.items():
        element.set(name, value)
    element.text = text or None
    element.tail = tail


def _drop(element: _Element, text: str = "") -> None:
    """Take an element out with all that is in it; `text` comes in its place, and what follows it stays."""
    parent = element.getparent()
    if parent is None:
        return
    text += element.tail or ""
    before = element.getprevious()
    if before is not None:
        before.tail = (before.tail or "") + text
    else:
        parent.text = (parent.text or "") + text
    parent.remove(element)


def _says_something(html: str) -> bool:
    return "<img" in html or "<a " in html or bool(re.sub(r"<[^>]*>|\s|&nbsp;", "", html))
