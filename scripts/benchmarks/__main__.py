"""`scripts/bench`: coursefs and `rclone mount` side by side, on the same servers, in turns."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import contents, machine, plot
from benchmarks.contents import COURSE, FULL, QUICK
from benchmarks.rows import (
    RCLONE_STREAMS,
    Figures,
    Row,
    as_json,
    as_table,
    chosen,
    notes_as_json,
    notes_as_text,
)
from benchmarks.serverprocess import server_process
from benchmarks.sessions import SESSIONS, Bench, Session
from benchmarks.tools import Coursefs, Rclone, Tool, carried_out, scratch_folder

_RUNS = 3
_RCLONE_STREAMS = Rclone(RCLONE_STREAMS, ("--vfs-read-chunk-streams", "4", "--vfs-read-chunk-size", "4M"))


def main() -> int:
    """Measure, print the table, write what was asked for."""
    options = _parser().parse_args()
    try:
        rows = chosen(options.rows)
    except ValueError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    runs = options.runs or (1 if options.quick else _RUNS)
    signal.signal(signal.SIGTERM, _end)
    begun = time.monotonic()
    surroundings = machine.describe()
    figures = Figures()
    if status := carried_out(lambda: _measure(rows, figures, runs=runs, quick=options.quick)):
        return status

    heading = f"{runs} run{'s' if runs > 1 else ''} each"
    if options.quick:
        heading += ", QUICK: smaller files, for a first look only"
    surroundings |= {"load_after": round(os.getloadavg()[0], 2), "seconds": round(time.monotonic() - begun)}
    print(f"\n{heading}; {', '.join(f'{name} {value}' for name, value in surroundings.items())}\n")
    print(as_table(rows, figures))
    print(f"\n{notes_as_text(figures)}")
    if options.json:
        found = {
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
            "quick": options.quick,
            "runs": runs,
            "machine": surroundings,
            "rows": as_json(rows, figures),
            "notes": notes_as_json(figures),
        }
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    if options.plot:
        title = f"coursefs {surroundings['coursefs']} and rclone {surroundings['rclone']}, medians of {heading}"
        plot.draw(rows, figures, title, options.plot)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller files, one run: under two minutes")
    parser.add_argument("--rows", metavar="NAME,…", help="only these rows of the table")
    parser.add_argument("--runs", type=_positive, metavar="N", help=f"runs of each figure (default: {_RUNS})")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="write the figures as a picture (PNG)")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def _measure(rows: Sequence[Row], figures: Figures, *, runs: int, quick: bool) -> None:
    sizes = QUICK if quick else FULL
    wanted = {row.name for row in rows}
    with scratch_folder() as folder:
        root = folder / "server"
        root.mkdir()
        _say("making the files")
        contents.make(root, sizes)
        with server_process(root, "near") as near, server_process(root, "far") as far:
            bench = Bench(root / COURSE, near, far, sizes, figures)
            for session in (one for one in SESSIONS if one.rows & wanted):
                for run in range(runs):
                    for tool in _tools(session, run):
                        _say(f"{session.work.__name__}, run {run + 1} of {runs}, {tool.name}")
                        os.sync()  # what others have written is not to be written in our time
                        with scratch_folder(folder) as home:
                            session.work(bench, tool, home)


def _tools(session: Session, run: int) -> Sequence[Tool]:
    """Everybody in turn, and everybody first once."""
    if session.is_ours_alone:
        return [Coursefs()]
    tools: list[Tool] = [Rclone(), Coursefs()]
    if session.with_streams:
        tools.append(_RCLONE_STREAMS)
    first = run % len(tools)
    return [*tools[first:], *tools[:first]]


def _end(*_: object) -> None:
    raise KeyboardInterrupt


def _say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
