"""Sentences of captions, transcripts and readings, however broken they are."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursefs.search.texts import Sentence, page_text, sentences

SRT = """1
00:00:01,000 --> 00:00:03,000
The ear has

2
00:00:03,500 --> 00:00:05,000
<i>three</i> parts. The outer
and the

3
00:00:05,500 --> 00:00:07,000
middle ear.

4
01:00:20,250 --> 01:00:21,000
Later &amp; last
"""
SAID = [
    Sentence("The ear has three parts.", 1.0),
    Sentence("The outer and the middle ear.", 3.5),
    Sentence("Later & last", 3620.25),
]


def test_cues_become_sentences_with_the_time_of_their_beginning() -> None:
    assert sentences(SRT.encode(), ".srt") == SAID
    assert sentences(SRT.replace("\n", "\r\n").encode("utf-16"), ".srt") == SAID
    vtt = "\ufeffWEBVTT\n\nNOTE x\n\n" + SRT.replace(",", ".").replace("00:00:0", "00:0") + "\n"
    assert sentences(vtt.encode(), ".vtt") == SAID


def test_a_long_sentence_is_cut_at_a_cue_and_silence_ends_one() -> None:
    cues = "".join(
        f"{number}\n00:{number * 3 // 60:02}:{number * 3 % 60:02},000 --> 00:59:00,000\nand so we go on and on\n\n"
        for number in range(40)
    )
    found = sentences(cues.encode(), ".srt")
    assert len(found) > 2
    assert all(len(one.text) < 300 for one in found)
    assert found[1].at == 33.0
    silent = "1\n00:00:01,000 --> 00:00:02,000\nbefore\n\n2\n00:01:00,000 --> 00:01:02,000\nafter\n"
    assert sentences(silent.encode(), ".srt") == [Sentence("before", 1.0), Sentence("after", 60.0)]


@pytest.mark.parametrize(
    ("data", "extension", "found"),
    [
        (b"", ".srt", []),
        (b"\xff\xfe", ".srt", []),
        (b"no cues. At all", ".srt", ["no cues.", "At all"]),
        (b"1\n00:00:01,000 --> \nx", ".srt", ["1", "00:00:01,000 -->", "x"]),
        ("Gehör".encode("cp1252"), ".txt", ["Gehör"]),
        ("一。二！三".encode(), ".txt", ["一。", "二！", "三"]),
        (b"a\0b\xe2\x81\xa1c", ".txt", ["abc"]),
        (b"<p>One. Two</p><script>x</script><li>Three<br>Four</li>", ".html", ["One.", "Two", "Three", "Four"]),
        (b"<math><mi>x</mi><annotation>\\TeX</annotation></math>", ".html", ["x"]),
        (b"", ".html", []),
        (b"<", ".html", ["<"]),
    ],
)
def test_broken_and_plain_texts(data: bytes, extension: str, found: list[str]) -> None:
    said = sentences(data, extension)
    assert [one.text for one in said] == found or (" ".join(found), extension) == (
        " ".join(s.text for s in said),
        ".srt",
    )
    assert {one.at for one in said} <= {None}


@given(st.binary(max_size=300), st.sampled_from([".srt", ".vtt", ".txt", ".html", ""]))
def test_any_bytes_are_sentences(data: bytes, extension: str) -> None:
    for one in sentences(data, extension):
        assert one.text == " ".join(one.text.split())
        assert one.text


@given(st.text(max_size=200))
def test_any_page_is_text(markup: str) -> None:
    page_text(markup)


@pytest.mark.parametrize(
    "data",
    [
        b"<" * 500_000,
        b"<script>" * 60_000,
        b"<p>" * 120_000,
        b"00:00:00,000 --> 00:00:00,000\n" * 12_000,
        b"\n00:" * 75_000,
        b"x" * 1_000_000,
        b"a. " * 250_000,
        b" \t" * 250_000,
        b"<b" * 250_000,
    ],
    ids=range(9),
)
@pytest.mark.parametrize("extension", [".srt", ".html", ".txt"])
def test_large_nonsense_takes_linear_time(data: bytes, extension: str) -> None:
    before = time.process_time()
    sentences(data, extension)
    assert time.process_time() - before < 5


def test_a_reference_of_more_digits_than_python_reads_is_a_character_of_a_caption() -> None:
    data = f"1\n00:00:01,000 --> 00:00:02,000\nbefore &#{'1' * 5000}; after\n".encode()
    assert sentences(data, ".srt") == [Sentence("before \ufffd after", 1.0)]
