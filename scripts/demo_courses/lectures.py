"""Which scene belongs to which lecture, and the making of all files of one lecture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from demo_courses import scenes_graphics, scenes_sky, scenes_sound, speech, subtitles
from demo_courses.films import Card, Film, encode

FILMS = {
    "introduction": Film(scenes_graphics.cube),
    "from-vertices-to-pixels": Film(scenes_graphics.raster, crf=37),
    "turning-a-point": Film(scenes_graphics.circle),
    "a-torus-in-motion": Film(scenes_graphics.torus, crf=34, index_first=False),
    "what-is-a-sound-wave": Film(scenes_sound.pressure, crf=40),
    "sine-square-sawtooth": Film(scenes_sound.forms, crf=36),
    "listen": Film(scenes_sound.sweep, crf=36),
    "was-ist-ein-dezibel": Film(scenes_sound.squares),
    "why-the-stars-turn": Film(scenes_sky.trails, crf=37, index_first=False),
    "how-far-is-a-star": Film(scenes_sky.parallax),
}


def make(folder: Path, course: Mapping[str, Any], item: Mapping[str, Any], narrations: Mapping[str, Any]) -> None:
    """Make the videos and subtitles that the description of this lecture names, in its course's folder."""
    told = narrations[f"{course['slug']}/{item['slug']}"]
    spoken = speech.narration(told["cues"], told.get("speaks"), item["duration_ms"] / 1000)
    for language, stem in item.get("subtitles", {}).items():
        subtitles.write(folder / stem, spoken.cues, language)
    outputs = {int(lines.removesuffix("p")): folder / name for lines, name in item["video"].items()}
    encode(FILMS[item["slug"]], Card(course["slug"], course["title"], item["name"]), spoken, outputs)
