"""Recorded and documented replies, and their odd relatives, as typed objects."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from coursefs.providers.coursera import replies
from coursefs.providers.coursera.enrolled import enrolled
from coursefs.providers.coursera.naptime import Envelope
from coursefs.providers.coursera.replies import CourseAsset, Membership, url_expiry
from coursefs.providers.coursera.sources import Rendition


def reply(elements: list[Any] | None = None, linked: dict[str, Any] | None = None) -> Envelope:
    return Envelope(tuple(elements or ()), linked or {}, "")


def load(path: Path) -> Envelope:
    content = json.loads(path.read_text())
    content = content.get("reply", content)
    return reply(content["elements"], content.get("linked"))


def test_recorded_memberships_are_joined_by_course(platform_replies: Path) -> None:
    said = load(platform_replies / "coursera/seeds/memberships.v1.json")
    elements, courses = replies.memberships(said)
    (membership,) = [replies.membership(element, courses) for element in elements]
    (row,), (course,) = said.elements, said.linked["courses.v1"]
    assert row["courseId"] == course["id"]
    assert membership == Membership(
        course_id=row["courseId"],
        user_id=str(row["userId"]),
        role="LEARNER",
        enrolled=None,
        name=course["name"],
        slug=course["slug"],
        course_type="v2.ondemand",
    )
    assert course["name"] and course["slug"]


def test_a_membership_has_the_picture_of_its_course() -> None:
    image = "https://images.example/c.jpg"
    courses = {"c": {"id": "c", "photoUrl": image}, "d": {"id": "d", "photoUrl": "javascript:1"}}
    found = [replies.membership({"courseId": key}, courses) for key in ("c", "d", "e")]
    assert [one.image_url for one in found] == [image, "javascript:1", ""]
    assert [one.image for one in enrolled(found, "https://www.coursera.org")] == [image, None, None]


def test_a_recorded_membership_without_its_course_is_kept(platform_replies: Path) -> None:
    path = platform_replies / "coursera/coursera-dl/define-comments/memberships.v1-sample.json"
    elements, courses = replies.memberships(load(path))
    membership = replies.membership(elements[0], courses)
    assert courses and elements[0]["courseId"] not in courses
    assert (membership.course_id, membership.slug) == (elements[0]["courseId"], "")


def test_recorded_linked_courses_are_all_known(platform_replies: Path) -> None:
    path = platform_replies / "coursera/coursera-dl/json"
    _, courses = replies.memberships(load(path / "list-courses-input.json"))
    slugs = sorted(replies.membership({"courseId": one}, courses).slug for one in courses)
    assert slugs == sorted(json.loads((path / "list-courses-output.json").read_text())["courses"])


def test_a_recorded_reading_has_two_texts(platform_replies: Path) -> None:
    folder = platform_replies / "coursera/coursera-dl/json"
    parts = replies.course_assets(load(folder / "supplement-multiple-assets-input.json"))
    assert [part.type_name for part in parts] == ["cml", "cml"]
    linked = json.loads((folder / "supplement-multiple-assets-output.json").read_text())
    assert linked["pdf"][0][0] in parts[0].cml and linked["zip"][0][0] not in parts[0].cml
    assert linked["zip"][0][0] in parts[1].cml and linked["pdf"][0][0] not in parts[1].cml


@pytest.mark.parametrize(
    ("name", "type_name"),
    [
        ("supplement-open-course-assets-reply.json", "asset"),
        ("supplement-open-course-assets-typename-url-reply-3.json", "url"),
    ],
)
def test_recorded_wrappers(platform_replies: Path, name: str, type_name: str) -> None:
    rows = json.loads((platform_replies / "coursera/coursera-dl/json" / name).read_text())["elements"]
    said = rows[0]["definition"]
    part = CourseAsset(
        rows[0]["id"], type_name, asset_id=said.get("assetId", ""), name=said["name"], url=said.get("url", "")
    )
    assert part.asset_id or part.url
    assert replies.course_assets(reply(linked={"openCourseAssets.v1": rows})) == (part,)


def test_recorded_assets_have_names_and_ends(platform_replies: Path) -> None:
    folder = platform_replies / "coursera/coursera-dl/json"
    said = load(folder / "supplement-api-assets-v1-reply.json")
    (row,), (one,) = said.elements, replies.assets(said).values()
    assert (one.name, one.type_name) == (row["name"], row["typeName"])
    assert one.name.endswith(".pdf")
    assert (one.url, one.expires) == (row["url"]["url"], url_expiry(row["url"]["url"]))
    many = load(folder / "asset-retriever/assets-reply.json")
    found = replies.assets(many)
    assert len(found) == 4
    assert {key: (one.name, one.type_name) for key, one in found.items()} == {
        row["id"]: (row["name"], row["typeName"]) for row in many.elements
    }
    assert {one.type_name for one in found.values()} >= {"audio", "pdf", "image"}


def test_recorded_flat_asset_urls_are_understood(platform_replies: Path) -> None:
    found = replies.assets(load(platform_replies / "coursera/coursera-dl/json/asset-urls-three.json"))
    assert len(found) == 3
    assert all(asset.url and asset.expires for asset in found.values())
    assert all("." in asset.name for asset in found.values()), "the name is in the path of the URL"


def test_recorded_subtitle_maps_keep_their_own_urls(platform_replies: Path) -> None:
    video = json.loads((platform_replies / "coursera/coursera-dl/json/video-reply-1.json").read_text())
    got = replies.lecture_video(Envelope((), {}, "", whole=video))
    assert got == replies.lecture_video(reply(linked={"onDemandVideos.v1": [video]}))
    assert got.subtitles.keys() == got.transcripts.keys() >= {"en", "zh-CN", "pt-BR"}
    assert got.subtitles["en"] == video["subtitles"]["en"]
    assert got.transcripts["en"] == video["subtitlesTxt"]["en"] != got.subtitles["en"]
    urls = [url for one in video["sources"] for url in one["formatSources"].values()]
    assert got.expires == min(end for end in map(url_expiry, [*urls, got.subtitles["en"]]) if end is not None)


@pytest.mark.parametrize(
    ("name", "expected", "renditions"),
    [
        ("video-reply-1.json", "video-output-1.json", {"540p": "mw"}),
        ("video-reply-2.json", "video-output-2.json", {"540p": "mw", "360p": "mw"}),
    ],
)
def test_recorded_old_videos_have_all_that_their_own_parser_found(
    platform_replies: Path, name: str, expected: str, renditions: dict[str, str]
) -> None:
    folder = platform_replies / "coursera/coursera-dl/json"
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


def test_the_documented_wrapper_of_a_text(platform_replies: Path) -> None:
    said = load(platform_replies / "coursera/seeds/openCourseAssets.v1-cml.json")
    (text,), (row,) = replies.wrappers(said), said.elements
    assert row["definition"]["value"] and (text.type_name, text.cml) == ("cml", row["definition"]["value"])


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
