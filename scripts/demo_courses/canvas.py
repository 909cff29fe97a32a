"""What every picture of the demo courses shares: size, colours, type, and a few strokes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cairo

WIDTH, HEIGHT = 1280, 720  # pixels of a film, points of a slide
STAGE = (910.0, 360.0)  # where the scene has its origin; it may use 320 to each side

Colour = tuple[float, float, float]
Point = tuple[float, float]
Context = cairo.Context

TOP: Colour = (0.075, 0.095, 0.145)
BOTTOM: Colour = (0.035, 0.045, 0.075)
INK: Colour = (0.93, 0.94, 0.96)
DIM: Colour = (0.52, 0.57, 0.66)
FAINT: Colour = (0.22, 0.26, 0.34)
AMBER: Colour = (0.98, 0.73, 0.36)
ACCENT: dict[str, Colour] = {
    "interactive-computer-graphics": (0.36, 0.78, 0.95),
    "sound-and-hearing": (0.45, 0.87, 0.66),
    "reading-the-night-sky": (0.67, 0.66, 1.0),
}


@dataclass(frozen=True, slots=True)
class Moment:
    """One moment of a lecture."""

    t: float  # seconds from its beginning
    starts: tuple[float, ...]  # when each cue begins, seconds
    accent: Colour

    def rise(self, cue: int, over: float = 1.0) -> float:
        """0 before the cue, 1 from `over` seconds after its beginning, smooth between."""
        x = min(max((self.t - self.starts[cue]) / over, 0.0), 1.0)
        return x * x * (3 - 2 * x)


def backdrop(ctx: Context, width: float = WIDTH, height: float = HEIGHT) -> None:
    """Fill everything with the dark background."""
    shade = cairo.LinearGradient(0, 0, 0, height)
    shade.add_color_stop_rgb(0, *TOP)
    shade.add_color_stop_rgb(1, *BOTTOM)
    ctx.set_source(shade)
    ctx.rectangle(0, 0, width, height)
    ctx.fill()


def _font(ctx: Context, size: float, *, bold: bool) -> None:
    ctx.select_font_face(
        "DejaVu Sans", cairo.FONT_SLANT_NORMAL, cairo.FONT_WEIGHT_BOLD if bold else cairo.FONT_WEIGHT_NORMAL
    )
    ctx.set_font_size(size)


def text(
    ctx: Context,
    at: Point,
    words: str,
    size: float,
    colour: Colour = INK,
    *,
    bold: bool = False,
    alpha: float = 1.0,
    align: float = 0.0,
) -> None:
    """Write one line; `align` 0 begins at the point, 0.5 is centred on it, 1 ends there."""
    _font(ctx, size, bold=bold)
    ctx.set_source_rgba(*colour, alpha)
    ctx.move_to(at[0] - align * ctx.text_extents(words).x_advance, at[1])
    ctx.show_text(words)


def wrapped(ctx: Context, words: str, size: float, width: float, *, bold: bool = False) -> list[str]:
    """The lines into which a text falls; a newline always breaks."""
    _font(ctx, size, bold=bold)
    lines: list[str] = []
    for paragraph in words.split("\n"):
        line = ""
        for word in paragraph.split(" "):
            longer = f"{line} {word}" if line else word
            if line and ctx.text_extents(longer).x_advance > width:
                lines.append(line)
                longer = word
            line = longer
        lines.append(line)
    return lines


def paragraph(
    ctx: Context,
    at: Point,
    words: str,
    size: float,
    width: float,
    *,
    colour: Colour = INK,
    bold: bool = False,
    alpha: float = 1.0,
) -> float:
    """Write a wrapped text; returns the base line that the next one would have."""
    x, y = at
    for words_of_line in wrapped(ctx, words, size, width, bold=bold):
        text(ctx, (x, y), words_of_line, size, colour, bold=bold, alpha=alpha)
        y += size * 1.28
    return y


def path(ctx: Context, points: Iterable[Point], colour: Colour, width: float = 2.0, *, alpha: float = 1.0) -> None:
    """Draw a line through the points."""
    ctx.new_path()
    for x, y in points:
        ctx.line_to(x, y)
    ctx.set_line_width(width)
    ctx.set_line_join(cairo.LINE_JOIN_ROUND)
    ctx.set_line_cap(cairo.LINE_CAP_ROUND)
    ctx.set_source_rgba(*colour, alpha)
    ctx.stroke()


def fill(ctx: Context, points: Sequence[Point], colour: Colour, *, alpha: float = 1.0) -> None:
    """Fill the polygon."""
    ctx.new_path()
    for x, y in points:
        ctx.line_to(x, y)
    ctx.close_path()
    ctx.set_source_rgba(*colour, alpha)
    ctx.fill()


def dot(ctx: Context, at: Point, radius: float, colour: Colour, *, alpha: float = 1.0) -> None:
    """Fill a circle."""
    ctx.new_path()
    ctx.arc(*at, radius, 0, math.tau)
    ctx.set_source_rgba(*colour, alpha)
    ctx.fill()


def ring(ctx: Context, at: Point, radius: float, colour: Colour, width: float = 2.0, *, alpha: float = 1.0) -> None:
    """Draw a circle."""
    ctx.new_path()
    ctx.arc(*at, radius, 0, math.tau)
    ctx.set_line_width(width)
    ctx.set_source_rgba(*colour, alpha)
    ctx.stroke()


def dashed(ctx: Context, a: Point, b: Point, colour: Colour, width: float = 2.0, *, alpha: float = 1.0) -> None:
    """Draw a dashed line between two points."""
    ctx.set_dash([7, 7])
    path(ctx, [a, b], colour, width, alpha=alpha)
    ctx.set_dash([])


def mixed(a: Colour, b: Colour, share: float) -> Colour:
    """A colour between the two: `share` 0 is the first."""
    r, g, blue = (x + (y - x) * share for x, y in zip(a, b, strict=True))
    return r, g, blue
