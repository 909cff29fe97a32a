"""What a mount shows: the tree, every byte, attributes, and a refusal of every change."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.mount.world import World, described, platform_names, until

pytestmark = pytest.mark.mount

GRAPHICS = "Interactive Computer Graphics"


def test_the_first_lesson_is_as_the_contract_shows_it(mounted: World) -> None:
    lesson = mounted.path(GRAPHICS, "01 Getting Started", "01 Welcome")
    assert sorted(platform_names(lesson)) == [
        "01 Introduction - Slides.pdf",
        "01 Introduction.en.srt",
        "01 Introduction.en.txt",
        "01 Introduction.mp4",
        "02 How this course works.files",
        "02 How this course works.html",
        "03 Module 1 Quiz (quiz).html",
        "04 Bonus lecture (locked).html",
    ]


def test_every_section_and_every_item_has_its_place(mounted: World) -> None:
    tree = mounted.tree()
    for course in described():
        name = course["title"].replace("/", "-").strip()
        assert f"{name}/" in tree
        for number, module in enumerate(course["modules"], 1):
            section = f"{name}/{number:02d} {module['name'].strip()}"
            assert f"{section}/" in tree
            for inner, lesson in enumerate(module["lessons"], 1):
                directory = f"{section}/{inner:02d} {lesson['name'].replace('/', '-').strip()}"
                assert f"{directory}/" in tree
                for position, item in enumerate(lesson["items"], 1):
                    if "censored" in item:  # its name is not said either
                        assert f"{directory}/{position:02d} {lesson['slug']}-{item['id']} (item).html" in tree
                        continue
                    stem = f"{directory}/{position:02d} {item['name'].replace('/', '-').strip()}"
                    assert any(path.startswith(stem) for path in tree), stem
                    if "locked" in item:
                        assert f"{stem} (locked).html" in tree
                    if item.get("in_video_quiz"):
                        assert f"{stem} (in-video quiz).html" in tree
        for entry in course.get("references", ()):
            page = f"{name}/Resources - {entry['name'].replace('/', '-')}.html"
            assert (page in tree) is entry.get("listed", True)


def expected_files() -> dict[str, Path]:
    """Path in the mount -> file of the demo, for the first course: what must be there byte for byte."""
    (course,) = (course for course in described() if course["title"] == GRAPHICS)
    media: Path = course["folder"]
    expected = {}
    for number, module in enumerate(course["modules"], 1):
        for inner, lesson in enumerate(module["lessons"], 1):
            for position, item in enumerate(lesson["items"], 1):
                directory = f"{GRAPHICS}/{number:02d} {module['name']}/{inner:02d} {lesson['name']}"
                stem = f"{directory}/{position:02d} {item['name']}"
                if "video" in item:
                    expected[f"{stem}.mp4"] = media / item["video"]["720p"]
                if "en" in item.get("subtitles", {}):
                    expected[f"{stem}.en.srt"] = media / f"{item['subtitles']['en']}.srt"
                    expected[f"{stem}.en.txt"] = media / f"{item['subtitles']['en']}.txt"
                for attachment in item.get("attachments", ()):
                    expected[f"{stem} - {attachment['title']}.pdf"] = media / attachment["file"]
                for asset in item.get("assets", ()):
                    expected[f"{stem}.files/{asset['name']}"] = media / asset["file"]
    return expected


def test_every_file_byte_for_byte(mounted: World) -> None:
    expected = expected_files()
    assert len(expected) > 12
    for path, source in expected.items():
        assert mounted.path(path).stat().st_size == source.stat().st_size, path
        assert mounted.path(path).read_bytes() == source.read_bytes(), path
    leaks = [one for one in mounted.platform.requests() if "leak" in one["notes"]]
    assert leaks == []
    assert {one["method"] for one in mounted.platform.requests()} == {"GET"}


SKY = "Reading the Night Sky"
BY_NIGHT = (SKY, "03 Do It Yourself", "02 By Night")


def test_every_kind_of_step_has_its_own_kind_of_file(mounted: World) -> None:
    assert sorted(platform_names(mounted.path(SKY, "03 Do It Yourself", "01 By Day"))) == [
        "01 The Length of the Day (programming assignment).html",
        "01 The Length of the Day.files",
        "02 A First Plot (programming assignment).html",
        "03 Free Choice (programming assignment).html",
    ]
    assert sorted(platform_names(mounted.path(*BY_NIGHT))) == [
        "01 Star Trails.webm",
        "02 A chart to print.pdf",
        "03 The sky tonight (link).html",
        "04 The sky in your browser (widget).html",
        "05 by-night-dE7fG (item).html",
    ]
    assert sorted(platform_names(mounted.path(SKY, "01 The Turning Sky", "01 One Night")))[:4] == [
        "01 Why the Stars Turn - star-chart.pdf",  # neither a second video nor a transcript for a word processor
        "01 Why the Stars Turn.en.srt",
        "01 Why the Stars Turn.en.txt",
        "01 Why the Stars Turn.mp4",
    ]
    depth = mounted.path(GRAPHICS, "02 Shapes That Move", "02 Depth")
    assert "nothing but triangles" in (depth / "02 Which object would you draw? (discussion).html").read_text()
    peer = (depth / "03 Peer Review: Your First Scene (peer assignment).html").read_text()
    assert "three objects" in peer and "Review criteria" in peer and "&lt;in any language&gt;" in peer
    assert {one["method"] for one in mounted.platform.requests()} == {"GET"}
    assert [one for one in mounted.platform.requests() if "leak" in one["notes"]] == []


def test_quizzes_that_were_taken_are_pages_on_wish_and_nothing_is_begun(world: World) -> None:
    world.login()
    config = Path(world.environment["XDG_CONFIG_HOME"]) / "coursefs/config.toml"
    config.write_text(config.read_text() + "\n[layout]\nquizzes = true\n")
    world.mount()
    lesson = world.path(GRAPHICS, "01 Getting Started", "01 Welcome")
    page = (lesson / "03 Module 1 Quiz (quiz).html").read_text()
    assert "Where is the origin of most screens?" in page and "your answer, wrong" in page and "50 %" in page
    world.tree()
    posts = [one for one in world.platform.requests() if one["method"] != "GET"]
    assert {one["operation"] for one in posts} == {"QueryState", "AssignmentFeedback"}
    assert not [one for one in world.platform.requests() if one["notes"]]


def test_resources_are_files_of_the_course(mounted: World) -> None:
    names = platform_names(mounted.path(GRAPHICS))
    assert sorted(name for name in names if name.startswith("Resources")) == [
        "Resources - Formulas.html",
        "Resources - The Pipeline - Poster.html",
        "Resources.files",
    ]
    page = mounted.path(GRAPHICS, "Resources - The Pipeline - Poster.html").read_text()
    assert 'src="Resources.files/pipeline.png"' in page
    assert f'href="{mounted.platform.base_url}/learn/interactive-computer-graphics/supplement/bnvOF/' in page
    assert mounted.path(GRAPHICS, "Resources.files", "pipeline.png").read_bytes().startswith(b"\x89PNG")


def test_an_account_may_ask_for_vtt_and_for_duplicates(world: World) -> None:
    world.login()
    settings = Path(world.environment["XDG_CONFIG_HOME"]) / "coursefs" / "config.toml"
    settings.write_text(settings.read_text() + 'subtitle_formats = ["vtt"]\nduplicates = true\n')
    world.mount()
    assert sorted(platform_names(world.path(SKY, "01 The Turning Sky", "01 One Night")))[:5] == [
        "01 Why the Stars Turn - Why_the_Stars_Turn.extended-description-mixed.mp4",
        "01 Why the Stars Turn - Why_the_Stars_Turn_merged.doc",
        "01 Why the Stars Turn - star-chart.pdf",
        "01 Why the Stars Turn.en.vtt",
        "01 Why the Stars Turn.mp4",
    ]
    captions = world.path(SKY, "01 The Turning Sky", "01 One Night", "01 Why the Stars Turn.en.vtt")
    assert captions.read_text().startswith("WEBVTT")


def test_a_platform_with_its_old_routes_alone_shows_the_same(world: World) -> None:
    new = [
        "onDemandCourseMaterials.v2",
        "onDemandLectureVideos.v1",
        "onDemandLectureAssets.v1",
        "onDemandSupplements.v1",
    ]
    world.login()
    world.mount()
    lesson = world.path(GRAPHICS, "01 Getting Started", "01 Welcome")
    course = world.path(GRAPHICS, "02 Shapes That Move", "01 Rotation")
    before = sorted(platform_names(lesson)), sorted(platform_names(course))
    world.umount()
    for removed in (new, [*new, "onDemandCourseMaterials.v1"]):
        shutil.rmtree(Path(world.environment["XDG_STATE_HOME"]) / "coursefs")
        world.platform.faults(removed=removed)
        world.mount()
        assert (sorted(platform_names(lesson)), sorted(platform_names(course))) == before
        assert (lesson / "01 Introduction.mp4").read_bytes() == expected_files()[
            f"{GRAPHICS}/01 Getting Started/01 Welcome/01 Introduction.mp4"
        ].read_bytes()
        routes = {one["name"]: one["trouble"] for one in world.status()["accounts"][0]["routes"]}
        assert routes["course materials (onDemandCourseMaterials.v2)"]
        assert routes["lecture video (opencourse.v1/video)"] is None
        assert "routes that the platform has removed: course materials (onDemandCourseMaterials.v2)" in (
            world.run("-v", "status", world.mountpoint).stdout
        )
        assert "removed" not in world.run("status", world.mountpoint).stdout
        world.umount()
        gone = "course materials (onDemandCourseMaterials.v2): the platform no longer has this route (HTTP 200)"
        found, status = world.doctor()
        assert status == 0
        assert any(f"{gone}; another one answers" in one["message"] for one in found)


def test_one_broken_item_never_breaks_its_course(world: World) -> None:
    world.login()
    world.platform.faults(broken=["fKbJD", "bnvOF"])
    world.mount()
    assert sorted(platform_names(world.path(GRAPHICS, "01 Getting Started", "01 Welcome"))) == [
        "01 Introduction (unavailable).html",
        "02 How this course works (unavailable).html",
        "03 Module 1 Quiz (quiz).html",
        "04 Bonus lecture (locked).html",
    ]
    assert len(world.tree()) > 50


def test_parts_are_read_without_the_whole(mounted: World) -> None:
    path, source = max(expected_files().items(), key=lambda one: one[1].stat().st_size)
    data = source.read_bytes()
    with mounted.path(path).open("rb", buffering=0) as file:
        for offset in (len(data) - 10, len(data) // 2, 0, len(data) // 2 + 1):
            assert os.pread(file.fileno(), 4096, offset) == data[offset : offset + 4096]
        assert os.pread(file.fileno(), 10, len(data)) == b""
        assert os.pread(file.fileno(), 10, len(data) + 10**6) == b""


def test_a_page_is_complete_and_links_to_what_lies_beside_it(mounted: World) -> None:
    lesson = mounted.path(GRAPHICS, "01 Getting Started", "01 Welcome")
    page = (lesson / "02 How this course works.html").read_text()
    assert page.startswith("<!doctype html>") and page.rstrip().endswith("</html>")
    assert "02%20How%20this%20course%20works.files/" in page
    assert "<script" not in page
    assert "coursefs-beside" not in page
    why = (lesson / "04 Bonus lecture (locked).html").read_text()
    assert "locked" in why.lower() and "/learn/interactive-computer-graphics/lecture/" in why


def test_listing_never_asks_for_sizes_and_a_stat_asks_for_the_siblings_too(mounted: World) -> None:
    lesson = mounted.path(GRAPHICS, "01 Getting Started", "01 Welcome")
    mounted.platform.forget()
    names = platform_names(lesson)
    assert mounted.platform.requests(port="cdn") == []
    sizes = [(lesson / name).stat().st_size for name in names if name.endswith(".mp4")]
    assert all(sizes)
    until(lambda: len(mounted.platform.requests(port="cdn")) >= 2, "the siblings' sizes were asked for")
    (lesson / "01 Introduction - Slides.pdf").stat()
    asked = len(mounted.platform.requests())
    (lesson / "01 Introduction - Slides.pdf").stat()
    assert len(mounted.platform.requests()) == asked


def test_attributes_are_those_of_a_read_only_file_system(mounted: World) -> None:
    lesson = mounted.path(GRAPHICS, "01 Getting Started", "01 Welcome")
    for path in [mounted.mountpoint, lesson, *lesson.iterdir()]:
        status = path.stat()
        assert status.st_ino == os.lstat(path).st_ino > 0
        assert stat.S_IMODE(status.st_mode) == (0o755 if path.is_dir() else 0o644)  # as copies of it are to be
        assert status.st_blocks == -(-status.st_size // 512)
        assert status.st_ctime_ns == status.st_mtime_ns
        assert status.st_blksize == (4096 if path.is_dir() else 128 * 1024)  # the C library lists in such steps, too
        assert (status.st_uid, status.st_gid) == (os.getuid(), os.getgid())
    whole = os.statvfs(mounted.mountpoint)
    assert whole.f_namemax == 255 and whole.f_bavail == whole.f_blocks > 0
    assert whole.f_flag & os.ST_RDONLY


def test_extended_attributes(mounted: World) -> None:
    video = mounted.path(GRAPHICS, "01 Getting Started", "01 Welcome", "01 Introduction.mp4")
    assert os.getxattr(video, "user.coursefs.kind") == b"video"
    assert os.getxattr(video, "user.mime_type") == b"video/mp4"
    assert os.getxattr(video, "user.coursefs.id").endswith(b"fKbJD/video")
    assert b"/learn/interactive-computer-graphics/lecture/fKbJD" in os.getxattr(video, "user.xdg.origin.url")
    video.read_bytes()
    assert int(os.getxattr(video, "user.coursefs.cached")) == video.stat().st_size
    assert set(os.listxattr(video)) == {
        "user.coursefs.id",
        "user.coursefs.kind",
        "user.xdg.origin.url",
        "user.mime_type",
    }
    for name in ("user.coursefs.error", "user.nothing", "security.selinux", "system.posix_acl_access"):
        with pytest.raises(OSError) as caught:
            os.getxattr(video, name)
        assert caught.value.errno in {errno.ENODATA, errno.EOPNOTSUPP}


def test_every_change_is_refused_with_erofs(mounted: World) -> None:
    path = mounted.path(GRAPHICS, "01 Getting Started", "01 Welcome", "03 Module 1 Quiz (quiz).html")
    new = path.with_name("new")
    before = mounted.tree()
    changes: list[Callable[[], object]] = [
        lambda: path.write_bytes(b"x"),
        lambda: path.open("ab").close(),
        path.unlink,
        lambda: path.rename(path.with_name("other")),
        lambda: new.write_bytes(b"x"),
        new.mkdir,
        path.parent.rmdir,
        lambda: new.symlink_to("x"),
        lambda: os.link(path, new),
        lambda: os.mkfifo(new),
        lambda: os.truncate(path, 0),
        lambda: os.utime(path),
        lambda: path.chmod(0o777),
        lambda: os.chown(path, 0, 0),
        lambda: os.setxattr(path, "user.x", b"y"),
        lambda: os.removexattr(path, "user.mime_type"),
    ]
    for change in changes:
        with pytest.raises(OSError) as caught:
            change()
        assert caught.value.errno == errno.EROFS
    assert mounted.tree() == before


def test_names_are_found_in_every_normal_form_and_strange_ones_are_not(mounted: World) -> None:
    name = "Sound & Hearing - Schall & Gehör"
    assert mounted.path(unicodedata.normalize("NFD", name)).is_dir()
    for strange in (b"\xff\xfe", b"nothing", b".Trash-1000"):
        with pytest.raises(FileNotFoundError):
            os.stat(os.fsencode(mounted.mountpoint) + b"/" + strange)


def test_the_kernel_may_keep_many_reads_under_way(mounted: World) -> None:
    connection = Path("/sys/fs/fuse/connections") / str(os.minor(mounted.mountpoint.stat().st_dev))
    if not connection.is_dir():
        pytest.skip("the fusectl file system is not mounted")
    assert int((connection / "max_background").read_text()) >= 64
