"""Course descriptions are read strictly, and those that coursefs brings along are right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import coursefs.demo
from coursefs.demo.description import DescriptionError, FileAsset, LinkAsset, load_course, load_courses
from coursefs.demo.media import media_files, subtitle_files
from tests.engine.small_platform import DESCRIPTION, write_course

COURSES = Path(coursefs.demo.__file__).parent / "courses"


def test_a_description_becomes_a_course(tmp_path: Path) -> None:
    course = load_course(write_course(tmp_path / "small"))
    assert course.title == "A Small Course "
    assert course.enrolled_ms == 1_788_249_600_000
    lecture, reading, quiz, bonus = (item for _, _, item in course.items())
    assert lecture.video is not None
    assert {name: set(formats) for name, formats in lecture.video.files.items()} == {
        "720p": {"mp4"},
        "360p": {"mp4", "webm"},
    }
    assert [type(one) for one in lecture.attachments] == [FileAsset, FileAsset, LinkAsset]
    assert reading.cml == "<co-content><text>How</text></co-content>"
    assert (quiz.type, bonus.locked) == ("staffGraded", "PREMIUM")
    assert len(media_files([course])) == 3 + 2 + 1
    assert len(subtitle_files([course])) == 9


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('slug = "small"', "", "slug is missing"),
        ('title = "A Small Course "', "title = 1", "title is not of type str"),
        ('slug = "quiz"', 'slug = "quiz"\nlokced = "PREMIUM"', "modules[0]: lessons[0]: items[2]: unknown: lokced"),
        ("media/slides.pdf", "media/none.pdf", "there is no file media/none.pdf"),
        ("media/slides.pdf", "../outside.pdf", "lies outside"),
        ("media/a.de", "media/a.nl", "there is no file media/a.nl.srt"),
        ("ite02", "ite01", "used more than once: ite01"),
        ('video_id = "Zy9xWv87EeuTSr6qPoNmLk"', "", "needs a video_id"),
        ("[[modules]]", "[[modules", "course.toml"),
        ("assets = [ {", "assets = [ 1, {", "assets is not a list of tables"),
        ('slug = "welcome"', 'slug = "welcome"\nchoose_one = [["x"]]', "choose_one: not of this lesson: x"),
        ('slug = "quiz"', 'slug = "quiz"\ninstructions = "readings/none.cml"', "there is no file readings/none.cml"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    (tmp_path / "outside.pdf").touch()
    assert old in DESCRIPTION
    folder = write_course(tmp_path / "small", DESCRIPTION.replace(old, new, 1))
    with pytest.raises(DescriptionError, match=re.escape(message)):
        load_course(folder)


def test_the_courses_that_coursefs_brings_along() -> None:
    courses = load_courses(COURSES)
    assert len(courses) == 3
    assert len({course.id for course in courses}) == 3
    graphics = next(course for course in courses if course.slug == "interactive-computer-graphics")
    assert graphics.title == "Interactive Computer Graphics"
    first = graphics.modules[0]
    assert (first.name, first.lessons[0].name) == ("Getting Started", "Welcome")
    assert [item.name for item in first.lessons[0].items] == [
        "Introduction",
        "How this course works",
        "Module 1 Quiz",
        "Bonus lecture",
    ]
    assets = [a for c in courses for _, _, i in c.items() for a in (*i.attachments, *i.assets)]
    ids = [asset.id for asset in assets if isinstance(asset, FileAsset)]
    assert len(ids) == len(set(ids))
    assert all(path.stat().st_size for path in media_files(courses).values())


def test_every_asset_that_a_reading_refers_to_is_there() -> None:
    for course in load_courses(COURSES):
        for _, _, item in course.items():
            named = set(re.findall(r'<img[^>]*assetId="([^"]+)"', item.cml or ""))
            named |= set(re.findall(r'<asset[^>]*\bid="([^"]+)"', item.cml or ""))
            assert named <= {asset.id for asset in item.assets}, (course.slug, item.slug)
