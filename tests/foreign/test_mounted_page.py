"""The course page in a browser, opened from a real mount of each platform's sample courses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from urllib.parse import urlsplit

import pytest

from tests.foreign.accessibility import axe, require_accessible
from tests.foreign.browser import Browser, chromium
from tests.foreign.test_course_page import DESKTOP, NOW_SHOWN, PHONE, click_title, look_for
from tests.mount.conftest import demo_platform, world
from tests.mount.test_account_folders import login_openedx
from tests.mount.test_loss_guard import sign_in_to_panopto
from tests.mount.world import World

__all__ = ["axe", "chromium", "demo_platform", "world"]

pytestmark = [pytest.mark.foreign, pytest.mark.mount]

SIGN_IN: Mapping[str, Callable[[World], None]] = {
    "coursera": World.login,
    "openedx": login_openedx,
    "panopto": lambda world: sign_in_to_panopto(world, lambda server: server),
}
CUES = "document.querySelectorAll('.cue').length"


def open_course(browser: Browser) -> None:
    """Open a course that has a lecture with captions, as a person finds it: from the overview, which is open."""
    courses = browser.value("[...document.querySelectorAll('a[href$=\"/index.html\"]')].map(a => a.href)")
    assert courses
    for course in courses:
        browser.visit(course)
        for _ in range(10):
            if browser.value("document.querySelector('#partial') !== null"):
                browser.follow("#partial a")
        if browser.value("document.querySelectorAll('[data-cues]').length"):
            return
    pytest.fail("no course has captions")


@pytest.mark.parametrize("size, dark", [(DESKTOP, False), (PHONE, True)], ids=["desktop light", "phone dark"])
@pytest.mark.parametrize("name", SIGN_IN)
def test_a_lecture_of_a_mount_plays_and_what_it_says_is_found(
    world: World, chromium: Browser, axe: str, name: str, size: tuple[int, int], dark: bool
) -> None:
    check = partial(require_accessible, chromium, axe, size[0])
    chromium.window(*size, dark=dark)
    SIGN_IN[name](world)
    world.mount()
    chromium.visit(world.path("index.html"))
    check("overview")
    open_course(chromium)
    check("course")
    first = "[...document.querySelectorAll('.item')].find(item => item.querySelector('[data-cues]'))"
    title = chromium.value(f"{first}.querySelector('.title').textContent")
    click_title(chromium, title)
    chromium.until(f"document.querySelector('video').readyState >= 2 && {CUES} > 1")
    chromium.run("document.querySelector('video').muted = true")
    said = chromium.value("[...document.querySelectorAll('.cue')].at(-1).textContent")
    chromium.run("[...document.querySelectorAll('.cue')].at(-1).click()")
    chromium.until(f"({NOW_SHOWN}) !== undefined")
    check("lecture")
    assert chromium.value("document.querySelector('video').currentTime") > 1
    look_for(chromium, max(said.split(), key=len).strip(".,:;!?"))
    assert chromium.value("searched.textContent").split()[0] != "0"
    own = {"data", "chrome-extension"}
    assert {urlsplit(url).scheme for url in chromium.requested()} - own == {"file"}
    assert chromium.complaints() == []
