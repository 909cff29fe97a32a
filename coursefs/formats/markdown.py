"""Markdown of clean HTML, as CommonMark, Obsidian and GitHub read it (pure).

The library markdownify walks the HTML; decided here is what it leaves open, or writes so that a reader takes it for
something else: which characters of a text are escaped, formulas (`$…$`), code that has backquotes in it, emphasis
within words, tables within tables. The input is clean HTML (`coursefs.pages.cleaning.safe`); what is deep in it is
flattened, so that the time is linear in its length.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from coursefs.pages.cleaning import SCHEME

if TYPE_CHECKING:
    from bs4.element import PageElement, Tag

#: elements deeper than this are replaced by their text; no text of a recorded reply has more than 30 levels
_DEPTH = 60
_MOST_COLUMNS = 20

_PUNCTUATION = re.compile(r"[\\`*\[\]<~|$]")
_WORD_END = re.compile(r"(?<![^\W_])_|_(?![^\W_])")  # within a word an underscore is one
_TAG_OR_HEADING = re.compile(r"(?<!\w)#")
_HIGHLIGHT = re.compile(r"=(?==)|(?<==)=|%(?=%)|(?<=%)%")
_REFERENCE = re.compile(r"&(?=#?\w{1,40};)")
_LINE_START = re.compile(r"^(\s*)([-+>=])")
_NUMBER_START = re.compile(r"^(\s*\d{1,9})([.)])(?=\s|$)")
_BLANK_LINE = re.compile(r"\n[ \t]*\n")
_BACKQUOTES = re.compile(r"`+")
_DOLLAR = re.compile(r"(?<!\\)(?:\\\\)*\$")
_TEX_COMMENT = re.compile(r"(?<!\\)%[^\n]*")
_ODD_BACKSLASH = re.compile(r"(?<!\\)(?:\\\\)*\\$")
_LANGUAGE = re.compile(r"language-([a-z0-9_+#.-]{1,40})")
_UNSAFE_IN_URL = re.compile(r"[\s()<>\\|`\x00-\x1f]")
_BESIDE = re.compile(rf"\]\({SCHEME}:([^()\s]*)\)")
#: what surrounds the source of a formula that could not be shown, and whether it stands on a line of its own
_DELIMITERS = (("$$", "$$", False), (r"\[", r"\]", True), (r"\(", r"\)", False), ("$", "$", False))
_EMPHASIS = frozenset({"a", "b", "code", "em", "i", "s", "strong", "sub", "sup"})


def markdown(html: str) -> str:
    """The Markdown of clean HTML, without a line end at its end.

    Of a whole document (`coursefs.pages.document`) it is the text without the title. Links to files beside it keep
    their placeholder until `with_markdown_links`.
    """
    from bs4 import BeautifulSoup  # late: slow to import, and few commands need it

    soup = BeautifulSoup(html + "\n", "lxml")  # a line end: without one a short text may be warned of as a file name
    root = soup.find("article") or soup.body
    if root is None:
        return ""
    _prepare(root)
    return str(_converter().convert_soup(root)).strip("\n").rstrip()


def with_markdown_links(text: str, names: Mapping[str, str]) -> bytes:
    """The final UTF-8 bytes of a Markdown text, with links in place of the placeholders, as `pages.with_links` does."""

    def reference(match: re.Match[str]) -> str:
        name = names.get(unquote(match[1]))
        return f"]({'#' if name is None else quote(name, safe='/')})"

    return _BESIDE.sub(reference, text).encode("utf-8", "replace")


def escaped(text: str, *, at_start: bool = True) -> str:
    """A plain text as Markdown that shows just it; `at_start`: it may be at the beginning of a line."""
    text = _PUNCTUATION.sub(r"\\\g<0>", text)
    text = _WORD_END.sub(r"\\_", text)
    text = _TAG_OR_HEADING.sub(r"\\#", text)
    text = _HIGHLIGHT.sub(r"\\\g<0>", text)
    text = _REFERENCE.sub(r"\\&", text)
    if at_start:
        text = _NUMBER_START.sub(r"\1\\\2", _LINE_START.sub(r"\1\\\2", text))
    return text


# -- before the walk -------------------------------------------------------------------------------------------------


def _prepare(root: Tag) -> None:
    """Replace what Markdown cannot say by what it can."""
    _flatten(root)
    for line_break in root.select("pre br"):
        line_break.replace_with("\n")
    for table in root.select("table table"):
        for inner in table.find_all(["caption", "thead", "tbody", "tfoot", "tr", "td", "th"]):
            inner.insert_before(" ")
            inner.unwrap()
        table.unwrap()
    for table in root.find_all("table"):
        _widen(table)
    for element in reversed(root.find_all([*_EMPHASIS, "li"])):
        if not element.get_text().strip() and element.find(["img", "math", "audio"]) is None:
            element.unwrap() if element.name in _EMPHASIS else element.decompose()
    for one in root.find_all("ol"):
        for number, entry in enumerate(one.find_all("li", recursive=False), 1):
            entry["value"] = str(number)
    for same in (["b", "strong"], ["em", "i"], ["del", "s"]):
        for element in root.find_all(same):
            if element.find_parent(same) is not None:
                element.unwrap()
    for element in root.find_all(["span", "u", "var"]):
        element.unwrap()
    root.smooth()


def _widen(table: Tag) -> None:
    """Give the first row of a table as many columns as any other has; readers drop what has no column there."""
    rows = []
    for row in table.find_all("tr"):
        cells = row.find_all(["td", "th"], recursive=False)
        for cell in cells:
            said = str(cell.get("colspan", "1"))
            columns = int(said[:4]) if said.isascii() and said.isdigit() else 1
            cell["colspan"] = str(max(1, min(columns, _MOST_COLUMNS)))
        if cells:
            rows.append((cells[-1], sum(int(str(cell["colspan"])) for cell in cells)))
        else:
            row.decompose()
    if rows:
        last, width = rows[0]
        last["colspan"] = str(int(str(last["colspan"])) + max(each for _, each in rows) - width)


def _flatten(root: Tag) -> None:
    """Replace elements that are too deep by their text, so that no later step recurses deeper; empty formulas."""
    from bs4.element import Tag

    waiting = [(root, 0)]
    while waiting:
        element, depth = waiting.pop()
        for child in list(element.children):
            if not isinstance(child, Tag):
                continue
            if child.name == "math" and child.get("alttext"):
                child.clear()  # its source is all that is needed
            elif child.name == "math" or depth >= _DEPTH:
                child.replace_with(child.get_text(" "))
            else:
                waiting.append((child, depth + 1))


# -- the walk --------------------------------------------------------------------------------------------------------


def _converter() -> Any:
    """markdownify's converter with our rules; a class of its own, because the library is imported late."""
    from bs4.element import NavigableString, Tag
    from markdownify import MarkdownConverter

    class Converter(MarkdownConverter):
        """What each element becomes; `text` is the Markdown of its children."""

        def __init__(self) -> None:
            super().__init__(
                heading_style="atx", bullets="-", sub_symbol="<sub>", sup_symbol="<sup>", wrap=True, wrap_width=None
            )
            self._at_start = True

        def process_text(self, el: NavigableString, parent_tags: set[str] | None = None) -> str:
            before, after = el.previous_sibling, el.next_sibling
            self._at_start = not isinstance(before, Tag) or before.name not in _EMPHASIS | {"math", "img"}
            text = str(super().process_text(el, parent_tags))  # type: ignore[misc]  # not in its stubs
            is_link = isinstance(after, Tag) and after.name == "a"
            return f"{text[:-1]}\\!" if is_link and text.endswith("!") else text

        def escape(self, text: str, parent_tags: set[str]) -> str:
            return escaped(text, at_start=self._at_start)

        def convert_math(self, el: Tag, text: str, parent_tags: set[str]) -> str:
            return self._formula(el, str(el.get("alttext")), el.get("display") == "block", parent_tags)

        def _formula(self, el: Tag, source: str, is_block: bool, parent_tags: set[str]) -> str:
            tex = " ".join(_TEX_COMMENT.sub("", source).split())
            if not tex:
                return ""
            if _DOLLAR.search(tex) or _ODD_BACKSLASH.search(tex) or "_noformat" in parent_tags:
                return _code_span(source, parent_tags)
            if {"td", "th"} & parent_tags:
                tex = tex.replace("|", "\\|")
            if is_block and not {"_inline", "dt", *_EMPHASIS} & parent_tags:
                return f"\n\n$$\n{tex}\n$$\n\n"
            after = str(el.next_sibling or "")
            return f"{self._gap(el)}${tex}${' ' if after[:1].isdigit() else ''}"

        def convert_code(self, el: Tag, text: str, parent_tags: set[str]) -> str:
            if "_noformat" in parent_tags:
                return text
            if "math" in (el.get("class") or ()):
                written = el.get_text().strip()
                for opening, closing, is_block in _DELIMITERS:
                    source = written.removeprefix(opening).removesuffix(closing)
                    if len(source) == len(written) - len(opening) - len(closing):
                        return self._formula(el, source, is_block, parent_tags)
            left, right = (" " if text[at : at + 1].isspace() else "" for at in (0, len(text) - 1))
            return f"{left or self._gap(el)}{_code_span(text, parent_tags)}{right}"

        @staticmethod
        def _gap(el: Tag) -> str:
            """A blank between code or a formula and another one just before it, which would be read as one."""
            before = el.previous_sibling
            return " " if isinstance(before, Tag) and before.name in {"code", "kbd", "samp", "math"} else ""

        convert_kbd = convert_samp = convert_code

        def convert_pre(self, el: Tag, text: str, parent_tags: set[str]) -> str:
            code = el.get_text().replace("\r\n", "\n").replace("\r", "\n").removeprefix("\n")
            if not code.strip():
                return ""
            if "_inline" in parent_tags:
                return f" {_code_span(code, parent_tags)} "
            inner = el.find("code")
            classes = [str(one) for tag in (el, inner) if tag is not None for one in (tag.get("class") or ())]
            named = (_LANGUAGE.fullmatch(one) for one in classes)
            language = next((match[1] for match in named if match), "")
            fence = "`" * max(3, 1 + max(map(len, _BACKQUOTES.findall(code)), default=0))
            return f"\n\n{fence}{language}\n{code.rstrip()}\n{fence}\n\n"

        def convert_a(self, el: Tag, text: str, parent_tags: set[str]) -> str:
            href = str(el.get("href") or "")
            words = " ".join(text.split())
            if not href or not words or "_noformat" in parent_tags:
                return text
            left, right = (" " if text[at].isspace() else "" for at in (0, -1))
            return f"{left}[{words}]({_target(href)}){right}"

        def convert_img(self, el: Tag, text: str, parent_tags: set[str]) -> str:
            alt, source = " ".join(str(el.get("alt") or "").split()), str(el.get("src") or "")
            return f"![{escaped(alt, at_start=False)}]({_target(source)})" if source else escaped(alt, at_start=False)

        def convert_audio(self, el: Tag, text: str, parent_tags: set[str]) -> str:
            source = str(el.get("src") or "")
            return f"[Audio]({_target(source)})" if source else text

        def convert_br(self, el: Tag, text: str, parent_tags: set[str]) -> str:
            is_inline = bool({"_inline", "a", "dt"} & parent_tags)
            return " " if is_inline else "  \n"

        def convert_hr(self, el: Tag, text: str, parent_tags: set[str]) -> str:
            return " " if "_inline" in parent_tags else "\n\n___\n\n"  # `---` may underline a heading

        def _emphasis(self, el: Tag, text: str, parent_tags: set[str], sign: str, name: str) -> str:
            words = text.strip()
            if not words or _BLANK_LINE.search(text) or "_noformat" in parent_tags:
                return text
            left, right = (" " if text[at].isspace() else "" for at in (0, -1))
            marks = (sign, sign)
            before, after = el.previous_sibling, el.next_sibling
            begins = left or self._is_edge(before, -1, words[0])
            ends = right or self._is_edge(after, 0, words[-1])
            if not begins or not ends or {words[0], words[-1]} & {"*", "~"}:
                marks = (f"<{name}>", f"</{name}>")
            return f"{left}{marks[0]}{words}{marks[1]}{right}"

        @staticmethod
        def _is_edge(beside: PageElement | None, at: int, inner: str) -> bool:
            """Whether emphasis can begin or end between a neighbour and the character `inner` (the flanking rules)."""
            if beside is None:
                return True
            if isinstance(beside, Tag):
                return beside.name == "br"
            outer = str(beside)[at]
            return outer.isspace() or (inner.isalnum() and (outer.isalnum() or outer in ".,;:!?)(\"'"))

        def convert_strong(self, el: Tag, text: str, parent_tags: set[str]) -> str:
            return self._emphasis(el, text, parent_tags, "**", "strong")

        def convert_em(self, el: Tag, text: str, parent_tags: set[str]) -> str:
            return self._emphasis(el, text, parent_tags, "*", "em")

        def convert_s(self, el: Tag, text: str, parent_tags: set[str]) -> str:
            return self._emphasis(el, text, parent_tags, "~~", "s")

        convert_b, convert_i, convert_del = convert_strong, convert_em, convert_s

        def convert_li(self, el: Tag, text: str, parent_tags: set[str]) -> str:
            parent = el.parent
            is_numbered = parent is not None and parent.name == "ol"
            bullet = f"{el.get('value', '1')}. " if is_numbered else "- "
            if not text.strip():
                return ""
            first, *others = text.strip().split("\n")
            indented = (f"{' ' * len(bullet)}{line}" if line else "" for line in others)
            return "\n".join((f"{bullet}{first}".rstrip(), *indented)) + "\n"

        def convert_ul(self, el: Tag, text: str, parent_tags: set[str]) -> str:
            if not text.strip():
                return ""
            before = "\n" if "li" in parent_tags and el.name == "ul" else "\n\n"
            return f"{before}{text.rstrip()}\n\n"

        convert_ol = convert_ul

        def convert_dt(self, el: Tag, text: str, parent_tags: set[str]) -> str:
            words = text.strip()
            if "_inline" in parent_tags:
                return f" {words} "
            return f"\n\n**{words}**\n\n" if words and not {"\n", "*"} & set(words) else f"\n\n{words}\n\n"

        def convert_dd(self, el: Tag, text: str, parent_tags: set[str]) -> str:
            words = text.strip()
            return f" {words} " if "_inline" in parent_tags else f"\n\n{words}\n\n"

        def convert_td(self, el: Tag, text: str, parent_tags: set[str]) -> str:
            words = " ".join(text.replace("\n", " ").split(" "))
            return f" {words.strip()} |" + " |" * (int(str(el.get("colspan", "1"))) - 1)

        convert_th = convert_td

    return Converter()


def _code_span(text: str, parent_tags: set[str]) -> str:
    """A code span of any text, on one line."""
    code = " ".join(text.split())
    if not code:
        return ""
    if {"td", "th"} & parent_tags:
        code = code.replace("|", "\\|")  # as tables read it, also within code
    mark = "`" * (1 + max(map(len, _BACKQUOTES.findall(code)), default=0))
    blank = " " if code[0] == "`" or code[-1] == "`" else ""
    return f"{mark}{blank}{code}{blank}{mark}"


def _target(url: str) -> str:
    """A URL as the target of a link."""
    return _REFERENCE.sub("&amp;", _UNSAFE_IN_URL.sub(lambda found: quote(found[0]), url))
