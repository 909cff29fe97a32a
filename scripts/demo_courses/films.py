"""A lecture as MP4 files: pictures by cairo, H.264 and AAC by ffmpeg."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import cairo

from demo_courses import canvas
from demo_courses.canvas import ACCENT, AMBER, DIM, HEIGHT, STAGE, WIDTH, Context, Moment
from demo_courses.speech import Narration

FRAMES = 25  # each second
Scene = Callable[[Context, Moment], None]


@dataclass(frozen=True, slots=True)
class Film:
    """How one lecture is drawn and encoded."""

    scene: Scene
    crf: int = 36  # x264's constant rate factor for the larger picture: lower is better and larger
    index_first: bool = True  # the index (moov) before the pictures, as for streaming; else behind them


@dataclass(frozen=True, slots=True)
class Card:
    """What stands to the left of the scene."""

    course: str  # its slug
    course_title: str
    title: str  # of the lecture


def picture(ctx: Context, scene: Scene, card: Card, t: float, spoken: Narration) -> None:
    """Draw the frame of this moment (seconds): the card to the left, the scene to the right."""
    moment = Moment(t, tuple(cue.start for cue in spoken.cues), ACCENT[card.course])
    canvas.backdrop(ctx)
    canvas.text(ctx, (64, 96), card.course_title, 22, moment.accent)
    below = canvas.paragraph(ctx, (62, 178), card.title.strip(), 46, 470, bold=True)
    canvas.path(ctx, [(64, below - 22), (64 + 90, below - 22)], moment.accent, 4)
    shown = [(cue.start, cue.show) for cue in spoken.cues if cue.show and cue.start <= t]
    if shown:
        since, words = shown[-1]
        canvas.paragraph(ctx, (64, below + 52), words, 30, 470, colour=AMBER, alpha=min(1.0, (t - since) / 0.6))
    canvas.text(ctx, (64, HEIGHT - 48), "coursefs demo course · CC0", 16, DIM)
    ctx.save()
    ctx.translate(*STAGE)
    scene(ctx, moment)
    ctx.restore()


def _command(sound: Path, outputs: Mapping[int, Path], film: Film, seconds: float) -> list[str]:
    heights = list(outputs)
    split = f"[0:v]split={len(heights)}" + "".join(f"[s{h}]" for h in heights)
    scaled = [
        f"[s{h}]scale=-2:{h}:flags=lanczos:out_color_matrix=bt709:out_range=tv,format=yuv420p[v{h}]" for h in heights
    ]
    command = ["ffmpeg", "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "bgr0", "-s", f"{WIDTH}x{HEIGHT}"]
    command += ["-r", str(FRAMES), "-i", "-", "-i", str(sound), "-filter_complex", ";".join([split, *scaled])]
    for height, path in outputs.items():
        crf, sound_rate = (film.crf, "24k") if height == max(heights) else (film.crf + 2, "16k")
        # one thread and bitexact, so that the same ffmpeg makes the same bytes on every machine
        command += ["-map", f"[v{height}]", "-map", "1:a", "-c:v", "libx264", "-preset", "slower", "-crf", str(crf)]
        command += ["-tune", "animation", "-threads", "1", "-g", str(10 * FRAMES), "-colorspace", "bt709"]
        command += ["-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv"]
        command += ["-c:a", "aac", "-ar", "22050", "-ac", "1", "-b:a", sound_rate]
        command += ["-t", f"{seconds:.3f}", "-map_metadata", "-1"]
        command += ["-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact"]
        command += [*(["-movflags", "+faststart"] if film.index_first else []), str(path)]
    return command


def encode(film: Film, card: Card, spoken: Narration, outputs: Mapping[int, Path]) -> None:
    """Draw and encode a lecture that is as long as its sound; `outputs` are the files by their number of lines."""
    seconds = spoken.seconds
    surface = cairo.ImageSurface(cairo.FORMAT_RGB24, WIDTH, HEIGHT)
    ctx = cairo.Context(surface)
    with tempfile.TemporaryDirectory() as folder:
        sound = Path(folder) / "sound.wav"
        spoken.write(sound)
        with subprocess.Popen(_command(sound, outputs, film, seconds), stdin=subprocess.PIPE) as ffmpeg:
            assert ffmpeg.stdin is not None
            for frame in range(round(seconds * FRAMES)):
                picture(ctx, film.scene, card, frame / FRAMES, spoken)
                surface.flush()
                ffmpeg.stdin.write(surface.get_data())
            ffmpeg.stdin.close()
        if ffmpeg.returncode:
            raise SystemExit(f"ffmpeg could not make {card.title!r}")
