"""Subtitles in the other format: read again by libraries that did not write them."""

from __future__ import annotations

from html import unescape
from io import StringIO

import pytest
import srt
import webvtt as other_vtt
from hypothesis import given, settings
from hypothesis import strategies as st

from coursefs.formats.notes import NoteFacts, transcript_note
from coursefs.formats.subtitles import sound_cues, subrip, webvtt

SRT = b"1\n00:00:01,000 --> 00:00:02,500\nHello & <i>good</i> day\nto you\n\n2\n01:00:00,000 --> 01:00:04,000\n5 < 6\n"
VTT = (
    b"WEBVTT - made by x\n\nNOTE nothing\n\nSTYLE\n::cue {}\n\nintro\n00:01.000 --> 00:02.500 line:0\n"
    b"<v Ada>Hello &amp; <b>good</b> day\nto you\n\n01:00:00.000 --> 01:00:04.000\n5 &lt; 6\n"
)
CUES = [(1.0, 2.5, "Hello & good day\nto you"), (3600.0, 3604.0, "5 < 6")]


def of_srt(data: bytes | None) -> list[tuple[float, float, str]]:
    assert data is not None
    found = srt.parse(data.decode(), ignore_errors=False)
    return [(one.start.total_seconds(), one.end.total_seconds(), one.content) for one in found]


def of_vtt(data: bytes | None) -> list[tuple[float, float, str]]:
    assert data is not None
    found = other_vtt.from_buffer(StringIO(data.decode()))
    return [(seconds(one.start), seconds(one.end), unescape(one.text)) for one in found.captions]


def seconds(stamp: str) -> float:
    hours, minutes, rest = stamp.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(rest)


@pytest.mark.parametrize(
    "data",
    [
        SRT,
        VTT,
        b"\xef\xbb\xbf" + SRT,
        SRT.replace(b"\n", b"\r\n"),
        VTT.replace(b"\n", b"\r"),
        SRT.decode().encode("utf-16"),
        SRT.replace(b"1\n", b"", 1),  # without a number
        SRT.replace(b"00:00:01,000", b"0:00:01.000"),
        SRT.replace(b"\n\n2\n", b"\n\n\n\n7\n"),
    ],
)
def test_either_becomes_the_other(data: bytes) -> None:
    assert of_srt(subrip(data)) == of_vtt(webvtt(data)) == CUES
    assert webvtt(subrip(data) or b"") == webvtt(data) and subrip(webvtt(data) or b"") == subrip(data)


def test_the_text_of_webvtt_is_escaped_and_that_of_subrip_is_not() -> None:
    assert b"5 &lt; 6" in (webvtt(SRT) or b"") and b"5 < 6" in (subrip(VTT) or b"")


@pytest.mark.parametrize(
    "data", [b"", b"WEBVTT\n", b"<html>sign in</html>", b"\xff\xfe\xff", b"\0" * 1000, b"--> \n" * 50]
)
def test_what_has_no_cue_is_none(data: bytes) -> None:
    assert (webvtt(data), subrip(data), sound_cues(data)) == (None, None, [])


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ("00:00:05,000 --> 00:00:04,000", (5.0, 7.0)),  # it ends before it begins
        ("00:00:05,000 --> 00:00:05,000", (5.0, 7.0)),
        ("00:00:05,000 --> 999:00:00,000", (5.0, 7.0)),
        ("5:05,5 --> 5:06,50", (305.5, 306.5)),
    ],
)
def test_times_that_cannot_be(times: str, expected: tuple[float, float]) -> None:
    data = f"1\n{times}\nx\n".encode()
    assert of_srt(subrip(data)) == of_vtt(webvtt(data)) == [(*expected, "x")]


def test_cues_are_put_in_order_and_those_without_text_or_a_time_are_left_out() -> None:
    data = b"".join(
        b"%s --> %s\n%s\n\n" % one
        for one in (
            (b"00:00:09,000", b"00:00:08,000", b"late"),
            (b"00:00:01,000", b"00:00:02,000", b"early"),
            (b"00:00:03,000", b"00:00:04,000", b" <i> </i>\xe2\x80\x8b "),
            (b"99:00:00,000", b"99:00:01,000", b"never"),
        )
    )
    assert of_srt(subrip(data)) == [(1.0, 2.0, "early"), (9.0, 11.0, "late")]


def test_what_players_could_take_for_something_else_is_text() -> None:
    data = "00:01.000 --> 00:02.000\n{x} \\N \\nabla 00:03.000 --> 3\na\u202eb\ue000c\n".encode()
    expected = [(1.0, 2.0, "{x} \\N \\nabla 00:03.000 → 3\nabc")]
    assert of_srt(subrip(data)) == of_vtt(webvtt(data)) == expected


def test_what_windows_writes_is_read() -> None:
    assert of_srt(subrip("00:01.000 --> 00:02.000\nGehör – „laut“".encode("cp1252"))) == [(1.0, 2.0, "Gehör – „laut“")]


_LINE = st.sampled_from(
    [
        "WEBVTT",
        "NOTE",
        "1",
        "",
        "00:00:01,000 --> 00:00:02,000",
        "00:03.000 --> 00:04.000",
        "x & <y>",
        "-->",
        "{\\an8}z",
    ]
)


@settings(deadline=None)
@given(st.lists(_LINE, max_size=30).map(lambda lines: "\n".join(lines).encode()) | st.binary(max_size=300))
def test_anything_is_sound_or_none(data: bytes) -> None:
    written, other = subrip(data), webvtt(data)
    assert (written is None) == (other is None)
    if written is not None:
        found = of_srt(written)
        assert found == of_vtt(other) and [start for start, _, _ in found] == sorted(start for start, _, _ in found)
        assert all(start < end for start, end, _ in found)
        assert subrip(written) == written


def test_a_transcript_is_a_note_with_a_time_for_each_paragraph() -> None:
    data = b"".join(
        b"%02d:%02d:%02d,000 --> %02d:%02d:%02d,500\n%s\n\n" % (*at, *at, text)
        for at, text in (
            ((0, 0, 1), b"Hello *all*."),
            ((0, 0, 2), b"This is\nlecture one."),
            ((0, 1, 5), b"A pause ended."),
            ((1, 4, 8), b"The end."),
        )
    )
    assert transcript_note(data, NoteFacts("Hello", duration=3900.0)) == (
        '---\nlecture: "Hello"\nduration: 3900\n---\n\n# Hello\n\n'
        "**0:01** Hello \\*all\\*. This is lecture one.\n\n**1:05** A pause ended.\n\n**1:04:08** The end.\n"
    )
    assert transcript_note(b"no subtitles", NoteFacts("Hello")) is None


def test_a_paragraph_without_a_pause_ends_with_a_sentence_or_in_any_case() -> None:
    def note(text: bytes) -> list[str]:
        cues = (
            b"00:%02d:%02d.000 --> 00:%02d:%02d.900\n%s\n\n" % (n // 60, n % 60, n // 60, n % 60, text)
            for n in range(200)
        )
        return [
            line for line in (transcript_note(b"".join(cues), NoteFacts("x")) or "").split("\n") if line[:2] == "**"
        ]

    sentences, endless = note(b"A sentence of some words."), note(b"words and words and words")
    assert {len(line) for line in sentences[:-1]} <= set(range(400, 450)) and len(sentences) > 10
    assert all(len(line) < 1300 for line in endless) and 3 < len(endless) < 8
