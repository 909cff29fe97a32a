"""Placeholders for the files beside a page, and what becomes of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from lxml import html

from coursefs.pages import beside_url, document, with_links

_KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


def test_a_placeholder_becomes_the_path_relative_to_the_page() -> None:
    page = f'<p><img src="{beside_url("item/ear")}" alt="x > y"> <a title="a > b" href="{beside_url("pdf")}">é</a></p>'
    names = {"item/ear": "02 How this course works.files/ear.png", "pdf": "02 How? 100% – Foli€n: #1.pdf"}
    assert (
        with_links(page, names)
        == (
            '<p><img src="02%20How%20this%20course%20works.files/ear.png" alt="x > y"> '
            '<a title="a > b" href="02%20How%3F%20100%25%20%E2%80%93%20Foli%E2%82%ACn%3A%20%231.pdf">é</a></p>'
        ).encode()
    )


def test_an_unknown_key_leads_nowhere() -> None:
    assert with_links(f'<a href="{beside_url("gone")}">x</a>', {}) == b'<a href="#">x</a>'


def test_words_are_not_taken_for_placeholders() -> None:
    words = '<p title=\'x\'>href="coursefs-beside:k" and src="coursefs-beside:k" <b>coursefs-beside:k</b></p>'
    assert with_links(words, {"k": "name"}) == words.encode()


def test_a_page_of_a_lone_surrogate_is_still_a_page() -> None:
    assert with_links("<p>a\ud800b</p>", {}) == b"<p>a?b</p>"


@given(key=_KEYS, name=_KEYS)
def test_any_key_and_any_name_survive_the_way_through_a_document(key: str, name: str) -> None:
    page = document(title="T", body=f'<p><a href="{beside_url(key)}">x</a></p>', url=None)
    tree = html.fromstring(with_links(page, {key: name}))
    (href,) = tree.xpath("//article//a/@href")
    assert href.isascii()
    assert _unquoted(href) == name


def _unquoted(path: str) -> str:
    from urllib.parse import unquote

    assert not set(path) & set("?#:\"'<>& ")
    return unquote(path)
