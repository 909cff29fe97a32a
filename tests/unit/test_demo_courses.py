"""The demo courses are complete, well formed and as awkward as real ones."""

from __future__ import annotations

import itertools
import re
import struct
import tomllib
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import coursefs.demo

FOLDER = Path(coursefs.demo.__file__).parent / "courses"
COURSES: dict[str, dict[str, Any]] = {
    path.parent.name: tomllib.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*/course.toml"))
}
MAGIC = {".pdf": b"%PDF-", ".png": b"\x89PNG\r\n\x1a\n"}


def modules(slug: str) -> list[dict[str, Any]]:
    return list(COURSES[slug]["modules"])


def lessons(slug: str) -> list[dict[str, Any]]:
    return [lesson for module in modules(slug) for lesson in module["lessons"]]


def items(slug: str) -> list[dict[str, Any]]:
    return [item for lesson in lessons(slug) for item in lesson["items"]]


def files(item: dict[str, Any]) -> Iterator[str]:
    """The files that an item describes, relative to its course's folder."""
    yield from (*item.get("video", {}).values(), *item.get("webm", {}).values())
    for stem in item.get("subtitles", {}).values():
        yield from (f"{stem}{suffix}" for suffix in (".srt", ".vtt", ".txt"))
    yield from (entry["file"] for entry in (*item.get("attachments", ()), *item.get("assets", ())) if "file" in entry)
    yield from (item[key] for key in ("cml", "instructions") if key in item)


EVERY_ITEM = [(slug, item) for slug in COURSES for item in items(slug)]
LECTURES = [
    pytest.param(FOLDER / slug, item, id=f"{slug}/{item['slug']}") for slug, item in EVERY_ITEM if "video" in item
]
REFERENCES = [(slug, entry) for slug in COURSES for entry in COURSES[slug].get("references", ())]
TEXTS = [
    pytest.param(FOLDER / slug, text, described, id=f"{slug}/{text}")
    for slug, described in (*EVERY_ITEM, *REFERENCES)
    if (text := described.get("cml") or described.get("instructions"))
]


def boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The boxes of ISO base media (ISO/IEC 14496-12, 4.2) that this holds: their types and bodies."""
    at = 0
    while at < len(data):
        size, kind, header = *struct.unpack_from(">I4s", data, at), 8
        if size == 1:
            size, header = struct.unpack_from(">Q", data, at + 8)[0], 16
        assert header <= size <= len(data) - at, f"a box of {size} bytes with {len(data) - at} left"
        yield kind, data[at + header : at + size]
        at += size


def inner(data: bytes, *path: bytes) -> list[bytes]:
    """The bodies of all boxes at this path."""
    found = [data]
    for kind in path:
        found = [body for outer in found for name, body in boxes(outer) if name == kind]
    return found


def seconds(clock: str) -> float:
    match = re.fullmatch(r"(\d\d):([0-5]\d):([0-5]\d)[.,](\d{3})", clock)
    assert match, clock
    hours, minutes, whole, thousandths = map(int, match.groups())
    return hours * 3600 + minutes * 60 + whole + thousandths / 1000


def cues(text: str) -> list[tuple[float, float, str]]:
    """The cues of an SRT file (or of a VTT file without its head): begin and end in seconds, and the words."""
    found = []
    for number, block in enumerate(text.strip().split("\n\n"), start=1):
        head, _, rest = block.partition("\n")
        if "-->" not in head:
            assert head == str(number)
            head, _, rest = rest.partition("\n")
        begin, _, end = head.partition(" --> ")
        assert rest.strip()
        found.append((seconds(begin), seconds(end), rest))
    return found


def test_there_are_exactly_three_courses() -> None:
    assert set(COURSES) == {"interactive-computer-graphics", "sound-and-hearing", "reading-the-night-sky"}
    for slug, course in COURSES.items():
        assert course["slug"] == slug
        assert course["title"]
        assert course["languages"]
        assert course["workload"]
        assert course["enrolled"].tzinfo is not None


def test_the_first_lesson_is_the_one_that_the_manual_shows() -> None:
    course = COURSES["interactive-computer-graphics"]
    module = course["modules"][0]
    lesson = module["lessons"][0]
    assert [course["title"], module["name"], lesson["name"]] == [
        "Interactive Computer Graphics",
        "Getting Started",
        "Welcome",
    ]
    assert [(item["name"], item["type"], item.get("locked")) for item in lesson["items"]] == [
        ("Introduction", "lecture", None),
        ("How this course works", "supplement", None),
        ("Module 1 Quiz", "staffGraded", None),
        ("Bonus lecture", "lecture", "PREMIUM"),
    ]
    lecture = lesson["items"][0]
    assert [(entry["title"], entry["name"]) for entry in lecture["attachments"]] == [("Slides", "Slides.pdf")]
    assert {"en", "de", "zh-CN"} == set(lecture["subtitles"])


@pytest.mark.parametrize("slug", COURSES)
def test_what_is_described_lies_there_and_nothing_else(slug: str) -> None:
    entries = [entry for where, entry in REFERENCES if where == slug]
    described = {name for item in (*items(slug), *entries) for name in files(item)} | {"course.toml"}
    there = {str(path.relative_to(FOLDER / slug)) for path in (FOLDER / slug).rglob("*") if not path.is_dir()}
    assert there == described


def test_nothing_lies_beside_the_courses_but_their_licence() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {"LICENSE.md", *COURSES}
    assert "CC0 1.0" in (FOLDER / "LICENSE.md").read_text(encoding="utf-8")


def test_all_together_are_small_and_one_video_is_not() -> None:
    sizes = {path: path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()}
    assert sum(sizes.values()) < 8_000_000
    assert min(sizes.values()) > 0
    assert max(size for path, size in sizes.items() if path.suffix == ".mp4") > 2_000_000


def test_ids_are_unique_and_well_formed() -> None:
    short: Counter[str] = Counter()
    long: Counter[str] = Counter(course["id"] for course in COURSES.values())
    for slug in COURSES:
        parts = (*modules(slug), *lessons(slug), *items(slug))
        short.update(part["id"] for part in parts)
        assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", part["slug"]) for part in parts)
        for lesson in lessons(slug):
            assert len({item["slug"] for item in lesson["items"]}) == len(lesson["items"])
    for _, item in EVERY_ITEM:
        entries = (*item.get("attachments", ()), *item.get("assets", ()))
        long.update(entry["id"] for entry in entries if "id" in entry)
        assert all(("id" in entry) != ("url" in entry) for entry in entries)
        assert ("video_id" in item) == ("video" in item or "webm" in item)
        long.update([item["video_id"]] if "video_id" in item else [])
    for _, entry in REFERENCES:
        short.update([entry["short_id"]])
        long.update([entry["id"], *(asset["id"] for asset in entry.get("assets", ()))])
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{5}", part) for part in short)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{22}", part) for part in long)
    assert [part for part, times in (short + long).items() if times > 1] == []


@pytest.mark.parametrize(("folder", "lecture"), LECTURES)
def test_every_video_has_pictures_and_sound_and_the_duration_that_is_described(
    folder: Path, lecture: dict[str, Any]
) -> None:
    assert len(lecture["video"]) == 2
    for resolution, name in lecture["video"].items():
        data = (folder / name).read_bytes()
        assert next(boxes(data))[0] == b"ftyp"
        handlers = [body[8:12] for body in inner(data, b"moov", b"trak", b"mdia", b"hdlr")]
        assert sorted(handlers) == [b"soun", b"vide"]
        (head,) = inner(data, b"moov", b"mvhd")
        version, units, duration = head[0], *struct.unpack_from(">II", head, 12)
        assert version == 0
        assert duration / units == pytest.approx(lecture["duration_ms"] / 1000, abs=0.1)
        heights = {struct.unpack_from(">I", body, 80)[0] >> 16 for body in inner(data, b"moov", b"trak", b"tkhd")}
        assert heights == {0, int(resolution.removesuffix("p"))}  # sound has no height


def test_the_index_of_some_videos_lies_in_front_and_of_others_at_the_end() -> None:
    orders = set()
    for _, item in EVERY_ITEM:
        for path in item.get("video", {}).values():
            (data,) = (found.read_bytes() for found in FOLDER.glob(f"*/{path}"))
            orders.add(tuple(kind for kind, _ in boxes(data) if kind in (b"moov", b"mdat")))
    assert orders == {(b"moov", b"mdat"), (b"mdat", b"moov")}


@pytest.mark.parametrize(("folder", "lecture"), LECTURES)
def test_subtitles_are_in_order_within_the_lecture_and_alike_in_all_forms(
    folder: Path, lecture: dict[str, Any]
) -> None:
    for language, stem in lecture.get("subtitles", {}).items():
        texts = {
            suffix: (folder / f"{stem}{suffix}").read_text(encoding="utf-8") for suffix in (".srt", ".vtt", ".txt")
        }
        assert stem.endswith(f".{language}")
        spoken = cues(texts[".srt"])
        assert len(spoken) >= 4
        times = [moment for begin, end, _ in spoken for moment in (begin, end)]
        assert times == sorted(set(times))
        assert 0 < times[0] < times[-1] <= lecture["duration_ms"] / 1000
        head, _, rest = texts[".vtt"].partition("\n\n")
        assert head == "WEBVTT"
        assert cues(rest) == spoken
        assert ("" if language == "zh-CN" else " ").join(words for *_, words in spoken) == texts[".txt"].strip()


@pytest.mark.parametrize(("folder", "text", "described"), TEXTS)
def test_what_a_text_refers_to_is_described_and_the_other_way_round(
    folder: Path, text: str, described: dict[str, Any]
) -> None:
    cml = (folder / text).read_text(encoding="utf-8")
    assert cml.startswith("<co-content>")
    assert cml.rstrip().endswith("</co-content>")
    referred = re.findall(r'<img [^>]*assetId="([^"]+)"', cml) + re.findall(r'<asset [^>]*id="([^"]+)"', cml)
    assert sorted(referred) == sorted(asset["id"] for asset in described.get("assets", ()))


def test_exactly_one_reading_is_malformed_in_the_way_that_was_met_in_the_wild() -> None:
    broken = []
    for path in FOLDER.glob("*/readings/*.cml"):
        try:
            ET.fromstring(path.read_text(encoding="utf-8"))
        except ET.ParseError:
            broken.append(path)
    (malformed,) = broken
    assert malformed.read_text(encoding="utf-8").endswith("</text></li></list></co-content>")


def test_the_readings_use_everything_that_the_language_has() -> None:
    together = "".join(path.read_text(encoding="utf-8") for path in FOLDER.glob("*/readings/*.cml"))
    for sign in (
        '<heading level="1">',
        'bulletType="numbers"',
        'bulletType="bullets"',
        "<list>",
        '<code language="python">',
        '<code language="plain_text">',
        "<table rows=",
        "<th>",
        "<text></text>",
        'hasMath="true">',
        "$$",
        'assetType="pdf"',
        'assetType="audio"',
        "<strong>",
        "<em>",
        "<u>",
        "<var>",
        '<a href="https://',
        "&amp;",
        "&nbsp;",
    ):
        assert sign in together, sign


@pytest.mark.parametrize(
    "path", [path for path in sorted(FOLDER.glob("*/media/*")) if path.suffix in MAGIC], ids=lambda path: path.name
)
def test_pictures_and_slides_are_what_their_names_say(path: Path) -> None:
    assert path.read_bytes().startswith(MAGIC[path.suffix])


def test_the_courses_are_as_awkward_as_real_ones() -> None:
    everything = [item for _, item in EVERY_ITEM]
    assert {item["type"] for item in everything} >= {
        "lecture",
        "supplement",
        "staffGraded",
        "quiz",
        "exam",
        "phasedPeer",
        "discussionPrompt",
        "ungradedLab",
        "coach",
        "gradedProgramming",
        "ungradedProgramming",
        "programming",
        "ungradedWidget",
        "listeningBooth",  # no platform has it
    }
    names = [item["name"] for item in everything]
    assert "Größen & Maße: was ist ein Dezibel?" in names
    assert any("/" in name for name in names)
    assert any("/" in course["title"] for course in COURSES.values())
    assert any(name.endswith(" ") for name in names)
    assert any(lesson["items"] == [] for slug in COURSES for lesson in lessons(slug))
    assert any("video" in item and "subtitles" not in item for item in everything)
    assert [item for item in everything if ("locked" in item or "censored" in item) and any(files(item))] == []
    assert any("censored" in item for item in everything)
    assert any("in_video_quiz" in item for item in everything)
    assert any("webm" in item and "video" not in item for item in everything)
    assert {entry.get("listed", True) for _, entry in REFERENCES} == {True, False}
    own_files = [
        item.get("attachments", [{}])[0] for item in everything if item["type"] == "supplement" and "cml" not in item
    ]
    assert {"url" in entry for entry in own_files} == {True, False}
    names_of_files = [entry.get("name", "") for item in everything for entry in item.get("attachments", ())]
    assert any("extended-description" in name for name in names_of_files)
    assert any("_merged." in name for name in names_of_files)

    attachments = [item["attachments"] for item in everything if "attachments" in item]
    assert any("url" in entry for entry in itertools.chain.from_iterable(attachments))
    assert any(max(Counter(entry.get("title") for entry in entries).values()) == 2 for entries in attachments)

    equal = [
        slug for slug in COURSES if max(Counter((item["name"], item["slug"]) for item in items(slug)).values()) == 2
    ]
    assert equal == ["sound-and-hearing"]
    for lesson in lessons("sound-and-hearing"):
        assert len({item["name"] for item in lesson["items"]}) == len(lesson["items"])
