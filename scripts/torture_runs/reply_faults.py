"""Wrong replies of the API, while programs look at the tree and read pages, and while others read what is cached."""

from __future__ import annotations

import shutil
import signal
import time
import unicodedata

from torture_runs import demo
from torture_runs.kinds import Kind, Work
from torture_runs.process_faults import again
from torture_runs.scene import Scene
from torture_runs.server_all import FAULTS
from torture_runs.server_replies import is_reply

#: what changes titles, and with them which of two that are equal was first
_RENAMING = ("json-types", "json-few-types", "hostile-names")
#: and in these it leaves some out
_DROPPING = ("json-types", "json-few-types")
#: seconds until a tree must be as it was
_RECOVERY = 60.0


def kinds() -> list[Kind]:
    """One for each wrong reply."""
    return [Kind(one.name, "replies", one.says, _work(one.name)) for one in FAULTS.values() if one.concerns is is_reply]


def _work(name: str) -> Work:
    def work(scene: Scene) -> None:
        before = scene.server.counts.get(name, 0)
        chance = scene.random.choice([0.05, 0.3, 1.0])
        scene.counters.has_wrong_titles = name in _RENAMING
        scene.counters.may_lack_some = name in _DROPPING
        scene.server.tell(fault=name, chance=chance, seed=scene.random.randrange(2**32))
        is_new = scene.random.random() < 0.3
        if is_new:
            scene.counters.began_anew = True
            _begin_anew(scene)
        scene.revive()
        scene.world.command("update", "all", seconds=25)
        now = demo.look(scene.world, seconds=30)
        if name == "hostile-names" and now is not None:
            _look_at_names(scene, list(now))
        scene.read_for(0.5)
        memory = scene.world.look_at_memory()
        if memory > 200 * 2**20:
            scene.found("memory", f"{memory / 2**20:.0f} MiB resident")
        scene.server.tell(fault="none")
        scene.count(scene.server.counts.get(name, 0) - before)
        if scene.world.is_running:
            _recover(scene, names=not is_new and name not in _RENAMING)

    return work


def _begin_anew(scene: Scene) -> None:
    """Lose the catalogue, so that everything is asked for while replies are wrong."""
    scene.world.look_at_memory()
    scene.world.kill(signal.SIGTERM)
    scene.world.clear()
    shutil.rmtree(scene.world.state, ignore_errors=True)
    # where no course of any account could be listed, the start fails or the mount is empty: both are right
    if not scene.world.mount(empty=True):
        if scene.world.is_running:
            scene.found("dead mounts", f"a mount that does not answer: {scene.world.log(500)}")
        elif scene.world.is_mounted:
            scene.found("dead mounts", f"a start that failed left a mount behind: {scene.world.log(500)}")
        scene.world.clear()
        scene.server.tell(fault="none")
        again(scene)


def _recover(scene: Scene, *, names: bool) -> None:
    """What was known is there again: the same inode numbers, sizes and pages; the same names too, if so.

    Which of two equal titles has the plain name is decided where both are first seen, and once for all.
    """
    if scene.demo is None:
        return
    until = time.monotonic() + _RECOVERY
    why = ""
    while time.monotonic() < until and scene.world.is_running:
        done = scene.world.command("update", "all", seconds=40)
        now = demo.look(scene.world, seconds=40)
        golden = scene.demo.golden
        if now is None:
            why = "the tree cannot be looked at"
        else:
            why = demo.difference(golden, now) if names else demo.difference(demo.by_inode(golden), demo.by_inode(now))
        if not why:
            return
        if done.returncode:
            why += f"; update: {done.stderr.strip()[:200]}"
        time.sleep(1)
    scene.found("files lost", f"Coursera: {why[:600]}")


def _look_at_names(scene: Scene, paths: list[str]) -> None:
    """Nothing that a shell, a terminal or `tar *` would obey or that cannot be seen."""
    for path in paths:
        name = path.rpartition("/")[2]
        bad = [one for one in name if unicodedata.category(one) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
        if path != "." and (name.startswith(("-", ".")) or bad):
            scene.found("bad names", f"{name[:80]!r}")
            return
