"""An Open edX account from its sign-in to its bytes, with the real program on a real mount."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from importlib.resources import files
from operator import attrgetter
from pathlib import Path

import pytest

from coursefs.settings.credentials import Credentials
from coursefs.settings.paths import app_paths
from tests.mount.world import Platform, World, platform, platform_names

pytestmark = pytest.mark.mount

COURSE = "How Far, How Loud?"
MEDIA = Path(str(files("coursefs.demo"))) / "courses"
STARS = (COURSE, "01 How far?", "01 Stars that do not move")
SOUND = (COURSE, "02 How loud?", "01 Der Schall - the sound")


@pytest.fixture
def demo_platform() -> Iterator[Platform]:
    """The demo platforms, whose tokens live for as long as they are still used: one minute and no second."""
    with platform("--token-life", "60") as running:
        yield running


@pytest.fixture
def learner(world: World) -> World:
    """A user who has mounted the courses of the learner, signed in with a password."""
    login = world.platform.logins["openedx"]
    who = ["--client-id", login["app"], "--username", login["username"], "--password-stdin"]
    done = world.run("login", "openedx", "--server", login["server"], *who, stdin=login["password"])
    assert "signed in as Ada Learner" in done.stderr
    world.mount()
    return world


def test_a_course_is_a_folder_of_chapters_subsections_and_units(learner: World) -> None:
    assert sorted(platform_names(learner.mountpoint)) == ["How Bright?", COURSE]
    assert learner.tree() == sorted(
        [
            "How Bright?/",
            "How Bright?/This course (locked).html",
            f"{COURSE}/",
            f"{COURSE}/Handouts - Star chart.pdf",
            f"{COURSE}/Handouts.html",
            f"{COURSE}/Updates.html",
            f"{COURSE}/01 How far?/",
            f"{COURSE}/01 How far?/02 The examination (locked).html",
            f"{COURSE}/01 How far?/03 Beyond the Milky Way (locked).html",
            f"{COURSE}/02 How loud?/",
            "/".join(STARS) + "/",
            "/".join(SOUND) + "/",
            *("/".join((*STARS, name)) for name in (
                "01 Before you begin - Star chart.pdf",
                "01 Before you begin.files/",
                "01 Before you begin.files/images moon-phases.png",
                "01 Before you begin.html",
                "02 Parallax - How far is a star?.en.srt",
                "02 Parallax - How far is a star?.mp4",
                "02 Parallax.html",
            )),
            *("/".join((*SOUND, name)) for name in (
                "01 Decibel - A visit to the anechoic room (video).html",
                "01 Decibel - Loud and soft (video).html",
                "01 Decibel - Notes on units.pdf",
                "01 Decibel - Was ist ein Dezibel?.en.srt",
                "01 Decibel - Was ist ein Dezibel?.mp4",
                "02 Exercises.files/",
                "02 Exercises.files/decibel ladder.png",
                "02 Exercises.html",
            )),
        ]
    )  # fmt: skip


def test_every_byte_is_right_nothing_leaks_and_nothing_is_changed(learner: World) -> None:
    expected = {
        (*STARS, "01 Before you begin - Star chart.pdf"): "reading-the-night-sky/media/star-chart.pdf",
        (*STARS, "01 Before you begin.files", "images moon-phases.png"): "reading-the-night-sky/media/moon-phases.png",
        (*STARS, "02 Parallax - How far is a star?.mp4"): "reading-the-night-sky/media/how-far-is-a-star.720p.mp4",
        (*STARS, "02 Parallax - How far is a star?.en.srt"): "reading-the-night-sky/media/how-far-is-a-star.en.srt",
        (*SOUND, "01 Decibel - Was ist ein Dezibel?.mp4"): "sound-and-hearing/media/was-ist-ein-dezibel.720p.mp4",
        (*SOUND, "01 Decibel - Was ist ein Dezibel?.en.srt"): "sound-and-hearing/media/was-ist-ein-dezibel.en.srt",
        (*SOUND, "01 Decibel - Notes on units.pdf"): "sound-and-hearing/media/notes-units.pdf",
        (*SOUND, "02 Exercises.files", "decibel ladder.png"): "sound-and-hearing/media/decibel-ladder.png",
    }
    for parts, source in expected.items():
        data = (MEDIA / source).read_bytes()
        assert learner.path(*parts).stat().st_size == len(data), parts
        assert learner.path(*parts).read_bytes() == data, parts
    video = learner.path(*STARS, "02 Parallax - How far is a star?.mp4")
    assert os.getxattr(video, "user.coursefs.kind") == b"video"
    assert b"/jump_to/block-v1:" in os.getxattr(video, "user.xdg.origin.url")
    requests = learner.platform.requests()
    assert [one["path"] for one in requests if "leak" in one["notes"]] == []
    assert {one["path"] for one in requests if one["method"] != "GET"} <= {"/oauth2/access_token/", "/oauth2/login/"}


def test_a_size_that_the_platform_says_is_shown_without_asking_and_opening_changes_nothing(learner: World) -> None:
    video = learner.path(*STARS, "02 Parallax - How far is a star?.mp4")
    learner.tree()
    learner.platform.forget()
    before = video.stat()
    assert learner.platform.requests() == []
    data = (MEDIA / "reading-the-night-sky/media/how-far-is-a-star.720p.mp4").read_bytes()
    assert before.st_size == len(data)
    assert video.read_bytes() == data
    assert [one["path"] for one in learner.platform.requests()] != []
    learner.umount()
    learner.mount()
    after = video.stat()
    shown = attrgetter("st_size", "st_mtime_ns", "st_ctime_ns", "st_ino")
    assert shown(after) == shown(before)


def test_parts_are_read_without_the_whole(learner: World) -> None:
    path = learner.path(*STARS, "02 Parallax - How far is a star?.mp4")
    data = (MEDIA / "reading-the-night-sky/media/how-far-is-a-star.720p.mp4").read_bytes()
    with path.open("rb", buffering=0) as file:
        for offset in (len(data) - 10, len(data) // 2, 0):
            assert os.pread(file.fileno(), 4096, offset) == data[offset : offset + 4096]


def test_a_page_links_to_what_lies_beside_it(learner: World) -> None:
    page = learner.path(*STARS, "02 Parallax.html").read_text()
    assert 'href="02%20Parallax%20-%20How%20far%20is%20a%20star%3F.mp4"' in page
    page = learner.path(*STARS, "01 Before you begin.html").read_text()
    assert 'src="01%20Before%20you%20begin.files/images%20moon-phases.png"' in page
    assert 'href="01%20Before%20you%20begin%20-%20Star%20chart.pdf"' in page
    assert "<script" not in page and "coursefs-beside" not in page
    exam = learner.path(COURSE, "01 How far?", "02 The examination (locked).html").read_text()
    assert "it is an exam (Timed Exam, due on 2026-12-15)" in exam


def test_tokens_are_renewed_while_mounted_and_kept_for_the_next_time(learner: World) -> None:
    """With tokens that are as good as ended each listing renews one; what is kept works after a remount."""
    assert learner.tree()
    renewed = learner.platform.requests(path="/oauth2/access_token/")
    assert len(renewed) > 2 and {one["status"] for one in renewed} == {200}
    kept = Credentials(app_paths()).load("openedx")
    assert kept["user_id"] == "learner" and kept["refresh_token"]
    learner.umount()
    learner.mount()
    assert "Which star is nearest" in learner.path(*STARS, "02 Parallax.html").read_text()
    courses = json.loads(learner.run("courses", "list", "--json").stdout)
    assert sorted(one["id"] for one in courses) == ["course-v1:DemoX+MEAS101+2026", "course-v1:DemoX+MEAS102+2099"]


def test_the_list_for_programs_says_what_is_due_and_how_one_stands(learner: World) -> None:
    learner.tree()
    rows = {one["title"]: one for one in json.loads(learner.run("courses", "list", "--json").stdout)}
    row = rows[COURSE]
    (due,) = row["deadlines"]
    assert (due["title"], due["due"]) == ("Exercise 1: Parallax", "2026-10-01T21:59:59.500000+00:00")
    assert os.getxattr(learner.path(*STARS), "user.coursefs.id").decode() == f"openedx/{row['id']}/{due['id']}"
    assert (row["progress"], row["grade"], row["starts"]) == (0.25, 0.5, "2026-09-01T08:00:00+00:00")


def test_courses_are_searched_for_and_chosen_by_id_slug_and_address(learner: World) -> None:
    found = learner.run("courses", "search", "bright").stdout
    assert "How Bright?" in found and "DemoX+MEAS102+2099" in found
    server = learner.platform.logins["openedx"]["server"]
    for text in (
        "course-v1:DemoX+MEAS101+2026",
        "DemoX+MEAS101+2026",
        f"{server}/courses/course-v1%3ADemoX%2BMEAS101%2B2026/course/",
    ):
        learner.run("courses", "remove", text)
        assert platform_names(learner.mountpoint) == ["How Bright?"]
        learner.run("courses", "add", text)
        assert sorted(platform_names(learner.mountpoint)) == ["How Bright?", COURSE]


def test_a_sign_in_by_session_and_one_that_is_refused(world: World) -> None:
    login = world.platform.logins["openedx"]
    who = ["--server", login["server"], "--username", login["username"], "--password-stdin"]
    refused = world.run("login", "openedx", *who, stdin="wrong", status=3)
    assert refused.stderr == "coursefs: wrong user name or password\n"
    world.run("login", "openedx", *who, stdin=login["password"])
    assert "password" not in Credentials(app_paths()).load("openedx")
    world.mount()
    assert "Which star is nearest" in world.path(*STARS, "02 Parallax.html").read_text()


def test_a_session_that_ends_takes_nothing_along(world: World) -> None:
    login = world.platform.logins["openedx"]
    who = ["--server", login["server"], "--username", login["username"], "--password-stdin"]
    world.run("login", "openedx", *who, stdin=login["password"])
    world.mount()
    before = {path: world.path(path).read_bytes() for path in world.tree() if path.endswith(".html")}
    assert any("02 Parallax.html" in path for path in before)
    world.platform.faults(refuse_sign_in=True)
    refused = world.run("update", status=3)
    assert "sign in again: coursefs login openedx" in refused.stderr
    world.run("courses", "list", status=3)
    assert {path: world.path(path).read_bytes() for path in world.tree() if path.endswith(".html")} == before
    (account,) = world.status()["accounts"]
    assert account["signed_in"] is False and "sign in again" in account["trouble"]


def test_a_walk_of_what_is_known_asks_for_nothing(learner: World) -> None:
    first = learner.tree()
    learner.platform.forget()
    assert learner.tree() == first
    assert learner.platform.requests() == []


def test_an_application_sees_the_videos(world: World) -> None:
    login = world.platform.logins["openedx"]
    world.run(
        "login", "openedx", "--server", login["server"], "--client-id", login["service"], "--client-secret-stdin",
        stdin=login["service_secret"],
    )  # fmt: skip
    world.mount()
    assert "02 Parallax (locked).html" in platform_names(world.path(*STARS))
    video = world.path(*STARS, "02 Parallax - How far is a star?.mp4")
    assert video.read_bytes() == (MEDIA / "reading-the-night-sky/media/how-far-is-a-star.720p.mp4").read_bytes()
