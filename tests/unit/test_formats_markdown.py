"""Markdown of readings: what a second parser (markdown-it) shows of it is what the page showed."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin

from coursefs.formats.markdown import markdown, with_markdown_links
from coursefs.pages import beside_url, document
from coursefs.pages.cleaning import safe
from coursefs.pages.formulas import with_formulas
from coursefs.providers.coursera import cml

READER = MarkdownIt("commonmark").enable(["table", "strikethrough"]).use(dollarmath_plugin)
IMAGE = beside_url("a/b")


def clean(html: str) -> str:
    return safe(html, beside={IMAGE})


def shown(text: str) -> BeautifulSoup:
    """A Markdown text as a reader shows it."""
    return BeautifulSoup(READER.render(text), "lxml")


def words(soup: BeautifulSoup) -> str:
    return re.sub(r"\s+", "", soup.get_text())


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<h2>Head</h2><p>One\n  two</p><p>three<br>four</p>", "## Head\n\nOne two\n\nthree  \nfour"),
        ("<p><b>bold</b> <i>it</i> x<sub>1</sub> 10<sup>6</sup></p>", "**bold** *it* x<sub>1</sub> 10<sup>6</sup>"),
        ("<p><b>1<br><br>2</b></p>", "1  \n  \n2"),  # emphasis ends with its paragraph
        ("<p><b>Note:</b>this</p>", "<strong>Note:</strong>this"),  # `**Note:**this` is no emphasis
        ("<p>snake_case _x_ 2*3 [a] C# #tag $5 ==a== `x` ~y~ a|b</p>",
         r"snake_case \_x\_ 2\*3 \[a\] C# \#tag \$5 \=\=a\=\= \`x\` \~y\~ a\|b"),
        ("<p>1. no list</p><p>- nor this</p><p>&gt; nor that</p><p>&amp;copy; &lt;b&gt;</p>",
         "1\\. no list\n\n\\- nor this\n\n\\> nor that\n\n\\&copy; \\<b>"),
        ("<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>", "- a\n  - b\n- c"),
        ("<ol><li>a</li><li><p>b</p><p>c</p></li></ol>", "1. a\n2. b\n\n   c"),
        ("<blockquote><p>q</p><p>r</p></blockquote>", "> q\n>\n> r"),
        ("<dl><dt>Term</dt><dd>What it is</dd></dl>", "**Term**\n\nWhat it is"),
        ('<p><a href="https://x.example/(a)?b=1&amp;c">li\nnk</a></p>', "[li nk](https://x.example/%28a%29?b=1&c)"),
        (f'<p><img alt="a [b]" src="{IMAGE}"></p>', r"![a \[b\]](coursefs-beside:a%2Fb)"),
        ('<p><img alt="no picture"></p>', "no picture"),
        ("<p>x</p><hr><p>y</p>", "x\n\n___\n\ny"),
        ("", ""),
    ],
)  # fmt: skip
def test_texts(html: str, expected: str) -> None:
    assert markdown(clean(html)) == expected


@pytest.mark.parametrize(
    ("html", "code", "language"),
    [
        ('<pre class="language-python"><code>def f():\n    pass\n</code></pre>', "def f():\n    pass", "python"),
        ('<pre><code class="language-c">#include &lt;x&gt;</code></pre>', "#include <x>", "c"),
        ("<pre>```\n````\nmore</pre>", "```\n````\nmore", ""),
        ("<pre>\n\tone<br>two *b* _x_ $y$ &amp;amp;</pre>", "\tone\ntwo *b* _x_ $y$ &amp;", ""),
        ("<ul><li>a<pre>x\n\n  y</pre></li></ul>", "x\n\n  y", ""),
    ],
)
def test_code_comes_back_as_it_is(html: str, code: str, language: str) -> None:
    found = shown(markdown(clean(html))).find("code")
    assert found is not None and found.get_text().rstrip("\n") == code
    assert found.get("class") == ([f"language-{language}"] if language else None)


@pytest.mark.parametrize("code", ["a`b", "`", "``x``", "a|b", "<b> &amp; *x*", "  two  blanks ", "$x$", "\\"])
def test_code_in_a_line_comes_back_as_it_is(code: str) -> None:
    for html in (
        f"<p>x <code>{escape(code)}</code> y</p>",
        f"<table><tr><td><code>{escape(code)}</code></td></tr></table>",
    ):
        found = shown(markdown(clean(html))).find("code")
        assert found is not None and found.get_text() == " ".join(code.split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"a $$\frac{a}{b}$$ c", r"a $\frac{a}{b}$ c"),
        (r"a $x_1 * y$, 5", r"a $x_1 * y$, 5"),
        (r"\[ \alpha + 1 \]", "$$\n\\alpha + 1\n$$"),
        (r"$$x$$5", "$x$ 5"),  # `$x$5` is no formula
        (r"$$\nocommand{x}$$", r"$\nocommand{x}$"),  # which the page shows as TeX
        (r"\(\nocommand{x}\)", r"$\nocommand{x}$"),
        (r"\[\nocommand{x}\]", "$$\n\\nocommand{x}\n$$"),
        (r"it costs $5 to $6", r"it costs \$5 to \$6"),
        (r"\(\text{costs \$5}\)", r"$\text{costs \$5}$"),
        ("\\(a % a comment\n+ b\\)", "$a + b$"),
    ],
)
def test_formulas(text: str, expected: str) -> None:
    assert markdown(clean(f"<p>{with_formulas(text, flagged=True)}</p>")).strip() == expected


def test_a_table_has_the_cells_that_the_page_has() -> None:
    formula = with_formulas("$$|x|$$", flagged=True)
    html = (
        f"<table><thead><tr><th>A|B</th><th>{formula}</th></tr></thead><tbody>"
        "<tr><td><p>one</p><p>two</p></td><td colspan=2>wide</td></tr><tr><td><code>a|b</code></td></tr>"
        "</tbody></table>"
    )
    text = markdown(clean(html))
    rows = [[cell.get_text(" ").strip() for cell in row.find_all(["th", "td"])] for row in shown(text).find_all("tr")]
    assert rows == [["A|B", "|x|", ""], ["one  two", "wide", ""], ["a|b", "", ""]]
    assert r"$\|x\|$" in text and r"`a\|b`" in text


def test_a_table_within_a_table_is_text_of_its_cell() -> None:
    html = "<table><tr><td>a<table><tr><td>b</td><td>c</td></tr></table></td><td>d</td></tr></table>"
    rows = shown(markdown(clean(html))).find_all("tr")
    assert [cell.get_text() for cell in rows[-1].find_all("td")] == ["a b c", "d"]


def test_links_to_files_beside_it_get_their_names() -> None:
    text = markdown(clean(f'<p><img alt="x" src="{IMAGE}"> <a href="{IMAGE}">y</a></p><pre>](coursefs</pre>'))
    names = {"a/b": "02 Text.files/a picture (1).png"}
    target = "02%20Text.files/a%20picture%20%281%29.png"
    assert f"![x]({target}) [y]({target})".encode() in with_markdown_links(text, names)
    assert b"![x](#) [y](#)" in with_markdown_links(text, {})


def test_of_a_page_it_is_the_text_alone() -> None:
    page = document(title="A title", body="<p>text</p>", url="https://x.example", course="Course")
    assert markdown(page) == "text"


# -- any page --------------------------------------------------------------------------------------------------------

_TEXT = st.text(st.sampled_from("ab1 .)(-+=>#*_`~$|<>&;![]\\\n%:é文 "), max_size=8).map(escape)
_TEX = st.sampled_from(["a|b", r"\frac{1}{2}", "x_1*y", r"\|x\|", "%c\nd"])


def _wrapped(tag: str, inner: st.SearchStrategy[str], attributes: str = "") -> st.SearchStrategy[str]:
    return st.lists(inner, max_size=3).map(lambda some: f"<{tag}{attributes}>{''.join(some)}</{tag}>")


def _formula(tex: str) -> st.SearchStrategy[str]:
    displays = st.sampled_from(["inline", "block"])
    return displays.map(lambda display: f'<math alttext="{escape(tex)}" display="{display}"><mi>x</mi></math>')


_LEAF = st.one_of(
    _TEXT,
    _TEX.flatmap(_formula),
    _TEXT.map(lambda text: f"<code>{text}</code>"),
    st.sampled_from(["<br>", f'<img alt="a]b" src="{IMAGE}">']),
)
_INLINE = st.recursive(
    _LEAF,
    lambda inner: st.one_of(
        *(_wrapped(tag, inner) for tag in ("b", "em", "s", "sup", "span")),
        _wrapped("a", inner, ' href="https://x.example/(a)"'),
    ),
    max_leaves=5,
)
_PRE = _TEXT.map(lambda text: f"<pre><code>{text}</code></pre>")
_CELL = _INLINE | _wrapped("p", _INLINE) | _PRE | _wrapped("table", _wrapped("tr", _wrapped("td", _INLINE)))
_BLOCK = st.recursive(
    _wrapped("p", _INLINE) | _PRE | st.just("<hr>") | _wrapped("h2", _INLINE) | _INLINE,
    lambda inner: st.one_of(
        *(_wrapped(tag, _wrapped("li", inner)) for tag in ("ul", "ol")),
        *(_wrapped(tag, inner) for tag in ("blockquote", "div")),
        _wrapped("table", _wrapped("tr", _wrapped("td", _CELL))),
        _wrapped("dl", _wrapped("dt", _INLINE) | _wrapped("dd", inner)),
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(st.lists(_BLOCK, max_size=4).map("".join))
def test_no_text_and_no_formula_of_any_page_is_lost_or_read_as_something_else(html: str) -> None:
    page = clean(html)
    soup = BeautifulSoup(page, "lxml")
    for formula in soup.find_all("math"):
        formula.replace_with("d" if "%" in formula["alttext"] else str(formula["alttext"]))
    assert words(shown(markdown(page))) == words(soup)


@settings(max_examples=60, deadline=None)
@example("notes.htm")
@example("https://campus.example.edu/notes")
@given(st.text(max_size=300) | st.text("<>/abpretdl \"'=&;", max_size=300))
def test_any_markup_becomes_some_markdown(html: str) -> None:
    page = clean(html)
    assert words(shown(markdown(page))) == words(BeautifulSoup(page + "\n", "lxml"))


def test_deep_markup_is_flattened_and_nothing_is_lost() -> None:
    for tag in ("div", "blockquote", "ul><li", "b", "table><tr><td"):
        html = f"<{tag}>" * 3000 + "the end"
        assert "the end" in markdown(clean(html))


def test_recorded_readings_keep_their_words(recorded: Path) -> None:
    found = 0
    for file in sorted((recorded / "coursera").rglob("supplement*.json")):
        for text in re.findall(r'"(<co-content>.*?</co-content>)"', file.read_text()):
            page = cml.render(text.encode().decode("unicode_escape", "replace"), {}, title="T", page_url=None)
            soup = BeautifulSoup(page, "lxml")
            found += 1
            for formula in soup.find_all("math"):
                formula.replace_with("".join(str(formula["alttext"]).split()))
            assert words(shown(markdown(page))) == words(soup)
    assert found
