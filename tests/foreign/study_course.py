"""A small course written to a folder as coursefs shows it, with its page: for tests in a browser, and for pictures."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from coursefs.model import Kind
from coursefs.pages.course_page import (
    CoursePage,
    CoursesOverview,
    OverviewCourse,
    PageChapter,
    PageDeadline,
    PageFile,
    PageItem,
    PageProgress,
    PageSection,
    assets,
    cues_js,
    index_html,
    overview_html,
    playlist,
    progress_js,
)

FOLDER = "Waves & Sound #1 100% 音"
SECONDS = 40
#: what is said in the lectures, by their titles
LECTURES = {
    "What a Wave Is": (
        "Throw a stone into a pond, and a ring runs outward.",
        "The water itself does not travel: it only goes up and down.",
        "What moves on is the disturbance, and with it energy.",
        "So a wave carries energy from here to there, and takes no matter along.",
        "Here x < 3 && y > 2 holds, as {x: 1} in a program.",
        "That is all of today's idea, and it is worth a second look.",
    ),
    "Frequency and Pitch": (
        "How often does the air swing in one second?",
        "This number is the frequency, and its unit is the hertz.",
        "The more swings, the higher the pitch that we hear.",
        "Double the frequency, and you are one octave higher.",
    ),
    "The Inner Ear": (
        "Behind the drum sits a snail that is filled with a fluid.",
        "Along it runs the basilar membrane, stiff at one end and soft at the other.",
        "Each place of it answers to a pitch of its own.",
        "So the ear takes a sound apart, long before the brain sees any of it.",
        "Café, naïve, Zürich: accents make no difference to a search.",
    ),
}


def course() -> CoursePage:
    """The course, as the catalogue would describe it."""
    lectures = [_lecture(number, title) for number, title in enumerate(LECTURES, 1)]
    lectures[0] = replace(
        lectures[0],
        files=(
            *lectures[0].files,
            PageFile("slides-1", f"{_stem(1)} - Slides.pdf", Kind.ATTACHMENT, "application/pdf", "Slides"),
        ),
        chapters=(PageChapter(0, "A stone in a pond"), PageChapter(14, "What moves on"), PageChapter(28, "Summary")),
    )
    reading = PageItem(
        "reading 1/ü",
        "How to Read a Spectrum",
        "Reading",
        4,
        url="https://example.org/reading",
        duration=600,
        files=(PageFile("r", "01 Waves/04 How to Read a Spectrum.html", Kind.READING, "text/html"),),
    )
    quiz = PageItem(
        "quiz", "Waves: Practice", "Quiz", 5, url="https://example.org/quiz",
        files=(PageFile("q", "01 Waves/05 Waves Practice (quiz).html", Kind.LINK, "text/html"),),
    )  # fmt: skip
    locked = PageItem(
        "locked", "A Walk through the Concert Hall", "Lecture", 2,
        locked="This lecture opens when module 1 is done.", url="https://example.org/locked",
        files=(PageFile("l", "02 Hearing/02 A Walk (locked).html", Kind.LINK, "text/html"),),
    )  # fmt: skip
    foreign = PageItem("rtl", "مقدمة في الصوت <b>hostile</b>", "Lecture", 3)
    return CoursePage(
        key="campus waves",
        title="Waves and Sound",
        url="https://www.example.org/learn/waves",
        language="en",
        overview="../index.html",
        playlist="playlist.m3u8",
        deadlines="deadlines.ics",
        sections=(
            PageSection("m1", "Waves", Kind.MODULE, 1, sections=(
                PageSection("l1", "Swinging Air", Kind.LESSON, 1, items=tuple(lectures[:2])),
                PageSection("l2", "Seeing Sound", Kind.LESSON, 2, items=(reading, quiz)),
            )),
            PageSection("m2", "Hearing", Kind.MODULE, 2, items=(lectures[2], locked, foreign)),
            PageSection("m3", "聽覺與大腦", Kind.MODULE, 3, items=(PageItem("empty", "Nothing yet", "Discussion", 1),)),
        ),
    )  # fmt: skip


def progress(now_ns: int) -> PageProgress:
    """The learner's progress: the first lecture is done, the quiz is due in three days, the module in a week."""
    day = 24 * 3600 * 10**9
    return PageProgress(
        {f"lecture {1}": 1.0, "m1": 0.25},
        (
            PageDeadline("Waves: Practice", now_ns + 3 * day, "quiz"),
            PageDeadline("Hearing", now_ns + 7 * day, "m2"),
        ),
        0.12,
    )


def overview() -> CoursesOverview:
    """All courses: this one, and one that was never listed."""
    return CoursesOverview(
        "Courses",
        (
            OverviewCourse("campus waves", "Waves and Sound", FOLDER, 8, "Campus"),
            OverviewCourse("campus graphs", "Graphs for Everyone", "Graphs for Everyone", None, "Campus"),
            OverviewCourse("city ink", "A History of Ink", "A History of Ink", 31, "City Library"),
        ),
        "deadlines.ics",
    )


def write(root: Path, now_ns: int, video: Path | None = None) -> Path:
    """Write the course below a folder, and the overview into it; returns the folder of the course."""
    folder = root / FOLDER
    page = course()
    made = video or tiny_video(root / "tiny.webm")
    for number, (title, said) in enumerate(LECTURES.items(), 1):
        target = folder / f"{_stem(number)}.webm"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(made.read_bytes())
        subtitle = srt(said)
        target.with_name(f"{target.stem}.en.srt").write_bytes(subtitle)
        _write(folder / f"index.files/cues {number}.js", cues_js(f"subtitle {number}", subtitle))
        assert title
    for name, body in _pages().items():
        _write(folder / name, body)
    _write(folder / f"{_stem(1)} - Slides.pdf", _PDF)
    _write(folder / "index.html", index_html(page))
    _write(folder / "playlist.m3u8", playlist(page))
    _write(folder / "deadlines.ics", b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n")
    _write(folder / "index.files/progress.js", progress_js(progress(now_ns)))
    _write(root / "index.html", overview_html(overview()))
    _write(root / "deadlines.ics", b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n")
    day = 24 * 3600 * 10**9
    shown = PageProgress(
        {"campus waves": 0.12, "city ink": 1.0},
        (PageDeadline("Waves: Practice", now_ns + 3 * day, "quiz", "campus waves"),),
    )
    _write(root / "index.files/progress.js", progress_js(shown))
    for name, data in assets().items():
        _write(root / "index.files" / name, data)
        _write(folder / "index.files" / name, data)
    return folder


def large(items: int) -> CoursePage:
    """A course of this many items in modules of 25, with files as on Coursera."""
    rows = tuple(
        PageItem(
            f"item-{number}", f"Lecture {number} on a subject with a title", "Lecture", number % 25 + 1, duration=700,
            url=f"https://example.org/{number}",
            files=(
                PageFile(f"v{number}", f"{number:04} Lecture.mp4", Kind.VIDEO, "video/mp4"),
                PageFile(f"s{number}", f"{number:04} Lecture.en.srt", Kind.SUBTITLE, "application/x-subrip",
                         language="en", cues=f"index.files/{number}.js"),
                PageFile(f"t{number}", f"{number:04} Lecture.en.txt", Kind.TRANSCRIPT, "text/plain", language="en"),
                PageFile(f"p{number}", f"{number:04} - Slides.pdf", Kind.ATTACHMENT, "application/pdf", "Slides"),
            ),
        )
        for number in range(items)
    )  # fmt: skip
    modules = (
        PageSection(f"m{start}", f"Module {start}", Kind.MODULE, start // 25 + 1, items=rows[start : start + 25])
        for start in range(0, items, 25)
    )
    return CoursePage("large", "A Large Course", sections=tuple(modules))


def tiny_video(path: Path, picture: Sequence[str] = ("-f", "lavfi", "-i", "testsrc2=size=320x180:rate=5")) -> Path:
    """A WebM of 40 seconds with a picture and a tone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["ffmpeg", "-v", "error", "-y", *picture, "-f", "lavfi", "-i", "sine=frequency=220", "-t", str(SECONDS),
         "-c:v", "libvpx", "-b:v", "100k", "-g", "5", "-pix_fmt", "yuv420p", "-c:a", "libvorbis", str(path)],
        check=True, stdin=subprocess.DEVNULL, timeout=120,
    )  # fmt: skip
    return path


def srt(said: Sequence[str]) -> bytes:
    """Subtitles of six seconds each."""
    blocks = (
        f"{number + 1}\n00:00:{number * 6 + 1:02},000 --> 00:00:{number * 6 + 7:02},000\n{text}\n"
        for number, text in enumerate(said)
    )
    return "\n".join(blocks).encode()


def _stem(number: int) -> str:
    folder = "01 Waves/01 Swinging Air" if number < 3 else "02 Hearing"
    return f"{folder}/0{number if number < 3 else 1} {list(LECTURES)[number - 1]}"


def _lecture(number: int, title: str) -> PageItem:
    stem = _stem(number)
    return PageItem(
        f"lecture {number}",
        title,
        "Lecture",
        number,
        url=f"https://example.org/lecture/{number}",
        duration=SECONDS,
        files=(
            PageFile(f"video {number}", f"{stem}.webm", Kind.VIDEO, "video/webm"),
            PageFile(
                f"subtitle {number}", f"{stem}.en.srt", Kind.SUBTITLE, "application/x-subrip", language="en",
                cues=f"index.files/cues {number}.js",
            ),
        ),
    )  # fmt: skip


def _pages() -> Mapping[str, bytes]:
    from coursefs.pages import document, link_page

    body = (
        "<p>A spectrum shows how much of each frequency a sound contains. Time runs to the right, pitch goes up, and "
        "the darker a point, the louder that pitch at that moment.</p><h2>Three things to look for</h2><ul>"
        "<li>Lines at equal distances: a tone with its overtones.</li><li>A cloud without lines: noise.</li>"
        "<li>A line that bends: something moves.</li></ul>"
        '<p>More is in <a href="https://example.org/more" rel="noopener noreferrer">a longer text</a>.</p>'
    )
    reading = document(title="How to Read a Spectrum", body=body, url="https://example.org/reading", language="en")
    quiz = link_page(title="Waves: Practice", what="Quiz", reason="A quiz has no file.", url="https://example.org/quiz")
    locked = link_page(
        title="A Walk through the Concert Hall",
        what="Locked",
        reason="It opens later.",
        url="https://example.org/locked",
    )
    return {
        "01 Waves/04 How to Read a Spectrum.html": reading.encode(),
        "01 Waves/05 Waves Practice (quiz).html": quiz.encode(),
        "02 Hearing/02 A Walk (locked).html": locked.encode(),
    }


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


#: one page with one line
_PDF = b"""%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 480 270]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>endobj
4 0 obj<</Length 61>>stream
BT /F 28 Tf 60 130 Td (A wave carries energy, not matter) Tj ET
endstream endobj
5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj
trailer<</Root 1 0 R>>
"""
