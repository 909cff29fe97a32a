"""Names, settings, the shape of the tree, and which files a recording has: decided without a platform."""

from __future__ import annotations

from datetime import UTC
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursefs.errors import UsageError
from coursefs.model import Course, File, Item, Kind, Page, Wanted
from coursefs.providers import registry
from coursefs.providers.base import Account
from coursefs.providers.panopto.folders import (
    SCHEDULED,
    SESSION,
    FolderContents,
    roots,
    section,
    slug,
    title,
    unknown_parents,
)
from coursefs.providers.panopto.platform import PLATFORM
from coursefs.providers.panopto.replies import Delivery, Folder, Mark, Playlist, Recording, is_srt
from coursefs.providers.panopto.session_files import (
    OWN,
    RecordingReplies,
    chapters,
    listed_files,
    session_files,
    wanted_captions,
)
from coursefs.providers.panopto.settings import PanoptoSettings, server, settings
from coursefs.transport import Transport

SETTINGS = PanoptoSettings("https://campus.example", "client")
COURSE = Course("c", "course", "Course")
ITEM = Item("session/s1", "2024-01-09 Lecture", "lecture", None, SESSION, "https://campus.example/v",
            details={"session_id": "s1", "start_ns": "1704794400000000000"})  # fmt: skip
JANUARY = 1704848400.0  # 2024-01-10 01:00 UTC


def folder(key: str, name: str = "", parent: str = "") -> Folder:
    return Folder(key, name or key.upper(), parent)


# --- names


@pytest.mark.parametrize(
    ("name", "start", "zone", "expected"),
    [
        ("Lecture 3", JANUARY, UTC, "2024-01-10 Lecture 3"),
        ("Lecture 3", JANUARY, ZoneInfo("America/Los_Angeles"), "2024-01-09 Lecture 3"),
        ("Lecture 3.MP4", JANUARY, UTC, "2024-01-10 Lecture 3"),
        ("3/4/2022 9:00 am", JANUARY, UTC, "2024-01-10 3/4/2022 9:00 am"),
        ("2024-01-10 Lecture 3", JANUARY, UTC, "2024-01-10 Lecture 3"),
        ("Lecture 3", None, UTC, "Lecture 3"),
        ("Lecture 1.2", None, UTC, "Lecture 1.2"),
        ("  ", JANUARY, UTC, "2024-01-10 Recording"),
        (".mp4", None, UTC, "Recording"),
        ("x", 1e30, UTC, "x"),
    ],
)
def test_the_name_of_a_recording(name: str, start: float | None, zone: ZoneInfo, expected: str) -> None:
    assert title(name, start, zone) == expected


def test_slugs() -> None:
    assert slug("Seminar: Sound/Hearing") == "seminar-sound-hearing"
    assert slug("…") == ""


# --- settings


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("campus.example.edu", "https://campus.example.edu"),
        ("https://Campus.example.edu/", "https://campus.example.edu"),
        ("https://campus.example.edu/Panopto/Pages/Home.aspx", "https://campus.example.edu"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
    ],
)
def test_the_address_of_a_server(given: str, expected: str) -> None:
    assert server(given) == expected


@pytest.mark.parametrize(
    "values",
    [
        {"server": "http://campus.example"},
        {"server": ""},
        {"server": "https://me:secret@campus.example"},
        {"server": "ftp://campus.example"},
        {"client_id": ""},
        {"client_id": "two words"},
        {"requests_per_minute": "0"},
        {"requests_per_minute": "101"},
        {"requests_per_minute": "many"},
        {"timezone": "Middle/Earth"},
        {"timezone": "../../etc/passwd"},
        {"audio": "maybe"},
        {"slides": "1"},
    ],
)
def test_settings_that_make_no_sense_are_refused(values: dict[str, str]) -> None:
    good = {"server": "https://campus.example", "client_id": "abc"}
    with pytest.raises(UsageError) as caught:
        PLATFORM.create(Account("panopto", good | values, {}), Transport())
    assert "secret" not in str(caught.value)


def test_panopto_is_found() -> None:
    if "panopto" not in registry.names():
        pytest.skip("the installed metadata are older than this source")
    assert registry.platform("panopto") is PLATFORM


@pytest.mark.parametrize(
    ("path", "skipped"),
    [
        (("Users",), True),
        (("users",), True),
        (("Biology", "Users"), True),
        (("Biology", "Old"), True),
        (("Chemistry", "Old"), False),
        (("Old",), False),
        (("Biology", "3/4 Labs"), True),
        (("Physics", "A/B", "Drafts"), True),
        (("Usersx",), False),
    ],
)
def test_folders_are_skipped_by_name_or_path(path: tuple[str, ...], skipped: bool) -> None:
    values = {"server": "https://x.example", "client_id": "c"}
    own = settings({**values, "skip_folders": "Users\n/Biology/Old/\n3-4 Labs\nPhysics/A-B/Drafts"})
    assert own.skips(path) is skipped


# --- the tree


def test_a_folder_whose_parent_cannot_be_seen_is_a_root() -> None:
    known = {one.id: one for one in (folder("a"), folder("b", parent="a"), folder("c", parent="unseen"))}
    assert [one.id for one in roots(known)] == ["a", "c"]
    assert unknown_parents(known, ()) == ["unseen"]
    assert unknown_parents(known, ("unseen",)) == []


def test_every_circle_has_one_root() -> None:
    circle = {"b": folder("b", parent="a"), "a": folder("a", parent="c"), "c": folder("c", parent="b")}
    tail = {"t": folder("t", parent="b"), "own": folder("own", parent="own")}
    assert [one.id for one in roots({**circle, **tail})] == ["a", "own"]
    assert [one.id for one in roots({**tail, **dict(reversed(circle.items()))})] == ["a", "own"]


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from(["", *"abcdefghxy"]), max_size=8))
def test_every_folder_hangs_on_one_root(parents: dict[str, str]) -> None:
    known = {key: folder(key, parent=parent) for key, parent in parents.items()}
    tops = {one.id for one in roots(known)}
    below: dict[str, str] = {}

    def walk(key: str, top: str) -> None:
        assert key not in below
        below[key] = top
        for child in known.values():
            if child.parent_id == key and child.id not in tops:
                walk(child.id, top)

    for top in tops:
        walk(top, top)
    assert below.keys() == known.keys()


def session(key: str, name: str = "Lecture", **more: object) -> Recording:
    return Recording(key, name, **{"start": JANUARY, "duration": 60.0, **more})  # type: ignore[arg-type]


def test_a_folder_becomes_a_section() -> None:
    contents = {
        "a": FolderContents(
            [folder("b", "3/4"), folder("elsewhere")],
            [session("s1", captions_url="https://x"), session("s2", duration=0.0)],
            [(Playlist("p", "Revision"), [session("s9"), session("s1")])],
        ),
        "b": FolderContents(),
    }
    tree = section(folder("a", "Top"), contents, SETTINGS)
    assert [(one.key, one.kind, one.title, one.position) for one in tree.sections] == [
        ("folder/b", Kind.FOLDER, "3/4", None),
        ("playlist/p", Kind.FOLDER, "Revision", None),
    ]
    first, second = tree.items
    assert (first.key, first.title, first.position, first.type_name) == (
        "session/s1", "2024-01-10 Lecture", None, SESSION,
    )  # fmt: skip
    assert first.details == {"session_id": "s1", "start_ns": str(int(JANUARY) * 10**9), "captions": "listed"}
    assert second.type_name == SCHEDULED
    assert [(one.key, one.position) for one in tree.sections[1].items] == [("playlist/p/s9", 1), ("playlist/p/s1", 2)]


# --- files


@pytest.mark.parametrize(("said", "seconds"), [(4590.833, 4590.833), (0.0, None), (-1.0, None), (None, None)])
def test_how_long_a_recording_is(said: float | None, seconds: float | None) -> None:
    contents = {"f": FolderContents(sessions=[session("s", duration=said)])}
    assert section(folder("f"), contents, SETTINGS).items[0].duration == seconds


def shown(files: list[File]) -> list[str]:
    return [f"{file.key.removeprefix('session/s1/')}{file.extension}" for file in files]


def delivery(**more: object) -> Delivery:
    return Delivery(**{"languages": (), "has_podcast": True, **more})  # type: ignore[arg-type]


def test_what_the_listing_alone_lets_expect() -> None:
    (video,) = listed_files(COURSE, ITEM, SETTINGS)
    assert (video.extension, video.modified_ns, video.title) == (".mp4", 1704794400000000000, "")
    scheduled = Item("session/s1", "x", "x", None, SCHEDULED, details={"session_id": "s1"})
    (page,) = listed_files(COURSE, scheduled, SETTINGS)
    assert page.kind is Kind.LINK and page.title == "scheduled"


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (RecordingReplies(session("s1")), ["video.mp4"]),
        (RecordingReplies(session("s1"), delivery()), ["video.mp4"]),
        (RecordingReplies(session("s1"), delivery(has_podcast=None)), ["video.mp4"]),
        (RecordingReplies(session("s1"), delivery(has_podcast=False)), ["link.html"]),
        (RecordingReplies(session("s1"), delivery(has_podcast=False, is_archived=True)), ["link.html"]),
        (RecordingReplies(session("s1"), delivery(has_podcast=False, has_audio=True)), ["audio.m4a"]),
        (RecordingReplies(session("s1"), delivery(), frozenset({"en", "de"})), [
            "video.mp4", "captions/de.de.srt", "captions/en.en.srt",
        ]),
        (RecordingReplies(session("s1"), delivery(), frozenset({OWN})), ["video.mp4", "captions/own.srt"]),
    ],
)  # fmt: skip
def test_the_files_of_a_recording(known: RecordingReplies, expected: list[str]) -> None:
    assert shown(session_files(COURSE, ITEM, known, SETTINGS)) == expected


def test_chapters_are_there_and_audio_and_slides_when_they_are_wanted() -> None:
    marks = (Mark(0, "Start"), Mark(3, "", "o", "1"), Mark(8, "", "o", "2"), Mark(9, "End", "o", "1"))
    known = RecordingReplies(session("s1"), delivery(has_audio=True, marks=marks))
    assert shown(session_files(COURSE, ITEM, known, SETTINGS)) == ["video.mp4", "chapters.chapters.txt"]
    everything = PanoptoSettings("https://campus.example", "client", audio=True, slides=True)
    files = session_files(COURSE, ITEM, known, everything)
    assert shown(files) == [
        "video.mp4", "audio.m4a", "chapters.chapters.txt", "slide/o~1.jpg", "slide/o~2.jpg",
    ]  # fmt: skip
    assert [file.title for file in files[-2:]] == ["Slide 01", "Slide 02"]
    assert isinstance(files[2].body, Page) and files[2].body.html.startswith("CHAPTER01=00:00:00.000\n")


@pytest.mark.parametrize(
    ("known", "wanted", "expected"),
    [
        (RecordingReplies(session("s1", captions_url="u")), Wanted(), {OWN: None}),
        (RecordingReplies(session("s1")), Wanted(), {}),
        (RecordingReplies(session("s1", captions_url="u"), delivery(languages=())), Wanted(), {}),
        (RecordingReplies(session("s1"), delivery(languages=(4, 0))), Wanted(("de",)), {"de": 4}),
        (RecordingReplies(session("s1"), delivery(languages=(1, 4))), Wanted(("en",)), {"en-GB": 1}),
        (RecordingReplies(session("s1"), delivery(languages=(5, 4))), Wanted(("en",)), {"de": 4}),
        (RecordingReplies(session("s1"), delivery(languages=(5, 4))), Wanted(("all",)), {"de": 4, "fr": 5}),
    ],
)
def test_which_captions_are_looked_for(
    known: RecordingReplies, wanted: Wanted, expected: dict[str, int | None]
) -> None:
    assert wanted_captions(known, wanted) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"1\n00:00:01,000 --> 00:00:02,000\nHello\n", True),
        (b"\xef\xbb\xbf1\r\n00:00:01.000 --> 00:00:02.000\r\nHello", True),
        (b"\r\n\r\n 12\r\n00:00:01,000", True),
        (b"", False),
        (b"\n\n", False),
        (b"<!doctype html><html>", False),
        (b"WEBVTT\n\n", False),
        (b"1\nNot a time", False),
    ],
)
def test_what_captions_are(body: bytes, expected: bool) -> None:
    assert is_srt(body) is expected


def test_chapters() -> None:
    marks = [Mark(0, "Start"), Mark(59.9996, "Next"), Mark(70, ""), Mark(3725.5, "Q & A"), Mark(3725.5, "again")]
    assert chapters(marks) == (
        "CHAPTER01=00:00:00.000\nCHAPTER01NAME=Start\n"
        "CHAPTER02=00:01:00.000\nCHAPTER02NAME=Next\n"
        "CHAPTER03=01:02:05.500\nCHAPTER03NAME=Q & A\n"
    )
    assert chapters([Mark(1)]) == ""
