"""`scripts/fuzz`: each target for some seconds, in a process of its own, as libFuzzer wants it."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from fuzzing.seeds import SEEDS

#: seconds that one input may take; a longer one is a finding
_SLOW = 5
#: the longest input, in bytes; quadratic code shows with these
_LONGEST = 50_000


def main() -> int:
    """Fuzz the targets one after the other; 1 when any of them has a finding."""
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="what to fuzz (default: everything)")
    parser.add_argument("--seconds", type=int, default=30, metavar="N", help="for each target (default: 30)")
    parser.add_argument("--list", action="store_true", help="say which targets there are")
    parser.add_argument("--one", metavar="FOLDER", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        _fuzz(options.targets[0], options.one, options.seconds)
        return 0

    if options.list:
        print("\n".join(SEEDS))
        return 0
    if unknown := set(options.targets) - SEEDS.keys():
        print(f"fuzz: no such target: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    broken = [name for name in options.targets or SEEDS if not _run(name, options.seconds)]
    print(f"\n{len(broken)} targets with findings: {', '.join(broken)}" if broken else "\nnothing found")
    return 1 if broken else 0


def _run(name: str, seconds: int) -> bool:
    with tempfile.TemporaryDirectory(prefix="coursefs-fuzz-") as folder:
        for number, seed in enumerate(SEEDS[name]):
            (Path(folder) / f"seed-{number}").write_bytes(seed)
        command = [sys.executable, "-m", "fuzzing", name, "--seconds", str(seconds), "--one", folder]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", check=False)
        lines = done.stderr.splitlines()
        ends = [line for line in lines if "DONE" in line or "cov:" in line][-1:]
        print(f"{name:10} {'found something' if done.returncode else 'well'}  {' '.join(ends)[:100]}", flush=True)
        if done.returncode:
            print("\n".join(lines[-25:]))
            for found in Path(folder).glob("[cts]*-*"):
                if not found.name.startswith("seed"):
                    print(f"  {found.name}: {found.stat().st_size} bytes, {found.read_bytes()[:300]!r}")
        return done.returncode == 0


def _fuzz(name: str, corpus: str, seconds: int) -> None:
    import atheris  # an optional extra

    with atheris.instrument_imports(include=["coursefs"]):  # the rest of the library would take minutes
        from coursefs.errors import CoursefsError
        from fuzzing.targets import FORGIVEN, TARGETS

    target = TARGETS[name]
    forgiven: tuple[type[BaseException], ...] = (CoursefsError, *FORGIVEN.get(name, ()))

    def one(data: bytes) -> None:
        try:
            target(data)
        except forgiven:
            return

    arguments = [f"-max_total_time={seconds}", f"-timeout={_SLOW}", f"-max_len={_LONGEST}", "-rss_limit_mb=2048"]
    atheris.Setup([sys.argv[0], *arguments, corpus], one)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
