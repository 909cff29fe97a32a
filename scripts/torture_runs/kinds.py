"""The table of everything that can go wrong; each kind has a line that says what it is and a function that does it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from torture_runs.scene import Scene
from torture_runs.server_all import SAYS
from torture_runs.world import READ_TIMEOUT

Work = Callable[[Scene], None]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of fault."""

    name: str
    group: str
    says: str
    work: Work
    needs_root: bool = False


_KINDS: dict[str, Kind] = {}


def kind(name: str, group: str, says: str, *, needs_root: bool = False) -> Callable[[Work], Work]:
    """Put a function into the table."""

    def put(work: Work) -> Work:
        _KINDS[name] = Kind(name, group, says, work, needs_root)
        return work

    return put


def kinds() -> dict[str, Kind]:
    """Everything that can be made to go wrong here, by name."""
    import torture_runs.disk_faults  # they use this module
    import torture_runs.file_faults
    import torture_runs.place_faults
    import torture_runs.process_faults
    import torture_runs.version_faults  # noqa: F401
    from torture_runs import reply_faults

    for one in reply_faults.kinds():
        _KINDS.setdefault(one.name, one)
    for name, says in SAYS.items():
        _KINDS.setdefault(name, Kind(name, "server", says, _of_server(name)))
    return {name: one for name, one in _KINDS.items() if os.geteuid() == 0 or not one.needs_root}


#: what lasts longer than two read timeouts, so that a read that waits for both is seen
_LASTING = ("silent-accept", "silent-request", "silent-body", "trickle", "trickle-head", "endless-body")


def _of_server(name: str) -> Work:
    def work(scene: Scene) -> None:
        before = scene.server.counts.get(name, 0)
        chance = 1.0 if name in _LASTING else scene.random.choice([0.3, 0.7, 1.0])
        scene.server.tell(fault=name, chance=chance, seed=scene.random.randrange(2**32))
        make_room(scene)
        scene.read_for(2.6 * READ_TIMEOUT if name in _LASTING else scene.random.uniform(0.8, 2.5))
        scene.server.tell(fault="none")
        scene.count(scene.server.counts.get(name, 0) - before)

    return work


def make_room(scene: Scene) -> None:
    """Have something to be asked for: by chance the cache is emptied by its command."""
    if scene.random.random() < 0.15:
        scene.world.command("cache", "clear", seconds=20)
