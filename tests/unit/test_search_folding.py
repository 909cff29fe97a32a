"""What makes two words the same, and how a search becomes an expression of FTS5."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursefs.search.folding import Term, compared, expression, folded, places, terms, words


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Größe", "grosse"),
        ("ÉCOLE Éducation", "ecole education"),
        ("Ｆｏｕｒｉｅｒ ﬁne", "fourier fine"),
        ("Ёлка Й", "елка и"),
        ("Άλφα", "αλφα"),
        ("ガギグ カ\u3099", "ガギグ ガ"),
        ("한국어", "한국어"),
        ("", ""),
    ],
)
def test_case_accents_and_forms_make_no_difference(text: str, plain: str) -> None:
    assert folded(text) == plain


def test_scripts_without_blanks_are_cut_into_pairs() -> None:
    assert words("AI学习 x") == "ai 学习 习  x"
    assert words("a 学 b").split() == ["a", "学", "b"]
    assert words("Plain text") == "plain text"


def test_a_search_is_words_and_what_is_in_quotation_marks() -> None:
    assert terms('Fourier "Discrete  Transform" a -- 学习AI') == (
        Term("fourier", False),
        Term("discrete transform", True),
        Term("a", True),
        Term("学习", False),
        Term("ai", True),
    )
    assert terms("(C++), a* «x-ray» \udce9\udcff e\udce9") == (
        Term("c", True),
        Term("a", True),
        Term("x ray", False),
        Term("e", True),
    )
    assert terms(' " . "" -- * \udcff ') == ()
    assert expression(terms('fou "a b"')) == '"fou" * AND "a b"'


TEXTS = [
    "Discrete Fourier transforms",
    "机器学习很有趣",
    "東京タワーへ行く",
    "한국어를 배우다",
    "École d'été",
    "AI学习",
    "x-ray 3.14",
    "…parallax, the short term effect",
    "हिन्दी, नमस्ते",
]


def matched(search: str) -> list[int]:
    """The texts that a search finds in FTS5."""
    database = sqlite3.connect(":memory:")
    database.execute("""CREATE VIRTUAL TABLE word USING fts5(text, tokenize="unicode61 categories 'L* N* M* Co'")""")
    for number, text in enumerate(TEXTS):
        database.execute("INSERT INTO word (rowid, text) VALUES (?, ?)", (number, words(text)))
    rows = database.execute("SELECT rowid FROM word WHERE word MATCH ? ORDER BY rowid", (expression(terms(search)),))
    found = [number for (number,) in rows]
    database.close()
    return found


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("fourier", [0]),
        ("FOUR", [0]),
        ("ourier", []),
        ("transform discrete", [0]),
        ('"discrete fourier"', [0]),
        ('"fourier discrete"', []),
        ("学习", [1, 5]),
        ("习", [1, 5]),
        ("器学习", [1]),
        ("机习", []),
        ("タワー", [2]),
        ("京", [2]),
        ("AI学习", [5]),
        ('"AI学习"', [5]),
        ("한국", [3]),
        ("ecole ete", [4]),
        ("x-ray", [6]),
        ("3.14", [6]),
        ("parallax?", [7]),
        ("parallax.", [7]),
        ("(parallax)", [7]),
        ("¿parallax!", [7]),
        ("short-term", [7]),
        ("Short/Term", [7]),
        ('"parallax the short"', [7]),
        ("para*", [7]),
        ('effect"', [7]),
        ("term-short", []),
        ("x ray", [6]),
        ("d’été", [4]),
        ("学习!", [1, 5]),
        ("AI-学习", [5]),
        ("हिन्दी", [8]),
        ("नमस्", [8]),
        ("हिनदी", []),
    ],
)
def test_what_is_found(search: str, found: list[int]) -> None:
    assert matched(search) == found
    for number in found:  # and in the sentence, which is looked for without FTS5
        assert all(places(term, compared(TEXTS[number])) for term in terms(search))


@given(
    st.lists(st.text("ab1_é学習-.,'’*() ", min_size=1, max_size=8), min_size=1, max_size=4),
    st.text("ab1é学-. ", max_size=4),
)
def test_a_sentence_is_found_by_each_of_its_words_as_it_is_written(parts: list[str], around: str) -> None:
    sentence = " ".join([around, *parts, around])
    for part in parts:
        assert all(places(term, compared(sentence)) for term in terms(part))


@given(st.text(max_size=60))
def test_any_search_is_an_expression_that_fts5_understands(search: str) -> None:
    if terms(search):
        matched(search)


@given(st.text(alphabet='学习机器AIé "-.*', max_size=12), st.text(alphabet="学习机器AIé x", max_size=12))
def test_a_part_of_a_run_is_found_wherever_it_lies(search: str, around: str) -> None:
    run = "学习"
    database = sqlite3.connect(":memory:")
    database.execute("""CREATE VIRTUAL TABLE word USING fts5(text, tokenize="unicode61 categories 'L* N* M* Co'")""")
    database.execute("INSERT INTO word VALUES (?)", (words(f"{around}{run}{search}"),))
    for part in ("学", "习", "学习"):
        assert database.execute("SELECT 1 FROM word WHERE word MATCH ?", (expression(terms(part)),)).fetchone()
    database.close()


def test_words_are_counted_from_their_beginning() -> None:
    assert places(Term("art", False), "art article smart") == 2
    assert places(Term("art", True), compared("art article smart art.")) == 2
    assert places(Term("学", False), "学习机器学") == 2
    assert places(Term("1 1", True), "11 1 1") == 1, "the first place is the end of another word"
