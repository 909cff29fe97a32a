"""Which files a lecture, a reading and everything else become."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursefs.errors import RouteGone
from coursefs.model import Course, File, Item, Kind, Page, Placement, Remote, Wanted
from coursefs.pages import beside_url
from coursefs.providers.coursera import choice
from coursefs.providers.coursera.choice import Choice
from coursefs.providers.coursera.item_files import (
    asset_ids,
    is_duplicate,
    item_link,
    lecture_files,
    refused_attachments,
)
from coursefs.providers.coursera.naptime import Envelope
from coursefs.providers.coursera.replies import Asset, CourseAsset, LectureVideo, course_assets
from coursefs.providers.coursera.sources import Rendition
from coursefs.providers.coursera.text_files import reading_files
from coursefs.providers.kit.files import FileName, file_name, languages, mime_type, web_host

COURSE = Course(key="Ab3", slug="some-course", title="Some Course")
PAGE = "https://www.coursera.org/learn/some-course/lecture/rS7tU/welcome"


def item(type_name: str = "lecture", locked: str | None = None) -> Item:
    return Item("item/rS7tU", "Welcome", "welcome", 1, type_name, PAGE, locked, {"item_id": "rS7tU"})


def asset(asset_id: str, name: str, extension: str = "") -> Asset:
    return Asset(asset_id, name, "generic", extension, "https://cdn.example/x", None)


def video(
    resolutions: Sequence[str] = ("720p", "360p"),
    subtitles: Sequence[str] = ("en", "de"),
    texts: Sequence[str] = ("en",),
    captions: Sequence[str] = (),
) -> LectureVideo:
    renditions = {one: Rendition(int(one[:-1]), f"https://cdn.example/{one}.mp4", "") for one in resolutions}
    return LectureVideo(
        renditions, dict.fromkeys(subtitles, "/s"), dict.fromkeys(captions, "/v"), dict.fromkeys(texts, "/t"), None
    )


def lecture(
    what: LectureVideo,
    parts: Sequence[CourseAsset] = (),
    assets: Mapping[str, Asset] | None = None,
    wanted: Wanted = Wanted(),  # noqa: B008  frozen
) -> list[File]:
    return lecture_files(COURSE, item(), video=what, parts=parts, assets=assets or {}, choice=Choice(wanted))


def names(files: Sequence[File]) -> list[tuple[str, str, str, str]]:
    return [(one.key.removeprefix("item/rS7tU/"), one.placement.value, one.title, one.extension) for one in files]


def html(file: File) -> str:
    assert isinstance(file.body, Page)
    return file.body.html


@pytest.mark.parametrize(
    ("offered", "lines", "chosen"),
    [
        ({}, None, None),
        ({"720p": "mw", "1080p": "mw", "360p": "mw"}, None, ("1080p", "mp4")),
        ({"720p": "mw", "1080p": "mw", "360p": "mw"}, 720, ("720p", "mp4")),
        ({"720p": "mw", "1080p": "mw", "360p": "mw"}, 719, ("360p", "mp4")),
        ({"720p": "mw", "1080p": "mw", "360p": "mw"}, 240, ("360p", "mp4")),
        ({"720p": "w", "360p": "mw"}, None, ("720p", "webm")),
        ({"original": "m", "360p": "m"}, None, ("360p", "mp4")),
        ({"original": "m"}, 360, ("original", "mp4")),
    ],
)
def test_the_wanted_resolution_or_the_next_lower_one(
    offered: dict[str, str], lines: int | None, chosen: tuple[str, str] | None
) -> None:
    renditions = {
        name: Rendition(
            int(name[:-1]) if name[0].isdigit() else 0, "u" if "m" in formats else "", "u" if "w" in formats else ""
        )
        for name, formats in offered.items()
    }
    assert choice.rendition(renditions, lines) == chosen


@pytest.mark.parametrize(
    ("available", "wanted", "chosen"),
    [
        ({"de", "en", "fr"}, ("en",), ("en",)),
        ({"de", "en", "fr"}, ("fr", "xx", "de"), ("fr", "de")),
        ({"de", "en", "fr"}, ("all",), ("de", "en", "fr")),
        ({"de", "pt-BR", "pt-PT"}, ("pt",), ("pt-BR",)),
        ({"en", "de"}, ("en-GB", "en"), ("en",)),
        ({"zh-CN", "zh-TW"}, ("zh-tw",), ("zh-TW",)),
        ({"ar", "en", "fr"}, ("de",), ("en",)),
        ({"ar", "en-US"}, ("de",), ("en-US",)),
        ({"fr", "ar"}, ("de",), ("ar",)),
        ({"fr", "ar"}, (), ("ar",)),
        (set(), ("en",), ()),
        (set(), ("all",), ()),
    ],
)
def test_the_wanted_languages_that_exist_or_the_first_one(
    available: set[str], wanted: tuple[str, ...], chosen: tuple[str, ...]
) -> None:
    assert languages(available, wanted) == chosen


@given(
    st.sets(st.sampled_from(["en", "de", "pt", "pt-BR", "zh-CN"])), st.lists(st.sampled_from(["en", "pt", "zh", "xx"]))
)
def test_some_language_is_shown_exactly_where_there_is_one(available: set[str], wanted: list[str]) -> None:
    chosen = languages(available, wanted)
    assert bool(chosen) == bool(available)
    assert set(chosen) <= available and len(set(chosen)) == len(chosen)


@pytest.mark.parametrize(
    ("name", "said", "parts"),
    [
        ("1_Strategic_Interactions.PDF", "pdf", ("1_Strategic_Interactions", ".pdf")),
        ("Slides", "pptx", ("Slides", ".pptx")),
        ("Slides", ".PDF", ("Slides", ".pdf")),
        ("Slides", "", ("Slides", "")),
        ("Slides", "p/d", ("Slides", "")),
        ("Lecture 1.2", "pdf", ("Lecture 1.2", ".pdf")),
        ("data.001", "001", ("data", ".001")),
        ("What is it? No. 1", "", ("What is it? No. 1", "")),
        ("archive.tar.gz", "gz", ("archive.tar", ".gz")),
        (".htaccess", "txt", (".htaccess", ".txt")),
        ("a." + "x" * 21, "", ("a." + "x" * 21, "")),
        ("trailing.", "doc", ("trailing.", ".doc")),
    ],
)
def test_names_of_assets_are_parted(name: str, said: str, parts: tuple[str, str]) -> None:
    assert file_name(name, said) == FileName(*parts)


@pytest.mark.parametrize(
    ("extension", "media_type"),
    [(".pdf", "application/pdf"), (".mp4", "video/mp4"), (".txt", "text/plain"), ("", "application/octet-stream"),
     (".srt", "application/x-subrip"), (".webm", "video/webm"),
     (".ipynb", "application/x-ipynb+json"), (".m4a", "audio/mp4"), (".wat", "application/octet-stream")],
)  # fmt: skip
def test_media_types(extension: str, media_type: str) -> None:
    assert mime_type(extension) == media_type


@pytest.mark.parametrize(
    ("name", "hidden"),
    [
        ("3307320-Computer_Vision-extended-description-mixed.mp4", True),
        ("Computer_Vision_merged.doc", True),
        ("Computer_Vision_MERGED_1.docx", True),
        ("data_merged.csv", False),
        ("slides.pdf", False),
    ],
)
def test_what_repeats_the_lecture_is_hidden(name: str, hidden: bool) -> None:
    assert is_duplicate(asset("a", name)) is hidden
    shown = lecture(video(), [CourseAsset("w", "asset", asset_id="a")], {"a": asset("a", name)})
    assert any(one.key == "item/rS7tU/asset/a" for one in shown) is not hidden


def test_recorded_names_of_duplicates_are_hidden(platform_replies: Path) -> None:
    trees = sorted((platform_replies / "coursera/derived").glob("*.coursera-dl-tree.txt"))
    lines = [line for tree in trees for line in tree.read_text(encoding="utf-8").splitlines()]
    odd = [one for one in lines if "extended-description" in one or "_merged" in one]
    assert len(odd) > 50
    assert all(is_duplicate(asset("a", one.rpartition("/")[2])) for one in odd)
    assert not any(is_duplicate(asset("a", one.rpartition("/")[2])) for one in lines if one not in odd)


def test_a_lecture_becomes_its_files() -> None:
    parts = [
        CourseAsset("w1", "asset", asset_id="s1"),
        CourseAsset("w2", "asset", asset_id="s1"),
        CourseAsset("w3", "asset", asset_id="gone"),
        CourseAsset("w4", "url", name="Paper", url="https://arxiv.org/abs/1505.04597"),
        CourseAsset("w5", "odd"),
    ]
    files = lecture(video(), parts, {"s1": asset("s1", "Slides.PDF")}, Wanted(subtitles=("de", "en"), video=540))
    link_key = files[-1].key.removeprefix("item/rS7tU/")
    assert names(files) == [
        ("video", "main", "", ".mp4"),
        ("subtitle/de.srt", "main", "", ".de.srt"),
        ("subtitle/en.srt", "main", "", ".en.srt"),
        ("transcript/en.txt", "main", "", ".en.txt"),
        ("asset/s1", "attached", "Slides", ".pdf"),
        (link_key, "attached", "Paper", ".html"),
    ]
    assert [one.kind for one in files] == [
        Kind.VIDEO, Kind.SUBTITLE, Kind.SUBTITLE, Kind.TRANSCRIPT, Kind.ATTACHMENT, Kind.LINK,
    ]  # fmt: skip
    assert [one.mime_type for one in files[:5:2]] == ["video/mp4", "application/x-subrip", "application/pdf"]
    ids = {"course_id": "Ab3", "item_id": "rS7tU"}
    assert files[0].body == Remote(
        "video/Ab3~rS7tU/360p.mp4", {"what": "video", "resolution": "360p", "container": "mp4", **ids}
    )
    assert files[1].body == Remote("subtitle/Ab3~rS7tU/de.srt", {"what": "subtitle", "language": "de", **ids})
    assert files[3].body == Remote("transcript/Ab3~rS7tU/en.txt", {"what": "transcript", "language": "en", **ids})
    assert files[4].body == Remote("asset/s1", {"what": "asset", "asset_id": "s1"})
    assert link_key.startswith("link/")
    assert (files[5].url, "arxiv.org" in html(files[5])) == ("https://arxiv.org/abs/1505.04597", True)
    assert {one.url for one in files[:5]} == {PAGE}


@pytest.mark.parametrize(
    ("what", "formats", "shown"),
    [
        (video(captions=("en", "de")), ("srt", "txt"), [".en.srt", ".de.srt", ".en.txt"]),
        (video(captions=("en", "de")), ("vtt",), [".en.vtt", ".de.vtt"]),
        (video(captions=("en",)), ("txt", "vtt", "srt"), [".en.srt", ".de.srt", ".en.vtt", ".en.txt"]),
        (video(subtitles=("en",), captions=("de",)), ("srt",), [".en.srt", ".de.vtt"]),
        (video(subtitles=(), captions=("en", "de"), texts=()), ("srt", "txt"), [".en.vtt", ".de.vtt"]),
        (video(captions=("en",)), (), []),
    ],
)
def test_texts_in_the_wanted_formats(what: LectureVideo, formats: tuple[str, ...], shown: list[str]) -> None:
    wanted = Choice(Wanted(subtitles=("en", "de")), formats)
    files = lecture_files(COURSE, item(), video=what, parts=(), assets={}, choice=wanted)[1:]
    assert [one.extension for one in files] == shown
    assert all(one.mime_type == "text/vtt" for one in files if one.extension.endswith(".vtt"))
    assert len({one.key for one in files}) == len(files)


def test_a_quiz_within_a_lecture_is_noted() -> None:
    asking = replace(item(), details={"item_id": "rS7tU", "in_video_quiz": "true"})
    files = lecture_files(COURSE, asking, video=video(), parts=(), assets={}, choice=Choice())
    assert names(files)[-1] == ("quiz", "marked", "in-video quiz", ".html")
    assert "stops for questions" in html(files[-1])


def test_duplicates_are_shown_where_they_are_asked_for() -> None:
    known = {"d": asset("d", "Talk extended-description-mixed.mp4"), "m": asset("m", "Talk_merged.doc")}
    parts = [CourseAsset(one, "asset", asset_id=one) for one in known]
    for duplicates, count in ((False, 0), (True, 2)):
        wanted = Choice(duplicates=duplicates)
        files = lecture_files(COURSE, item(), video=video(), parts=parts, assets=known, choice=wanted)
        assert len([one for one in files if "/asset/" in one.key]) == count


def test_a_lecture_without_a_video_file_says_so() -> None:
    files = lecture(video(resolutions=()))
    assert names(files)[0] == ("video", "marked", "video", ".html")
    assert "no video file" in html(files[0]) and PAGE in html(files[0])
    assert [one.extension for one in files[1:]] == [".en.srt", ".en.txt"]


def test_refused_attachments_have_a_page_in_their_place() -> None:
    page = refused_attachments(COURSE, item(), RouteGone("attachments: the platform no longer has this route"))
    assert names([page]) == [("attachments", "marked", "attachments", ".html")]
    assert "no longer has this route" in html(page)


def cml(value: str) -> CourseAsset:
    return CourseAsset("Ab3~rS7tU", "cml", cml=f"<co-content>{value}</co-content>")


def test_a_reading_is_one_page_with_its_pictures_beside_it() -> None:
    parts = [
        cml('<text>Hello <strong>there</strong></text><img assetId="p1" alt="A plan"/><asset id="d1" name="x"/>'),
        cml('<text>Second</text><img assetId="gone"/>'),
    ]
    assert asset_ids(parts) == ("p1", "d1", "gone")
    files = reading_files(
        COURSE, item("supplement"), parts, {"p1": asset("p1", "plan.png"), "d1": asset("d1", "x.zip")}
    )
    assert names(files) == [
        ("page", "main", "", ".html"),
        ("asset/p1", "beside", "plan", ".png"),
        ("asset/d1", "beside", "x", ".zip"),
    ]
    assert [one.kind for one in files] == [Kind.READING, Kind.IMAGE, Kind.ATTACHMENT]
    page = html(files[0])
    assert page.index("Hello") < page.index("Second")
    assert beside_url("item/rS7tU/asset/p1") in page and beside_url("item/rS7tU/asset/gone") not in page
    assert PAGE in page and "Some Course" in page


def test_a_recorded_reading_of_two_parts_is_one_page(platform_replies: Path) -> None:
    content: dict[str, Any] = json.loads(
        (platform_replies / "coursera/coursera-dl/json/supplement-multiple-assets-input.json").read_text()
    )
    parts = course_assets(Envelope((), content["linked"], ""))
    (page,) = reading_files(COURSE, item("supplement"), parts, {})
    texts = [next(text for text in re.findall(r">([^<>&]+)<", part.cml) if text.strip()) for part in parts]
    assert len(texts) == len(set(texts)) == 2
    assert html(page).index(texts[0]) < html(page).index(texts[1])


def test_a_recorded_reading_keeps_every_link_that_its_own_parser_found(platform_replies: Path) -> None:
    folder = platform_replies / "coursera/coursera-dl/json"
    reply = json.loads((folder / "supplement-multiple-assets-input.json").read_text())
    (page,) = reading_files(COURSE, item("supplement"), course_assets(Envelope((), reply["linked"], "")), {})
    expected = json.loads((folder / "supplement-multiple-assets-output.json").read_text())
    urls = [url for links in expected.values() for url, _ in links]
    assert len(urls) == 3
    for url in urls:
        assert escape(url) in html(page)


def test_a_reading_without_cml_falls_back_to_the_platforms_rendering() -> None:
    part = CourseAsset("x", "cml", html="<h2>Title</h2><script>alert(1)</script><p>Rendered</p>")
    (page,) = reading_files(COURSE, item("supplement"), [part], {})
    assert "<p>Rendered</p>" in html(page) and "<script" not in html(page)


def test_a_reading_that_is_a_file_is_that_file() -> None:
    whole = CourseAsset("w", "asset", asset_id="d1")
    known = {"d1": asset("d1", "Paper.pdf"), "d2": asset("d2", "Other.pdf")}
    assert names(reading_files(COURSE, item("supplement"), [whole], known)) == [("asset/d1", "main", "", ".pdf")]
    other = CourseAsset("w", "asset", asset_id="d2")
    assert names(reading_files(COURSE, item("supplement"), [whole, other], known)) == [
        ("asset/d1", "attached", "Paper", ".pdf"),
        ("asset/d2", "attached", "Other", ".pdf"),
    ]


def test_a_page_does_not_say_its_title_twice() -> None:
    again = cml('<heading level="1"> welcome:</heading><text>Hello</text><heading level="2">Welcome</heading>')
    (page,) = reading_files(COURSE, item("supplement"), [again], {})
    assert html(page).count("elcome</h") == 2, "one at the top of the page, and the one of a later section"


@pytest.mark.parametrize(("details", "language"), [({}, ""), ({"language": "pt-BR"}, "pt-BR"), ({"language": '"'}, "")])
def test_a_page_says_its_language(details: dict[str, str], language: str) -> None:
    (page,) = reading_files(COURSE, replace(item("supplement"), details=details), [cml("<text>Olá</text>")], {})
    assert f'<html lang="{language}">' in html(page)


def test_links_to_the_platform_itself_lead_there() -> None:
    part = cml('<text><a href="/learn/some-course/resources/zVvo7">Tables</a></text>')
    (page,) = reading_files(COURSE, item("supplement"), [part], {})
    assert 'href="https://www.coursera.org/learn/some-course/resources/zVvo7"' in html(page)


def test_what_can_be_no_id_is_not_asked_for() -> None:
    assert asset_ids([cml('<img assetId="a/b"/><img assetId="a b"/><asset id="ok"/>')]) == ("ok",)


def test_a_file_that_comes_with_a_text_is_attached_to_it() -> None:
    parts = [cml("<text>Read this:</text>"), CourseAsset("w", "asset", asset_id="d1")]
    files = reading_files(COURSE, item("supplement"), parts, {"d1": asset("d1", "Paper.pdf")})
    assert names(files) == [("page", "main", "", ".html"), ("asset/d1", "attached", "Paper", ".pdf")]


def test_a_file_that_the_text_shows_too_is_one_file() -> None:
    parts = [cml('<img assetId="d1"/>'), CourseAsset("w", "asset", asset_id="d1")]
    files = reading_files(COURSE, item("supplement"), parts, {"d1": asset("d1", "plan.png")})
    assert names(files) == [("page", "main", "", ".html"), ("asset/d1", "beside", "plan", ".png")]


def test_a_reading_that_is_a_link_is_a_link_page() -> None:
    part = CourseAsset("Ab3~rS7tU", "url", name="The book", url="https://book.example/")
    (page,) = reading_files(COURSE, item("supplement"), [part], {})
    assert (page.placement, page.title, page.url) == (Placement.MARKED, "The book", "https://book.example/")
    two = reading_files(
        COURSE, item("supplement"), [part, CourseAsset("Ab3~rS7tU", "url", url="https://b.example/")], {}
    )
    assert len({one.key for one in two}) == 2
    assert two[1].title == "b.example"


@pytest.mark.parametrize("parts", [[], [CourseAsset("x", "odd")], [CourseAsset("x", "asset", asset_id="gone")]])
def test_a_reading_of_nothing_is_explained(parts: list[CourseAsset]) -> None:
    (page,) = reading_files(COURSE, item("supplement"), parts, {})
    assert names([page]) == [("link", "marked", "reading", ".html")]


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://drive.google.com/x", "drive.google.com"),
        ("http://old.example:81/", "old.example"),
        ("javascript:alert(1)", ""),
        ("file:///etc/passwd", ""),
        ("mailto:a@b.example", ""),
        ("https://", ""),
        ("https://[::1", ""),
        ("", ""),
    ],
)
def test_only_web_addresses_are_linked(url: str, host: str) -> None:
    assert web_host(url) == host
    (page,) = reading_files(COURSE, item("supplement"), [CourseAsset("x", "url", name="n", url=url)], {})
    assert page.url == (url if host else PAGE)


@pytest.mark.parametrize(
    ("type_name", "locked", "marker", "reason"),
    [
        ("staffGraded", None, "quiz", "no file"),
        ("wiseFlow", None, "item", "no file"),
        ("", None, "item", "does not say what this is"),
        ("lecture", "needs a paid enrolment (PREMIUM)", "locked", "needs a paid enrolment (PREMIUM)"),
    ],
)
def test_what_has_no_file_is_a_link_page(type_name: str, locked: str | None, marker: str, reason: str) -> None:
    page = item_link(COURSE, item(type_name, locked))
    assert names([page]) == [("link", "marked", marker, ".html")]
    assert (page.kind, page.mime_type, page.url) == (Kind.LINK, "text/html", PAGE)
    assert reason in html(page) and PAGE in html(page)


def test_other_voices_are_files_of_their_own_where_they_are_wished() -> None:
    dubbed = {one: {"720p": Rendition(720, f"https://c/{one}.mp4", "")} for one in ("es", "de")}
    what = replace(
        video(("720p",), (), ()), voices=dubbed, voice_captions={"es": "/v", "fr": "/w"}, described=dubbed["de"]
    )
    assert [one.extension for one in lecture(what)] == [".mp4"]
    assert [one.extension for one in lecture(what, wanted=Wanted(voices=("fr", "es-419")))] == [
        ".mp4", ".es.mp4", ".es.es.vtt",
    ]  # fmt: skip
    assert [one.extension for one in lecture(what, wanted=Wanted(voices=("all",), audio_description=True))] == [
        ".mp4", ".de.mp4", ".es.mp4", ".es.es.vtt", ".audio-description.mp4",
    ]  # fmt: skip
    assert len({one.key for one in lecture(what, wanted=Wanted(voices=("all",), audio_description=True))}) == 5


def test_an_attached_video_with_audio_description_is_shown_where_that_is_wished() -> None:
    parts = [CourseAsset("w", "asset", asset_id="a")]
    assets = {"a": asset("a", "Welcome extended-description-mixed.mp4")}
    assert len(lecture(video((), (), ()), parts, assets)) == 1
    shown = lecture(video((), (), ()), parts, assets, Wanted(audio_description=True))
    assert [one.title for one in shown[1:]] == ["Welcome extended-description-mixed"]


def test_a_lecture_that_is_a_stream_alone_says_so() -> None:
    (page,) = lecture(replace(video((), (), ()), is_streamed=True))
    assert "as a stream only" in html(page) and PAGE in html(page)
