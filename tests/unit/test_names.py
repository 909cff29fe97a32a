"""Names: what a title becomes, and who gets a name that several want."""

from __future__ import annotations

import random
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursefs.catalog.names import (
    MAX_BYTES,
    STEM_BYTES,
    Layout,
    Shown,
    Wish,
    clean,
    decide,
    directory,
    fit,
    fold,
    stem,
    wish,
)
from coursefs.model import File, Kind, Page, Placement


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Welcome", "Welcome"),
        ("Report a problem with the course ", "Report a problem with the course"),
        ("TCP/IP: how?", "TCP-IP: how?"),
        ("Gro\u0308ßen", "Größen"),
        ("日本語の講義", "日本語の講義"),
        ("a\u202eb\u2066c\u200f", "abc"),
        ("tab\tand\nbreak", "tab and break"),
        ("nul\x00bell\x07", "nulbell"),
        ("half \ud800 a character", "half  a character"),
        ("👩\u200d🏫 teaches", "👩\u200d🏫 teaches"),
        (" \u200e ", ""),
    ],
)
def test_clean(title: str, name: str) -> None:
    assert clean(title) == name


@pytest.mark.parametrize(
    ("title", "position", "name"),
    [
        ("Introduction", 1, "01 Introduction"),
        ("Introduction", 123, "123 Introduction"),
        ("Introduction", None, "Introduction"),
        ("...and then", None, "and then"),
        (".NET", 2, "02 .NET"),
        ("..", None, "Lecture"),
        ("", 4, "04 Lecture"),
        ("/", 4, "04 -"),
    ],
)
def test_title_directory(title: str, position: int | None, name: str) -> None:
    assert directory(Layout.TITLE, title=title, slug="", position=position, kind="lecture") == name


@pytest.mark.parametrize(
    ("slug", "title", "name"),
    [
        ("week-1", "Week 1", "01_week-1"),
        ("", "Week 1: (Über) Points & Lines?", "01_Week_1-_Über_Points__Lines"),
        ("", "Вступление", "01_Вступление"),
        ("", "???", "01_Module"),
    ],
)
def test_slug_directory(slug: str, title: str, name: str) -> None:
    assert directory(Layout.SLUG, title=title, slug=slug, position=1, kind="module") == name


@pytest.mark.parametrize(
    ("kind", "placement", "title", "name"),
    [
        (Kind.VIDEO, Placement.MAIN, "", "01_welcome.x"),
        (Kind.READING, Placement.MAIN, "", "01_welcome_instructions.x"),
        (Kind.ATTACHMENT, Placement.ATTACHED, "Slides of week 1", "01_welcome_Slides_of_week_1.x"),
        (Kind.ATTACHMENT, Placement.ATTACHED, "", "01_welcome_attachment.x"),
        (Kind.LINK, Placement.MARKED, "quiz", "01_welcome_quiz.x"),
        (Kind.IMAGE, Placement.BESIDE, "../an ear", "-an_ear.x"),
        (Kind.IMAGE, Placement.BESIDE, "..", "image.x"),
    ],
)
def test_wish_in_slugs(kind: Kind, placement: Placement, title: str, name: str) -> None:
    file = File("k", kind, placement, title, ".x", "x/y", Page(""))
    assert wish(Layout.SLUG, "01_welcome", file).name == name


@pytest.mark.parametrize(
    ("placement", "title", "extension", "name"),
    [
        (Placement.MAIN, "", ".mp4", "01 Introduction.mp4"),
        (Placement.MAIN, "", ".en.srt", "01 Introduction.en.srt"),
        (Placement.ATTACHED, "Slides", ".pdf", "01 Introduction - Slides.pdf"),
        (Placement.ATTACHED, "", ".pdf", "01 Introduction - Attachment.pdf"),
        (Placement.MARKED, "quiz", ".html", "01 Introduction (quiz).html"),
        (Placement.BESIDE, "../ear", ".png", "-ear.png"),
        (Placement.BESIDE, "..", ".png", "attachment.png"),
    ],
)
def test_wish(placement: Placement, title: str, extension: str, name: str) -> None:
    file = File("k", Kind.ATTACHMENT, placement, title, extension, "x/y", Page(""))
    assert wish(Layout.TITLE, "01 Introduction", file).name == name


def test_long_names_keep_their_extension_and_their_suffix() -> None:
    long = Wish("item/abc", "ü" * 300, ".mp4")
    assert long.name.endswith("ü.mp4")
    assert len(long.name.encode()) <= MAX_BYTES
    assert long.suffixed("abc").endswith("ü (abc).mp4")
    assert len(long.suffixed("abc").encode()) <= MAX_BYTES


def test_fit_cuts_no_character_in_two() -> None:
    assert fit("e\u0301" * 10, 7) == "e\u0301e\u0301"
    assert fit("x👩\u200d🏫", 9) == "x"
    assert fit("\u0301" * 9, 4) == "\u0301" * 2  # nothing but marks
    assert fit("short", 255) == "short"


def _decide(*wishes: tuple[str, str], shown: dict[str, Shown] | None = None) -> dict[str, str]:
    return decide([Wish(key, body, ".mp4") for key, body in wishes], shown or {})


def test_equal_names_seen_together_all_get_their_id() -> None:
    assert _decide(("i/a", "Talk"), ("i/b", "talk"), ("i/c", "Other")) == {
        "i/a": "Talk (a).mp4",
        "i/b": "talk (b).mp4",
        "i/c": "Other.mp4",
    }


def test_a_name_that_was_shown_stays_and_the_newcomer_gets_the_suffix() -> None:
    shown = {"i/b": Shown("Talk.mp4", "Talk.mp4")}
    assert _decide(("i/a", "Talk"), ("i/b", "Talk"), shown=shown) == {"i/a": "Talk (a).mp4", "i/b": "Talk.mp4"}


def test_a_suffix_stays_when_the_twin_has_gone() -> None:
    shown = {"i/a": Shown("Talk.mp4", "Talk (a).mp4")}
    assert _decide(("i/a", "Talk"), shown=shown) == {"i/a": "Talk (a).mp4"}


def test_a_rename_gives_the_new_name() -> None:
    assert _decide(("i/a", "New"), shown={"i/a": Shown("Old.mp4", "Old.mp4")}) == {"i/a": "New.mp4"}


def test_names_of_our_own_files_are_not_for_titles() -> None:
    assert decide([Wish("x/7", "index", ".html")], {}) == {"x/7": "index (7).html"}


titles = st.text(st.characters(codec=None) | st.sampled_from("/. aA\u0301\u202e"), max_size=300)


@given(titles, st.none() | st.integers(1, 200), st.sampled_from(Layout), titles)
def test_every_title_gives_a_lawful_name(title: str, position: int | None, layout: Layout, slug: str) -> None:
    name = directory(layout, title=title, slug=slug, position=position, kind="lecture")
    assert 0 < len(name.encode()) <= MAX_BYTES
    assert name == unicodedata.normalize("NFC", name) == name.strip()
    assert not name.startswith(".")
    assert not set(name) & set("/\0\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
    assert all(unicodedata.category(character) not in {"Cc", "Cs"} for character in name)
    assert len(stem(layout, title=title, slug=slug, position=position, kind="lecture").encode()) <= STEM_BYTES


@given(st.sampled_from(Layout), titles, titles, st.sampled_from(Placement), st.sampled_from(Kind), titles)
def test_every_file_and_its_twins_get_lawful_names(
    layout: Layout, item: str, title: str, placement: Placement, kind: Kind, extension: str
) -> None:
    beginning = stem(layout, title=item, slug="", position=None, kind="lecture")
    files = [File(f"{item}/{n}", kind, placement, title, f".{extension}", "", Page("")) for n in range(3)]
    found = decide([wish(layout, beginning, file) for file in files], {})
    assert len({fold(name) for name in found.values()}) == len(files)
    for name in found.values():
        assert 0 < len(name.encode()) <= MAX_BYTES
        assert name == unicodedata.normalize("NFC", name) and not name.startswith(".")
        assert not set(name) & set("/\0\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
        assert all(unicodedata.category(character) not in {"Cc", "Cs"} for character in name)


bodies = st.sampled_from(["Talk", "talk", "Talk (a)", "Talk (b)", "Other", "index"])


@given(st.dictionaries(st.sampled_from("abcdefgh"), bodies), st.randoms(use_true_random=False))
def test_decisions_are_unique_stable_and_without_order(wanted: dict[str, str], shuffler: random.Random) -> None:
    wishes = [Wish(f"i/{key}", body, ".html") for key, body in wanted.items()]
    names = decide(wishes, {})
    assert len({fold(name) for name in names.values()}) == len(wanted)
    shuffler.shuffle(wishes)
    assert decide(wishes, {}) == names
    shown = {each.key: Shown(each.name, names[each.key]) for each in wishes}
    assert decide([*wishes, Wish("i/new", "Talk", ".html")], shown) | names == decide(
        [Wish("i/new", "Talk", ".html"), *wishes], shown
    )
    some = [each for each in wishes if shuffler.random() < 0.5]
    assert decide(some, shown) == {each.key: names[each.key] for each in some}
