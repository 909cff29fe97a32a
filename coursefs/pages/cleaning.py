"""Text and markup of a platform, made fit for a page.

`plain` is for words, `safe` for markup.  The writers of pages make clean markup in the first place; `safe` is what
stands behind them, and it alone decides what can be in a page at all.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import urlsplit

import nh3

from coursefs.pages.beside import SCHEME

#: Control characters but newline and tab, invisible ones without a meaning (zero-width space, word joiner, byte order
#: mark), overrides of the writing direction, and what is no character at all.  The zero-width joiner and non-joiner
#: stay: Persian, the languages of India and emoji are misspelt without them.
_UNWANTED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u2060\ufeff\u202d\u202e\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)

_LINK_SCHEMES = frozenset({"http", "https", "mailto"})
_CLASS = re.compile(r"language-[a-z0-9_+#.-]{1,40}|cml|math|missing")

_TEXT_TAGS = """
a audio b blockquote br code dd div dl dt em h2 h3 h4 h5 h6 hr i img li ol p pre s span strong sub sup
table tbody td tfoot th thead tr u ul var
""".split()
_MATH_TAGS = """
math menclose mfrac mi mn mo mover mpadded mphantom mroot mrow mspace msqrt mstyle msub msubsup msup
mtable mtd mtext mtr munder munderover
""".split()
_MATH_ATTRIBUTES = """
accent accentunder columnalign columnlines columnspacing depth displaystyle fence form height
largeop linebreak linethickness lspace mathcolor mathsize mathvariant maxsize minsize movablelimits notation rowlines
rowspacing rspace scriptlevel separator stretchy symmetric width
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


def plain(text: str) -> str:
    """The text without control and invisible characters; every line ends with a newline alone."""
    return _UNWANTED.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def link_target(url: str | None) -> str | None:
    """The URL if a page may link to it: absolute, by http, https or mailto.  None: it may not."""
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


def safe(html: str, *, beside: Collection[str] = ()) -> str:
    """The markup with nothing in it that could act or load: no script, no style, no form, no remote resource.

    `beside`: the placeholders (`coursefs.pages.beside_url`) that the writer of the page put there.  They alone are
    allowed as `src`; any other mention of their scheme in an attribute is taken out.
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
        html,
        tags={*_TEXT_TAGS, *_MATH_TAGS},
        attributes=_ATTRIBUTES,
        attribute_filter=allowed,
        url_schemes={*_LINK_SCHEMES, SCHEME},
        link_rel="noopener noreferrer",
    )
