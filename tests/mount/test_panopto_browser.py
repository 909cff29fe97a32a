"""A Panopto server read with a browser's cookies, on a real mount, with the real program."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from coursefs.providers import registry
from tests.mount.test_panopto import EXPECTED, STAR, sign_in
from tests.mount.world import World, until

pytestmark = [
    pytest.mark.mount,
    pytest.mark.skipif("panopto" not in registry.names(), reason="the installed metadata are older than this source"),
]

CLOSED = "panopto_closed"


def sign_in_by_cookie(world: World, *arguments: str, server: str = "panopto") -> dict[str, str]:
    """Sign in with a cookie that was copied from a browser; returns the browser's cookies."""
    cookies = world.platform.panopto_browser(server)
    world.run("login", "panopto", *arguments, "--aspxauth", "-", stdin=cookies[".ASPXAUTH"])
    return cookies


@pytest.fixture
def closed(world: World, tmp_path: Path) -> World:
    """A user of a server without API clients, who has exported the browser's cookies, and mounted."""
    cookies = world.platform.panopto_browser(CLOSED)
    file = tmp_path / "cookies.txt"
    file.write_text("".join(f"127.0.0.1\tFALSE\t/\tTRUE\t0\t{name}\t{cookies[name]}\n" for name in cookies))
    done = world.run("login", "panopto", "--server", world.platform.panopto_closed["server"], "--cookies", file)
    assert "signed in as Ada Learner" in done.stderr
    world.mount()
    return world


def seen(world: World) -> dict[str, tuple[int, int, float]]:
    """Every path with its inode number, size and date."""
    found = {}
    for path in world.tree():
        os.stat(world.path(path))  # a recording that is not offered becomes a page that says so
    for path in world.tree():
        status = os.stat(world.path(path))
        found[path] = (status.st_ino, 0 if path.endswith("/") else status.st_size, status.st_mtime)
    return found


def files_of(found: dict[str, tuple[int, int, float]]) -> dict[str, tuple[int, int, float]]:
    """The files without the directories, whose dates are those of changes in them."""
    return {path: values for path, values in found.items() if not path.endswith("/")}


def test_the_tree_and_every_byte(closed: World) -> None:
    tree = closed.tree()
    assert set(EXPECTED) <= set(tree)
    for path, source in EXPECTED.items():
        assert closed.path(path).stat().st_size == source.stat().st_size, path
        assert closed.path(path).read_bytes() == source.read_bytes(), path
    asked = closed.platform.requests()
    assert not [one for one in asked if one["notes"]], "nothing is changed, and no secret goes to the media host"
    assert not [one for one in asked if "/api/v1/" in one["path"] or "oauth2" in one["path"]]


def test_changing_the_way_of_signing_in_moves_nothing(world: World) -> None:
    sign_in(world)
    world.mount()
    by_client = seen(world)
    content = world.path(f"{STAR}.mp4").read_bytes()
    for _ in range(2):
        sign_in_by_cookie(world)  # the mount that runs goes on with it
        assert not world.status()["accounts"][0].get("error")
        world.platform.forget()
        world.run("update", "all")
        assert world.platform.requests(path="/Panopto/Services/Data.svc/GetSessions")
        assert not [one for one in world.platform.requests() if "/api/v1/" in one["path"]]
        by_cookie = seen(world)
        assert by_cookie == by_client
        assert world.path(f"{STAR}.mp4").read_bytes() == content
        assert not world.platform.requests(port="panopto-cdn", method="GET"), "what was fetched stays fetched"
        sign_in(world)
        world.run("update", "all")
        assert seen(world) == by_client
    world.umount()
    sign_in_by_cookie(world)
    world.mount()
    assert files_of(seen(world)) == files_of(by_client)


def test_a_sign_in_that_ends_loses_nothing_and_a_new_cookie_is_taken_up(closed: World) -> None:
    before = seen(closed)
    closed.path(f"{STAR}.mp4").read_bytes()
    closed.platform.end_panopto_cookies(CLOSED)
    done = closed.run("update", "all", status=3)
    assert "not signed in" in done.stderr and "coursefs login panopto" in done.stderr
    (account,) = closed.status()["accounts"]
    assert "not signed in" in str(account)
    assert seen(closed) == before
    assert closed.path(f"{STAR}.mp4").read_bytes() == EXPECTED[f"{STAR}.mp4"].read_bytes()
    other = "Seminar: Sound-Hearing/2024-02-06 Was ist ein Dezibel?.mp4"
    with pytest.raises(PermissionError):
        closed.path(other).read_bytes()
    sign_in_by_cookie(closed, server=CLOSED)
    until(lambda: "not signed in" not in str(closed.status()["accounts"][0]), "the new cookie is taken up")
    assert closed.path(other).read_bytes() == EXPECTED[other].read_bytes()
    closed.run("update", "all")
    assert files_of(seen(closed)) == files_of(before)


def test_a_cookie_that_the_server_renews_is_renewed_in_silence(closed: World) -> None:
    closed.tree()
    closed.platform.end_panopto_cookies(CLOSED, renewable=True)
    closed.run("update", "all")
    closed.umount()
    closed.mount()  # with the cookie that was kept
    assert closed.path(f"{STAR}.mp4").read_bytes() == EXPECTED[f"{STAR}.mp4"].read_bytes()
    assert "WARNING" not in closed.log


def test_no_cookie_is_written_where_others_read(closed: World, own_home: Path) -> None:
    cookies = sign_in_by_cookie(closed, server=CLOSED)
    closed.path(f"{STAR}.mp4").read_bytes()
    for file in own_home.rglob("*"):
        if file.is_file() and "credentials" not in file.parts:
            for secret in cookies.values():
                assert secret.encode() not in file.read_bytes(), file
