"""What a browser asks for: names, ranges, and how a file is shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursefs.daemon.web_requests import NoSuchRange, address_of, listing, names_of, shown_as, span_of


@pytest.mark.parametrize(
    ("path", "names"),
    [
        (b"/", ()),
        (b"/A%20b/c.html", ("A b", "c.html")),
        (b"/A/", ("A",)),
        (b"/100%25%2541", ("100%%41",)),
        (b"/u%CC%88", ("ü",)),
    ],
)
def test_a_path_is_decoded_once(path: bytes, names: tuple[str, ...]) -> None:
    assert names_of(path) == names


@pytest.mark.parametrize(
    "path", [b"", b"x", b"//", b"//x", b"/a//b", b"/..", b"/.", b"/a/%2e%2e/b", b"/a%2fb", b"/%00", b"/%ff", b"*"]
)
def test_what_no_file_is_called_is_no_path(path: bytes) -> None:
    assert names_of(path) is None


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1)))
def test_the_address_of_names_leads_back_to_them(names: list[str]) -> None:
    lawful = names_of(address_of(names).encode())
    if any(name in {".", ".."} for name in names):
        assert lawful is None
    else:
        assert lawful is not None
        assert names_of(address_of(lawful).encode()) == lawful
        assert len(lawful) == len(names)


@pytest.mark.parametrize(
    ("header", "span"),
    [
        (None, None),
        ("bytes=0-0", (0, 1)),
        ("bytes=2-", (2, 10)),
        ("bytes=2-99", (2, 10)),
        ("bytes=-3", (7, 10)),
        ("bytes=-99", (0, 10)),
        *((malformed, None) for malformed in ("bytes=-", "bytes=3-2", "bytes=0-1,4-5", "lines=0-1", "bytes=٣-", "x")),
        (f"bytes={'9' * 5000}-", None),
    ],
)
def test_a_range_header_is_a_span(header: str | None, span: tuple[int, int] | None) -> None:
    assert span_of(header, 10) == span


@pytest.mark.parametrize(("header", "size"), [("bytes=10-", 10), ("bytes=-0", 10), ("bytes=0-0", 0), ("bytes=-1", 0)])
def test_a_range_past_the_end_is_refused(header: str, size: int) -> None:
    with pytest.raises(NoSuchRange):
        span_of(header, size)


@pytest.mark.parametrize(
    "kind",
    [
        *("text/html", "TEXT/HTML; charset=x", "application/xhtml+xml", "text/xml", "application/xml"),
        *("text/javascript", "application/javascript", "text/css", "application/x-shockwave-flash", "image/svg+xml"),
        *("text/xsl", "multipart/x-mixed-replace", "message/rfc822", "application/rss+xml", "", "nonsense"),
    ],
)
def test_what_can_act_and_is_of_a_platform_is_a_download(kind: str) -> None:
    for name in ("attachment.html", "attachment.svg", "attachment"):
        shown = shown_as(name, kind or None, is_ours=False)
        assert shown.is_download
        assert "script-src" not in shown.policy
        assert "sandbox" in shown.policy


@pytest.mark.parametrize("kind", ["video/mp4", "audio/mpeg", "application/pdf", "image/png", "text/plain", "text/vtt"])
def test_what_cannot_act_is_shown(kind: str) -> None:
    shown = shown_as("file", kind, is_ours=False)
    assert not shown.is_download
    assert shown.content_type == ("text/plain; charset=utf-8" if kind.startswith("text/") else kind)


def test_only_course_pages_run_scripts_and_none_is_inline() -> None:
    page = shown_as("index.html", "text/html", is_ours=True, has_script=True)
    reading = shown_as("01 Reading.html", None, is_ours=True)
    assert "script-src 'self'" in page.policy
    assert "script-src" not in reading.policy
    assert {page.content_type, reading.content_type} == {"text/html; charset=utf-8"}


def test_names_in_a_list_are_no_markup() -> None:
    page = listing(["<b>"], ["<script>alert(1)</script>", '"onclick="x'])
    assert "<script>" not in page and "<b>" not in page and 'href="/%3Cb%3E/%22onclick%3D%22x"' in page
