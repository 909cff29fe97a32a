"""The subtitles of a lecture in the three forms that the platform offers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from demo_courses.speech import Cue

LINGER = 0.3  # seconds for which a text stays after its last word


def _clock(seconds: float, point: str) -> str:
    ms = round(seconds * 1000)
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02}{point}{ms % 1000:03}"


def write(stem: Path, cues: Sequence[Cue], language: str) -> None:
    """Write `stem`.srt, .vtt and .txt in this language."""
    srt, vtt = [], ["WEBVTT\n"]
    for number, cue in enumerate(cues, start=1):
        begin, end, words = cue.start, cue.end + LINGER, cue.texts[language]
        srt.append(f"{number}\n{_clock(begin, ',')} --> {_clock(end, ',')}\n{words}\n")
        vtt.append(f"{_clock(begin, '.')} --> {_clock(end, '.')}\n{words}\n")
    between = "" if language.startswith("zh") else " "
    texts = {
        ".srt": "\n".join(srt),
        ".vtt": "\n".join(vtt),
        ".txt": between.join(cue.texts[language] for cue in cues) + "\n",
    }
    for suffix, text in texts.items():
        Path(f"{stem}{suffix}").write_text(text, encoding="utf-8", newline="\n")
