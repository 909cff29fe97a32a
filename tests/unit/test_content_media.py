"""The media index: where it lies in a film."""

from __future__ import annotations

import math
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursefs.content.media import MOST_INDEX, duration_of, index_of
from coursefs.content.ranges import Range


def box(kind: bytes, size: int, *, written: int | None = None, large: bool = False) -> bytes:
    """The header of a box of `size` bytes, and as many zeros as `written` says."""
    head = (1).to_bytes(4, "big") + kind + size.to_bytes(8, "big") if large else size.to_bytes(4, "big") + kind
    return head + bytes(max(0, (size if written is None else written) - len(head)))


FTYP = box(b"ftyp", 32)
BIG = 5 * 2**32


@pytest.mark.parametrize(
    ("head", "size", "index"),
    [
        (FTYP + box(b"moov", 5000), 10**6, Range(32, 5032)),
        (FTYP + box(b"free", 8) + box(b"moov", 300_000, written=100), 10**6, Range(40, 300_040)),
        (FTYP + box(b"moov", 3_000_000, written=8), 10**8, Range(32, 32 + MOST_INDEX)),
        (FTYP + box(b"mdat", 900_000, written=8), 10**6, Range(900_032, 10**6)),
        (FTYP + box(b"free", 8) + box(b"mdat", 900_000, written=8), 10**6, Range(900_040, 10**6)),
        (FTYP + box(b"mdat", BIG, written=16, large=True), BIG + 70_000, Range(BIG + 32, BIG + 70_000)),
        (FTYP + box(b"mdat", 10**6, written=8), 10**7, Range(10**6 + 32, 10**6 + 32 + MOST_INDEX)),
        (FTYP + box(b"mdat", 0, written=8), 10**6, None),
        (FTYP + box(b"mdat", 2 * 10**6, written=8), 10**6, None),
        (FTYP + box(b"mdat", 5, written=8), 10**6, None),
        (FTYP + box(b"moof", 500), 10**6, None),
        (FTYP + box(b"moov", 0, written=8), 10**6, Range(32, 32 + MOST_INDEX)),
        (FTYP[:3], 10**6, None),
        (b"", 0, None),
        (b"%PDF-1.7 and so on, as long as it likes", 10**6, None),
    ],
)
def test_mp4(head: bytes, size: int, index: Range | None) -> None:
    assert index_of(head, size) == index


def element(identifier: str, content: bytes, *, length: bytes | None = None) -> bytes:
    return bytes.fromhex(identifier) + (length or bytes([0x40 | len(content) >> 8, len(content) & 255])) + content


def seek(identifier: str, place: int) -> bytes:
    return element("4DBB", element("53AB", bytes.fromhex(identifier)) + element("53AC", place.to_bytes(4, "big")))


UNKNOWN = b"\x01" + b"\xff" * 7


@pytest.mark.parametrize("length", [UNKNOWN, None, b"\x08\x00\x00\x10\x00\x00\x00"[:5]])
def test_matroska(length: bytes | None) -> None:
    head = element("1A45DFA3", b"\x42\x82\x84webm")
    seeks = element("114D9B74", seek("1549A966", 99) + seek("1C53BB6B", 700_000))
    film = head + element("18538067", element("EC", bytes(50)) + seeks, length=length)
    segment = film.index(bytes.fromhex("EC"))
    assert index_of(film, 10**6) == Range(segment + 700_000, 10**6)
    assert index_of(film, 10**7) == Range(segment + 700_000, segment + 700_000 + MOST_INDEX)
    assert index_of(film, 600_000) is None
    assert index_of(film[: len(film) - 30], 10**6) is None, "not seen yet"
    assert index_of(film.replace(bytes.fromhex("1C53BB6B"), bytes.fromhex("1254C367")), 10**6) is None


@given(st.binary(max_size=200), st.integers(0, 2**40), st.sampled_from([b"", FTYP, element("1A45DFA3", b"")]))
def test_hostile_heads_do_no_harm(rest: bytes, size: int, first: bytes) -> None:
    index = index_of(first + rest, size)
    assert index is None or 0 <= index.start < index.end <= min(size, index.start + MOST_INDEX)


@pytest.mark.foreign
@pytest.mark.parametrize("extension", ["mp4", "mov", "m4a", "mkv", "webm"])
@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
def test_films_of_ffmpeg(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"film.{extension}"
    coding = ["-c:a", "libopus" if extension == "webm" else "aac"]
    tone = ["-f", "lavfi", "-i", "sine=duration=30"]
    subprocess.run(["ffmpeg", "-v", "error", *tone, *coding, str(path)], check=True)
    data = path.read_bytes()
    index = index_of(data[: 2**16], len(data))
    assert index is not None
    assert index.start > len(data) // 2
    what = bytes.fromhex("1C53BB6B") if extension in {"mkv", "webm"} else b"moov"
    assert what in data[index.start : index.start + 8]


def mvhd(ticks: int, rate: int, *, wide: bool = False) -> bytes:
    numbers = bytes(16 if wide else 8) + rate.to_bytes(4, "big") + ticks.to_bytes(8 if wide else 4, "big")
    body = bytes([int(wide), 0, 0, 0]) + numbers + bytes(80)
    return (8 + len(body)).to_bytes(4, "big") + b"mvhd" + body


@pytest.mark.parametrize(
    ("index", "seconds"),
    [
        (box(b"moov", 500, written=8) + mvhd(90_000, 1000), 90.0),
        (box(b"moov", 500, written=8) + mvhd(90_000, 600, wide=True), 150.0),
        (box(b"moov", 500, written=16, large=True) + mvhd(90_000, 1000), 90.0),
        (box(b"moov", 500, written=8) + box(b"udta", 20) + mvhd(5, 2), 2.5),
        (box(b"moov", 500, written=8) + mvhd(2**32 - 1, 1000), None),  # not known
        (box(b"moov", 500, written=8) + mvhd(0, 1000), None),  # in fragments
        (box(b"moov", 500, written=8) + mvhd(90_000, 0), None),
        (box(b"moov", 500, written=8) + mvhd(90_000, 1000)[:30], None),
        (box(b"moov", 500, written=8) + box(b"udta", 4, written=8) + mvhd(5, 2), None),
        (box(b"moov", 500, written=8), None),
        (b"", None),
    ],
)
def test_how_long_an_mp4_plays(index: bytes, seconds: float | None) -> None:
    assert duration_of(FTYP, index) == seconds


@pytest.mark.parametrize(
    ("info", "seconds"),
    [
        (element("4489", struct.pack(">d", 90_000.0)), 90.0),
        (element("2AD7B1", (10**5).to_bytes(3, "big")) + element("4489", struct.pack(">f", 90_000.0)), 9.0),
        (element("4489", struct.pack(">d", math.nan)), None),
        (element("4489", struct.pack(">d", math.inf)), None),
        (element("4489", struct.pack(">d", -1.0)), None),
        (element("4489", b"123"), None),
        (b"", None),
    ],
)
def test_how_long_a_matroska_film_plays(info: bytes, seconds: float | None) -> None:
    film = element("1A45DFA3", b"") + element("18538067", element("1549A966", info), length=UNKNOWN)
    assert duration_of(film, b"") == seconds


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_the_duration_of_garbage_raises_nothing(head: bytes, index: bytes) -> None:
    for data in (head, FTYP + head, element("1A45DFA3", b"") + element("18538067", head)):
        seconds = duration_of(data, index)
        assert seconds is None or 0 < seconds < math.inf


@pytest.mark.parametrize("name", ["film.mp4", "film.mkv", "film.webm"])
def test_the_duration_that_ffmpeg_wrote(tmp_path: Path, name: str) -> None:
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not installed")
    film = tmp_path / name
    made: list[str | Path] = [
        "ffmpeg",
        "-v",
        "error",
        "-f",
        "lavfi",
        "-i",
        "testsrc=size=64x64:rate=5:duration=7",
        film,
    ]
    subprocess.run(made, check=True)
    data = film.read_bytes()
    index = index_of(data, len(data))
    seconds = duration_of(data[:65536], data[index.start : index.end] if index else b"")
    assert seconds is not None
    assert 6.5 < seconds < 7.5
