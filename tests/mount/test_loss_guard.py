"""A backup of a mount loses nothing, whatever stands between coursefs and a platform."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.mount.portal import Change, Portal, emptied, missing, portal, portal_before, refused, unchanged
from tests.mount.program import PROGRAM
from tests.mount.world import LIMIT, PAGES, World, program

pytestmark = pytest.mark.mount


def sign_in_to_coursera(world: World, server: Callable[[str], str]) -> None:
    world.run(
        "login", "coursera", "--base-url", server(world.platform.base_url), "--cauth", "-", stdin=world.platform.cauth
    )


def sign_in_to_panopto(world: World, server: Callable[[str], str]) -> None:
    known = world.platform.panopto
    arguments = ["--server", server(known["server"]), "--client-id", known["client_id"], "--client-secret-stdin"]
    who = ["--username", known["username"], "--password-stdin"]
    world.run("login", "panopto", *arguments, *who, stdin=f"{known['client_secret']}\n{known['password']}\n")


def sign_in_to_openedx(world: World, server: Callable[[str], str]) -> None:
    login = world.platform.logins["openedx"]
    who = ["--client-id", login["app"], "--username", login["username"], "--password-stdin"]
    world.run("login", "openedx", "--server", server(login["server"]), *who, stdin=login["password"])


#: in the paths of some of the courses of each platform
HALF = r"interactive|[02468ace]~|1%2B|[+]1|/folders/[0-9a-f-]*[02468ace]/"

PLATFORMS = {
    "coursera": sign_in_to_coursera,
    "panopto": sign_in_to_panopto,
    "openedx": sign_in_to_openedx,
}

#: what goes wrong, and the exit statuses that `update` may end with then
DOUBTS: dict[str, tuple[Change | int, set[int]]] = {
    "the session dies at once": (1, {1, 3}),
    "the session dies in the middle of an update": (12, {0, 1, 3}),
    "a portal answers every route": (portal, {1, 3}),
    "every text is missing": (missing(r"Supplement|openCourseAssets|/xblock/|/sessions/[0-9a-f-]{36}"), {0, 1}),
    "every list is empty": (emptied("."), {0, 1, 3}),
    "half of the courses are refused": (
        refused("[02468ace]~|interactive|1%2B|[+]1|/folders/[0-9a-f-]*[02468ace]/"),
        {0, 1},
    ),
    "everything is refused": (refused("."), {1, 3}),
}


@contextmanager
def signed_in(world: World, name: str) -> Iterator[Portal]:
    """A user who has mounted the courses of one platform, which a portal stands before."""
    found: list[Portal] = []

    @contextmanager
    def before(address: str) -> Iterator[str]:
        with portal_before(address) as one:
            found.append(one)
            yield one.url

    opened = []

    def server(address: str) -> str:
        context = before(address)
        opened.append(context)
        return context.__enter__()

    try:
        PLATFORMS[name](world, server)
        world.mount()
        yield found[0]
    finally:
        world.tidy()
        for context in opened:
            context.__exit__(None, None, None)


def backup(world: World, to: Path) -> dict[str, str]:
    """What rsync with --delete makes of a copy; without course pages, which show what has become known."""
    without = [f"--exclude={name}" for name in sorted(PAGES)]
    program("rsync", "-a", "--delete", *without, f"{world.mountpoint}/", to)
    files = (path for path in sorted(to.rglob("*")) if path.is_file())
    return {str(path.relative_to(to)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def update(world: World) -> tuple[int, str]:
    """Refresh everything; the exit status, and what is said."""
    program_ = [*PROGRAM, "update"]
    done = subprocess.run(program_, env=world.environment, capture_output=True, text=True, timeout=LIMIT, check=False)
    return done.returncode, done.stderr


def lost(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """What a backup had and has no more, or has otherwise; pages that lead to the web may give another reason."""
    return [path for path, digest in before.items() if after.get(path) != digest and not path.endswith(").html")]


@pytest.mark.parametrize("name", PLATFORMS)
def test_a_backup_loses_nothing_on_a_doubt(world: World, name: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    with signed_in(world, name) as between:
        backup(world, copy)  # what the platform refuses has its page from now on
        before = backup(world, copy)
        assert len(before) > 5
        for doubt, (what, statuses) in DOUBTS.items():
            if isinstance(what, int):
                between.lives_for = what
            else:
                between.change = what
            status, said = update(world)
            assert status in statuses, (doubt, said)
            assert lost(before, backup(world, copy)) == [], doubt
            between.change, between.lives_for = unchanged, None
        status, said = update(world)
        assert status == 0, said
        assert backup(world, copy) == before
