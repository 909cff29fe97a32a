"""A mount that nfs-ganesha passes on: names, sizes, times, bytes, reads with seek, and file handles over restarts."""

from __future__ import annotations

import ctypes
import os
import struct
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.foreign import lab, nfs4
from tests.foreign.test_programs import needs
from tests.mount.house import (
    AWKWARD,
    FILM,
    JUMP,
    LONG,
    digest_of,
    fetched,
    film_house,
    house,
    is_of_platform,
    known_of,
    restart,
    server,
)
from tests.mount.ports import answers, free_port
from tests.mount.test_life import VIDEO
from tests.mount.test_tree import GRAPHICS
from tests.mount.world import World, program, until

__all__ = ["needs"]

pytestmark = [
    pytest.mark.mount,
    pytest.mark.foreign,
    pytest.mark.skipif(os.geteuid() != 0, reason="nfs-ganesha opens files by handle, which only root may"),
]

EXPORT = "courses"
LEARNERS = 40
CONFIG = "/etc/ganesha/ganesha.conf"
DROP_IN = "/etc/systemd/system/nfs-ganesha.service.d/courses.conf"


@pytest.fixture(autouse=True)
def _needed(needs: Callable[[str], None]) -> None:
    needs("ganesha.nfsd")
    if not [*Path("/usr/lib").glob("**/ganesha/libfsalvfs.so")]:
        pytest.skip("nfs-ganesha-vfs is not installed")


@contextmanager
def ganesha(world: World, config: str, port: int, *, is_apart: bool = True) -> Iterator[None]:
    """A server with this configuration, and its files in a folder of its own.

    `is_apart`: it sees nothing beside the mount point, as the drop-in of docs/lab.md has it.
    """
    assert "\nTemporaryFileSystem=/srv:ro\nBindReadOnlyPaths=/srv/courses\n" in lab.file_of(DROP_IN)
    with tempfile.TemporaryDirectory(prefix="coursefs-ganesha-") as name:
        yield from _ganesha(world, config, port, Path(name), is_apart)


def _ganesha(world: World, config: str, port: int, folder: Path, is_apart: bool) -> Iterator[None]:
    ours = {
        lab.PLACE: str(world.mountpoint),
        "Protocols = 4;\n    Enable_NLM": f"NFS_Port = {port}; Bind_addr = 127.0.0.1; Protocols = 4;\n    Enable_NLM",
        "NFSV4 {": f"NFSV4 {{ RecoveryBackend = fs; RecoveryRoot = {folder};",
    }
    for text, replacement in ours.items():
        assert text in config
        config = config.replace(text, replacement)
    settings = folder / "ganesha.conf"
    settings.write_text(config)
    command: list[str | Path] = ["ganesha.nfsd", "-F", "-f", settings, "-L", folder / "log", "-p", folder / "pid"]
    if is_apart:
        apart = [*"unshare --mount --propagation slave".split(), sys.executable, "-m", "tests.foreign.apart"]
        command = [*apart, world.mountpoint, *command]
    with server(command, folder / "said", lambda: answers(port)):
        yield


def test_an_export_shows_every_name_size_time_and_byte() -> None:
    port = free_port()
    with house("-o", "allow_other") as world:
        expected = known_of(world.mountpoint)
        with ganesha(world, lab.file_of(CONFIG), port), nfs4.connected(port) as client:
            shown = {}
            for names, attributes, handle in client.walk(EXPORT):
                path = "/".join(names[1:])
                if not is_of_platform(path):
                    continue
                assert attributes.inode == world.path(path).stat().st_ino
                shown[path] = (attributes.is_directory, attributes.size, attributes.seconds)
                if not attributes.is_directory:
                    assert digest_of(client.whole(handle)) == expected[path].digest, path
            assert shown == {path: (one.is_directory, one.size, one.seconds) for path, one in expected.items()}
            assert sum(AWKWARD in path for path in shown) == 6


def test_a_client_of_others_lists_and_copies(needs: Callable[[str], None], tmp_path: Path) -> None:
    needs("nfs-cp")
    port = free_port()
    with house("-o", "allow_other") as world, ganesha(world, lab.file_of(CONFIG), port):
        address = f"nfs://127.0.0.1/{EXPORT}{{}}?version=4&nfsport={port}"  # its paths are taken as they are
        program("nfs-cp", address.format(f"/{VIDEO}"), tmp_path / "copy.mp4")
        assert (tmp_path / "copy.mp4").read_bytes() == world.path(VIDEO).read_bytes()
        assert GRAPHICS in program("nfs-ls", address.format(""))


def test_what_was_read_over_it_is_not_fetched_again() -> None:
    port = free_port()
    with house("-o", "allow_other") as world, ganesha(world, lab.file_of(CONFIG), port):
        size = world.path(VIDEO).stat().st_size
        world.platform.forget()
        for _ in range(2):
            with nfs4.connected(port) as client:
                handle = client.handle(EXPORT, *VIDEO.split("/"))
                client.read(handle, size // 2, size)
                assert len(client.whole(handle)) == size
        assert fetched(world) == size


def test_a_jump_fetches_what_is_read_there() -> None:
    port = free_port()
    with film_house("-o", "allow_other") as there, ganesha(there.world, lab.file_of(CONFIG), port):
        names = there.path(FILM).relative_to(there.world.mountpoint).parts
        with nfs4.connected(port) as client:
            handle = client.handle(EXPORT, *names)
            for place in (len(LONG) - 100_000, len(LONG) // 2):
                assert client.read(handle, place, 65536) == LONG[place : place + 65536]
                assert there.cinema.sent[FILM] < JUMP
            assert client.whole(handle) == LONG
            assert there.cinema.sent[FILM] <= len(LONG) + JUMP


def test_forty_learners_with_the_same_film_cost_the_line_one() -> None:
    port = free_port()
    with film_house("-o", "allow_other") as there, ganesha(there.world, lab.file_of(CONFIG), port):
        names = there.path(FILM).relative_to(there.world.mountpoint).parts

        def learn(_: int) -> str:
            with nfs4.connected(port) as client:
                return digest_of(client.whole(client.handle(EXPORT, *names)))

        with ThreadPoolExecutor(LEARNERS) as learners:
            assert set(learners.map(learn, range(LEARNERS))) == {digest_of(LONG)}
        assert there.cinema.sent[FILM] <= len(LONG) + JUMP


def test_a_file_that_has_changed_is_one_error_and_then_the_new_one() -> None:
    port = free_port()
    with film_house("-o", "allow_other") as there, ganesha(there.world, lab.file_of(CONFIG), port):
        film = there.path(FILM)
        with nfs4.connected(port) as client:
            handle = client.handle(EXPORT, *film.relative_to(there.world.mountpoint).parts)
            assert client.attributes(handle).size == len(LONG)
            assert client.read(handle, 0, 10) == LONG[:10]
            new = LONG[:2000] + b"new"
            with there.cinema.guard:
                there.cinema.films[FILM].body, there.cinema.films[FILM].etag = new, '"two"'
            with suppress(OSError), film.open("rb") as old:  # ESTALE: here the change is found
                os.pread(old.fileno(), 10, len(LONG) // 2)
            until(lambda: film.stat().st_size == len(new), "the mount shows the new size")
            assert client.attributes(handle).size == len(new)
            with pytest.raises(nfs4.NfsError) as caught:  # the server had it open: one error, as programs here get it
                client.whole(handle)
            assert caught.value.status == nfs4.STALE
            assert client.whole(handle) == new


@dataclass(frozen=True, slots=True)
class Held:
    """What a client has kept of a server: the handles of a film and of its folder, and what they led to."""

    film: bytes
    folder: bytes
    data: bytes
    names: frozenset[str]

    def require(self, client: nfs4.Client) -> None:
        """Fail unless the handles lead to the same as before; raises `NfsError` where the server refuses one."""
        assert client.read(self.film, 1000, 5000) == self.data[1000:6000]
        assert client.whole(self.film) == self.data
        assert client.listing(self.folder).keys() >= self.names
        assert client.handle(EXPORT, *VIDEO.split("/")) == self.film


def held(port: int) -> Held:
    with nfs4.connected(port) as client:
        names = (EXPORT, *VIDEO.split("/"))
        film, folder = client.handle(*names), client.handle(*names[:-1])
        return Held(film, folder, client.whole(film), frozenset(client.listing(folder)))


def restart_elsewhere(world: World) -> None:
    """Restart the mount so that its device gets another number, as may be after a start of the machine."""
    before = os.stat(world.mountpoint).st_dev
    pid = world.pid
    world.umount()
    with ExitStack() as stack:
        world.mount("-o", "allow_other")
        while os.stat(world.mountpoint).st_dev == before:  # the kernel gives the lowest number that is free
            world.umount()
            other = stack.enter_context(tempfile.TemporaryDirectory())
            program("mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", other)
            stack.callback(program, "umount", other)
            world.mount("-o", "allow_other")
    assert world.pid != pid


def test_handles_survive_a_restart_of_server_and_mount() -> None:
    port = free_port()
    with house("-o", "allow_other") as world:
        config = lab.file_of(CONFIG)
        with ganesha(world, config, port):
            kept = held(port)
        with ganesha(world, config, port), nfs4.connected(port) as client:
            kept.require(client)
        restart_elsewhere(world)
        with ganesha(world, config, port), nfs4.connected(port) as client:
            kept.require(client)
            assert client.parent(kept.folder) == client.handle(EXPORT, *VIDEO.split("/")[:-2])


def test_with_the_number_of_the_device_in_them_handles_are_stale() -> None:
    """Why docs/lab.md has `fsid_type`: without it a handle holds the device's number, which the kernel gives anew."""
    port = free_port()
    with house("-o", "allow_other") as world:
        config = lab.file_of(CONFIG).replace(" fsid_type = Major64;", "")
        with ganesha(world, config, port):
            kept = held(port)
        restart_elsewhere(world)
        with ganesha(world, config, port), nfs4.connected(port) as client:
            with pytest.raises(nfs4.NfsError) as caught:
                kept.require(client)
            assert caught.value.status == nfs4.STALE


def test_a_server_that_stays_loses_a_mount_that_is_restarted() -> None:
    """Why docs/lab.md binds the server's unit to that of the mount."""
    port = free_port()
    with house("-o", "allow_other") as world, ganesha(world, lab.file_of(CONFIG), port):
        kept = held(port)
        restart(world, "-o", "allow_other")
        with nfs4.connected(port) as client, pytest.raises(nfs4.NfsError):
            kept.require(client)


def kernel_handle(path: Path) -> tuple[int, bytes]:
    """The handle by which the kernel finds a file again: its type, and its bytes."""
    libc = ctypes.CDLL(None, use_errno=True)
    mount_id = ctypes.c_int()
    data = ctypes.create_string_buffer(struct.pack("=Ii", 128, 0), 8 + 128)
    assert libc.name_to_handle_at(-100, os.fsencode(path), data, ctypes.byref(mount_id), 0) == 0
    size, kind = struct.unpack_from("=Ii", data)
    return kind, data.raw[8 : 8 + size]


def hand_made(root: bytes, path: Path, file_system: int) -> bytes:
    """The handle that nfs-ganesha 4.3 would give to a file, made by a client that knows its number."""
    kind, handle = kernel_handle(path)
    own = struct.pack("<BQB", 0x42, file_system, kind) + handle
    return root[:4] + bytes([len(own)]) + own


@pytest.mark.parametrize("is_apart", [True, False])
def test_a_hand_made_handle_leads_out_of_the_mount_only_without_the_drop_in(tmp_path: Path, is_apart: bool) -> None:
    """A client may send any handle, and nfs-ganesha also opens files of the file system that the mount lies in."""
    secret = tmp_path / "secret"
    secret.write_text("secret")
    port = free_port()
    with (
        film_house("-o", "allow_other") as there,
        ganesha(there.world, lab.file_of(CONFIG), port, is_apart=is_apart),
        nfs4.connected(port) as client,
    ):
        root = client.handle(EXPORT)
        own = hand_made(root, there.path(FILM), 0)
        assert client.read(own, 0, 10) == LONG[:10]  # so they are made as the server makes them
        foreign = hand_made(root, secret, os.statvfs(secret).f_fsid & 0xFFFFFFFF)
        if is_apart:
            with pytest.raises(nfs4.NfsError) as caught:
                client.read(foreign, 0, 10)
            assert caught.value.status == nfs4.STALE
        else:
            assert client.read(foreign, 0, 10) == b"secret"
