"""What a run has counted, which of its goals are broken, and how each of them is seen again."""

from __future__ import annotations

from typing import Any

from torture_runs.scene import Scene

#: bytes that the daemon may have resident
MEMORY = 200 * 2**20
#: what must be 0 after any run
GOALS = (
    "wrong bytes",
    "dead mounts",
    "failed mounts",
    "past the deadline",
    "files lost",
    "bad ends",
    "memory",
    "foreign files",
    "bad names",
)


def result(scene: Scene, seconds: float) -> dict[str, Any]:
    """The figures, ready for JSON."""
    counters = scene.counters
    faults = {name: count for name, count in sorted(scene.faults.items()) if count}
    return {
        "seed": scene.seed,
        "seconds": round(seconds),
        "steps": scene.step,
        "operations": counters.total("operations"),
        "bytes compared": counters.total("bytes"),
        "failed operations": counters.total("failures"),
        "longest operation (s)": round(counters.longest() / 1e9, 2),
        "faults": sum(faults.values()),
        "kinds of faults": len(faults),
        "kills of the daemon": scene.world.kills,
        "kills of readers": scene.goals["readers killed"],
        "mounts": scene.world.mounts,
        "machine stalled (s)": round(counters.lost / 1e9, 1),
        "most memory (MiB)": round(scene.world.most_memory / 2**20),
        "goals": {goal: scene.goals[goal] for goal in GOALS},
        "broken": [goal for goal in GOALS if scene.goals[goal]],
        "by kind": faults,
        "findings": [
            {
                "step": one.step,
                "kind": one.kind,
                "goal": one.goal,
                "text": one.text,
                "repeat": f"scripts/torture --seed {scene.seed} --step {one.step}",
            }
            for one in scene.findings
        ],
    }


def table(figures: dict[str, Any]) -> str:
    """The figures for a person."""
    lines = [""]
    for name, value in figures.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            lines.append(f"{name:28} {value:>14,}")
    lines.append("")
    for name, count in figures["by kind"].items():
        lines.append(f"  {name:26} {count:>14,}")
    lines.append("")
    for goal, count in figures["goals"].items():
        lines.append(f"{goal:28} {count:>14,}   {'broken' if count else 'kept'}")
    seen = set()
    for one in figures["findings"]:
        if (one["kind"], one["goal"]) not in seen:
            seen.add((one["kind"], one["goal"]))
            lines.append(f"\n{one['kind']}: {one['goal']}: {one['text'][:600]}\n  {one['repeat']}")
    return "\n".join(lines)
