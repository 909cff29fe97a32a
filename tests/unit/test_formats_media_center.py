"""What media centres read, against the rules that they document, and with a second reader (lxml)."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from coursefs.formats.media_center import (
    SEASON_FILE,
    SHOW_FILE,
    Episode,
    Show,
    episode_name,
    episode_nfo,
    season_nfo,
    show_nfo,
)

SHOW = Show(
    "coursera/c1",
    "Sound & Hearing",
    [(1, "Getting Started"), (2, "Ears")],
    "What we hear.\n\nAnd how.",
    ["Example University"],
    "https://images.example/poster.jpg",
)
#: kodi.wiki, "Naming video files/TV shows": each file has a pattern of season and episode, such as S01E01; what follows
#: it does not matter, and only the numbers are read from it
KODI = re.compile(r"s([0-9]+)[ ._x-]*e([0-9]+)([^\\/]*)$", re.IGNORECASE)
#: jellyfin.org, "TV Shows": characters that are reserved and cause problems in names
JELLYFIN_RESERVED = set('<>:"/\\|?*')


def read(data: bytes) -> etree._Element:
    assert data.startswith(b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n')
    return etree.fromstring(data)


def test_a_show() -> None:
    # kodi.wiki, "NFO files/TV shows": the file is tvshow.nfo, its root <tvshow>; <title> and <uniqueid> are required;
    # <namedseason number=""> names a season, and <thumb aspect="poster"> leads to a picture
    root = read(show_nfo(SHOW))
    assert (SHOW_FILE, root.tag, root.findtext("title")) == ("tvshow.nfo", "tvshow", "Sound & Hearing")
    seasons = [(one.get("number"), one.text) for one in root.iter("namedseason")]
    assert seasons == [
        ("1", "Getting Started"),
        ("2", "Ears"),
    ]
    assert [(one.get("aspect"), one.text) for one in root.iter("thumb")] == [("poster", SHOW.poster_url)]
    (identity,) = root.iter("uniqueid")
    assert (identity.text, dict(identity.attrib)) == ("coursera/c1", {"type": "coursefs", "default": "true"})
    assert (root.findtext("plot"), root.findtext("studio")) == ("What we hear.\n\nAnd how.", "Example University")


def test_a_season() -> None:
    # jellyfin.org, "Local .nfo metadata": a season's file is season.nfo; its number is <seasonnumber>
    root = read(season_nfo("coursera/c1/m1", 1, "Getting Started"))
    assert (SEASON_FILE, root.tag) == ("season.nfo", "season")
    assert (root.findtext("title"), root.findtext("seasonnumber")) == ("Getting Started", "1")


def test_an_episode() -> None:
    # kodi.wiki, "NFO files/Episodes": the root is <episodedetails>, with a <title> and a <uniqueid>; <runtime> is in
    # minutes; season and episode are read from the name of the video
    root = read(episode_nfo(Episode("coursera/c1/i1", "Hello", 1, 2, "Sound & Hearing", 248.0)))
    found = {child.tag: child.text for child in root}
    assert root.tag == "episodedetails"
    assert found == {
        "title": "Hello",
        "showtitle": "Sound & Hearing",
        "season": "1",
        "episode": "2",
        "runtime": "4",
        "uniqueid": "coursera/c1/i1",
    }
    assert read(episode_nfo(Episode("x", "Hello", 1, 2))).find("runtime") is None
    assert read(episode_nfo(Episode("x", "Hello", 1, 2, duration=3.0))).findtext("runtime") == "1"


@pytest.mark.parametrize(
    ("season", "number", "title", "name"),
    [
        (1, 2, "Introduction", "S01E02 - Introduction"),
        (12, 134, "Ears: how? | why", "S12E134 - Ears how why"),
        (0, 1, "", "S00E01"),
        (1, 1, "../..", "S01E01"),
        (1, 1, "a\u202eb\nc", "S01E01 - ab c"),
        (3, 4, "S09E09 the end", "S03E04 - S09E09 the end"),
    ],
)
def test_the_name_of_an_episode(season: int, number: int, title: str, name: str) -> None:
    assert episode_name(season, number, title) == name


@given(st.integers(0, 200), st.integers(1, 2000), st.text())
def test_every_name_is_that_of_its_episode_to_kodi_and_has_no_character_that_jellyfin_reserves(
    season: int, number: int, title: str
) -> None:
    name = episode_name(season, number, title)
    match = KODI.search(f"/courses/Sound/01 Start/{name}.mp4")
    assert match is not None and (int(match[1]), int(match[2])) == (season, number)
    assert not set(name) & JELLYFIN_RESERVED and len(name.splitlines()) == 1


@given(st.text(), st.text(), st.text(), st.lists(st.tuples(st.integers(0, 99), st.text()), max_size=3), st.text())
def test_any_text_is_sound_xml(identity: str, title: str, plot: str, seasons: list[tuple[int, str]], url: str) -> None:
    show = Show(identity, title, seasons, plot, [title], f"https://x.example/{url}")
    for data in (show_nfo(show), season_nfo(identity, 1, title), episode_nfo(Episode(identity, title, 1, 1, plot))):
        root = read(data)
        assert root.findtext("title") and root.findtext("uniqueid")
    assert show_nfo(show) == show_nfo(show)


@pytest.mark.parametrize("url", ["javascript:alert(1)", "file:///etc/passwd", "mailto:a@b", "", None])
def test_what_is_no_picture_on_the_web_is_no_poster(url: str | None) -> None:
    assert read(show_nfo(Show("x", "y", poster_url=url))).find("thumb") is None
