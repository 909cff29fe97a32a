"""Other places: mount namespaces that hold the mount, clients of the control socket, descriptors that are closed."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from contextlib import suppress

from torture_runs import children
from torture_runs.kinds import kind
from torture_runs.process_faults import again
from torture_runs.scene import Scene


@kind("other-namespace", "places", "another mount namespace has the mount while it is mounted anew", needs_root=True)
def _other_namespace(scene: Scene) -> None:
    command = ["unshare", "--mount", "--propagation", "private", "sleep", "60"]
    holder = subprocess.Popen(command, preexec_fn=children.dies_with_parent())  # noqa: PLW1509  # no threads here
    try:
        time.sleep(0.1)
        scene.count()
        scene.stop_readers()
        done = scene.world.command("umount", scene.world.mountpoint, seconds=40)
        if done.returncode:
            scene.found("bad ends", f"umount while another namespace has the mount: {done.stderr.strip()[:300]}")
            scene.world.kill(signal.SIGKILL)
            scene.world.clear()
        again(scene)
        scene.read_for(1.0)
    finally:
        holder.kill()
        holder.wait()


@kind("socket-noise", "places", "clients of the control socket that say nonsense, too much, or nothing, and go")
def _socket_noise(scene: Scene) -> None:
    for path in (scene.root / "run").rglob("*.sock"):
        for _ in range(20):
            with suppress(OSError), socket.socket(socket.AF_UNIX) as client:
                client.settimeout(2)
                client.connect(str(path))
                client.sendall(_nonsense(scene))
                scene.count()
                if scene.random.random() < 0.5:
                    client.recv(100)
    scene.read_for(0.5)


def _nonsense(scene: Scene) -> bytes:
    return scene.random.choice(
        [
            b"",
            b"\0" * 100,
            b"{}\n",
            b"[" * 100_000 + b"\n",
            b'{"do": 5}\n',
            b'{"do": "update", "courses": 5}\n',
            b'{"do": "choose", "courses": [{}], "shown": "x"}\n',
            b'{"do": "fetch", "targets": {"a": null}, "limit": "x"}\n',
            b'{"do": "fetch", "targets": [[[]]]}\n',
            b'{"do": "status"' * 1000,
            b"x" * 3_000_000,
            b"GET /metrics HTTP/1.1\r\n",
            b'{"do": "status", "x": 1e999, "y": ' + b"9" * 10_000 + b"}\n",
            b"\xff\xfe\n",
            scene.random.randbytes(2000) + b"\n",
        ]
    )


@kind("closed-descriptors", "places", "mounted in the background with standard descriptors closed or full")
def _closed_descriptors(scene: Scene) -> None:
    scene.stop_readers()
    scene.world.kill(signal.SIGTERM)
    scene.world.clear()
    closed = scene.random.choice([(0,), (1,), (2,), (0, 1), (1, 2), (0, 1, 2)])
    status = scene.world.mount_in_background(closed=closed, full=scene.random.random() < 0.5)
    scene.count()
    mounted = scene.world.is_mounted and scene.world.answers(10)
    if (status == 0) != mounted:
        scene.found("bad ends", f"mount with descriptors {closed} closed: status {status}, but it answers: {mounted}")
    done = scene.world.command("umount", scene.world.mountpoint, seconds=40)
    if mounted and done.returncode:
        scene.found("bad ends", f"umount: {done.stderr.strip()[:300]}")
    again(scene)
