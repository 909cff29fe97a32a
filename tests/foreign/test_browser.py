"""Pages opened from a mount in a browser, as a learner opens them."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.foreign.browser import Browser, chromium
from tests.mount.conftest import demo_platform, mounted, world
from tests.mount.test_tree import GRAPHICS, SKY
from tests.mount.world import World

__all__ = ["chromium", "demo_platform", "mounted", "world"]

pytestmark = [pytest.mark.mount, pytest.mark.foreign]


@pytest.mark.parametrize(
    ("page", "images", "shows"),
    [
        ((GRAPHICS, "01 Getting Started", "01 Welcome", "02 How this course works.html"), 1, "table tr:nth-child(4)"),
        ((GRAPHICS, "02 Shapes That Move", "01 Rotation", "02 The Rotation Matrix.html"), 1, "math mtable"),
        ((GRAPHICS, "Resources - The Pipeline - Poster.html"), 1, "a"),
        (
            (SKY, "03 Do It Yourself", "01 By Day", "01 The Length of the Day (programming assignment).html"),
            1,
            "pre code.language-python",
        ),
        ((GRAPHICS, "01 Getting Started", "01 Welcome", "04 Bonus lecture (locked).html"), 0, "a.open"),
    ],
)
def test_a_page_shows_its_pictures_and_asks_no_other_host(
    mounted: World, chromium: Browser, page: tuple[str, ...], images: int, shows: str
) -> None:
    path = mounted.path(*page)
    chromium.visit(path)
    loaded = chromium.value("Array.from(document.images).map(image => [image.complete, image.naturalWidth])")
    assert len(loaded) == images
    assert all(complete and width > 100 for complete, width in loaded)
    assert chromium.value(f"document.querySelector({shows!r}).getBoundingClientRect().height") > 0
    requested = [urlsplit(url) for url in chromium.requested()]
    assert {url.scheme for url in requested} == {"file"}
    assert Path(unquote(requested[0].path)) == path
    assert len(requested) == 1 + images
    assert chromium.complaints() == []
    assert chromium.value("getComputedStyle(document.querySelector('h1')).fontWeight") == "650", "its style is applied"


def test_links_of_a_page_lead_beside_it_or_to_the_web(mounted: World, chromium: Browser) -> None:
    chromium.visit(mounted.path(GRAPHICS, "01 Getting Started", "01 Welcome", "02 How this course works.html"))
    links = chromium.value("Array.from(document.links).map(link => link.href)")
    beside = [Path(unquote(urlsplit(link).path)) for link in links if link.startswith("file:")]
    assert [path.read_bytes()[:5] for path in beside] == [b"%PDF-"]
    assert all(link.startswith(("file:", "https://", mounted.platform.base_url)) for link in links)
    assert chromium.value("document.title") == "How this course works · Interactive Computer Graphics"
    assert chromium.value("document.compatMode") == "CSS1Compat"
    assert chromium.value("document.querySelectorAll('h1').length") == 1


def test_the_page_of_a_course_that_was_never_opened_plays_a_lecture_and_finds_what_is_said(
    mounted: World, chromium: Browser
) -> None:
    page = mounted.path(GRAPHICS, "index.html")
    page.stat()  # as a browser does, before it opens the page and what the page lists is asked for
    chromium.visit(page)
    chromium.until("document.querySelectorAll('#list .item').length === 15 && document.querySelector('.item.done')")
    chromium.run("document.querySelector('.item[data-icon=video] .title').click()")
    chromium.until("document.querySelector('video').readyState >= 2 && document.querySelectorAll('.cue').length > 3")
    cue = "document.querySelectorAll('.cue')[2]"
    said = chromium.run(f"{cue}.click(); {cue}.textContent")
    chromium.until(f"{cue}.hasAttribute('aria-current')")
    assert chromium.value("document.querySelector('video').currentTime") > 1
    word = max(said.split(), key=len)
    chromium.run(f"words.value = {word!r}; words.dispatchEvent(new Event('input'))")
    chromium.until("document.querySelector('#hits .words mark')")
    assert {urlsplit(url).scheme for url in chromium.requested()} <= {"file", "data"}
    assert chromium.complaints() == []
