"""What is read: a course of files that no cache and no compression can guess, the same in every run."""

from __future__ import annotations

import json
import os
import random
import subprocess
from dataclasses import dataclass
from pathlib import Path, PurePath

COURSE = "Bench"
LECTURE = "Lectures/Lecture.mp4"
BEFORE = "Lectures/Introduction.mp4"  # the one before it: of `_CLIP` seconds
BIG = "Recordings/Recording.bin"
SMALL = "Handouts"
SMALL_COUNT = 200
TREE = "tree.json"

#: seconds since 1970 that every file was last modified at
_MODIFIED = 1_700_000_000
_BLOCK = 2**20
#: seconds of film that are encoded; a lecture of ten minutes repeats them, so that its index is as long as a real one's
_CLIP = 20


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is read, in bytes, and how often."""

    lecture: int = 118_000_000
    big: int = 2**30
    random_reads: int = 30


FULL = Sizes()
QUICK = Sizes(lecture=40_000_000, big=2**28, random_reads=10)


def make(root: Path, sizes: Sizes) -> None:
    """Write the course's folder and the list of its files, which a provider reads, below `root`."""
    course = root / COURSE
    for name in (LECTURE, BIG, f"{SMALL}/x"):
        (course / name).parent.mkdir(parents=True)
    generator = random.Random(_MODIFIED)
    _make_random(course / BIG, sizes.big, generator)
    for number in range(1, SMALL_COUNT + 1):
        path, size = course / SMALL / f"Handout {number:03d}.pdf", generator.randrange(1_000, 64_000)
        _make_random(path, size, generator, begins=b"%PDF-1.7\n")  # a file that begins with `<` is taken for a web page
    _make_lecture(course / LECTURE, sizes.lecture, root)
    tree = {COURSE: {folder.name: sorted(one.name for one in folder.iterdir()) for folder in sorted(course.iterdir())}}
    (root / TREE).write_text(json.dumps(tree), encoding="utf-8")
    for path in root.rglob("*"):
        os.utime(path, (_MODIFIED, _MODIFIED))


def _make_random(path: Path, size: int, generator: random.Random, *, begins: bytes = b"") -> None:
    with path.open("wb") as file:
        for start in range(0, size, _BLOCK):
            file.write(generator.randbytes(min(_BLOCK, size - start)))
        file.seek(0)
        file.write(begins)


def _make_lecture(path: Path, size: int, scratch: Path) -> None:
    """An MP4 as a careless encoder leaves it: its index (`moov`) lies at the end; and the short one before it."""
    clip = scratch / "clip.mp4"
    picture = f"testsrc2=size=640x360:rate=25:duration={_CLIP},noise=alls=30:allf=t"
    sound = f"anoisesrc=duration={_CLIP}:sample_rate=44100:amplitude=0.1:seed=1"
    coding = "-c:v libx264 -preset ultrafast -b:v 1500k -pix_fmt yuv420p -c:a aac -b:a 64k".split()
    _ffmpeg("-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound, *coding, str(clip))
    _ffmpeg("-stream_loop", "-1", "-i", str(clip), "-c", "copy", "-fs", str(size), str(path))
    clip.rename(path.parent / PurePath(BEFORE).name)


def _ffmpeg(*arguments: str) -> None:
    exact = "-map_metadata -1 -fflags +bitexact -flags +bitexact".split()
    *before, output = arguments
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", *before, *exact, output], check=True)
