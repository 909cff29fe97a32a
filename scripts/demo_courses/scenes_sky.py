"""The moving drawings of "Reading the Night Sky"."""

from __future__ import annotations

import math
import random
from math import cos, sin, tau

from demo_courses.canvas import AMBER, DIM, FAINT, INK, Context, Moment, dashed, dot, fill, mixed, path, ring, text


def trails(ctx: Context, m: Moment) -> None:
    """The northern sky turns about its pole, counter-clockwise, and every star draws its trail."""
    chance = random.Random(1838)
    turned = 0.02 + m.t * 0.045
    ctx.save()
    ctx.rectangle(-320, -320, 640, 640)
    ctx.clip()
    pole = (0.0, -60.0)
    for _ in range(170):
        radius, at, size = 420 * math.sqrt(chance.uniform(0.006, 1)), chance.uniform(0, tau), chance.uniform(0.8, 2.6)
        colour = mixed(INK, m.accent if chance.random() < 0.6 else AMBER, chance.uniform(0, 0.7))
        ctx.new_path()
        ctx.arc_negative(*pole, radius, at, at - turned)
        ctx.set_line_width(size * 0.8)
        ctx.set_source_rgba(*colour, 0.35)
        ctx.stroke()
        dot(ctx, (pole[0] + radius * cos(at - turned), pole[1] + radius * sin(at - turned)), size, colour)
    dot(ctx, (pole[0] + 5 * cos(2 - turned), pole[1] + 5 * sin(2 - turned)), 5, INK)
    ring(ctx, pole, 26, AMBER, 2.5, alpha=m.rise(2))
    text(ctx, (pole[0] + 40, pole[1] + 8), "Polaris", 22, AMBER, alpha=m.rise(2))
    hills = [(float(x), 245 - 26 * sin(x / 90) - 14 * sin(x / 37 + 1) - 5 * sin(x / 11)) for x in range(-320, 321, 4)]
    fill(ctx, [(-320, 330), *hills, (320, 330)], (0.02, 0.028, 0.045))
    ctx.restore()
    for x, label in ((-300, "W"), (0, "N"), (300, "E")):
        text(ctx, (x, 308), label, 22, DIM, align=0.5)


def parallax(ctx: Context, m: Moment) -> None:
    """The Earth goes around, and a near star moves against the far ones."""
    chance = random.Random(61)
    for _ in range(70):
        dot(ctx, (chance.uniform(-320, 320), chance.uniform(-310, -170)), chance.uniform(0.8, 2.2), INK, alpha=0.7)
    sun, near, sky = (0.0, 230.0), (0.0, 10.0), -240.0
    angle = 0.6 * m.t
    ctx.save()
    ctx.translate(*sun)
    ctx.scale(1, 0.3)
    ring(ctx, (0, 0), 215, DIM, 2)
    ctx.restore()

    def earth(at: float) -> tuple[float, float]:
        return sun[0] + 215 * cos(at), sun[1] + 64 * sin(at)

    def apparent(at: float) -> float:
        x, y = earth(at)
        return x + (near[0] - x) * (y - sky) / (y - near[1])

    for at in (0.0, math.pi):
        dashed(ctx, earth(at), (apparent(at), sky), FAINT, 2, alpha=m.rise(2))
    path(ctx, [(apparent(0), sky + 48), (apparent(math.pi), sky + 48)], AMBER, 3, alpha=m.rise(2))
    text(ctx, (0, sky + 82), "2 p", 24, AMBER, alpha=m.rise(2), align=0.5)
    path(ctx, [earth(angle), (apparent(angle), sky)], m.accent, 2, alpha=0.8)
    ring(ctx, (apparent(angle), sky), 15, m.accent, 3)
    dot(ctx, (apparent(angle), sky), 6, AMBER)
    dot(ctx, near, 11, AMBER)
    text(ctx, (26, 18), "near star", 22, DIM)
    dot(ctx, sun, 20, (1.0, 0.85, 0.45))
    dot(ctx, earth(angle), 10, m.accent)
    path(ctx, [(-26, 230), (-209, 230)], DIM, 2, alpha=m.rise(1))
    text(ctx, (-112, 220), "1 au", 20, DIM, alpha=m.rise(1), align=0.5)
