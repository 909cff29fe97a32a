"""The course page in a browser, opened by `coursefs open` from a real mount."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from tests.foreign.browser import Browser, chromium
from tests.foreign.test_course_page import click_title
from tests.foreign.test_mounted_page import CUES
from tests.mount.conftest import demo_platform, mounted, world
from tests.mount.world import World

__all__ = ["chromium", "demo_platform", "mounted", "world"]

pytestmark = [pytest.mark.foreign, pytest.mark.mount]


def test_a_lecture_plays_from_the_web_server_and_nothing_else_is_asked(mounted: World, chromium: Browser) -> None:
    chromium.visit(mounted.run("open", "--print").stdout.strip())
    assert "token" not in chromium.value("location.href")
    for course in chromium.value("[...document.querySelectorAll('a[href$=\"/index.html\"]')].map(a => a.href)"):
        chromium.visit(course)
        if chromium.value("document.querySelectorAll('[data-cues]').length"):
            break
    first = "[...document.querySelectorAll('.item')].find(item => item.querySelector('[data-cues]'))"
    click_title(chromium, chromium.value(f"{first}.querySelector('.title').textContent"))
    chromium.until(f"document.querySelector('video').readyState >= 2 && {CUES} > 1")
    chromium.run("document.querySelector('video').muted = true")
    chromium.run("[...document.querySelectorAll('.cue')].at(-1).click()")
    chromium.until("document.querySelector('video').currentTime > 1")
    own = {"", urlsplit(chromium.value("location.href")).netloc}  # icons of the stylesheet are data: URLs
    assert {urlsplit(url).netloc for url in chromium.requested() if not url.startswith("chrome-extension:")} <= own
    assert chromium.complaints() == []
