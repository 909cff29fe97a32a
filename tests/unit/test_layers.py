"""The plan of the house: who may import whom."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import coursefs

_ROOT = Path(coursefs.__file__).parent
#: from the ground up; a floor knows only the floors under it, and itself
_FLOORS = (
    {"errors", "defects", "model", "units", "files", "lock", "logs", "foreground"},
    {"flight", "strict_toml", "places", "pages"},
    {"transport"},
    {"providers", "config_keys"},
    {"config", "credentials", "content", "catalog"},
    {"activity", "handle", "selection"},
    {"choosing"},
    {"library"},
    {"forgetting", "listing", "mount", "reload", "targets"},
    {"transfer"},
    {"copies", "fetching"},
    {"download"},
    {"daemon", "doctor"},
    {"cli"},
    {"__main__"},
)
_SELDOM = {("content", "catalog"), ("catalog", "content")}  # side by side, and strangers


def _imports(path: Path) -> set[str]:
    """The rooms of coursefs that a module imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("coursefs."):
            found.add(node.module.split(".")[1])
        elif isinstance(node, ast.ImportFrom) and node.module == "coursefs":
            found |= {alias.name for alias in node.names if not alias.name.startswith("__")}
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("coursefs.")}
    return found


def _room(path: Path) -> str:
    return path.relative_to(_ROOT).parts[0].removesuffix(".py")


def _floor(room: str) -> int:
    return next(number for number, rooms in enumerate(_FLOORS) if room in rooms)


@pytest.mark.parametrize("path", sorted(_ROOT.rglob("*.py")), ids=lambda path: str(path.relative_to(_ROOT)))
def test_imports_run_downwards(path: Path) -> None:
    room = _room(path)
    if room == "demo":
        assert _imports(path) <= {"demo"}, (
            "the demo platforms know nothing of the client, so that they can contradict it"
        )
    elif room != "__init__":
        above = {other for other in _imports(path) if _floor(other) > _floor(room)}
        assert not above
        assert not {(room, other) for other in _imports(path)} & _SELDOM
    if room in {"content", "catalog", "providers", "library", "transport"}:
        assert "pyfuse3" not in path.read_text()
    if room == "providers":
        assert "catalog" not in _imports(path)


def test_all_but_the_mount_works_without_pyfuse3() -> None:
    code = (
        "import sys; sys.modules['pyfuse3'] = None\n"
        "import coursefs.cli.main, coursefs.cli.mount, coursefs.cli.courses, coursefs.cli.status, coursefs.cli.login\n"
        "import coursefs.cli.transfers, coursefs.daemon.transfers, coursefs.download\n"
        "import coursefs.library, coursefs.listing, coursefs.catalog, coursefs.content, coursefs.providers.coursera\n"
        "import coursefs.providers.openedx, coursefs.cli.login_openedx\n"
        "import coursefs.mount.mountpoint, coursefs.mount.options, coursefs.mount.mountinfo, coursefs.daemon.setup"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
