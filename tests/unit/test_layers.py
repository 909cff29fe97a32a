"""The layers: which package may import which, and that the facade hides what lies below it."""

from __future__ import annotations

import ast
import subprocess
import sys
from fnmatch import fnmatch
from itertools import permutations
from pathlib import Path

import pytest

import coursefs
from coursefs import library

_ROOT = Path(coursefs.__file__).parent
#: from the bottom up; a layer imports the layers below it, and itself
_LAYERS = (
    {"errors", "model"},
    {"base"},
    {"pages"},
    {"formats"},
    {"transport"},
    {"settings", "shared"},
    {"providers"},
    {"catalog", "content", "testing"},
    {"search"},
    {"library"},
    {"bulk", "mount"},
    {"daemon", "doctor"},
    {"cli"},
    {"__main__"},
)
#: packages of one layer that do not import each other
_SEPARATE = {*permutations(("content", "catalog", "testing"), 2), *permutations(("bulk", "mount"), 2)}


def _imports(path: Path) -> set[str]:
    """The packages of coursefs that a module imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("coursefs."):
            found.add(node.module.split(".")[1])
        elif isinstance(node, ast.ImportFrom) and node.module == "coursefs":
            found |= {alias.name for alias in node.names if not alias.name.startswith("__")}
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("coursefs.")}
    return found


def _package(path: Path) -> str:
    return path.relative_to(_ROOT).parts[0].removesuffix(".py")


def _layer(package: str) -> int:
    return next(number for number, packages in enumerate(_LAYERS) if package in packages)


@pytest.mark.parametrize("path", sorted(_ROOT.rglob("*.py")), ids=lambda path: str(path.relative_to(_ROOT)))
def test_imports_run_downwards(path: Path) -> None:
    package = _package(path)
    if package == "demo":
        assert _imports(path) <= {"demo"}, (
            "the demo platforms know nothing of the client, so that they can contradict it"
        )
    elif package != "__init__":
        above = {other for other in _imports(path) if _layer(other) > _layer(package)}
        assert not above
        assert not {(package, other) for other in _imports(path)} & _SEPARATE
    if package in {"content", "catalog", "providers", "library", "transport"}:
        assert "pyfuse3" not in path.read_text()
    if package == "providers":
        assert "catalog" not in _imports(path)


# -- the facade ------------------------------------------------------------------------------------------------------

#: the packages above the facade, and what they import of the packages that it hides, with the reason
_ABOVE = ("bulk", "mount", "daemon", "doctor", "cli")
_HIDDEN = {"catalog", "content", "providers", "pages", "search"}
_EXCEPTIONS = {
    # before the first sign-in there is no account that a library could be opened with
    "cli/login*.py": {"providers"},
}
_UPPER_MODULES = [path for package in _ABOVE for path in sorted((_ROOT / package).rglob("*.py"))]


def _name(path: Path) -> str:
    return str(path.relative_to(_ROOT))


@pytest.mark.parametrize("path", _UPPER_MODULES, ids=_name)
def test_layers_above_the_facade_import_it_alone(path: Path) -> None:
    allowed = set().union(*(packages for names, packages in _EXCEPTIONS.items() if fnmatch(_name(path), names)))
    assert not _imports(path) & _HIDDEN - allowed
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("coursefs.library"):
            assert node.module == "coursefs.library", "the modules of the package are private"
            assert {alias.name for alias in node.names} <= set(library.__all__)
        elif isinstance(node, ast.Import):
            assert not any(alias.name.startswith("coursefs.library") for alias in node.names)


def test_no_exception_is_out_of_date() -> None:
    for names, packages in _EXCEPTIONS.items():
        used = set().union(*(_imports(path) for path in _UPPER_MODULES if fnmatch(_name(path), names)))
        assert packages <= used, names


#: the classes of the facade, and the modules that they are in
_FACADE = {"Library": "library.py", "Files": "files.py", "FileCache": "file_cache.py", "Courses": "courses.py"}
#: public names of each class; more of them are another part
_MOST_NAMES = 15


def _reaches(tree: ast.AST) -> list[str]:
    """The expressions that reach through the facade: `library.part.x`, `library.part[x]` and `library._part`.

    A part of the facade counts as a library: an argument with such a type, and the attribute in which it is kept.
    """
    arguments = {
        node.arg
        for node in ast.walk(tree)
        if isinstance(node, ast.arg) and node.annotation is not None and ast.unparse(node.annotation) in _FACADE
    }
    names = {"library", *arguments}
    names |= {f"_{name}" for name in names}

    def is_library(node: ast.AST) -> bool:
        return (isinstance(node, ast.Name) and node.id in names) or (
            isinstance(node, ast.Attribute) and node.attr in names
        )

    def is_part(node: ast.AST) -> bool:
        return isinstance(node, ast.Attribute) and is_library(node.value)

    return [
        ast.unparse(node)
        for node in ast.walk(tree)
        if (isinstance(node, ast.Attribute | ast.Subscript) and is_part(node.value))
        or (isinstance(node, ast.Attribute) and node.attr.startswith("_") and is_library(node.value))
    ]


@pytest.mark.parametrize("path", _UPPER_MODULES, ids=_name)
def test_nothing_reaches_through_the_facade(path: Path) -> None:
    assert _reaches(ast.parse(path.read_text())) == []


@pytest.mark.parametrize(
    ("code", "reached"),
    [
        ("library.tree.children(node)", ["library.tree.children"]),
        ("self._library.contents.pinned(content)", ["self._library.contents.pinned"]),
        ("library.providers[name].whoami()", ["library.providers[name]"]),
        ("library._tree", ["library._tree"]),
        ("library.files.node(inode)", ["library.files.node"]),
        ("def f(one: Library): return one.fill.progress", ["one.fill.progress"]),
        ("def f(these: Files): return these._tree, these.tree.node", ["these._tree", "these.tree.node"]),
        ("def f(cache: FileCache): self._cache._contents", ["self._cache._contents"]),
        ("def f(courses: Courses): return courses.accounts, self._courses.select([]).pop()", []),
        ("def f(files: Files): return files.node(inode).name, Job(library.files, library.cache)", []),
        ("library.status().cache.max_size, self._library.offline, job.library.offline", []),
    ],
)
def test_what_reaches_through_is_found(code: str, reached: list[str]) -> None:
    assert _reaches(ast.parse(code)) == reached


@pytest.mark.parametrize(("name", "module"), _FACADE.items())
def test_what_the_facade_is_made_of_is_private(name: str, module: str) -> None:
    tree = ast.parse((_ROOT / "library" / module).read_text())
    assigned = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and ast.unparse(node.value) == "self"
    }
    assert assigned
    assert {name for name in assigned if not name.startswith("_")} == set()
    assert 5 < len([one for one in vars(getattr(library, name)) if not one.startswith("_")]) <= _MOST_NAMES


def _imports_httpx(tree: ast.AST) -> bool:
    """Whether a module imports httpx itself, anywhere in it."""
    return any(
        (isinstance(node, ast.Import) and any(one.name.split(".")[0] == "httpx" for one in node.names))
        or (isinstance(node, ast.ImportFrom) and node.level == 0 and (node.module or "").split(".")[0] == "httpx")
        for node in ast.walk(tree)
    )


def test_one_module_imports_httpx() -> None:
    """So that its fork can take its place by one line."""
    importing = [path for path in sorted(_ROOT.rglob("*.py")) if _imports_httpx(ast.parse(path.read_text()))]
    assert [str(path.relative_to(_ROOT)) for path in importing] == ["transport/http_library.py"]


# -- optional packages -----------------------------------------------------------------------------------------------


def test_all_but_the_mount_works_without_pyfuse3() -> None:
    code = (
        "import sys; sys.modules['pyfuse3'] = None\n"
        "import coursefs.cli.main, coursefs.cli.mount, coursefs.cli.courses, coursefs.cli.status, coursefs.cli.login\n"
        "import coursefs.cli.transfers, coursefs.daemon.commands, coursefs.bulk.download\n"
        "import coursefs.library\n"
        "import coursefs.providers.coursera, coursefs.providers.openedx\n"
        "import coursefs.mount.mountpoint, coursefs.mount.options, coursefs.mount.mountinfo, coursefs.daemon.setup"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
