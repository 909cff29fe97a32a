"""What a lecture sounds like: spoken cues and tones, one after the other, and when each of them is heard."""

from __future__ import annotations

import array
import math
import subprocess
import tempfile
import wave
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RATE = 44100  # samples per second
SWEEP_FROM, SWEEP_TO = 125.0, 8000.0  # Hz
PERIOD = 200  # samples: 220.5 Hz, so that a period is whole
VOICES = {"en": ("en-gb", 152), "de": ("de", 148)}  # voice of eSpeak NG, words per minute
LOUDNESS = 0.75  # of full scale: what lossy coding adds still fits
LEAD, GAP, TAIL = 0.8, 0.42, 0.4  # seconds of silence before, between and after the cues


@dataclass(frozen=True, slots=True)
class Cue:
    """One spoken sentence or tone."""

    start: float  # seconds
    end: float
    show: str | None  # what is written on the picture from here on
    texts: Mapping[str, str]  # by language


@dataclass(frozen=True, slots=True)
class Narration:
    """All that is heard in a lecture."""

    cues: tuple[Cue, ...]
    samples: array.array[int]

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self.samples) / RATE

    def write(self, path: Path) -> None:
        """Write the sound as a WAV file."""
        with wave.open(str(path), "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(RATE)
            out.writeframes(self.samples.tobytes())


def _spoken(words: str, language: str) -> list[float]:
    voice, speed = VOICES[language]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        subprocess.run(["espeak-ng", "-v", voice, "-s", str(speed), "-p", "45", "-w", str(path), words], check=True)
        with wave.open(str(path)) as said:
            if (said.getframerate(), said.getnchannels(), said.getsampwidth()) != (RATE // 2, 1, 2):
                raise SystemExit("espeak-ng speaks in another format than 22050 Hz, mono, 16 bit")
            half = array.array("h", said.readframes(said.getnframes()))
    while half and abs(half[-1]) < 60:  # the silence at the end
        half.pop()
    doubled: list[float] = []
    for a, b in zip(half, [*half[1:], 0], strict=True):
        doubled += (a / 32768, (a + b) / 65536)
    return doubled


def _harmonic_share(form: str, n: int) -> float:
    if form == "sine":
        return float(n == 1)
    if form == "square":
        return 4 / math.pi / n if n % 2 else 0.0
    return 2 / math.pi / n


def _tone(form: str, seconds: float) -> list[float]:
    """A tone of constant loudness, faded in and out; only harmonics that can be heard."""
    count = round(seconds * RATE)
    if form == "sweep":
        octaves = math.log2(SWEEP_TO / SWEEP_FROM)
        growth = octaves * math.log(2) / seconds
        raw = (math.sin(math.tau * SWEEP_FROM * (math.exp(growth * k / RATE) - 1) / growth) for k in range(count))
    else:
        harmonics = range(1, PERIOD * 2 // 5)
        shares = [_harmonic_share(form, n) for n in harmonics]
        loud = math.sqrt(sum(share * share for share in shares))
        period = [
            sum(share * math.sin(math.tau * n * k / PERIOD) for n, share in zip(harmonics, shares, strict=True)) / loud
            for k in range(PERIOD)
        ]
        raw = (period[k % PERIOD] for k in range(count))
    edge = round(0.12 * RATE)
    return [0.16 * min(1.0, k / edge, (count - 1 - k) / edge) * x for k, x in enumerate(raw)]


def narration(cues: Sequence[Mapping[str, Any]], language: str | None, seconds: float) -> Narration:
    """Speak and play the cues into a sound of exactly so many seconds.  Stops the script where they do not fit."""
    sound = [0.0] * round(seconds * RATE)
    at = round(LEAD * RATE)
    made = []
    for cue in cues:
        texts = {key: value for key, value in cue.items() if key not in ("show", "tone", "seconds")}
        if "tone" in cue:
            part = _tone(cue["tone"], cue["seconds"])
        elif language is not None:
            part = _spoken(texts[language], language)
        else:
            raise SystemExit("a lecture in which nobody speaks has words")
        end = at + len(part)
        if end > len(sound) - TAIL * RATE:
            raise SystemExit(f"the narration does not fit into {seconds} s: {end / RATE:.1f} s at {texts or cue}")
        sound[at:end] = part
        made.append(Cue(at / RATE, end / RATE, cue.get("show"), texts))
        at = end + round(GAP * RATE)
    return Narration(tuple(made), array.array("h", (round(32767 * LOUDNESS * max(-1.0, min(1.0, x))) for x in sound)))
