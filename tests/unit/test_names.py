"""Names: what a title becomes, and who gets a name that several want."""

from __future__ import annotations

import hashlib
import random
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from coursefs.base.characters import legible, skeleton
from coursefs.catalog.names import (
    MAX_BYTES,
    STEM_BYTES,
    DecidedName,
    DesiredName,
    Layout,
    clean,
    decide,
    desired_name,
    directory,
    fit,
    fold,
    stem,
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
        ("a\u200bb\ufeffc\u00add\u2060e\u2064f\u034fg", "abcdefg"),
        ("x\U000e0041\U000e007fy\ufdd0\uffffz\U0001ffff", "xyz"),
        ("\ue000\U000f0000private", "private"),
        ("\u3164\u115f\u1160\uffa0", ""),  # fillers of Hangul
        ("a\u2800\u2800b\u2800", "a b"),  # braille without a dot
        (
            "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
            "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        ),  # Persian
        ("\u0915\u094d\u200d\u0937", "\u0915\u094d\u200d\u0937"),  # Devanagari
        ("We\u200cek\u200d 1", "Week 1"),
        ("\u200d\u0645\u200c\u200c\u062e\u200d", "\u0645\u062e"),  # two in a row, and at the ends: no joint
        ("I \u2764\ufe0f it", "I \u2764\ufe0f it"),
        ("a\ufe0fb\ufe00c", "abc"),
        ("\u0661\u06dd", "\u0661\u06dd"),  # a sign around a number is seen
        ("x" * 5000, "x" * 1024),
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
        ("--checkpoint=1", None, "checkpoint=1"),
        ("--checkpoint-action=exec=sh x", None, "checkpoint-action=exec=sh x"),
        (" .-. -rf", None, "rf"),
        ("\u200b-rf", None, "rf"),
        ("/-", None, "Lecture"),
        ("-5 \u00b0C", 3, "03 -5 \u00b0C"),
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
        ("--slug", "Title", "01_--slug"),
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
        (Kind.IMAGE, Placement.BESIDE, "../an ear", "an_ear.x"),
        (Kind.IMAGE, Placement.BESIDE, "..", "image.x"),
    ],
)
def test_wish_in_slugs(kind: Kind, placement: Placement, title: str, name: str) -> None:
    file = File("k", kind, placement, title, ".x", "x/y", Page(""))
    assert desired_name(Layout.SLUG, "01_welcome", file).name == name


@pytest.mark.parametrize(
    ("placement", "title", "extension", "name"),
    [
        (Placement.MAIN, "", ".mp4", "01 Introduction.mp4"),
        (Placement.MAIN, "", ".en.srt", "01 Introduction.en.srt"),
        (Placement.ATTACHED, "Slides", ".pdf", "01 Introduction - Slides.pdf"),
        (Placement.ATTACHED, "", ".pdf", "01 Introduction - Attachment.pdf"),
        (Placement.MARKED, "quiz", ".html", "01 Introduction (quiz).html"),
        (Placement.BESIDE, "../ear", ".png", "ear.png"),
        (Placement.BESIDE, "..", ".png", "attachment.png"),
    ],
)
def test_wish(placement: Placement, title: str, extension: str, name: str) -> None:
    file = File("k", Kind.ATTACHMENT, placement, title, extension, "x/y", Page(""))
    assert desired_name(Layout.TITLE, "01 Introduction", file).name == name


def test_long_names_keep_their_extension_and_their_suffix() -> None:
    long = DesiredName("item/abc", "ü" * 300, ".mp4")
    assert long.name.endswith("ü.mp4")
    assert len(long.name.encode()) <= MAX_BYTES
    assert long.suffixed("abc").endswith("ü (abc).mp4")
    assert len(long.suffixed("abc").encode()) <= MAX_BYTES


def test_a_file_can_have_the_longest_name_that_there_is(tmp_path: Path) -> None:
    long = DesiredName("item/abc", "a" * 300, ".mp4")
    for name in (long.name, long.suffixed("abc")):
        assert len(name) == MAX_BYTES
        (tmp_path / name).touch()


def test_fit_cuts_no_character_in_two() -> None:
    assert fit("e\u0301" * 10, 7) == "e\u0301e\u0301"
    assert fit("x👩\u200d🏫", 9) == "x"
    assert fit("\u0301" * 9, 4) == "\u0301" * 2  # nothing but marks
    assert fit("short", 255) == "short"


def _decide(*desired: tuple[str, str], shown: dict[str, DecidedName] | None = None) -> dict[str, str]:
    return decide([DesiredName(key, body, ".mp4") for key, body in desired], shown or {})


def test_equal_names_seen_together_all_get_their_id() -> None:
    assert _decide(("i/a", "Talk"), ("i/b", "talk"), ("i/c", "Other")) == {
        "i/a": "Talk (a).mp4",
        "i/b": "talk (b).mp4",
        "i/c": "Other.mp4",
    }


def test_an_id_that_is_too_long_for_a_name_is_a_digest_of_it_no_longer_than_needed() -> None:
    keys = [f"i/{letter * 41}" for letter in "ab"]
    first, second = (hashlib.blake2b(key.encode()).hexdigest() for key in keys)
    twins = [(key, "Talk") for key in keys]
    assert _decide(*twins) == {keys[0]: f"Talk ({first[:6]}).mp4", keys[1]: f"Talk ({second[:6]}).mp4"}
    names = _decide(*twins, ("i/c", f"Talk ({first[:6]})"))
    assert names[keys[0]] == f"Talk ({first[:8]}).mp4", "the short one is another file's name"
    assert names[keys[1]] == f"Talk ({second[:6]}).mp4"


def test_a_name_that_was_shown_stays_and_the_newcomer_gets_the_suffix() -> None:
    shown = {"i/b": DecidedName("Talk.mp4", "Talk.mp4")}
    assert _decide(("i/a", "Talk"), ("i/b", "Talk"), shown=shown) == {"i/a": "Talk (a).mp4", "i/b": "Talk.mp4"}


def test_a_suffix_stays_when_the_twin_has_gone() -> None:
    shown = {"i/a": DecidedName("Talk.mp4", "Talk (a).mp4")}
    assert _decide(("i/a", "Talk"), shown=shown) == {"i/a": "Talk (a).mp4"}


def test_a_rename_gives_the_new_name() -> None:
    assert _decide(("i/a", "New"), shown={"i/a": DecidedName("Old.mp4", "Old.mp4")}) == {"i/a": "New.mp4"}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Week 1", "week\u00a01"),
        ("Week 1", "Week  1"),
        ("Week 1", "\uff37eek 1"),
        ("\u2764", "\u2764\ufe0f"),
        ("\u0645\u06cc\u200c\u062e", "\u0645\u06cc\u062e"),
        ("\ufb01le", "file"),
        ("STRASSE", "stra\u00dfe"),
    ],
)
def test_names_that_look_the_same_get_their_ids(first: str, second: str) -> None:
    found = decide([DesiredName("i/a", clean(first), ".mp4"), DesiredName("i/b", clean(second), ".mp4")], {})
    assert found["i/a"].endswith(" (a).mp4") and found["i/b"].endswith(" (b).mp4")


def test_a_name_that_was_shown_and_is_not_lawful_is_renamed() -> None:
    shown = {
        "i/a": DecidedName("--help", "--help"),
        "i/b": DecidedName("A\u200bB", "A\u200bB"),
        "i/c": DecidedName("C", "C"),
    }
    desired = [
        DesiredName(key, directory(Layout.TITLE, title=known.name, slug="", position=None, kind="course"))
        for key, known in shown.items()
    ]
    assert decide(desired, shown) == {"i/a": "help", "i/b": "AB", "i/c": "C"}


def test_names_of_our_own_files_are_not_for_titles() -> None:
    assert decide([DesiredName("x/7", "index", ".html")], {}) == {"x/7": "index (7).html"}


titles = st.text(
    st.characters(codec=None)
    | st.sampled_from("/. aA\u0301\u202e-\u200b\u200d\u200c\ufe0f\u2764\u0645\u3164\u2800\ufdd0"),
    max_size=300,
)


def _assert_lawful(name: str) -> None:
    assert not name.startswith((".", "-"))
    assert skeleton(name).strip("\u200c\u200d\ufe0f")
    assert legible(name) == name
    assert all(unicodedata.category(one) not in {"Cc", "Cs", "Co"} for one in name)
    assert all(
        unicodedata.category(one) != "Cf"
        or one in "\u200c\u200d"
        or one in "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
        for one in name
    )


@example("", None, Layout.TITLE, "/\xa00")
@given(titles, st.none() | st.integers(1, 200), st.sampled_from(Layout), titles)
def test_every_title_gives_a_lawful_name(title: str, position: int | None, layout: Layout, slug: str) -> None:
    name = directory(layout, title=title, slug=slug, position=position, kind="lecture")
    assert 0 < len(name.encode()) <= MAX_BYTES
    assert name == unicodedata.normalize("NFC", name) == name.strip()
    _assert_lawful(name)
    assert not set(name) & set("/\0\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
    assert all(unicodedata.category(character) not in {"Cc", "Cs"} for character in name)
    assert len(stem(layout, title=title, slug=slug, position=position, kind="lecture").encode()) <= STEM_BYTES


@example(Layout.SLUG, "A;\u0323", "", Placement.MAIN, Kind.VIDEO, "")  # a mark that joins the letter without the ;
@given(st.sampled_from(Layout), titles, titles, st.sampled_from(Placement), st.sampled_from(Kind), titles)
def test_every_file_and_its_twins_get_lawful_names(
    layout: Layout, item: str, title: str, placement: Placement, kind: Kind, extension: str
) -> None:
    beginning = stem(layout, title=item, slug="", position=None, kind="lecture")
    files = [File(f"{item}/{n}", kind, placement, title, f".{extension}", "", Page("")) for n in range(3)]
    found = decide([desired_name(layout, beginning, file) for file in files], {})
    assert len({fold(name) for name in found.values()}) == len(files)
    for name in found.values():
        assert 0 < len(name.encode()) <= MAX_BYTES
        assert name == unicodedata.normalize("NFC", name)
        _assert_lawful(name)
        assert not set(name) & set("/\0\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
        assert all(unicodedata.category(character) not in {"Cc", "Cs"} for character in name)


bodies = st.sampled_from(["Talk", "talk", "Talk (a)", "Talk (b)", "Other", "index"])


@given(st.dictionaries(st.sampled_from("abcdefgh"), bodies), st.randoms(use_true_random=False))
def test_decisions_are_unique_stable_and_without_order(wanted: dict[str, str], shuffler: random.Random) -> None:
    desired = [DesiredName(f"i/{key}", body, ".html") for key, body in wanted.items()]
    names = decide(desired, {})
    assert len({fold(name) for name in names.values()}) == len(wanted)
    shuffler.shuffle(desired)
    assert decide(desired, {}) == names
    shown = {each.key: DecidedName(each.name, names[each.key]) for each in desired}
    assert decide([*desired, DesiredName("i/new", "Talk", ".html")], shown) | names == decide(
        [DesiredName("i/new", "Talk", ".html"), *desired], shown
    )
    some = [each for each in desired if shuffler.random() < 0.5]
    assert decide(some, shown) == {each.key: names[each.key] for each in some}
