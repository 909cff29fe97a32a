"""Recorded and documented replies, and their odd relatives, as typed objects."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from coursefs.providers.coursera import replies
from coursefs.providers.coursera.naptime import Envelope
from coursefs.providers.coursera.replies import CourseAsset, Membership, url_expiry
from coursefs.providers.coursera.sources import Rendition


def reply(elements: list[Any] | None = None, linked: dict[str, Any] | None = None) -> Envelope:
    return Envelope(tuple(elements or ()), linked or {}, "")


def load(path: Path) -> Envelope:
    content = json.loads(path.read_text())
    content = content.get("reply", content)
    return reply(content["elements"], content.get("linked"))


def test_recorded_memberships_are_joined_by_course(recorded: Path) -> None:
    elements, courses = replies.memberships(load(recorded / "coursera/seeds/memberships.v1.json"))
    (membership,) = [replies.membership(element, courses) for element in elements]
    assert membership == Membership(
        course_id="Qx-vkAocEeWAYyIACmGIdw",
        user_id="1000003",
        role="LEARNER",
        enrolled=None,
        name="Interactive Computer Graphics",
        slug="interactive-computer-graphics",
        course_type="v2.ondemand",
    )


def test_a_recorded_membership_without_its_course_is_kept(recorded: Path) -> None:
    path = recorded / "coursera/coursera-dl/define-comments/memberships.v1-sample.json"
    elements, courses = replies.memberships(load(path))
    membership = replies.membership(elements[0], courses)
    assert (membership.course_id, membership.slug) == ("bVgqTevEEeWvGQrWsIkLlw", "")


def test_recorded_linked_courses_are_all_known(platform_replies: Path) -> None:
    path = platform_replies / "coursera/coursera-dl/json"
    _, courses = replies.memberships(load(path / "list-courses-input.json"))
    slugs = sorted(replies.membership({"courseId": one}, courses).slug for one in courses)
    assert slugs == sorted(json.loads((path / "list-courses-output.json").read_text())["courses"])


def test_a_recorded_reading_has_two_texts(recorded: Path) -> None:
    parts = replies.course_assets(load(recorded / "coursera/coursera-dl/json/supplement-multiple-assets-input.json"))
    assert [part.type_name for part in parts] == ["cml", "cml"]
    assert "deeplearning-annotated.pdf" in parts[0].cml
    assert "people_wiki.gl.zip" in parts[1].cml


@pytest.mark.parametrize(
    ("name", "part"),
    [
        (
            "supplement-open-course-assets-reply.json",
            CourseAsset("giAxucdaEeWJTQ5WTi8YJQ", "asset", asset_id="Vq8hwsdaEeWGlA7xclFASw"),
        ),
        (
            "supplement-open-course-assets-typename-url-reply-3.json",
            CourseAsset(
                "kMQyUZSLEeWj-hLVp2Pm8w",
                "url",
                name="Introduction to the Focused and Diffuse Modes.pptx",
                url="https://d396qusza40orc.cloudfront.net/learning/Powerpoints/"
                "1-1_Introduction_to_the_focused_and_diffuse_mode.pptx",
            ),
        ),
    ],
)
def test_recorded_wrappers(recorded: Path, name: str, part: CourseAsset) -> None:
    rows = json.loads((recorded / "coursera/coursera-dl/json" / name).read_text())["elements"]
    assert replies.course_assets(reply(linked={"openCourseAssets.v1": rows})) == (part,)


def test_recorded_assets_have_names_and_ends(recorded: Path) -> None:
    asset = replies.assets(load(recorded / "coursera/coursera-dl/json/supplement-api-assets-v1-reply.json"))
    one = asset["Vq8hwsdaEeWGlA7xclFASw"]
    assert (one.name, one.type_name, one.expires) == ("1_Strategic_Interactions.pdf", "generic", 1454371200.0)
    assert one.url.startswith("https://d3c33hcgiwev3.cloudfront.net/_0d20d70b")
    many = replies.assets(load(recorded / "coursera/coursera-dl/json/asset-retriever/assets-reply.json"))
    assert {one.name: one.type_name for one in many.values()} == {
        "09_graph_decomposition_starter_files_1.zip": "generic",
        "M111.mp3": "audio",
        "09_graph_decomposition_problems_1.pdf": "pdf",
        "Capture.PNG": "image",
    }


def test_recorded_flat_asset_urls_are_understood(platform_replies: Path) -> None:
    found = replies.assets(load(platform_replies / "coursera/coursera-dl/json/asset-urls-three.json"))
    assert len(found) == 3
    assert all(asset.url and asset.expires for asset in found.values())
    assert all("." in asset.name for asset in found.values()), "the name is in the path of the URL"


def test_recorded_subtitle_maps_keep_their_own_urls(recorded: Path) -> None:
    video = json.loads((recorded / "coursera/coursera-dl/json/video-reply-1.json").read_text())
    got = replies.lecture_video(Envelope((), {}, "", whole=video))
    assert got == replies.lecture_video(reply(linked={"onDemandVideos.v1": [video]}))
    assert got.subtitles.keys() == got.transcripts.keys() >= {"en", "zh-CN", "pt-BR"}
    assert got.subtitles["en"] == video["subtitles"]["en"]
    assert got.transcripts["en"] == video["subtitlesTxt"]["en"] != got.subtitles["en"]
    assert got.expires == 1495238400.0


@pytest.mark.parametrize(
    ("name", "expected", "renditions"),
    [
        ("video-reply-1.json", "video-output-1.json", {"540p": "mw"}),
        ("video-reply-2.json", "video-output-2.json", {"540p": "mw", "360p": "mw"}),
    ],
)
def test_recorded_old_videos_have_all_that_their_own_parser_found(
    recorded: Path, name: str, expected: str, renditions: dict[str, str]
) -> None:
    folder = recorded / "coursera/coursera-dl/json"
    got = replies.lecture_video(Envelope((), {}, "", whole=json.loads((folder / name).read_text())))
    shown = {word: ("m" if one.mp4 else "") + ("w" if one.webm else "") for word, one in got.renditions.items()}
    assert shown == renditions
    urls = {f"{language}.{kind}": url for kind in ("srt", "txt") for language, url in got.texts(kind).items()}
    found = json.loads((folder / expected).read_text())
    for key in found.keys() & urls.keys():
        assert found[key] == f"https://api.coursera.org{urls[key]}"
    assert {key for key in found if key.endswith(("srt", "txt"))} <= urls.keys()


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("supplement-open-course-assets-typename-url-reply-1.json", ["asset"]),
        ("supplement-open-course-assets-typename-url-reply-3.json", ["url"]),
        ("supplement-open-course-assets-typename-url-reply-4.json", ["asset"]),
    ],
)
def test_recorded_replies_of_single_wrappers(platform_replies: Path, name: str, kinds: list[str]) -> None:
    found = replies.wrappers(load(platform_replies / "coursera/coursera-dl/json" / name))
    assert [one.type_name for one in found] == kinds
    assert all(one.asset_id or one.url for one in found)


@pytest.mark.parametrize(
    "name",
    [
        "coursera-dl/json/supplement-open-course-assets-typename-url-reply-2.json",
        "coursera-dl/json/supplement-open-course-assets-typename-url-reply-5.json",
        "coursera-dl/json/asset-urls-one.json",
        "seeds/assets.v1.json",
    ],
)
def test_recorded_files_have_a_name_and_a_url(platform_replies: Path, name: str) -> None:
    found = replies.assets(load(platform_replies / "coursera" / name))
    assert found and all(one.name and one.url for one in found.values())


def test_the_documented_wrapper_of_a_text(recorded: Path) -> None:
    (text,) = replies.wrappers(load(recorded / "coursera/seeds/openCourseAssets.v1-cml.json"))
    assert (text.type_name, text.cml) == ("cml", "some content here")


def test_the_documented_course_has_no_language(platform_replies: Path) -> None:
    assert replies.language(load(platform_replies / "coursera/seeds/courses.v1.json")) == ""


def test_ends_of_recorded_signed_urls(platform_replies: Path) -> None:
    for sample in json.loads((platform_replies / "coursera/derived/url-expiry-samples.json").read_text()):
        if "host" not in sample:
            continue  # a lone value, without its URL
        end = sample["value"] / (1000 if sample["value"] > 1e11 else 1)
        assert url_expiry(f"https://{sample['host']}{sample['path']}?{sample['param']}={sample['value']}") == end


@pytest.mark.parametrize(
    "url", ["", "/x", "https://e.org/?Expires=", "https://e.org/?Expires=soon", "https://e.org/?Expires=" + "9" * 400,
            "https://e.org/?Expires=0", "https://[::1", "https://e.org/?Expires=\u0661"]
)  # fmt: skip
def test_urls_without_an_end(url: str) -> None:
    assert url_expiry(url) is None


def test_renditions_of_every_shape() -> None:
    sources = {
        "720p": {"mp4VideoUrl": "https://c/7.mp4?Expires=2000", "webMVideoUrl": "https://c/7.webm?Expires=1000"},
        "1080p": {"webMVideoUrl": "https://c/10.webm"},
        "540p": {"previewImageUrl": "https://c/5.jpg"},
        "360p": None,
        "original": {"mp4VideoUrl": "https://c/o.mp4"},
        "a/b": {"mp4VideoUrl": "https://c/evil.mp4"},
    }
    video = {"sources": {"byResolution": sources}, "subtitles": {"../en": "x", "en": 7.5, "de": "/de.srt"}}
    got = replies.lecture_video(reply(linked={"onDemandVideos.v1": [video]}))
    assert got.renditions == {
        "720p": Rendition(720, "https://c/7.mp4?Expires=2000", "https://c/7.webm?Expires=1000"),
        "1080p": Rendition(1080, "", "https://c/10.webm"),
        "original": Rendition(0, "https://c/o.mp4", ""),
    }
    assert (got.subtitles, got.transcripts, got.expires) == ({"de": "/de.srt"}, {}, 1000.0)


def test_old_sources_of_every_shape() -> None:
    sources = [
        {"resolution": "360p", "formatSources": {"video/mp4": "https://c/3.mp4?Expires=2000", "video/webm": None}},
        {"formatSources": {"video/webm": "https://c/o.webm"}},
        {"resolution": "a/b", "formatSources": {"video/mp4": "https://c/second-without-resolution.mp4"}},
        {"resolution": "540p", "formatSources": {}},
        {"resolution": "720p"},
    ]
    got = replies.lecture_video(Envelope((), {}, "", whole={"sources": sources, "subtitles": {"en": "/s"}}))
    assert got.renditions == {
        "360p": Rendition(360, "https://c/3.mp4?Expires=2000", ""),
        "original": Rendition(0, "https://c/second-without-resolution.mp4", "https://c/o.webm"),
    }
    assert (got.texts("srt"), got.texts("vtt"), got.texts("pdf"), got.expires) == ({"en": "/s"}, {}, {}, 2000.0)


@pytest.mark.parametrize(
    ("rows", "language"),
    [
        ([{"primaryLanguages": ["de", "en"]}], "de"),
        ([{"primaryLanguages": [None, "<b>", "pt-BR"]}], "pt-BR"),
        ([{"primaryLanguages": "en"}], ""),
        ([{}], ""),
        ([], ""),
    ],
)
def test_languages_of_courses(rows: list[Any], language: str) -> None:
    assert replies.language(reply(rows)) == language


def test_no_repr_shows_a_signed_url() -> None:
    video = {
        "sources": {"byResolution": {"720p": {"mp4VideoUrl": "SIGNED", "webMVideoUrl": "SIGNED"}}},
        "subtitles": {"en": "SIGNED"},
        "subtitlesTxt": {"en": "SIGNED"},
    }
    parts = [{"typeName": "url", "definition": {"url": "SIGNED", "value": "SIGNED"}}]
    linked = {"onDemandVideos.v1": [video], "openCourseAssets.v1": parts}
    asset = replies.assets(reply([{"id": "a", "url": {"url": "SIGNED"}}]))
    assert "SIGNED" not in repr(
        (replies.lecture_video(reply(linked=linked)), replies.course_assets(reply(linked=linked)), asset)
    )
    assert asset["a"].url == "SIGNED"
