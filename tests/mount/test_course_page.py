"""The course page on a real mount, with the sample platforms: what a browser, a player and a backup find."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from icalendar import Calendar
from lxml import html

from tests.mount.test_account_folders import login_openedx
from tests.mount.test_loss_guard import sign_in_to_panopto
from tests.mount.world import PAGES, World, program, until

pytestmark = pytest.mark.mount


@pytest.fixture
def three(world: World) -> World:
    """A user of all three platforms, who has mounted."""
    world.login()
    login_openedx(world)
    sign_in_to_panopto(world, lambda server: server)
    world.mount()
    return world


def pages(world: World) -> list[Path]:
    """The pages of all courses, as the overview links them."""
    overview = html.fromstring(world.path("index.html").read_bytes())
    found = [world.path(unquote(link)) for link in overview.xpath("//a/@href") if link.endswith("/index.html")]
    assert len(found) == len(set(found)) > 4
    return found


def links(page: Path) -> list[str]:
    """Everything that a page leads to or loads, and that is no web address."""
    found = html.fromstring(page.read_bytes()).xpath("//@href | //@src | //@data-cues")
    return [link for link in found if link and not urlsplit(link).scheme and not link.startswith("#")]


def test_every_link_of_every_page_leads_to_a_file_that_can_be_read(three: World) -> None:
    kinds = set()
    for page in pages(three):
        assert page.is_file()
        for link in links(page):
            target = page.parent / unquote(link)
            # pages change while the courses become known
            until(lambda target=target: target.stat().st_size == len(target.read_bytes()), f"{link} has its size")  # type: ignore[misc]
            kinds.add(target.suffix)
    assert {".mp4", ".html", ".js", ".css", ".m3u8", ".ics"} <= kinds


def test_a_page_loads_nothing_from_elsewhere(three: World) -> None:
    for page in (three.path("index.html"), *pages(three)):
        tree = html.fromstring(page.read_bytes())
        loaded = tree.xpath("//@src | //link/@href | //@poster | //@data-cues")
        assert loaded and not any(urlsplit(link).scheme or link.startswith("//") for link in loaded)
        (policy,) = tree.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
        assert "default-src 'none'" in policy and "unsafe" not in policy


def test_playlists_name_videos_that_are_there(three: World) -> None:
    found = 0
    for page in pages(three):
        for playlist in (page.parent / "playlist.m3u8", *page.parent.glob("*/playlist.m3u8")):
            lines = playlist.read_text().splitlines()
            assert lines[0] == "#EXTM3U"
            for line in lines:
                if not line.startswith("#"):
                    assert (playlist.parent / line).is_file(), line
                    found += 1
    assert found > 10


def test_the_scripts_of_captions_say_what_the_captions_say(three: World) -> None:
    found = 0
    for page in pages(three):
        for one in html.fromstring(page.read_bytes()).xpath("//*[@data-cues]"):
            captions = page.parent / unquote(one.get("href"))
            words = [word for word in captions.read_text().split() if word.isalpha() and word.isascii()]
            script = (page.parent / one.get("data-cues")).read_text()
            assert words and all(word in script for word in words)
            found += 1
    assert found > 3


def test_calendars_are_read_by_a_calendar_program(three: World) -> None:
    three.run("update")
    summaries = []
    for page in pages(three):
        events = Calendar.from_ical((page.parent / "deadlines.ics").read_bytes()).walk("VEVENT")
        summaries += [(str(event["uid"]), str(event["summary"])) for event in events]
    all_events = Calendar.from_ical(three.path("deadlines.ics").read_bytes()).walk("VEVENT")
    assert summaries
    assert sorted(summaries) == sorted((str(event["uid"]), str(event["summary"])) for event in all_events)


def test_a_look_at_pages_costs_no_request(three: World) -> None:
    for page in pages(three):
        os.listdir(page.parent)
    for captions in three.mountpoint.rglob("*.srt"):
        assert captions.stat().st_size
    three.platform.forget()
    for page in pages(three):
        for path in (page, page.parent / "playlist.m3u8", page.parent / "deadlines.ics"):
            assert path.stat().st_size
        folder = page.parent / "index.files"
        assert all((folder / name).stat().st_size for name in os.listdir(folder))
        assert {"page.js", "page.css", "progress.js"} <= set(os.listdir(folder))
    assert three.platform.requests() == []


def test_a_backup_of_the_pages_is_quiet_after_a_remount_and_an_update(three: World, tmp_path: Path) -> None:
    backup = ["rsync", "-a", "--itemize-changes", "--include=*/", "--include=index.html", "--include=*.m3u8",
              "--include=*.ics", "--include=*.js", "--include=*.css", "--exclude=*",
              f"{three.mountpoint}/", f"{tmp_path}/copy/"]  # fmt: skip
    three.run("update")
    for page in pages(three):  # what opening a page asks for is known then
        for link in links(page):
            (page.parent / unquote(link)).stat()
        (page.parent / "index.files" / "progress.js").read_bytes()
    program(*backup)
    until(lambda: ">f" not in program(*backup), "the pages are what they will be")
    three.umount()
    three.mount()
    assert "+++" not in program(*backup)
    three.run("update")
    again = [line for line in program(*backup).splitlines() if line.startswith(">f")]
    assert again == []


def test_mpv_plays_the_playlist_of_a_course(three: World) -> None:
    playlist = next(page.parent / "playlist.m3u8" for page in pages(three) if "Graphics" in str(page))
    said = subprocess.run(
        ["mpv", "--no-config", "--vo=null", "--ao=null", "--frames=1", "--load-scripts=no", str(playlist)],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert said.returncode == 0, said.stdout + said.stderr
    assert said.stdout.count("Playing: ") > 2


def test_without_course_pages_the_mount_has_what_the_platform_has(world: World) -> None:
    world.login()
    settings = Path(world.environment["XDG_CONFIG_HOME"]) / "coursefs" / "config.toml"
    settings.write_text(f"{settings.read_text()}\n[layout]\ncourse_pages = false\n")
    world.mount()
    found = {name for _, directories, names in os.walk(world.mountpoint) for name in (*directories, *names)}
    assert "01 Introduction.mp4" in found and not found & PAGES
