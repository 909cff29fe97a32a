"""The course page in a browser, opened by `coursefs open` from a real mount of each platform's sample courses."""

from __future__ import annotations

from functools import partial
from urllib.parse import urlsplit

import pytest

from tests.foreign.accessibility import axe, require_accessible
from tests.foreign.browser import Browser, chromium
from tests.foreign.test_course_page import DESKTOP, NOW_SHOWN, PHONE, click_title, look_for
from tests.foreign.test_mounted_page import CUES, SIGN_IN, open_course
from tests.mount.conftest import demo_platform, world
from tests.mount.world import World

__all__ = ["axe", "chromium", "demo_platform", "world"]

pytestmark = [pytest.mark.foreign, pytest.mark.mount]

WITH_CUES = "[...document.querySelectorAll('.item')].find(item => item.querySelector('[data-cues]'))"


def open_lecture(browser: Browser) -> str:
    """Open a lecture with captions, as a person finds it from the overview; its title."""
    open_course(browser)
    title: str = browser.value(f"{WITH_CUES}.querySelector('.title').textContent")
    click_title(browser, title)
    browser.until(f"document.querySelector('video').readyState >= 2 && {CUES} > 1")
    return title


def everywhere(browser: Browser, words: str) -> None:
    """Search all courses, from the overview."""
    browser.until("document.querySelector('#find')")
    browser.run(f"words.value = {words!r}; words.dispatchEvent(new Event('input'))")
    browser.until("/ hits? in what is cached$/.test(searched.textContent)")


@pytest.mark.parametrize("size, dark", [(DESKTOP, False), (PHONE, True)], ids=["desktop light", "phone dark"])
@pytest.mark.parametrize("name", SIGN_IN)
def test_what_a_page_can_do_where_it_is_served(
    world: World, chromium: Browser, axe: str, name: str, size: tuple[int, int], dark: bool
) -> None:
    check = partial(require_accessible, chromium, axe, size[0])
    chromium.window(*size, dark=dark)
    SIGN_IN[name](world)
    world.mount()
    chromium.visit(world.run("open", "--print").stdout.strip())
    overview = chromium.value("location.href")
    assert "token" not in overview
    title = open_lecture(chromium)
    place = chromium.value("location.href")
    # the captions come as a track of WebVTT
    track = "document.querySelector('video track')"
    chromium.until(f"{track}?.readyState === 2 && {track}.track.cues.length > 1")
    chromium.run("document.querySelector('video').muted = true")
    said = chromium.value("document.querySelectorAll('.cue')[1].textContent")
    chromium.run("document.querySelectorAll('.cue')[1].click()")
    chromium.until("document.querySelector('video').currentTime > 1")
    chromium.until(f"({NOW_SHOWN}) !== undefined")
    # what has been fetched for that is cached
    item = f"[...document.querySelectorAll('.item')].find(item => item.contains({WITH_CUES}))"
    chromium.until(f"/cached|fetching/.test({item}.querySelector('.cached')?.textContent)")
    check("lecture")
    word = max(said.split(), key=len).strip(".,:;!?").lower()
    look_for(chromium, word)
    assert chromium.value("hits.querySelectorAll('.words').length")
    check("search")
    chromium.follow("#everywhere a")
    chromium.until("/^[1-9].* hits? in what is cached$/.test(searched.textContent)")
    assert chromium.value("words.value") == word
    check("search in all courses")
    assert chromium.value(f"[...hits.querySelectorAll('mark')].some(one => one.textContent.toLowerCase() === {word!r})")
    there = chromium.value(
        f"[...hits.querySelectorAll('a')].find(link => link.href.startsWith({place + '&t='!r})).href"
    )
    chromium.visit(there)
    chromium.until(f"document.querySelector('video')?.currentTime >= {there.rpartition('=')[2]}")
    chromium.visit(place.partition("#")[0])
    check("course")
    # a place is remembered, by the browser, for this address
    chromium.run(f"location.href = {place!r}")
    chromium.until("document.querySelector('video')?.currentTime > 0")
    chromium.visit(overview)
    everywhere(chromium, title.split()[-1].strip("?:").lower())
    check("overview")
    own = {"", urlsplit(overview).netloc}  # icons of the stylesheet are data: URLs
    assert {urlsplit(url).netloc for url in chromium.requested() if not url.startswith("chrome-extension:")} <= own
    assert chromium.complaints() == []
