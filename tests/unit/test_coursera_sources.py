"""The video files in `sources`, in every shape that the platform gives it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursefs.providers.coursera.sources import ORIGINAL, Rendition, by_language, has_stream, renditions

MP4, WEBM = "https://c/720p/index.mp4?Expires=9", "https://c/720p/index.webm?Expires=9"
SMALL = "https://c/360p/index.mp4"
HLS = "https://c/assetMasterHlsPlaylists.v1/a?expiry=9"
BOTH = {"720p": Rendition(720, MP4, WEBM), "360p": Rendition(360, SMALL, "")}
ONE = {"720p": Rendition(720, MP4, "")}


@pytest.mark.parametrize(
    ("sources", "found"),
    [
        # an object, as in every recorded reply since 2018
        (
            {
                "byResolution": {
                    "720p": {"mp4VideoUrl": MP4, "webMVideoUrl": WEBM, "previewImageUrl": "https://c/0.mp4"},
                    "360p": {"mp4VideoUrl": SMALL},
                },
                "playlists": {"hls": HLS, "mpeg-dash": "https://c/x.mp4"},
                "audio": ["https://c/sound.mp4"],
            },
            BOTH,
        ),
        # a list, as in the old replies, and as players have it
        ([{"resolution": "720p", "formatSources": {"video/mp4": MP4, "video/webm": WEBM}}], {"720p": BOTH["720p"]}),
        ([{"resolution": "720p", "mp4VideoUrl": MP4}, {"resolution": "360p", "mp4VideoUrl": SMALL}],
         {"720p": ONE["720p"], "360p": BOTH["360p"]}),
        ([{"height": 720, "url": "https://c/a", "type": "video/mp4"}], {"720p": Rendition(720, "https://c/a", "")}),
        ([MP4, SMALL, HLS], {"720p": ONE["720p"], "360p": BOTH["360p"]}),
        # lists by resolution
        ({"720": [{"src": MP4, "type": "video/mp4"}, {"src": WEBM, "type": "video/webm"}], "360": [SMALL]}, BOTH),
        ({"byResolution": {"720p": [{"mp4VideoUrl": MP4}]}}, ONE),
        ({"mp4": [{"resolution": "720p", "url": "https://c/x"}]}, {"720p": Rendition(720, "https://c/x", "")}),
        # addresses by resolution, or by container
        ({"720p": MP4, "360p": SMALL, "hls": HLS}, {"720p": ONE["720p"], "360p": BOTH["360p"]}),
        ({"video/mp4": "https://c/a"}, {ORIGINAL: Rendition(0, "https://c/a", "")}),
        ({"mp4": "https://c/x_MP4_540.mp4"}, {"540p": Rendition(540, "https://c/x_MP4_540.mp4", "")}),
        # a text: an address, or the whole value once more
        (MP4, ONE),
        ("/api/video/a.webm", {ORIGINAL: Rendition(0, "", "/api/video/a.webm")}),
        (json.dumps({"byResolution": {"720p": {"mp4VideoUrl": MP4}}}), ONE),
        # nothing that could be a file
        (HLS, {}), ("", {}), ("{", {}), (None, {}), (7, {}), ([], {}), ({"byResolution": None}, {}), ([[[[None]]]], {}),
        ({"720p": {"mp4VideoUrl": None, "previewImageUrl": MP4}}, {}),
        ({"hlsUrl": MP4, "dashUrl": MP4, "playlists": [MP4]}, {}),
        ("javascript:a.mp4", {}), ("http://[/a.mp4", {}),
    ],
)  # fmt: skip
def test_every_shape_gives_the_same_files(sources: Any, found: dict[str, Rendition]) -> None:
    assert renditions(sources) == found


def test_the_first_of_several_files_counts() -> None:
    assert renditions([{"resolution": "720p", "url": MP4}, {"resolution": "720p", "url": SMALL}]) == ONE


@pytest.mark.parametrize(
    ("video", "streamed"),
    [
        ({"hlsUrl": HLS}, True),
        ({"sources": {"playlists": {"hls": HLS}}}, True),
        ({"sources": {"playlists": {}}, "hlsUrl": None, "dashUrl": ""}, False),
        ({"sources": [MP4]}, False),
        ({}, False),
    ],
)
def test_whether_a_lecture_can_be_streamed(video: dict[str, Any], streamed: bool) -> None:
    assert has_stream(video) is streamed


def test_parts_by_language() -> None:
    assert by_language({"es": 1}) == {"es": 1}
    assert by_language([{"languageCode": "es", "x": 1}, {"language": "de"}, 7, {"language": "de", "y": 1}]) == {
        "es": {"languageCode": "es", "x": 1},
        "de": {"language": "de"},
    }
    assert by_language("es") == by_language(None) == {}


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from([MP4, WEBM, HLS, "720p"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["720p", "mp4", "url", "type", "byResolution", "hls", "x"]), inner, max_size=4
        )
    ),
    max_leaves=20,
)


@given(_JSON)
def test_any_value_gives_addresses_that_it_holds_or_none(value: Any) -> None:
    text = json.dumps(value)
    for word, one in renditions(value).items():
        assert word and "/" not in word
        for url in filter(None, (one.mp4, one.webm)):
            assert json.dumps(url).strip('"') in text
