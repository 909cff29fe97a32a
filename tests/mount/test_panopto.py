"""A Panopto server on a real mount, with the real program: signing in, the tree, every byte."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from coursefs.providers import registry
from tests.mount.world import COURSES, World, platform_names, program

pytestmark = [
    pytest.mark.mount,
    pytest.mark.skipif("panopto" not in registry.names(), reason="the installed metadata are older than this source"),
]

SPRING = "Astronomy Evenings/Spring 2024"
STAR = f"{SPRING}/2024-01-09 How far is a star?"


def media(course: str, name: str) -> Path:
    return COURSES / course / "media" / name


EXPECTED = {
    f"{STAR}.mp4": media("reading-the-night-sky", "how-far-is-a-star.360p.mp4"),
    f"{STAR}.en.srt": media("reading-the-night-sky", "how-far-is-a-star.en.srt"),
    f"{SPRING}/2024-01-16 Why the stars turn.mp4": media("reading-the-night-sky", "why-the-stars-turn.360p.mp4"),
    "Astronomy Evenings/Best of/01 2024-01-16 Why the stars turn.mp4": media(
        "reading-the-night-sky", "why-the-stars-turn.360p.mp4"
    ),
    "Seminar: Sound-Hearing/2024-02-06 Was ist ein Dezibel?.mp4": media(
        "sound-and-hearing", "was-ist-ein-dezibel.360p.mp4"
    ),
    "Seminar: Sound-Hearing/2024-02-06 Was ist ein Dezibel?.de.srt": media(
        "sound-and-hearing", "was-ist-ein-dezibel.de.srt"
    ),
}


def sign_in(world: World) -> None:
    known = world.platform.panopto
    arguments = ["--server", known["server"], "--client-id", known["client_id"], "--client-secret-stdin"]
    world.run(
        "login", "panopto", *arguments, "--username", known["username"], "--password-stdin",
        stdin=f"{known['client_secret']}\n{known['password']}\n",
    )  # fmt: skip


@pytest.fixture
def campus(world: World) -> World:
    """A user who has mounted the folders of the sample server."""
    sign_in(world)
    world.mount()
    return world


def test_the_tree_and_every_byte(campus: World) -> None:
    tree = campus.tree()
    assert [path for path in tree if path.endswith("/")] == [
        "Astronomy Evenings/",
        "Astronomy Evenings/Best of/",
        "Astronomy Evenings/Spring 2024/",
        "Seminar: Sound-Hearing/",
    ]
    assert set(EXPECTED) <= set(tree)
    assert "Astronomy Evenings/2023-11-21 Guided tour of the dome (no file).html" in tree
    assert sum(path.startswith(f"{SPRING}/2024-01-16 Questions (") for path in tree) == 2
    for path, source in EXPECTED.items():
        assert campus.path(path).stat().st_size == source.stat().st_size, path
        assert campus.path(path).read_bytes() == source.read_bytes(), path
    asked = campus.platform.requests()
    assert not [one for one in asked if "leak" in one["notes"]]
    assert {(one["method"], one["path"]) for one in asked if "write" in one["notes"]} == {
        ("POST", "/Panopto/oauth2/connect/token")
    }
    assert len(campus.platform.requests(path="/Panopto/api/v1/auth/legacyLogin")) == 1
    assert len(campus.platform.requests(port="panopto-cdn", method="GET")) == 3  # one recording is in two folders


def test_what_a_file_says_of_itself(campus: World) -> None:
    video = campus.path(f"{STAR}.mp4")
    assert os.getxattr(video, "user.coursefs.kind") == b"video"
    assert b"/Panopto/Pages/Viewer.aspx?id=" in os.getxattr(video, "user.xdg.origin.url")
    captions = campus.path(f"{STAR}.en.srt").stat()
    assert captions.st_mtime == 1704823200  # when it was recorded


def test_what_is_not_offered_for_download_is_a_page_that_says_why(campus: World, tmp_path: Path) -> None:
    seminar = campus.path("Seminar: Sound-Hearing")
    assert program("ls", "-l", seminar).count("2024-02-06 Discussion.mp4") == 1  # and no complaint: status 0
    refused = seminar / "2024-02-06 Discussion.mp4 (not available).html"
    why = "the platform does not offer this recording for download; it may be watched on its page"
    assert why in refused.read_text()
    assert os.getxattr(refused, "user.coursefs.error").decode() == why
    assert b"/Panopto/Pages/Viewer.aspx?id=" in os.getxattr(refused, "user.xdg.origin.url")
    assert refused.stat().st_size == len(refused.read_bytes())
    campus.platform.forget()
    for _ in range(3):
        program("ls", "-l", seminar)
    assert campus.platform.requests() == [], "it is decided once"
    for _ in range(2):
        program("rsync", "-a", "--delete", f"{campus.mountpoint}/", tmp_path / "copy")  # status 0
    assert (tmp_path / "copy/Seminar: Sound-Hearing" / refused.name).read_bytes() == refused.read_bytes()


def test_a_copy_that_begins_before_it_is_known_what_is_refused_is_complete(campus: World, tmp_path: Path) -> None:
    for _ in range(2):  # the names that were listed lead to the pages that take their places meanwhile
        program("rsync", "-a", "--delete", f"{campus.mountpoint}/", tmp_path / "copy")
    names = {path.name for path in (tmp_path / "copy").rglob("*") if path.is_file()}
    assert "2024-02-06 Discussion.mp4 (not available).html" in names
    assert "2024-02-06 Discussion.mp4" not in names


def test_it_is_the_same_after_a_remount_without_a_network(campus: World) -> None:
    before = {path: (os.stat(campus.path(path)).st_ino, campus.path(path).read_bytes()) for path in EXPECTED}
    campus.umount()
    campus.mount("-o", "offline")
    assert {path: (os.stat(campus.path(path)).st_ino, campus.path(path).read_bytes()) for path in EXPECTED} == before


def test_the_demo_has_a_folder_of_it(world: World) -> None:
    world.run("demo", "--background", world.mountpoint)
    assert sorted(platform_names(world.path("Panopto"))) == ["Astronomy Evenings", "Seminar: Sound-Hearing"]
    assert world.path(f"Panopto/{STAR}.mp4").read_bytes() == EXPECTED[f"{STAR}.mp4"].read_bytes()
    world.umount()


def test_no_secret_is_written_where_others_read(campus: World, own_home: Path) -> None:
    known = campus.platform.panopto
    for secret in (known["client_secret"], known["password"]):
        for file in own_home.rglob("*"):
            if file.is_file() and "credentials" not in file.parts:
                assert secret.encode() not in file.read_bytes(), file
    (kept,) = (own_home / ".local/share/coursefs/credentials").iterdir()
    assert kept.stat().st_mode & 0o077 == 0
    assert known["password"] not in kept.read_text()
