"""The moving drawings of "Interactive Computer Graphics"."""

from __future__ import annotations

import itertools
import math
from math import cos, sin, tau

from demo_courses.canvas import (
    AMBER,
    DIM,
    FAINT,
    INK,
    Context,
    Moment,
    Point,
    dashed,
    dot,
    fill,
    mixed,
    path,
    ring,
    text,
)

Vector = tuple[float, float, float]
LIGHT: Vector = (0.36, 0.64, 0.68)  # the way it travels: right, down, away from us


def _turned(v: Vector, yaw: float, pitch: float) -> Vector:
    x, y, z = v
    x, z = x * cos(yaw) + z * sin(yaw), z * cos(yaw) - x * sin(yaw)
    return x, y * cos(pitch) - z * sin(pitch), z * cos(pitch) + y * sin(pitch)


def _seen(v: Vector, scale: float, distance: float) -> Point:
    k = scale * distance / (distance + v[2])
    return v[0] * k, v[1] * k


def _brightness(a: Vector, b: Vector, c: Vector) -> float:
    """How directly the light falls on the face that these corners span, 0 to 1; seen from outside they go clockwise."""
    u, v = ([p[i] - a[i] for i in range(3)] for p in (b, c))
    normal = (u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0])
    length = math.hypot(*normal) or 1.0
    return max(0.0, -sum(n * part for n, part in zip(normal, LIGHT, strict=True)) / length)


CORNERS: list[Vector] = [(x, y, z) for x, y, z in itertools.product((-1.0, 1.0), repeat=3)]
EDGES = [(a, b) for a, b in itertools.combinations(range(8), 2) if (a ^ b).bit_count() == 1]
FACES = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]


def cube(ctx: Context, m: Moment) -> None:
    """A solid cube comes apart into points and edges, and becomes solid again."""
    corners = [_turned(v, m.t * 0.55, 0.5) for v in CORNERS]
    seen = [_seen(v, 150, 6) for v in corners]
    solid = max(1 - m.rise(2), m.rise(3, 2))
    for a, b in EDGES:
        path(
            ctx,
            [seen[a], seen[b]],
            m.accent,
            2.5,
            alpha=0.9 * min(m.rise(2, 3) + m.rise(3), 1) * (1 - 0.6 * m.rise(3, 2)),
        )
    for face in FACES:
        (ax, ay), (bx, by), (cx, cy) = (seen[i] for i in face[:3])
        if (bx - ax) * (cy - ay) - (by - ay) * (cx - ax) > 0:  # the back of a face
            continue
        lit = _brightness(*(corners[i] for i in face[:3]))
        fill(ctx, [seen[i] for i in face], mixed((0.07, 0.16, 0.24), m.accent, 0.15 + 0.85 * lit), alpha=solid)
    for x, y in seen:
        dot(ctx, (x, y), 8, INK, alpha=m.rise(2) * (1 - m.rise(3, 2)))


def raster(ctx: Context, m: Moment) -> None:
    """A turning triangle over a grid of pixels, and the pixels whose centres it covers."""
    n, side = 16, 37.0
    left = -n * side / 2
    triangle = [
        (265 * cos(m.t * 0.12 + k * tau / 3 + 0.5), 265 * sin(m.t * 0.12 + k * tau / 3 + 0.5)) for k in range(3)
    ]
    asked = m.rise(1, 5) * n * n
    for index, (row, column) in enumerate(itertools.product(range(n), repeat=2)):
        x, y = left + column * side, left + row * side
        centre = (x + side / 2, y + side / 2)
        inside = all(
            (b[0] - a[0]) * (centre[1] - a[1]) - (b[1] - a[1]) * (centre[0] - a[0]) > 0
            for a, b in zip(triangle, triangle[1:] + triangle[:1], strict=True)
        )
        if inside and index < asked:
            fill(ctx, [(x, y), (x + side, y), (x + side, y + side), (x, y + side)], m.accent, alpha=0.62)
        dot(ctx, centre, 2.2, INK if inside else DIM, alpha=0.8 * m.rise(1))
    for k in range(n + 1):
        path(ctx, [(left, left + k * side), (-left, left + k * side)], FAINT, 1)
        path(ctx, [(left + k * side, left), (left + k * side, -left)], FAINT, 1)
    path(ctx, [*triangle, triangle[0]], AMBER, 3)
    for corner in triangle:
        dot(ctx, corner, 7, AMBER)


def circle(ctx: Context, m: Moment) -> None:
    """A point turns on the unit circle and casts its shadows, cosine and sine, on the axes."""
    r = 235.0
    angle = 0.55 + 0.34 * max(0.0, m.t - m.starts[1])
    x, y = r * cos(angle), -r * sin(angle)
    path(ctx, [(-300, 0), (300, 0)], FAINT, 2)
    path(ctx, [(0, -300), (0, 300)], FAINT, 2)
    ring(ctx, (0, 0), r, DIM, 2)
    square = [(r * 0.55 * cos(angle + k * tau / 4), -r * 0.55 * sin(angle + k * tau / 4)) for k in range(4)]
    fill(ctx, square, m.accent, alpha=0.22 * m.rise(3))
    dashed(ctx, (x, y), (x, 0), DIM, alpha=m.rise(1))
    dashed(ctx, (x, y), (0, y), DIM, alpha=m.rise(2))
    path(ctx, [(0, 0), (x, 0)], m.accent, 7, alpha=m.rise(1))
    path(ctx, [(0, 0), (0, y)], AMBER, 7, alpha=m.rise(2))
    path(ctx, [(0, 0), (x, y)], INK, 3)
    ctx.new_path()
    ctx.arc_negative(0, 0, 62, 0, -(angle % tau))
    ctx.set_line_width(2.5)
    ctx.set_source_rgba(*INK, 0.8)
    ctx.stroke()
    text(ctx, (88 * cos(angle % tau / 2), 9 - 88 * sin(angle % tau / 2)), "θ", 26, INK, align=0.5)
    text(ctx, (x / 2, 36 if y < 0 else -18), "cos θ", 24, m.accent, alpha=m.rise(1), align=0.5)
    text(ctx, (-14 if x > 0 else 14, y / 2 + 8), "sin θ", 24, AMBER, alpha=m.rise(2), align=1.0 if x > 0 else 0.0)
    dot(ctx, (x, y), 11, INK)


RING, TUBE = 32, 16


def torus(ctx: Context, m: Moment) -> None:
    """A turning torus: first a mesh, then painted from far to near, then coloured by its depth."""
    yaw, pitch = m.t * 0.35, 0.95 + 0.55 * sin(m.t * 0.25)
    grid = [
        [
            _turned(((2 + 0.85 * cos(v)) * cos(u), 0.85 * sin(v), (2 + 0.85 * cos(v)) * sin(u)), yaw, pitch)
            for v in (tau * j / TUBE for j in range(TUBE))
        ]
        for u in (tau * i / RING for i in range(RING))
    ]
    seen = [[_seen(v, 108, 9) for v in row] for row in grid]
    painted, by_depth, mesh = m.rise(4, 3), m.rise(5, 2) * (1 - m.rise(6, 2)), 0.25 + 0.75 * m.rise(2, 2)
    quads = []
    for i, j in itertools.product(range(RING), range(TUBE)):
        corners = [(i, j), ((i + 1) % RING, j), ((i + 1) % RING, (j + 1) % TUBE), (i, (j + 1) % TUBE)]
        quads.append((-sum(grid[a][b][2] for a, b in corners), i, j, corners))
    for far, i, _, corners in sorted(quads):
        outline = [seen[a][b] for a, b in corners]
        if painted:
            lit = _brightness(*(grid[a][b] for a, b in reversed(corners[:3])))
            base = mixed(m.accent, AMBER, 0.5 + 0.5 * sin(tau * i / RING))
            colour = mixed((0.05, 0.07, 0.13), base, 0.2 + 0.8 * lit)
            depth = min(max(0.5 + far / 22, 0.04), 1.0)
            fill(ctx, outline, mixed(colour, (depth, depth, depth), by_depth), alpha=painted)
        path(ctx, [*outline, outline[0]], m.accent, 1.1, alpha=mesh * (0.5 - 0.42 * painted))
    if m.rise(1) and not painted:
        around = [seen[i % RING][0] for i in range(RING + 1)]
        i = int(m.t * 6) % RING
        path(ctx, around, AMBER, 4, alpha=m.rise(1))
        path(ctx, [*seen[i], seen[i][0]], INK, 4, alpha=m.rise(1))
