"""Rewrites the HTML of a course's texts for our pages (pure).

Authors paste anything: complete web sites, scripts, forms.  A reference to an asset becomes a link to its file beside
the page, an embedded external object a link to it, and a form control a sign such as `☐`.  The result always goes
through `coursefs.pages.cleaning.safe`.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from html import escape
from typing import Any, TypeAlias

import lxml.html
from lxml import etree

from coursefs.pages.cleaning import plain, safe, unescaped, with_few_attributes
from coursefs.pages.formulas import Formula, delimited, with_formulas
from coursefs.providers.openedx.assets import Asset, Links

_DROPPED = "style noscript template link meta title head button input datalist track param canvas".split()
_EMBEDDING = {"iframe": "src", "embed": "src", "object": "data", "video": "src", "audio": "src"}
#: in problems: elements for interaction, for the learner's answers, or that repeat the name
_NOISE = frozenset(
    """action indicator-container is-hidden loading-spinner notification problem-action-buttons-wrapper
    problem-header problem-progress sr sr-only status submit-attempt-container""".split()
)
#: anywhere: elements that need a style sheet or a script, such as a spinner or the name of an icon
_DECORATION = frozenset(
    """fa icon icons material-icons material-icons-outlined material-symbols-outlined pgn__icon spinner spinner-border
    wrapper--anim ora-loading loading""".split()
)
#: most characters in a decoration: the name of an icon, or a word such as "Loading"
_DECORATION_LENGTH = 60
#: empty formulas, which a script fills during an answer
_EMPTY_FORMULA = re.compile(r"\\\(\s*\\\)|\\\[\s*\\\]")
_TAG = re.compile(r"(<[^<>]*+>)")
_LITERAL = re.compile(r"<(/?)(?:pre|code)\b")
#: the delimiters in the platform's configuration of MathJax
_CLOSING = {
    r"\(": r"\)",
    r"\[": r"\]",
    "[mathjaxinline]": "[/mathjaxinline]",
    "[mathjax]": "[/mathjax]",
}
_OPENING = re.compile(f"(?P<opening>{'|'.join(map(re.escape, _CLOSING))})")
#: The deepest nesting that is kept; the content of deeper elements stays, without their tags.
_DEPTH = 200
#: A removed element gets this tag name, and the tags are deleted from the final markup.  Moving the element's text to
#: its neighbours in the tree would copy the text once for each neighbour.
_OUT = "coursefs-out"
_OUT_TAG = re.compile(rf"</?{_OUT}(?: [^<>]*+)?>")
_HEADING = re.compile(r"h[1-6]")
_DIGITS = re.compile(r"[1-9]\d?")

_Element: TypeAlias = Any  # an lxml.html.HtmlElement: lxml has no types


def parsed(html: str) -> _Element | None:
    """The tree of a page or a fragment; None when it is empty."""
    text = with_few_attributes(plain(html).strip())
    if not text:
        return None
    try:
        # bytes, because lxml refuses a string with an XML declaration
        parser = lxml.html.HTMLParser(encoding="utf-8", huge_tree=True, remove_comments=True, remove_pis=True)
        return lxml.html.document_fromstring(text.encode("utf-8", "replace"), parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError):
        return None


def clean_html(html: str, links: Links, *, problem: bool = False) -> str:
    """A text of the platform as the body of a page; "" when nothing of it is left."""
    tree = parsed(f"<!doctype html><html><body>{html}")  # else a script at the start would go into the head
    return "" if tree is None else clean(tree, links, problem=problem)


def clean(element: _Element, links: Links, *, problem: bool = False) -> str:
    """An element's content as the body of a page; the element is not changed."""
    root = copy.deepcopy(element)
    root.tail = None
    _flatten(root)
    choices = _labels_of_choices(root)
    waiting = list(root)[::-1]
    while waiting:
        one = waiting.pop()
        if one in choices:
            one.tag = "p"
        if _rewritten(one, links, problem=problem):
            waiting += list(one)[::-1]
    html: str = _OUT_TAG.sub("", lxml.html.tostring(root, encoding="unicode"))
    cleaned = safe(_with_formulas(_EMPTY_FORMULA.sub("", html)), beside=frozenset(links.given)).strip()
    return cleaned if _says_something(cleaned) else ""


def _with_formulas(html: str) -> str:
    """The markup with MathML in place of the formulas that MathJax would set; listings stay unchanged."""
    pieces: list[str] = []
    literal = 0
    for piece in _TAG.split(html):
        if (tag := _LITERAL.match(piece)) is not None:
            literal = max(0, literal + (-1 if tag[1] else 1))
        if literal or piece.startswith("<"):
            pieces.append(piece)
            continue
        position = 0
        for formula in delimited(piece, _OPENING, _CLOSING):
            pieces += (piece[position : formula.start], _formula(formula))
            position = formula.end
        pieces.append(piece[position:])
    return "".join(pieces)


def _formula(formula: Formula) -> str:
    source = unescaped(formula.source)
    inline = formula.opening in {r"\(", "[mathjaxinline]"}
    return with_formulas(f"\\({source}\\)" if inline else f"\\[{source}\\]", flagged=True)


def _flatten(root: _Element) -> None:
    """Remove the tags of elements deeper than `_DEPTH`, so that later code never recurses deeper."""
    depth = 0
    for event, one in etree.iterwalk(root, events=("start", "end")):
        depth += 1 if event == "start" else -1
        if event == "start" and depth > _DEPTH and isinstance(one.tag, str):
            one.tag = _OUT
            one.attrib.clear()


def _labels_of_choices(root: _Element) -> set[_Element]:
    """The labels that contain a radio button or check box: each becomes a line of its own."""
    seen: set[_Element] = set()
    for button in root.iter("input"):
        if button.get("type") not in {"radio", "checkbox"}:
            continue
        for around in button.iterancestors():
            if around in seen:
                break
            seen.add(around)
    return {one for one in seen if one.tag == "label" and one is not root}


def _rewritten(one: _Element, links: Links, *, problem: bool) -> bool:
    """Replace an element by one that a page may have.  Returns whether its children must be rewritten too."""
    if one.tag == _OUT:
        return True
    if not isinstance(one.tag, str):  # comments and the like: `safe` removes them
        return False
    classes = one.get("class", "").split()
    if _is_decoration(one, classes) or (problem and _NOISE.intersection(classes)):
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
            _drop(one, _sign_of(one))
        case tag if tag in _EMBEDDING:
            return _embedded(one, links)
        case _:
            _tidied(one)
            return True
    return False


def _is_decoration(one: _Element, classes: Sequence[str]) -> bool:
    """Whether an element is a spinner or an icon: by its class, and by having no image and hardly any text."""
    if not _DECORATION.intersection(classes):
        return False
    for count, inner in enumerate(one.iter()):  # stops early, so that the total cost stays linear
        is_content = inner.tag == "a" or (inner.tag == "img" and "spinner" not in inner.get("src", ""))
        if is_content or count >= _DECORATION_LENGTH:
            return False
    return len(" ".join(one.text_content().split())) <= _DECORATION_LENGTH


def _tidied(one: _Element) -> None:
    if one.tag == "label":
        _label(one)
    elif _HEADING.fullmatch(one.tag):
        one.tag = f"h{min(6, int(one.tag[1]) + 1)}"  # the page's title is the top heading
    for name in ("colspan", "rowspan"):
        if name in one.attrib and not _DIGITS.fullmatch(one.get(name)):
            del one.attrib[name]


def _label(one: _Element) -> None:
    """Put the label of a check box beside it, on the same line."""
    one.tag = "span"
    for inner in one.iter("div", "p", "text"):
        inner.tag = "span"


def _sign_of(element: _Element) -> str:
    """The plain text in place of a form control, such as `☐`; "" for none."""
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
    """Make an image the file beside the page, or a link if it is remote: its host could track the reader."""
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
    """Replace an embedded object by a link to its file or web address, or by its fallback content."""
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


def link_to(target: str, text: str) -> str:
    """A link to a placeholder of `Links.beside`."""
    return f'<a href="{escape(target)}">{escape(text, quote=False)}</a>'


def _becomes(element: _Element, tag: str, attributes: dict[str, str], text: str = "") -> None:
    """Turn an element into another one that contains only this text."""
    tail = element.tail
    element.clear()
    element.tag = tag
    for name, value in attributes.items():
        element.set(name, value)
    element.text = text or None
    element.tail = tail


def _drop(element: _Element, text: str = "") -> None:
    """Remove an element with its content and put `text` in its place; the text after it stays."""
    _becomes(element, _OUT, {}, text)


def _says_something(html: str) -> bool:
    return "<img" in html or "<a " in html or bool(re.sub(r"<[^<>]*+>|\s|&nbsp;", "", html))
