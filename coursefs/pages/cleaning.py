"""Cleaning of platform text and markup for a page, and the links from a page to files beside it.

`plain` is for text, `safe` for markup. Page writers produce clean markup already; `safe` is the last check, and it
alone decides what a page can contain.

A page writer does not know the names of the files beside the page, and the catalogue, which decides names, does not
parse pages. So a page contains the placeholder `coursefs-beside:<file key>` as URL, and `with_links` replaces it when
the names are decided.
"""

from __future__ import annotations

import html
import re
from collections.abc import Collection, Mapping
from urllib.parse import quote, unquote, urlsplit

import nh3

SCHEME = "coursefs-beside"

#: one tag with its attributes; a `>` within a quoted value is not its end
_TAG = re.compile(r'<[A-Za-z][^\s<>"]*+(?:[^<>"]|"[^"]*+")*+>')
_REFERENCE = re.compile(rf'(?<=\s)(href|src)="{SCHEME}:([^"]*)"')

#: elements that a title may have: within a line, and those that end a line or a word
_INLINE = frozenset("a abbr b big code em font i mark s script small span strike strong style sub sup tt u var".split())
_BLOCKS = "blockquote br center dd div dl dt h1 h2 h3 h4 h5 h6 hr img li ol p pre table tbody td th thead tr ul".split()
#: a tag of one of them; what is within quotation marks is no end of it
_TITLE_TAG = re.compile(
    rf"<(?P<end>/)?(?P<name>{'|'.join(sorted((*_INLINE, *_BLOCKS), key=len, reverse=True))})"
    r"(?P<attributes>(?:\s++[A-Za-z][\w:-]*+\s*+=\s*+(?:\"[^\"]*+\"|'[^']*+'|[^\s\"'<>=]++))*+)\s*+/?>",
    re.IGNORECASE,
)
#: characters of a title that are looked at
_LONGEST_TITLE = 20_000


def beside_url(file_key: str) -> str:
    """The placeholder for the URL of the file with this key; safe within a double-quoted attribute."""
    return f"{SCHEME}:{quote(file_key, safe='')}"


def with_links(html: str, names: Mapping[str, str]) -> bytes:
    """The final UTF-8 bytes of a page, with links in place of the placeholders.

    `names` maps file keys to paths relative to the page, as on disk; they are percent-encoded here. A key without a
    name becomes `#`. Only `href` and `src` of tags are replaced; text stays as it is.
    """

    def reference(match: re.Match[str]) -> str:
        name = names.get(unquote(match[2]))
        return f'{match[1]}="{"#" if name is None else quote(name, safe="/")}"'

    linked = html
    if f"{SCHEME}:" in html:  # fast path: most large pages have no placeholder
        linked = _TAG.sub(lambda tag: _REFERENCE.sub(reference, tag[0]), html)
    return linked.encode("utf-8", "replace")  # a lone surrogate has no UTF-8: write `?`


def in_new_tabs(markup: str) -> str:
    """Clean markup whose links open in a tab of their own: the course page shows it in a frame, where no site opens."""
    if "<a " not in markup:
        return markup
    return _TAG.sub(lambda tag: f'<a target="_blank"{tag[0][2:]}' if tag[0].startswith("<a ") else tag[0], markup)


#: Control characters but newline and tab, meaningless invisible ones (zero-width space, word joiner, byte order mark),
#: bidi overrides, surrogates and noncharacters. The zero-width joiner and non-joiner stay: Persian, the languages of
#: India and emoji are misspelt without them.
_UNWANTED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u2060\ufeff\u202d\u202e\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)

_LONG_REFERENCE = re.compile(r"&#([0-9]{9,})")

_LINK_SCHEMES = frozenset({"http", "https", "mailto"})
_CLASS = re.compile(r"language-[a-z0-9_+#.-]{1,40}|cml|math|missing|tex-[a-z0-9-]+(?: tex-[a-z0-9-]+)*+")

_TEXT_TAGS = """
a audio b blockquote br code dd div dl dt em h2 h3 h4 h5 h6 hr i img li ol p pre s span strong sub sup
table tbody td tfoot th thead tr u ul var
""".split()
_MATH_TAGS = """
math menclose mfrac mi mmultiscripts mn mo mover mpadded mphantom mprescripts mroot mrow mspace msqrt mstyle msub
msubsup msup mtable mtd mtext mtr munder munderover
""".split()
_MATH_ATTRIBUTES = """
accent accentunder columnalign columnlines columnspacing depth displaystyle fence form height
largeop linebreak linethickness lspace mathcolor mathsize mathvariant maxsize minsize movablelimits notation rowlines
rowspacing rspace scriptlevel separator stretchy symmetric voffset width
""".split()
_ATTRIBUTES = {
    "*": {"class", "dir", "lang", "title"},
    "a": {"href"},
    "audio": {"controls", "preload", "src"},
    "img": {"alt", "src"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan"},
    **{tag: set(_MATH_ATTRIBUTES) for tag in _MATH_TAGS},
    "math": {"alttext", "display"},
}


def unescaped(text: str) -> str:
    """The text with its HTML character references resolved, as by `html.unescape`, but for any text.

    Python refuses to parse a number of more than 4,300 digits (`ValueError`), so a reference of more than eight digits
    is shortened first: both name no character and become U+FFFD.
    """
    return html.unescape(_LONG_REFERENCE.sub(_shortened, text))


def _shortened(reference: re.Match[str]) -> str:
    return f"&#{reference[1].lstrip('0')[:8] or '0'}"


def plain(text: str) -> str:
    r"""The text without control and invisible characters, and with `\n` as line end."""
    return _UNWANTED.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


_MOST_ATTRIBUTES = 500
#: an attribute as browsers read it: nothing need stand between a quoted value and the next name
_ATTRIBUTE = r"""[\s/]*+(?:=[^\s/>=]*+|[^\s/>=]++)(?:\s*+=\s*+(?:"[^"]*+"?|'[^']*+'?|[^\s>"'][^\s>]*+)?+)?+"""
#: a start tag up to its last attribute; it always matches after `<` and a letter, so a text is read once
_START_TAG = re.compile(rf"(<[A-Za-z][^\s/>]*+)((?:{_ATTRIBUTE})*+)")
_FIRST_ATTRIBUTES = re.compile(rf"(?:{_ATTRIBUTE}){{0,{_MOST_ATTRIBUTES}}}+")


def with_few_attributes(markup: str) -> str:
    """The markup with at most 500 attributes in a tag; libxml2 takes quadratic time for the attributes of a tag."""

    def tag(match: re.Match[str]) -> str:
        first = _FIRST_ATTRIBUTES.match(match[2])
        return match[1] + (first[0] if first else "")

    return _START_TAG.sub(tag, markup)


def link_target(url: str | None) -> str | None:
    """The URL if a page may link to it (absolute; http, https or mailto), else None."""
    if url is None:
        return None
    url = plain(url).strip().replace("\n", "").replace("\t", "").replace(" ", "%20")  # as browsers read it
    try:
        parts = urlsplit(url)
    except ValueError:  # "http://[": not a URL
        return None
    if parts.scheme not in _LINK_SCHEMES or not (parts.netloc or parts.scheme == "mailto"):
        return None
    return url


def safe(markup: str, *, beside: Collection[str] = ()) -> str:
    """The markup without anything active: no script, no style, no form, no remote resource.

    `beside`: the placeholders (`coursefs.pages.beside_url`) that the page writer used. Only they are allowed as `src`;
    every other URL of their scheme in an attribute is removed.
    """

    def allowed(_tag: str, attribute: str, value: str) -> str | None:
        if attribute == "src":
            return value if value in beside else None
        if attribute == "href":
            return value if value in beside or link_target(value) == value else None
        if attribute == "class":
            return value if _CLASS.fullmatch(value) else None
        return value

    return nh3.clean(
        markup,
        tags={*_TEXT_TAGS, *_MATH_TAGS},
        attributes=_ATTRIBUTES,
        attribute_filter=allowed,
        url_schemes={*_LINK_SCHEMES, SCHEME},
        link_rel="noopener noreferrer",
    )


def without_tags(title: str) -> str:
    """A title that may be HTML as plain text.

    It is HTML if it has the end of an element, or an attribute.  Without either, "The <div> element" is what a person
    has written; what is no element of HTML, as in "List<String>", stays in any case.
    """
    text = title[:_LONGEST_TITLE]
    if any(tag["end"] or tag["attributes"] for tag in _TITLE_TAG.finditer(text)):
        text = _TITLE_TAG.sub(lambda tag: "" if tag["name"].lower() in _INLINE else " ", text)
    return unescaped(text)
