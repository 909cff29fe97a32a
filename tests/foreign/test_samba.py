"""A mount that Samba passes on: names, sizes, times, bytes, and reads with seek; nothing is fetched twice."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from tests.foreign import lab, smb
from tests.foreign.test_programs import needs
from tests.mount.house import (
    AWKWARD,
    DOTS,
    FILM,
    JUMP,
    LONG,
    WIDE,
    Known,
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
from tests.mount.world import World, program

__all__ = ["needs"]

pytestmark = [
    pytest.mark.mount,
    pytest.mark.foreign,
    pytest.mark.skipif(os.geteuid() != 0, reason="smbd becomes the user of each client, which only root can"),
]

#: how docs/lab.md has what Windows allows in no name
SHOWN = str.maketrans('"*:<>?\\|', "ˮ﹡﹕﹤﹥﹖﹨ǀ")


#: a name as Samba makes it of one that Windows does not allow
SHORT = re.compile(r"/\w{6}~\w(\.\w{3})?$")


@dataclass(frozen=True, slots=True)
class Share:
    """A share of a server, and the mount behind it."""

    world: World
    port: int
    name: str = "courses"

    def expected(self) -> dict[str, Known]:
        """What the share should show: the mount, with the names as they are mapped."""
        return {path.translate(SHOWN): known for path, known in known_of(self.world.mountpoint).items()}


@contextmanager
def samba(world: World, config: str = "") -> Iterator[Share]:
    """A server with these shares, else those of docs/lab.md, and all of its files beside the mount point."""
    config = config or lab.file_of("/etc/samba/smb.conf")
    folder = world.mountpoint.with_name("samba")
    folder.mkdir()
    port = free_port()
    places = {"lock directory": "lock", "state directory": "state", "cache directory": "cache"}
    places |= {"private dir": "private", "ncalrpc dir": "rpc", "pid directory": "pid", "usershare path": "usershares"}
    for name in places.values():
        (folder / name).mkdir(mode=0o755)
    lines = [f"{option} = {folder / name}" for option, name in places.items()]
    lines += [f"smb ports = {port}", "interfaces = lo", "bind interfaces only = yes", "disable netbios = yes"]
    lines += ["server role = standalone server", "map to guest = bad user", "load printers = no"]
    settings = folder / "smb.conf"
    settings.write_text("\n".join(["[global]", *lines, config.replace(lab.PLACE, str(world.mountpoint))]))
    command = ["smbd", "--foreground", "--no-process-group", "--debug-stdout", f"--configfile={settings}"]
    with server(command, folder / "log", lambda: answers(port)):
        yield Share(world, port)


@pytest.fixture
def share(needs: Callable[[str], None]) -> Iterator[Share]:
    """The share of docs/lab.md."""
    needs("smbd")
    needs("smbclient")
    with house("-o", "allow_other") as world, samba(world) as share:
        yield share


def test_a_share_shows_every_name_size_time_and_byte(share: Share) -> None:
    expected = share.expected()
    shown = {path: entry for path, entry in smb.walk(share.port, share.name).items() if is_of_platform(path)}
    (dots,) = (path for path in expected if path.endswith(DOTS))
    (short,) = (path for path in shown if SHORT.search(path) and shown[path].is_directory)
    assert short.rpartition("/")[0] == dots.rpartition("/")[0]
    shown = {path.replace(short, dots): entry for path, entry in shown.items()}
    assert set(shown) == set(expected)
    assert sum(AWKWARD.translate(SHOWN) in path for path in shown) == 6
    assert sum(WIDE in path for path in shown) == 1
    with smb.connected(share.port, share.name) as guest:
        for path, entry in shown.items():
            known = expected[path]
            assert (entry.is_directory, entry.size, entry.seconds) == (known.is_directory, known.size, known.seconds)
            if not entry.is_directory:
                assert digest_of(guest.read(path.replace(dots, short), 0, entry.size + 1)) == known.digest, path


def test_what_was_read_over_it_is_not_fetched_again(share: Share) -> None:
    share.world.path(VIDEO).stat()
    share.world.platform.forget()
    size = share.world.path(VIDEO).stat().st_size
    for _ in range(2):
        with smb.connected(share.port, share.name) as guest:
            for offset in (size // 2, 0):
                assert len(guest.read(VIDEO, offset, size)) == size - offset
    assert fetched(share.world) == size


def test_a_client_that_stays_reads_on_after_a_remount(share: Share) -> None:
    with smb.connected(share.port, share.name) as guest:
        before = guest.read(VIDEO, 0, 1000)
        restart(share.world, "-o", "allow_other")
        assert guest.read(VIDEO, 0, 1000) == before


def test_a_jump_fetches_what_is_read_there(needs: Callable[[str], None]) -> None:
    needs("smbd")
    with film_house("-o", "allow_other") as there, samba(there.world) as share:
        path = str(there.path(FILM).relative_to(there.world.mountpoint))
        with smb.connected(share.port, share.name) as guest:
            for place in (len(LONG) - 100_000, len(LONG) // 2):
                assert guest.read(path, place, 65536) == LONG[place : place + 65536]
                assert there.cinema.sent[FILM] < JUMP
            assert guest.read(path, 0, len(LONG)) == LONG
        assert there.cinema.sent[FILM] <= len(LONG) + JUMP


def test_without_a_map_names_are_short_ones(needs: Callable[[str], None]) -> None:
    needs("smbd")
    needs("smbclient")
    plain = "\n".join(line for line in lab.file_of("/etc/samba/smb.conf").splitlines() if "catia" not in line)
    with house("-o", "allow_other") as world, samba(world, plain) as share:
        shown = smb.walk(share.port, share.name)
        assert not [path for path in shown if set(path) & set('"*:<>?|')]
        films = [path for path in shown if SHORT.search(path) and path.upper().endswith(".MP4")]
        assert len(films) > 2  # among them AWKWARD


def test_without_allow_other_guests_see_nothing(needs: Callable[[str], None]) -> None:
    needs("smbd")
    needs("smbclient")
    with house() as world, samba(world) as share:
        assert "NT_STATUS" in program(*smb.listing(share.port, share.name), status=1)
