"""Formats for other programs on a real mount, on all three platforms."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml

from tests.mount.test_panopto import sign_in
from tests.mount.world import World

pytestmark = pytest.mark.mount

#: course pages change in the background when a course was listed
_NO_PAGES = "course_pages = false\n"


def openedx(world: World) -> None:
    login = world.platform.logins["openedx"]
    who = ["--client-id", login["app"], "--username", login["username"], "--password-stdin"]
    world.run("login", "openedx", "--server", login["server"], *who, stdin=login["password"])


def mounted_with(world: World, layout: str) -> None:
    """Mount with these lines of `[layout]`."""
    config = Path(world.environment["XDG_CONFIG_HOME"]) / "coursefs" / "config.toml"
    config.write_text(config.read_text().partition("\n[layout]")[0] + (f"\n[layout]\n{layout}\n" if layout else ""))
    world.mount()


def known(world: World) -> Mapping[str, tuple[int, int, float]]:
    """Every file and directory, each looked at; a directory without its own times."""
    for path in world.tree():  # a file that the platform refuses is a page once its size was asked for
        os.stat(world.path(path))
    found = {}
    for path in sorted(world.tree()):
        stat = os.stat(world.path(path))
        found[path] = (stat.st_ino, 0, 0.0) if path.endswith("/") else (stat.st_ino, stat.st_size, stat.st_mtime)
    return found


@pytest.mark.parametrize(
    ("login", "reading"),
    [
        (World.login, "Interactive Computer Graphics/01 Getting Started/01 Welcome/02 How this course works"),
        (openedx, "How Far, How Loud?/Handouts"),
        (sign_in, None),
    ],
    ids=["coursera", "openedx", "panopto"],
)
def test_markdown_comes_and_goes_with_the_setting_and_nothing_else_changes(
    world: World, login: Callable[[World], None], reading: str | None
) -> None:
    login(world)
    mounted_with(world, _NO_PAGES)
    plain = known(world)
    assert not [path for path in plain if path.endswith(".md")]
    world.umount()

    mounted_with(world, f'{_NO_PAGES}readings = ["html", "md"]')
    both = known(world)
    twins = {path for path in both if path.endswith(".md")}
    assert {path: both[path] for path in both.keys() - twins} == plain
    # of a reading, or of the captions of a lecture
    readings = {path for path in twins if path.removesuffix(".md") + ".html" in plain}
    assert bool(readings) == (reading is not None), "recordings have no readings"
    assert all({path.removesuffix("md") + end for end in ("srt", "vtt")} & plain.keys() for path in twins - readings)
    for path in twins:
        text = world.path(path).read_text()
        properties, body = text.removeprefix("---\n").split("---\n", 1)
        facts = yaml.safe_load(properties)
        assert facts["course"].replace("/", "-") == path.split("/")[0] and facts["lecture"] and facts["url"]
        assert body.startswith("\n# ") and len(text.encode()) == both[path][1]
    if reading is not None:
        assert f"{reading}.md" in twins
    world.umount()

    mounted_with(world, f'{_NO_PAGES}readings = ["html"]')
    assert known(world) == plain


@pytest.mark.parametrize("login", [World.login, openedx, sign_in], ids=["coursera", "openedx", "panopto"])
def test_subtitles_of_all_languages_have_the_names_that_players_load(
    world: World, login: Callable[[World], None]
) -> None:
    """mpv, VLC, Kodi and Jellyfin load NAME.LANGUAGE.srt beside NAME.mp4; the language is a tag of BCP 47."""
    login(world)
    mounted_with(world, 'subtitles = "all"')
    names = world.tree()
    films = {path.rpartition(".")[0] for path in names if path.endswith((".mp4", ".webm"))}
    found = [
        re.fullmatch(r"(.+?)((?:\.[A-Za-z]{1,3}(?:-[A-Za-z0-9]{1,8})*)?)\.srt", path)
        for path in names
        if path.endswith(".srt")
    ]
    assert found and all(found)
    languages = {match[2] for match in found if match and match[1] in films}
    # of a lecture that can only be streamed there is no film
    assert [
        match[0] for match in found if match and match[1] not in films and f"{match[1]} (video).html" not in names
    ] == []
    assert {".en", ".de"} <= languages


@pytest.mark.parametrize(
    ("login", "poster"),
    [(World.login, "https://images.example/course.jpg"), (openedx, ""), (sign_in, "")],
    ids=["coursera", "openedx", "panopto"],
)
def test_a_media_centre_finds_each_course_as_a_show_and_each_film_as_an_episode(
    world: World, login: Callable[[World], None], poster: str
) -> None:
    login(world)
    mounted_with(world, _NO_PAGES)
    before = {entry[0] for entry in known(world).values()}
    world.umount()
    mounted_with(world, f"{_NO_PAGES}media_center = true")
    known(world)
    found = known(world)
    assert before <= {entry[0] for entry in found.values()}, "inode numbers stay"

    films = [path for path in found if path.endswith((".mp4", ".webm"))]
    assert films
    for film in films:
        # Kodi and Jellyfin take season and episode from the name of a film
        match = re.match(r"S(\d+)E(\d+)( - |\.)", film.rpartition("/")[2])
        assert match is not None, film
        episode = ET.fromstring(world.path(f"{film.rpartition('.')[0]}.nfo").read_bytes())
        assert (episode.tag, bool(episode.findtext("title"))) == ("episodedetails", True)
        assert [int(episode.findtext(tag) or -1) for tag in ("season", "episode")] == [int(match[1]), int(match[2])]
        show = ET.fromstring(world.path(film.split("/")[0], "tvshow.nfo").read_bytes())
        assert (show.tag, show.findtext("title")) == ("tvshow", episode.findtext("showtitle"))
        assert [one.text for one in show.iterfind("thumb[@aspect='poster']")] == ([poster] if poster else [])
    for path in found:
        if path.endswith(("/season.nfo", "/tvshow.nfo")):
            assert ET.fromstring(world.path(path).read_bytes()).findtext("title")
    world.umount()

    mounted_with(world, _NO_PAGES)
    assert not [path for path in known(world) if path.endswith(".nfo")]
