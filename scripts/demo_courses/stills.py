"""The pictures (PNG) of the readings and the slides (PDF) of the lectures."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cairo

from demo_courses import canvas, scenes_graphics, scenes_sky, scenes_sound
from demo_courses.canvas import ACCENT, AMBER, DIM, FAINT, HEIGHT, INK, STAGE, WIDTH, Context, Moment

GRAPHICS, SOUND, SKY = ACCENT
MADE = "2026-09-01T08:00:00Z"  # every PDF bears this date, so that it is the same each time


def _late(course: str, t: float) -> Moment:
    """A moment at which every cue has begun long ago."""
    return Moment(t, tuple(-30.0 for _ in range(9)), ACCENT[course])


def _pipeline(ctx: Context) -> None:
    accent = ACCENT[GRAPHICS]
    for k, (name, about) in enumerate(
        (
            ("Vertices", "numbers"),
            ("Transform", "turn, move, ∕ z"),
            ("Rasterise", "which pixels?"),
            ("Shade", "which colour?"),
        )
    ):
        x = 50.0 + 285 * k
        ctx.rectangle(x, 65, 220, 130)
        ctx.set_source_rgba(*accent, 0.10 + 0.12 * k)
        ctx.fill_preserve()
        ctx.set_source_rgb(*accent)
        ctx.set_line_width(2.5)
        ctx.stroke()
        canvas.text(ctx, (x + 110, 125), name, 28, bold=True, align=0.5)
        canvas.text(ctx, (x + 110, 163), about, 20, AMBER, align=0.5)
        if k:
            canvas.path(ctx, [(x - 55, 130), (x - 12, 130)], INK, 3)
            canvas.fill(ctx, [(x - 8, 130), (x - 22, 122), (x - 22, 138)], INK)
    canvas.text(ctx, (587, 275), "From a list of points to a picture", 20, DIM, align=0.5)


def _rotation(ctx: Context) -> None:
    ctx.translate(340, 340)
    scenes_graphics.circle(ctx, Moment(-29.2, tuple(-30.0 for _ in range(5)), ACCENT[GRAPHICS]))


def _ladder(ctx: Context) -> None:
    steps = (
        "threshold of hearing",
        "leaves in the wind",
        "library",
        "talk at a table",
        "busy street",
        "loud concert",
        "threshold of pain",
    )
    for k, name in enumerate(steps):
        y, width = 400.0 - 60 * k, 60.0 + 130 * k
        canvas.fill(
            ctx,
            [(130, y), (130 + width, y), (130 + width, y + 36), (130, y + 36)],
            ACCENT[SOUND],
            alpha=0.15 + 0.07 * k,
        )
        canvas.text(ctx, (112, y + 26), f"{20 * k} dB", 22, INK, align=1.0)
        canvas.text(ctx, (146, y + 26), name, 20, INK)


def _phases(ctx: Context) -> None:
    names = (
        "new",
        "waxing crescent",
        "first quarter",
        "waxing gibbous",
        "full",
        "waning gibbous",
        "last quarter",
        "waning crescent",
    )
    for k, name in enumerate(names):
        x, y, r = 160.0 + 290 * (k % 4), 150.0 + 270 * (k // 4), 90.0
        canvas.dot(ctx, (x, y), r, FAINT)
        age = math.tau * k / 8
        side = 1 if k <= 4 else -1  # the lit limb: right while waxing, seen from the north
        limb = [(x + side * r * math.sin(a), y - r * math.cos(a)) for a in (math.pi * i / 60 for i in range(61))]
        inner = [
            (x + side * r * math.cos(age) * math.sin(a), y - r * math.cos(a))
            for a in (math.pi * (60 - i) / 60 for i in range(61))
        ]
        canvas.fill(ctx, [*limb, *inner], (0.96, 0.94, 0.86))
        canvas.text(ctx, (x, y + r + 36), name, 20, INK, align=0.5)


PICTURES: dict[str, tuple[Callable[[Context], None], int, int]] = {
    f"{GRAPHICS}/media/pipeline.png": (_pipeline, 1175, 310),
    f"{GRAPHICS}/media/rotation.png": (_rotation, 680, 680),
    f"{SOUND}/media/decibel-ladder.png": (_ladder, 1020, 476),
    f"{SKY}/media/moon-phases.png": (_phases, 1190, 570),
}


@dataclass(frozen=True, slots=True)
class Slide:
    """One page: a title, some points, and a scene at one moment."""

    title: str
    points: tuple[str, ...]
    scene: Callable[[Context, Moment], None]
    t: float = 3.0


SLIDES: dict[str, tuple[Slide, ...]] = {
    f"{GRAPHICS}/media/slides.pdf": (
        Slide(
            "Introduction",
            (
                "Everything on a screen is drawn by a program.",
                "A cube is 8 points, 12 edges and 6 faces.",
                "Light makes it solid.",
            ),
            scenes_graphics.cube,
            1.3,
        ),
        Slide(
            "Pixels",
            (
                "A screen is a grid.",
                "A pixel is filled if its centre lies inside the triangle.",
                "Three edges give three signs: they have to agree.",
            ),
            scenes_graphics.raster,
            2.0,
        ),
        Slide(
            "Where this leads",
            (
                "Two angles name every point of a torus.",
                "32 × 16 steps make 512 faces.",
                "Paint the far ones first.",
            ),
            scenes_graphics.torus,
            8.0,
        ),
    ),
    f"{SOUND}/media/notes-waves.pdf": (
        Slide(
            "Sound is a wave",
            ("The air swings about its place.", "The pattern travels: 343 m/s at 20 °C.", "v = f · λ"),
            scenes_sound.pressure,
            2.0,
        ),
        Slide(
            "Three forms",
            (
                "Equal pitch, different sound.",
                "Sine: one frequency.",
                "Square: odd harmonics.",
                "Sawtooth: all of them.",
            ),
            scenes_sound.all_forms,
            0.4,
        ),
    ),
    f"{SOUND}/media/notes-units.pdf": (
        Slide(
            "The decibel",
            (
                "A ratio, not an amount.",
                "+10 dB: ten times the power.",
                "+20 dB: a hundred times the power, ten times the pressure.",
            ),
            scenes_sound.squares,
            2.0,
        ),
        Slide(
            "Six octaves",
            (
                "An octave doubles the frequency.",
                "125 Hz to 8 kHz: what a hearing test measures.",
                "Children hear up to about 20 kHz.",
            ),
            scenes_sound.sweep,
            -24.0,
        ),
    ),
    f"{SKY}/media/star-chart.pdf": (
        Slide(
            "Find the pole",
            ("Look north.", "The sky turns counter-clockwise, 15° each hour.", "Polaris stays where it is, or nearly."),
            scenes_sky.trails,
            9.0,
        ),
        Slide(
            "Find the distance",
            (
                "Two places on the Earth's orbit, half a year apart.",
                "Half the shift is the parallax p.",
                "1 ∕ p in arcseconds is the distance in parsecs.",
            ),
            scenes_sky.parallax,
            1.0,
        ),
    ),
}


def draw_picture(folder: Path, name: str) -> None:
    """Draw one PNG file."""
    draw, width, height = PICTURES[name]
    surface = cairo.ImageSurface(cairo.FORMAT_RGB24, width, height)
    ctx = cairo.Context(surface)
    canvas.backdrop(ctx, width, height)
    draw(ctx)
    surface.write_to_png(str(folder / name))


def draw_slides(folder: Path, name: str) -> None:
    """Draw one PDF file."""
    course = name.split("/", maxsplit=1)[0]
    surface = cairo.PDFSurface(str(folder / name), WIDTH * 0.75, HEIGHT * 0.75)
    surface.set_metadata(cairo.PDF_METADATA_TITLE, SLIDES[name][0].title)
    surface.set_metadata(cairo.PDF_METADATA_CREATE_DATE, MADE)
    ctx = cairo.Context(surface)
    ctx.scale(0.75, 0.75)
    for number, slide in enumerate(SLIDES[name], start=1):
        canvas.backdrop(ctx)
        below = canvas.paragraph(ctx, (64, 150), slide.title, 46, 470, bold=True)
        canvas.path(ctx, [(64, below - 22), (154, below - 22)], ACCENT[course], 4)
        y = below + 52
        for point in slide.points:
            canvas.dot(ctx, (72, y - 9), 5, AMBER)
            y = canvas.paragraph(ctx, (94, y), point, 26, 440) + 22
        canvas.text(ctx, (64, HEIGHT - 48), f"coursefs demo course · CC0 · {number} of {len(SLIDES[name])}", 16, DIM)
        ctx.save()
        ctx.translate(*STAGE)
        slide.scene(ctx, _late(course, slide.t))
        ctx.restore()
        ctx.show_page()
    surface.finish()
