"""The choice of courses, with the real program, with and without a mount."""

from __future__ import annotations

import json
import os

import pytest

from tests.mount.world import World, platform_names

pytestmark = pytest.mark.mount

GRAPHICS = "Interactive Computer Graphics"
SKY = "Reading the Night Sky"
SOUND = "Sound & Hearing - Schall & Gehör"


def test_a_running_mount_follows_the_choice(mounted: World) -> None:
    assert sorted(platform_names(mounted.mountpoint)) == [GRAPHICS, SKY, SOUND]
    before = mounted.path(GRAPHICS).stat()
    url = f"{mounted.platform.base_url}/learn/interactive-computer-graphics/home/week/1"
    assert mounted.run("courses", "remove", url, SKY).stdout == f"not shown: {GRAPHICS}\nnot shown: {SKY}\n"
    assert platform_names(mounted.mountpoint) == [SOUND]
    assert not mounted.path(GRAPHICS).exists()
    assert mounted.status()["accounts"][0]["courses"] == 1
    listed = json.loads(mounted.run("courses", "list", "--all", "--json").stdout)
    assert {one["slug"]: (one["shown"], one["directory"]) for one in listed} == {
        "interactive-computer-graphics": (False, None),
        "reading-the-night-sky": (False, None),
        "sound-and-hearing": (True, SOUND),
        "algorithms-003": (False, None),
    }
    table = [line.split() for line in mounted.run("courses", "list", "--all").stdout.splitlines()]
    assert [line[-1] for line in table] == ["SHOWN", "no", "no", "no", "yes"]
    assert len(mounted.run("courses", "list").stdout.splitlines()) == 2
    assert "no course is called nonsense" in mounted.run("courses", "add", GRAPHICS, "nonsense", status=2).stderr
    assert platform_names(mounted.mountpoint) == [SOUND]

    mounted.umount()
    assert mounted.run("courses", "add", "interactive-computer-graphics").stdout == f"shown: {GRAPHICS}\n"
    mounted.mount()
    assert sorted(platform_names(mounted.mountpoint)) == [GRAPHICS, SOUND]
    after = mounted.path(GRAPHICS).stat()
    assert (after.st_ino, after.st_mtime_ns, after.st_ctime_ns) == (
        before.st_ino,
        before.st_mtime_ns,
        before.st_ctime_ns,
    )

    mounted.run("courses", "remove", "all")
    assert platform_names(mounted.mountpoint) == []
    mounted.run("courses", "add", "all")
    assert sorted(platform_names(mounted.mountpoint)) == [GRAPHICS, SKY, SOUND]
    assert mounted.platform.requests(notes=["write"]) == []


def test_a_choice_needs_a_course_and_an_account(world: World) -> None:
    assert "no course named" in world.run("courses", "add", status=2).stderr
    assert "no account yet" in world.run("courses", "remove", "all", status=3).stderr


def test_a_specialization_and_what_is_not_enrolled_in(mounted: World) -> None:
    base = mounted.platform.base_url
    mounted.run("courses", "remove", "all")
    added = mounted.run("courses", "add", f"{base}/specializations/seeing-and-hearing")
    assert sorted(added.stdout.splitlines()) == [
        f"shown: {GRAPHICS}",
        f"shown: {SKY}",
        f"shown: {SOUND}",
    ]
    assert added.stderr.startswith("coursefs: Bird Song: an Introduction to Hearing: you are not enrolled in it")
    assert sorted(platform_names(mounted.mountpoint)) == [GRAPHICS, SKY, SOUND]
    said = mounted.run("courses", "add", f"{base}/learn/bird-song", status=1).stderr
    assert said.endswith(f"you are not enrolled in it; enrol at {base}/learn/bird-song first\n")
    assert mounted.platform.requests(notes=["write"]) == []


def test_the_public_catalogue_is_searched(world: World) -> None:
    world.login()
    found = world.run("courses", "search", "bird", "song").stdout.splitlines()
    assert found[0].split() == ["COURSE", "SLUG", "LEVEL", "LENGTH", "RATING", "BY", "ADDRESS", "ACCOUNT"]
    assert "beginner" in found[1] and "4.7 (1234)" in found[1] and "University of Examples" in found[1]
    assert found[1].split()[-2:] == [f"{world.platform.base_url}/learn/bird-song", "coursera"]
    assert len(world.run("courses", "search", "a", "--limit", "2").stdout.splitlines()) == 1 + 2
    assert "--limit" in world.run("courses", "search", "a", "--limit", "0", status=2).stderr
    none = world.run("courses", "search", "nothing like it", "--account", "coursera")
    assert (none.stdout, none.stderr) == ("", "no course matches nothing like it\n")
    assert (
        "no search words; type for example: coursefs courses search computer graphics"
        in world.run("courses", "search", " ", status=2).stderr
    )


def test_the_list_for_programs_says_how_one_stands(world: World) -> None:
    world.login()
    world.platform.forget()
    listed = {one["slug"]: one for one in json.loads(world.run("courses", "list", "--json").stdout)}
    graphics = listed["interactive-computer-graphics"]
    assert 0 < graphics["progress"] < 1
    assert (graphics["grade"], graphics["passed"]) == (0.825, False)
    assert graphics["instructors"] == ["Dr. Ada Example", "Grace Sample"]
    assert (graphics["level"], graphics["partners"]) == ("beginner", ["University of Examples"])
    assert graphics["image"].startswith("https://") and GRAPHICS in graphics["description"]
    assert graphics["starts"] == graphics["enrolled"] < graphics["deadlines"][0]["due"] < graphics["ends"]
    assert graphics["deadlines"][0]["title"] == "Getting Started"
    assert graphics["deadlines"][0]["url"] == f"{world.platform.base_url}/learn/{graphics['slug']}/home/module/1"
    sky, sound = listed["reading-the-night-sky"], listed["sound-and-hearing"]
    assert sky["grade"] is None and len(sky["deadlines"]) > 1  # by the schedule of the course
    assert (sound["starts"], sound["deadlines"]) == (None, [])
    assert world.platform.requests(notes=["write"]) == []
    assert len(world.platform.requests()) < 3 * 10

    world.platform.forget()
    world.run("courses", "list", "--all")
    assert world.platform.requests(notes=["write"]) == []


def test_how_much_is_done_can_be_read_and_is_not_listed(mounted: World) -> None:
    course = mounted.path(GRAPHICS)
    lesson = course / "01 Getting Started" / "01 Welcome"
    assert 0 < float(os.getxattr(course, "user.coursefs.progress")) < 1
    assert float(os.getxattr(lesson, "user.coursefs.progress")) == 1
    assert float(os.getxattr(lesson / "01 Introduction.mp4", "user.coursefs.progress")) == 1
    assert "user.coursefs.progress" not in os.listxattr(lesson / "01 Introduction.mp4")
    asked = [one for one in mounted.platform.requests() if "Progress" in one["path"]]
    assert [one["method"] for one in asked] == ["GET"]
