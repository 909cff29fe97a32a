"""The files of units, and which file of a video is shown."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import pytest

from coursefs.errors import NotAllowed
from coursefs.model import Course, Deadline, File, Item, Kind, Page, Placement, Remote, Standing, Wanted
from coursefs.providers.openedx import choice
from coursefs.providers.openedx.replies import Block, Blocks, CourseDate, Encoding, VideoData
from coursefs.providers.openedx.standing import due_blocks, standing
from coursefs.providers.openedx.unit_files import has_unsaid, needs_page, unit_files

LMS = "https://lms.example.com"
COURSE = Course("course-v1:O+C+R", "O+C+R", "A Course")
ITEM = Item("item/u", "A Unit", "a-unit", 1, "unit", f"{LMS}/u")


def encodings(**urls: str) -> dict[str, Encoding]:
    return {profile: Encoding(url) for profile, url in urls.items()}


EVERY = encodings(
    youtube="https://www.youtube.com/watch?v=x",
    fallback="https://x.example/f.mp4",
    hls="https://x.example/a.m3u8",
    mobile_low="https://x.example/l.mp4",
    mobile_high="https://x.example/h.mp4",
    desktop_webm="https://x.example/d.webm",
    desktop_mp4="https://x.example/d.mp4",
)


@pytest.mark.parametrize(
    ("video", "lines", "profile"),
    [
        (VideoData(EVERY), None, "desktop_mp4"),
        (VideoData(EVERY), 1080, "desktop_mp4"),
        (VideoData(EVERY), 720, "desktop_mp4"),
        (VideoData(EVERY), 700, "mobile_high"),
        (VideoData(EVERY), 360, "mobile_low"),
        (VideoData(EVERY), 240, "mobile_low"),
        (VideoData(encodings(desktop_webm="https://x.example/d.webm")), None, "desktop_webm"),
        (VideoData(encodings(fallback="https://x.example/F.MP4", hls="https://x.example/a.m3u8")), 360, "fallback"),
        (VideoData(encodings(fallback="https://x.example/a.m3u8")), None, None),
        (VideoData(encodings(fallback="https://[")), None, None),
        (VideoData({}, sources=("https://x.example/a.ogv", "https://x.example/a.mp4?x")), None, "source"),
        (VideoData(encodings(youtube="https://youtu.be/x")), None, None),
        (VideoData(encodings(hls="https://x.example/a.m3u8")), None, None),
    ],
)
def test_the_profile_that_is_shown(video: VideoData, lines: int | None, profile: str | None) -> None:
    assert choice.profile(video, lines) == profile
    assert profile is None or choice.video_url(video, profile)


@pytest.mark.parametrize(
    ("url", "profile", "extension"),
    [
        ("https://x.example/a.webm?q=.mp4", "fallback", ".webm"),
        ("https://x.example/a", "desktop_mp4", ".mp4"),
        ("https://x.example/a", "desktop_webm", ".webm"),
        ("https://x.example/A.MOV", "source", ".mov"),
    ],
)
def test_what_a_video_is_called_at_its_end(url: str, profile: str, extension: str) -> None:
    assert choice.extension(url, profile) == extension


@pytest.mark.parametrize(
    ("profile", "size", "told"), [("desktop_mp4", 5, 5), ("desktop_mp4", None, None), ("fallback", 5, None)]
)
def test_the_size_of_a_video_is_that_of_the_platforms_own_encoding(
    profile: str, size: int | None, told: int | None
) -> None:
    video = VideoData({profile: Encoding("https://x.example/v.mp4", size)}, transcripts={"en": "/t"})
    found = {file.kind: file.size for file in files_of([part("video", "v", "V", video=video)])}
    assert found[Kind.VIDEO] == told
    assert found[Kind.SUBTITLE] is None


def part(kind: str, key: str, name: str = "", **more: object) -> Block:
    return Block(key, kind, name, f"{LMS}/b/{key}", **more)  # type: ignore[arg-type]  # each test gives what fits


def files_of(parts: Sequence[Block], html: str = "", *, subtitles: tuple[str, ...] = ("en",)) -> list[File]:
    return unit_files(COURSE, ITEM, parts, html=html, base_url=LMS, wanted=Wanted(subtitles))


def page_of(blocks: dict[str, str]) -> str:
    inner = "".join(f'<div class="xblock" data-usage-id="{key}">{text}</div>' for key, text in blocks.items())
    return f"<html><body>{inner}</body></html>"


def shown(files: Sequence[File]) -> list[tuple[str, str, str]]:
    return [(file.placement.value, file.title, file.extension) for file in files]


def html_of(file: File) -> str:
    assert isinstance(file.body, Page)
    return file.body.html


SPOKEN = {"en": f"{LMS}/t?lang=en", "de": f"{LMS}/t?lang=de", "zh-Hans": f"{LMS}/t?lang=zh"}


def test_a_video_with_its_transcripts_in_the_chosen_languages() -> None:
    video = part("video", "block-v1:O+C+R+type@video+block@v1", "Intro", video=VideoData(EVERY, (), SPOKEN))
    found = files_of([video], subtitles=("de", "en"))
    assert shown(found) == [
        ("attached", "Intro", ".mp4"),
        ("attached", "Intro", ".de.srt"),
        ("attached", "Intro", ".en.srt"),
    ]
    assert [file.key for file in found] == [
        "item/u/video/v1",
        "item/u/transcript/v1/de.srt",
        "item/u/transcript/v1/en.srt",
    ]
    assert [file.mime_type for file in found] == ["video/mp4", "application/x-subrip", "application/x-subrip"]
    body = found[0].body
    assert isinstance(body, Remote) and body.identity == f"video/{video.key}/desktop_mp4.mp4"
    assert needs_page([video]) and not has_unsaid([video]), "its handout stands on its page alone"


def test_videos_of_one_name_are_told_apart_together_with_their_transcripts() -> None:
    both = [
        part("video", f"block-v1:O+C+R+type@video+block@{one}00000{one}", "Video", video=VideoData(EVERY, (), SPOKEN))
        for one in "ab"
    ]
    titles = [file.title for file in files_of(both)]
    assert titles == ["Video", "Video", "Video (00000b)", "Video (00000b)"]


@pytest.mark.parametrize(
    ("video", "reason", "url"),
    [
        (VideoData(encodings(youtube="https://www.youtube.com/watch?v=x")), "is on YouTube", "https://www.youtube.com/watch?v=x"),
        (VideoData({}, only_on_web=True), "on its web page only", f"{LMS}/b/v"),
        (VideoData(encodings(youtube="javascript:x")), "on its web page only", f"{LMS}/b/v"),
        (VideoData(EVERY, only_on_web=True), "is on YouTube", "https://www.youtube.com/watch?v=x"),
    ],
)  # fmt: skip
def test_a_video_without_a_file_is_a_link(video: VideoData, reason: str, url: str) -> None:
    (link,) = files_of([part("video", "v", "Intro", video=video)])
    assert (link.kind, link.placement, link.title) == (Kind.LINK, Placement.ATTACHED, "Intro (video)")
    assert reason in html_of(link) and escape(url) in html_of(link)


def test_one_page_for_all_texts_in_their_order() -> None:
    parts = [
        part("html", "h1", "CSS"),
        part("html", "h2", "Text"),
        part("video", "v", "Intro", video=VideoData(EVERY)),
        part("problem", "p", "A <b> question"),
        part("discussion", "d", "Discussion"),
        part("lti", "l", "A lab"),
        part("html", "h3", "Not rendered"),
    ]
    html = page_of({"h1": "<style>x</style>", "p": "<p>Which?</p>", "h2": "<p>First</p>", "l": "<p>frame</p>"})
    page, video = files_of(parts, html)
    text = html_of(page)
    app_paths = [
        text.index(words)
        for words in ("<p>First</p>", "Video: Intro", "<h2>A &lt;b&gt; question</h2>", "Which?",
                      f'href="{LMS}/b/l"', "This is an external tool", "This text is on its web page only")
    ]  # fmt: skip
    assert app_paths == sorted(app_paths)
    assert "frame" not in text
    assert "Discussion" not in text and "CSS" not in text
    assert video.kind is Kind.VIDEO
    assert f"coursefs-beside:{video.key.replace('/', '%2F')}" in text


def test_a_page_that_calls_its_blocks_something_else_is_shown_whole() -> None:
    (page,) = files_of(
        [part("html", "h"), part("problem", "p", "Q")], page_of({"x": "<p>First</p>", "y": "<p>Second</p>"})
    )
    text = html_of(page)
    assert text.index("First") < text.index("Second") and "web page only" not in text


def test_text_that_apps_are_given_needs_no_page() -> None:
    text = part("html", "h", "Text", html='<p>Hello <img src="/static/a.png"></p>')
    assert not needs_page([text])
    page, picture = files_of([text])
    assert "Hello" in html_of(page)
    assert picture.body == Remote(
        "asset/asset-v1:O+C+R+type@asset+block@a.png",
        {"what": "asset", "path": "/asset-v1:O+C+R+type@asset+block@a.png"},
    )


def test_refused_texts_leave_the_videos_alone() -> None:
    parts = [part("html", "h"), part("video", "v", "Intro", video=VideoData(EVERY))]
    locked, video = unit_files(
        COURSE, ITEM, parts, html=NotAllowed("the platform refuses to show this"), base_url=LMS, wanted=Wanted()
    )
    assert (locked.placement, locked.title) == (Placement.MARKED, "locked")
    assert "the platform refuses to show this" in html_of(locked)
    assert video.kind is Kind.VIDEO


def test_pdfs_and_sounds_are_files() -> None:
    pdf = part("pdf", "p", "Notes", file_url="https://x.example/n.pdf")
    ogg = part("audio", "a", "", file_url="https://x.example/n.OGG")
    found = files_of([pdf, ogg])
    assert shown(found) == [("attached", "Notes", ".pdf"), ("attached", "Audio", ".ogg")]
    assert found[1].kind is Kind.AUDIO
    assert found[0].body == Remote("pdf/p", {"what": "pdf", "block": "p"})


@pytest.mark.parametrize("parts", [[], [part("discussion", "d")], [part("html", "h", "CSS")]])
def test_a_unit_with_nothing_says_so(parts: list[Block]) -> None:
    (link,) = files_of(parts, page_of({"h": "<style>x</style>"}))
    assert (link.kind, link.title) == (Kind.LINK, "unit")
    assert "no text, no video and no file" in html_of(link)


# --- how a learner stands

DAY = 86_400 * 10**9
SEQUENTIAL = "block-v1:O+C+R+type@sequential+block@s"


def test_dates_and_progress() -> None:
    dates = [
        CourseDate("Course ends", 9 * DAY, "course-end-date"),
        CourseDate("Later", 5 * DAY, "assignment-due-date", "javascript:x"),
        CourseDate("Sooner", 3 * DAY, "assignment-due-date", f"{LMS}/courses/course-v1:O+C+R/jump_to/{SEQUENTIAL}"),
        CourseDate('<a href="/x">Upgrade</a> by', 4 * DAY, "verified-upgrade-deadline"),
        CourseDate("Today", 4 * DAY, "todays-date"),
        CourseDate("Course starts", DAY, "course-start-date"),
    ]
    progress = {
        "completion_summary": {"complete_count": 3, "incomplete_count": 1, "locked_count": None},
        "course_grade": {"percent": 0.5, "is_passing": False},
    }
    assert standing(dates, progress) == Standing(
        done=0.75,
        grade=0.5,
        passed=False,
        starts_ns=DAY,
        ends_ns=9 * DAY,
        deadlines=(
            Deadline("Sooner", 3 * DAY, f"lesson/{SEQUENTIAL}", f"{LMS}/courses/course-v1:O+C+R/jump_to/{SEQUENTIAL}"),
            Deadline("Upgrade by", 4 * DAY),
            Deadline("Later", 5 * DAY),
        ),
    )


@pytest.mark.parametrize("title", ["The <div> element", "ArrayList<String> basics", "#include <stdio.h>"])
def test_a_date_whose_title_only_looks_like_html_keeps_it(title: str) -> None:
    (deadline,) = standing([CourseDate(title, DAY, "assignment-due-date")], {}).deadlines
    assert deadline.title == title


@pytest.mark.parametrize("progress", [None, [], {}, {"course_grade": {"percent": 50}, "completion_summary": "x"}])
def test_what_is_not_said_is_left_out(progress: object) -> None:
    assert standing([], progress) == Standing()


def test_what_blocks_say_is_due_once_for_a_subsection() -> None:
    found = {
        "c": Block("c", "course", "", "", ("s", "c")),
        "s": Block("s", "sequential", "Homework", f"{LMS}/s", ("u", "gone"), due_ns=DAY),
        "u": Block("u", "vertical", "Unit", "", ("p",), due_ns=DAY),
        "p": Block("p", "problem", "Early", "", due_ns=DAY // 2),
    }
    assert due_blocks(Blocks("c", found)) == [
        Deadline("Homework", DAY, "lesson/s", f"{LMS}/s"),
        Deadline("Early", DAY // 2, "item/u"),  # of the unit that it is in
    ]
