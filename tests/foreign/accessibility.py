"""axe-core, the rules of accessibility that most testers of web pages use, run in a page of the browser."""

from __future__ import annotations

import shutil
import subprocess
import tarfile

import pytest

from tests.foreign.browser import Browser


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of axe-core, from the registry of npm."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed, so axe-core cannot be fetched")
    folder = tmp_path_factory.mktemp("axe")
    command = ["npm", "pack", "axe-core@4", "--silent", "--pack-destination", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=90, cwd=folder)
    except subprocess.TimeoutExpired:
        pytest.skip("axe-core cannot be fetched from npm: no answer")
    packed = next(folder.glob("*.tgz"), None)
    if done.returncode or packed is None:
        pytest.skip(f"axe-core cannot be fetched from npm: {done.stderr.strip()[:200]}")
    with tarfile.open(packed) as archive:
        member = archive.extractfile("package/axe.min.js")
        assert member
        return member.read().decode()


def violations(browser: Browser, axe: str) -> list[str]:
    browser.run("document.getAnimations().forEach(animation => animation.finish())")
    browser.run(f"{axe}; 0")
    found = browser.run(
        "axe.run(document, {iframes: false, preload: false}).then(result => result.violations.flatMap(one =>"
        " one.nodes.map(node => `${one.id}: ${node.target} ${node.failureSummary}`)))"
    )
    assert isinstance(found, list)
    return found


def require_accessible(browser: Browser, axe: str, width: int, state: str) -> None:
    """Require that axe-core finds nothing, and that nothing is wider than the window."""
    assert violations(browser, axe) == [], state
    assert browser.value("document.documentElement.scrollWidth") <= width, state
