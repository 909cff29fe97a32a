"""The moving drawings of "Sound & Hearing"."""

from __future__ import annotations

import itertools
import math
import random
from math import sin, tau

from demo_courses.canvas import AMBER, DIM, FAINT, INK, Context, Moment, dot, fill, path, text
from demo_courses.speech import SWEEP_FROM, SWEEP_TO


def pressure(ctx: Context, m: Moment) -> None:
    """Air in a tube: particles swing, the pattern travels; below it the pressure as a curve."""
    chance = random.Random(343)
    wavelength, swing, speed = 210.0, 21.0, 105.0

    def phase(x: float) -> float:
        return tau * (x - speed * m.t) / wavelength

    for _ in range(420):
        x, y = chance.uniform(-330, 330), chance.uniform(-230, 40)
        moved = x + swing * sin(phase(x))
        if abs(moved) < 310:
            dot(ctx, (moved, y), 4, m.accent, alpha=0.75)
    marked = 20.0
    path(ctx, [(marked - swing, 72), (marked + swing, 72)], AMBER, 4, alpha=m.rise(1))
    dot(ctx, (marked + swing * sin(phase(marked)), -95), 11, AMBER, alpha=m.rise(1))
    dot(ctx, (marked + swing * sin(phase(marked)), 72), 7, AMBER, alpha=m.rise(1))
    path(ctx, [(-310, 190), (310, 190)], FAINT, 2)
    curve = [(float(x), 190 + 75 * math.cos(phase(x))) for x in range(-310, 311, 4)]  # crowded is up
    path(ctx, curve, INK, 3.5, alpha=0.35 + 0.65 * m.rise(2))
    text(ctx, (-310, 300), "pressure along the tube", 22, DIM)


def squares(ctx: Context, m: Moment) -> None:
    """Power as area: one, ten, a hundred."""
    left, ground = -300.0, 215.0
    for cue, (side, label) in enumerate(((38.0, "0 dB"), (120.0, "10 dB"), (380.0, "20 dB"))):
        seen = m.rise(cue)
        corner = [(left, ground), (left + side, ground), (left + side, ground - side), (left, ground - side)]
        fill(ctx, corner, m.accent, alpha=seen * (0.28 + 0.2 * cue))
        wave = [
            (left + side * k / 60, ground - side / 2 + side * 0.32 * sin(tau * (k / 30 - 1.1 * m.t))) for k in range(61)
        ]
        path(ctx, wave, INK, 1.5 + cue, alpha=seen * 0.9)
        text(ctx, (left + side / 2, ground + 42), label, 24, INK, alpha=seen, align=0.5)
        text(ctx, (left + side / 2, ground + 76), f"×{10**cue}", 24, AMBER, alpha=seen, align=0.5)
        left += side + 36


def _sawtooth(x: float) -> float:
    return 2 * (x % 1) - 1


FORMS = (
    ("sine", lambda x: sin(tau * x)),
    ("square", lambda x: math.tanh(9 * sin(tau * x))),
    ("sawtooth", _sawtooth),
)


def _form(ctx: Context, m: Moment, row: int, bright: float) -> None:
    name, form = FORMS[row]
    y = -205.0 + 195 * row
    path(ctx, [(-310, y), (310, y)], FAINT, 1.5)
    curve = [(float(x), y - 64 * form(x / 155 - 0.7 * m.t)) for x in range(-310, 311, 2)]
    path(ctx, curve, m.accent, 4, alpha=bright)
    text(ctx, (-310, y + 98), name, 22, INK, alpha=bright)


def forms(ctx: Context, m: Moment) -> None:
    """Three travelling waves; the one that is spoken of or heard is bright."""
    for row in range(3):
        first = 1 + 2 * row  # the cue that speaks of it; the next one lets it be heard
        after = m.rise(first + 2) if first + 2 < len(m.starts) else 0.0
        _form(ctx, m, row, 0.22 + 0.78 * m.rise(first) * (1 - after))


def all_forms(ctx: Context, m: Moment) -> None:
    """The three waves, all of them bright."""
    for row in range(3):
        _form(ctx, m, row, 1.0)


def sweep(ctx: Context, m: Moment) -> None:
    """A tone that rises through six octaves, and its place on a scale of octaves."""
    share = min(max((m.t - m.starts[0]) / 12.0, 0.0), 1.0)
    octaves = math.log2(SWEEP_TO / SWEEP_FROM)
    frequency = SWEEP_FROM * 2 ** (octaves * share)
    text(ctx, (0, -190), f"{frequency:,.0f} Hz".replace(",", " "), 64, INK, bold=True, align=0.5)
    shown = 2 ** (1 + 4.2 * share)  # waves across the picture: a drawing, not a measurement
    swell = 0.35 + 0.65 * sin(math.pi * min(max(share, 0.02), 0.98))
    path(ctx, [(float(x), 95 * swell * sin(tau * shown * x / 640)) for x in range(-320, 321)], m.accent, 3.5)
    path(ctx, [(-310, 190), (310, 190)], DIM, 3)
    for octave, label in zip(itertools.count(), ("125", "250", "500", "1k", "2k", "4k", "8k")):
        x = -310 + 620 * octave / octaves
        path(ctx, [(x, 178), (x, 202)], DIM, 3)
        text(ctx, (x, 240), label, 22, DIM, align=0.5)
    dot(ctx, (-310 + 620 * share, 190), 13, AMBER)
