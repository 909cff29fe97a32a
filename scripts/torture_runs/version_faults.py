"""Files that change on the server while they are read: other bytes of the same size, and of another size."""

from __future__ import annotations

from collections.abc import Callable

from torture_runs import golden
from torture_runs.kinds import kind
from torture_runs.scene import Scene


@kind("etag-changes", "server", "files change between two parts: another ETag, the same size")
def _etag_changes(scene: Scene) -> None:
    _change(scene, scene.counters.new_version)


@kind("size-changes", "server", "files change between two parts: another ETag and another size")
def _size_changes(scene: Scene) -> None:
    def until_another_size(file: int) -> None:
        before = golden.size_of(file, scene.counters.version(file))
        while golden.size_of(file, scene.counters.new_version(file)) == before:
            pass

    _change(scene, until_another_size)


@kind("changes-and-resets", "server", "files change while connections break off in the middle")
def _changes_and_resets(scene: Scene) -> None:
    scene.server.tell(fault="reset-body", chance=0.4, seed=scene.random.randrange(2**32))
    _change(scene, scene.counters.new_version)


def _change(scene: Scene, change: Callable[[int], object]) -> None:
    for _ in range(8):
        for file in scene.random.sample(list(golden.SIZES), 3):
            change(file)
            scene.count()
        scene.read_for(0.25)
