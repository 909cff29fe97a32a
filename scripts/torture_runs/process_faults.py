"""What is done to processes: kills, signals, suspends, limits, readers that go."""

from __future__ import annotations

import signal

from torture_runs.kinds import kind, make_room
from torture_runs.scene import Scene
from torture_runs.world import limit_descriptors, limit_memory


@kind("kill-9", "process", "the daemon is killed with SIGKILL and mounted again")
def _kill_9(scene: Scene) -> None:
    for _ in range(8):
        scene.read_for(scene.random.uniform(0.05, 0.4))
        scene.world.look_at_memory()
        scene.world.kill(signal.SIGKILL)
        scene.count()
        again(scene)


@kind("sigterm", "process", "SIGTERM under load: unmounted, status 0, nothing left behind")
def _sigterm(scene: Scene) -> None:
    scene.read_for(scene.random.uniform(0.05, 0.5))
    _ends_well(scene, [signal.SIGTERM])


@kind("two-sigterms", "process", "two SIGTERMs, one right after the other")
def _two_sigterms(scene: Scene) -> None:
    scene.read_for(scene.random.uniform(0.05, 0.5))
    _ends_well(scene, [signal.SIGTERM, signal.SIGTERM])


def _ends_well(scene: Scene, signals: list[signal.Signals]) -> None:
    scene.world.look_at_memory()
    for number in signals[:-1]:
        scene.world.process.send_signal(number)  # type: ignore[union-attr]  # it is mounted
        scene.read_for(scene.random.choice([0.0, 0.01, 0.1]))
    status = scene.world.kill(signals[-1])
    scene.count(len(signals))
    if status != 0:
        scene.found("bad ends", f"exit status {status} after {len(signals)} SIGTERM")
    left = [path.name for path in (scene.root / "run").rglob("*.sock")]
    if left:
        scene.found("bad ends", f"left behind: {', '.join(left)}")
    if scene.world.is_mounted:
        scene.found("bad ends", "still mounted after SIGTERM")
    again(scene)


@kind("suspend", "process", "the daemon is stopped and goes on later, as in a suspend")
def _suspend(scene: Scene) -> None:
    for _ in range(3):
        scene.read_for(0.2)
        scene.counters.pause()
        scene.world.process.send_signal(signal.SIGSTOP)  # type: ignore[union-attr]  # it is mounted
        scene.read_for(scene.random.uniform(0.1, 1.0))
        scene.world.process.send_signal(signal.SIGCONT)  # type: ignore[union-attr]
        scene.counters.resume()
        scene.count()


@kind("reader-killed", "readers", "readers are killed in the middle of a read, while the server is silent too")
def _reader_killed(scene: Scene) -> None:
    for fault in ("none", "silent-body", "none"):
        scene.server.tell(fault=fault, chance=0.8, seed=scene.random.randrange(2**32))
        make_room(scene)
        scene.read_for(scene.random.uniform(0.2, 0.6))
        scene.kill_readers(4)
        scene.count(4)
    scene.server.tell(fault="none")


@kind("many-readers", "readers", "a hundred readers at once, killed all together")
def _many_readers(scene: Scene) -> None:
    more = [scene.reader(slot, "plain") for slot in range(20, 60)]
    scene.read_for(4.0)
    for process in more:
        process.kill()
    for process in more:
        process.wait(20)
    scene.goals["readers killed"] += len(more)
    scene.count(len(more))


@kind("rlimit-as", "process", "the daemon may have 400 to 700 MB of address space")
def _rlimit_as(scene: Scene) -> None:
    _limited(scene, limit_memory(scene.random.choice([400, 500, 700]) * 2**20))


@kind("rlimit-nofile", "process", "the daemon may have 40 to 100 descriptors")
def _rlimit_nofile(scene: Scene) -> None:
    _limited(scene, limit_descriptors(scene.random.choice([40, 64, 100])))


def _limited(scene: Scene, limits: object) -> None:
    scene.world.kill(signal.SIGTERM)
    scene.world.clear()
    scene.count()
    if scene.world.mount(limits=limits):  # type: ignore[arg-type]
        scene.read_for(4.0)
        alive(scene)
    elif scene.world.is_mounted:
        scene.found("dead mounts", "a start that failed under limits left a mount behind")
    scene.world.kill(signal.SIGTERM)
    again(scene)


def alive(scene: Scene) -> bool:
    """Whether the daemon runs and answers; a finding, and a new mount, if not."""
    if scene.world.is_running and scene.world.answers(30.0):
        return True
    status = scene.world.process.poll() if scene.world.process else None
    scene.found("dead mounts", f"status {status}, mounted: {scene.world.is_mounted}; log: {scene.world.log(1500)}")
    return False


def again(scene: Scene) -> None:
    """Mount again, over whatever is left there; what keeps that from working is a finding."""
    scene.world.look_at_memory()
    if scene.world.is_running:
        scene.found("bad ends", "the process did not end")
        scene.world.clear()
    if scene.world.mount():
        return
    scene.found("failed mounts", scene.world.log(1500))
    scene.world.clear()
    if not scene.world.mount():
        scene.found("failed mounts", f"also after everything was taken away: {scene.world.log(800)}")
        scene.world.clear()
        scene.world.forget()
        scene.world.mount()
