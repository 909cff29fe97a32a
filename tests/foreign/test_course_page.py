"""The course page in a browser, opened from files as a learner opens it: no server, no network."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from coursefs.pages.course_page import assets, index_html, progress_js
from tests.foreign.accessibility import axe, require_accessible
from tests.foreign.browser import Browser, chromium
from tests.foreign.study_course import large, progress, tiny_video, write

__all__ = ["axe", "chromium"]

pytestmark = [pytest.mark.foreign]

DESKTOP, PHONE = (1440, 900), (390, 844)


@pytest.fixture(scope="session")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not installed")
    return tiny_video(tmp_path_factory.mktemp("video") / "tiny.webm")


@pytest.fixture
def root(tmp_path: Path, video: Path) -> Path:
    """A folder as a mount shows it: an overview, and a course with its page."""
    root = tmp_path / "courses"
    write(root, time.time_ns(), video)
    return root


@pytest.fixture
def page(root: Path, chromium: Browser) -> Iterator[Browser]:
    """The page of the course. Whatever a test does, nothing but files is asked for, and nothing goes wrong."""
    chromium.window(*DESKTOP)
    open_course(chromium, root)
    yield chromium
    own = {"data", "chrome-extension"}  # icons of the stylesheet; the browser's own viewer of PDF files
    assert {urlsplit(url).scheme for url in chromium.requested()} - own == {"file"}
    assert chromium.complaints() == []


def open_course(browser: Browser, root: Path) -> None:
    browser.visit(next(root.glob("Waves*/index.html")))
    browser.until("document.querySelector('.due')")  # progress was loaded


def click_title(browser: Browser, title: str) -> None:
    browser.run(
        f"[...document.querySelectorAll('.item .title')].find(a => a.textContent === {json.dumps(title)}).click()"
    )
    browser.until(f"document.querySelector('#item-title').textContent === {json.dumps(title)}")


def open_lecture(browser: Browser, title: str = "What a Wave Is") -> None:
    click_title(browser, title)
    browser.until("document.querySelector('video').readyState >= 2 && document.querySelector('.cue')")
    browser.run("document.querySelector('video').muted = true")


def choose_tab(browser: Browser, title: str) -> None:
    browser.run(
        f"[...document.querySelectorAll('[role=tab]')].find(t => t.textContent === {json.dumps(title)}).click()"
    )


def look_for(browser: Browser, words: str) -> None:
    browser.run(f"words.value = {json.dumps(words)}; words.dispatchEvent(new Event('input'));")
    browser.until("/^(\\d+ hits?|The first .*)$/.test(searched.textContent)")


NOW_SHOWN = (
    "[...document.querySelector('video').textTracks].filter(track => track.mode === 'showing')"
    ".map(track => track.activeCues[0]?.text)[0]"
)
CONTINUE = "document.querySelector('#continue').textContent.trim()"


def test_a_lecture_plays_with_subtitles_and_a_transcript_that_follows(page: Browser) -> None:
    open_lecture(page)
    page.run("document.querySelector('video').play()")
    page.until("document.querySelector('video').currentTime > 0.2")
    page.run("document.querySelector('video').currentTime = 26")
    page.until(f"({NOW_SHOWN})?.includes('holds')")
    assert page.value(NOW_SHOWN) == "Here x &lt; 3 &amp;&amp; y &gt; 2 holds, as {x: 1} in a program."
    page.until("document.querySelector('.cue[aria-current]').textContent.startsWith('Here x < 3 && y > 2')")
    assert page.value("document.querySelector('#chapters [aria-current]').textContent") == "0:14 What moves on"


def test_a_click_in_the_transcript_seeks_and_plays(page: Browser) -> None:
    open_lecture(page)
    page.run("[...document.querySelectorAll('.cue')].find(c => c.textContent.startsWith('So a wave')).click()")
    page.until("document.querySelector('video').currentTime >= 19 && !document.querySelector('video').paused")
    assert page.value("document.querySelector('video').currentTime") < 25
    page.run("document.querySelectorAll('#chapters a')[2].click()")
    page.until("document.querySelector('video').currentTime >= 28")


def test_every_link_of_the_page_leads_to_a_file_or_the_web(page: Browser, root: Path) -> None:
    open_lecture(page)
    choose_tab(page, "Files")
    links = page.value("Array.from(document.links).map(link => link.href)")
    paths = [Path(unquote(urlsplit(link).path)) for link in links if link.startswith("file:")]
    assert len(paths) > 15
    assert [path for path in paths if not path.is_file()] == []
    assert all(link.startswith(("file:", "https://")) for link in links)
    scripts = page.value("[...document.querySelectorAll('[data-cues]')].map(link => link.dataset.cues)")
    assert len(scripts) == 3
    assert all(
        (paths[0].parents[0] / unquote(one)).exists() or list(root.rglob(Path(unquote(one)).name)) for one in scripts
    )


def test_a_search_finds_titles_at_once_and_then_what_is_said_in_any_lecture(page: Browser) -> None:
    page.run("words.value = 'wave'; words.dispatchEvent(new Event('input'))")
    assert page.value("[...hits.children].map(hit => hit.textContent)") == ["What a Wave Is", "Waves: Practice"]
    assert not [url for url in page.requested() if "cues" in url], "no transcript was loaded yet"
    look_for(page, "BASILAR membrane")
    assert page.value("[...hits.children].map(hit => hit.textContent)") == [
        "The Inner Ear 0:07Along it runs the basilar membrane, stiff at one end and soft at the other."
    ]
    assert page.value("[...document.querySelectorAll('mark')].map(one => one.textContent)") == ["basilar", "membrane"]
    page.run("hits.querySelector('a').click()")
    page.until("document.querySelector('video')?.currentTime === 7")
    assert page.value("document.querySelector('#item-title').textContent") == "The Inner Ear"
    look_for(page, "cafe zurich")
    assert page.value("hits.children.length") == 1
    look_for(page, "octave hears")  # not in one place
    assert page.value("searched.textContent") == "0 hits"
    look_for(page, "hear how")  # in two cues that do not follow each other
    assert page.value("searched.textContent") == "0 hits"
    look_for(page, "hear double")  # across two cues
    assert page.value("hits.children.length") == 1
    look_for(page, "大腦 الصوت")
    assert page.value("hits.children.length") == 0
    look_for(page, "الصوت")
    assert page.value("hits.children.length") == 1


def test_place_and_speed_of_a_lecture_are_remembered(page: Browser, root: Path) -> None:
    open_lecture(page, "Frequency and Pitch")
    page.run("speed.value = '1.5'; speed.dispatchEvent(new Event('change'))")
    page.run("document.querySelector('video').currentTime = 25")
    page.until("document.querySelector('.cue[aria-current]')?.textContent.startsWith('Double')")
    page.run("document.querySelector('#close').click()")
    assert page.value(CONTINUE) == "Continue Frequency and Pitch at 0:25"
    open_course(page, root)
    assert page.value(CONTINUE) == "Continue Frequency and Pitch at 0:25"
    page.run("document.querySelector('#continue a').click()")
    page.until("document.querySelector('video')?.currentTime === 25")
    assert page.value("document.querySelector('video').playbackRate") == 1.5
    assert page.value("speed.value") == "1.5"
    page.visit(root / "index.html")
    page.until("!document.querySelector('#continue').hidden")
    assert page.value(CONTINUE) == ("Continue Frequency and Pitch, Waves and Sound")
    page.follow("#continue a")
    page.until("document.querySelector('video')?.currentTime === 25")


def test_without_storage_the_page_works(root: Path, chromium: Browser) -> None:
    refused = (
        "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('no', 'SecurityError'); }})"
    )
    chromium.call("Page.addScriptToEvaluateOnNewDocument", source=refused)
    chromium.window(*DESKTOP)
    open_course(chromium, root)
    open_lecture(chromium)
    chromium.run("document.querySelector('video').currentTime = 13")
    chromium.until("document.querySelector('.cue[aria-current]')")
    assert chromium.complaints() == []


def test_keys(page: Browser) -> None:
    open_lecture(page)
    page.press(" ")
    page.until("!document.querySelector('video').paused")
    page.press(" ")
    page.until("document.querySelector('video').paused")
    page.run("document.querySelector('video').currentTime = 5")
    page.press("ArrowRight")
    assert page.value("document.querySelector('video').currentTime") == 15
    page.press("ArrowLeft")
    assert page.value("document.querySelector('video').currentTime") == 5
    page.press(">")
    assert page.value("document.querySelector('video').playbackRate") == 1.25
    page.press("c")
    assert page.value("document.querySelector('video').textTracks[0].mode") == "hidden"
    page.press("n")
    page.until("document.querySelector('#item-title').textContent === 'Frequency and Pitch'")
    page.press("p")
    page.until("document.querySelector('#item-title').textContent === 'What a Wave Is'")
    page.press("j")
    assert page.value("document.activeElement.textContent") == "Frequency and Pitch"
    page.press("j")
    page.press("k")
    assert page.value("document.activeElement.textContent") == "Frequency and Pitch"
    page.press("/")
    assert page.value("document.activeElement.id") == "words"
    page.press("n")
    assert page.value("words.value") == "n", "what is typed is no command"
    page.press("Escape")
    assert page.value("words.value") == ""
    page.press("?")
    assert page.value("help.open") is True
    before = page.run("keys.click(); help.close(); location.hash")
    page.until("document.activeElement === document.body")
    page.press("n")
    assert page.value("location.hash") == before, "keys were turned off"
    page.run("keys.click()")
    page.press("n")
    assert page.value("location.hash") != before


def test_what_is_done_due_and_locked_is_said(page: Browser) -> None:
    marks = "[...document.querySelectorAll('.item')].map(item => item.querySelector('.about').textContent.trim())"
    found = page.value(marks)
    assert found[0] == "Lecture 0:40done"
    assert re.fullmatch(r"Quizdue \w{3} \d+ \w{3}", found[3])
    assert page.value("document.querySelector('.facts').textContent").endswith("12 % done")
    assert page.value(CONTINUE) == "Continue Frequency and Pitch"
    assert page.value("[...document.querySelectorAll('#due a')].map(link => link.textContent)") == [
        "Waves: Practice",
        "Hearing",
    ]
    click_title(page, "A Walk through the Concert Hall")
    assert page.value("view.textContent").startswith("LockedThis lecture opens when module 1 is done.")
    click_title(page, "Waves: Practice")
    assert page.value("view.querySelector('a').href") == "https://example.org/quiz"
    click_title(page, "Nothing yet")
    assert page.value("view.textContent") == "Nothing to showThere is no file for this."


def test_slides_and_readings_are_shown_beside_the_lecture(page: Browser) -> None:
    open_lecture(page)
    choose_tab(page, "Slides")
    frame = "document.querySelector('#panel iframe')"
    assert page.value(f"unescape({frame}.src).endsWith(' - Slides.pdf')")
    beside = page.value("(r => [r.left, r.right])(panel.getBoundingClientRect())")
    assert page.value("document.querySelector('video').getBoundingClientRect().right") < beside[0]
    choose_tab(page, "Files")
    page.run("[...document.querySelectorAll('#panel button')].at(-1).click()")
    page.until(f"{frame}.src.includes('Spectrum')")
    assert page.value("document.querySelector('video') !== null")
    click_title(page, "How to Read a Spectrum")
    page.until("view.querySelector('iframe')")
    assert page.value("view.querySelector('iframe').sandbox.contains('allow-scripts')") is False


def test_a_link_of_a_reading_opens_in_a_tab_of_its_own(page: Browser) -> None:
    click_title(page, "How to Read a Spectrum")
    page.until("view.querySelector('iframe')")
    page.call("Target.setDiscoverTargets", discover=True)
    page.until("document.readyState === 'complete'")
    frame = page.call("Page.getFrameTree")["frameTree"]["childFrames"][0]["frame"]
    context = page.call("Page.createIsolatedWorld", frameId=frame["id"])["executionContextId"]
    place = "(r => [r.left + 5, r.top + 5])(document.links[0].getBoundingClientRect())"
    inner = page.call("Runtime.evaluate", expression=place, contextId=context, returnByValue=True)["result"]["value"]
    outer = page.value("(r => [r.left, r.top])(view.querySelector('iframe').getBoundingClientRect())")
    at = {"x": inner[0] + outer[0], "y": inner[1] + outer[1], "button": "left", "clickCount": 1}
    page.call("Input.dispatchMouseEvent", type="mousePressed", **at)
    page.call("Input.dispatchMouseEvent", type="mouseReleased", **at)
    page.until("true")
    told = page.call("Target.getTargets")["targetInfos"]
    assert len([one for one in told if one["type"] == "page"]) == 3, told  # the empty one, ours, and the new one


def test_a_lecture_that_does_not_play_and_a_transcript_that_is_missing_are_one_sentence(
    root: Path, chromium: Browser
) -> None:
    folder = next(root.glob("Waves*"))
    (folder / "index.files/cues 1.js").unlink()
    (folder / "01 Waves/01 Swinging Air/02 Frequency and Pitch.webm").write_bytes(b"no video")
    chromium.window(*DESKTOP)
    open_course(chromium, root)
    click_title(chromium, "What a Wave Is")
    chromium.until("panel.textContent === 'This transcript cannot be read now.'")
    click_title(chromium, "Frequency and Pitch")
    chromium.until("view.textContent.startsWith('It does not play here')")
    chromium.run("words.value = 'basilar'; words.dispatchEvent(new Event('input'))")
    chromium.until("searched.textContent === '1 hit; 1 of 3 transcripts cannot be read'")


def test_a_page_whose_end_is_missing_is_read_again_once(root: Path, chromium: Browser) -> None:
    """A file of a mount may grow while it is opened: Chromium reads as much as it had before."""
    page = next(root.glob("Waves*/index.html"))
    page.write_bytes(page.read_bytes()[:-400])
    chromium.visit(page)
    assert chromium.value("performance.getEntriesByType('navigation')[0].type") == "reload"
    assert chromium.value("document.querySelectorAll('.item').length") == 8
    assert chromium.complaints() == []


def test_progress_whose_end_is_missing_is_read_again_once(root: Path, chromium: Browser) -> None:
    script = next(root.glob("Waves*/index.files/progress.js"))
    script.write_bytes(script.read_bytes()[:30])
    watch = (
        "window.added = []; new MutationObserver(changes => changes.forEach(change => change.addedNodes.forEach("
        "node => node.src && added.push(node.src)))).observe(document, {childList: true, subtree: true})"
    )
    chromium.call("Page.addScriptToEvaluateOnNewDocument", source=watch)
    chromium.visit(next(root.glob("Waves*/index.html")))
    chromium.until("added.some(source => source.endsWith('/progress.js?again'))")
    click_title(chromium, "What a Wave Is")


def test_a_page_opens_at_the_item_and_the_second_of_its_address(page: Browser) -> None:
    page.run("location.hash = document.querySelectorAll('.item')[4].id + '&t=13.5'")
    page.until("document.querySelector('video')?.currentTime === 13.5")
    page.run("location.hash = document.querySelectorAll('.item')[2].id")
    page.until("document.querySelector('#item-title').textContent === 'How to Read a Spectrum'")
    page.run("history.back()")
    page.until("document.querySelector('#item-title').textContent === 'The Inner Ear'")
    page.run("location.hash = '#i-nothing&t=x'")
    assert page.value("document.querySelector('#item-title').textContent") == "The Inner Ear"


def test_on_paper_there_is_the_whole_outline(page: Browser) -> None:
    open_lecture(page)
    page.run("document.querySelectorAll('details').forEach(section => { section.open = false; })")
    page.call("Page.printToPDF")
    page.until("[...document.querySelectorAll('details')].every(section => section.open)")
    page.call("Emulation.setEmulatedMedia", media="print")
    assert page.value("getComputedStyle(document.querySelector('main')).display") == "none"
    assert page.value("document.querySelector('.item').getBoundingClientRect().height") > 10


@pytest.mark.parametrize("items", [69, 1000])
def test_a_page_opens_quickly(items: int, tmp_path: Path, chromium: Browser) -> None:
    """69 items within 300 ms, 1,000 within a second: until the script has run and something is painted."""
    course = large(items)
    (tmp_path / "index.files").mkdir()
    (tmp_path / "index.html").write_bytes(index_html(course))
    (tmp_path / "index.files/progress.js").write_bytes(progress_js(progress(0)))
    for name, data in assets().items():
        (tmp_path / "index.files" / name).write_bytes(data)
    chromium.window(*DESKTOP)
    took = []
    for _ in range(4):
        chromium.visit(tmp_path / "index.html")
        chromium.until("performance.getEntriesByType('paint').length > 1")
        took.append(
            chromium.value(
                "Math.max(performance.getEntriesByType('paint').at(-1).startTime,"
                " performance.getEntriesByType('navigation')[0].loadEventEnd)"
            )
        )
    assert chromium.value("document.querySelectorAll('.item').length") == items
    assert min(took) < (300 if items < 100 else 1000), took


# -- accessibility ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, (1100, 800), PHONE], ids=["desktop", "window", "phone"])
def test_no_one_is_kept_out(root: Path, chromium: Browser, axe: str, size: tuple[int, int], dark: bool) -> None:
    """axe-core finds nothing, and nothing is wider than the window: course, lecture, reading, search, overview."""

    check = partial(require_accessible, chromium, axe, size[0])
    chromium.window(*size, dark=dark)
    open_course(chromium, root)
    check("course")
    open_lecture(chromium)
    chromium.run("document.querySelector('video').currentTime = 13")
    chromium.until("document.querySelector('.cue[aria-current]')")
    check("lecture")
    choose_tab(chromium, "Files")
    check("files")
    choose_tab(chromium, "Slides")
    check("slides")
    click_title(chromium, "How to Read a Spectrum")
    check("reading")
    click_title(chromium, "A Walk through the Concert Hall")
    check("locked")
    look_for(chromium, "the")
    check("search")
    chromium.run("help.showModal()")
    check("keys")
    chromium.visit(root / "index.html")
    chromium.until("document.querySelector('progress')")
    check("overview")


def test_a_screen_reader_is_told(page: Browser) -> None:
    open_lecture(page)
    assert page.value("said.textContent") == "Opened What a Wave Is"
    assert page.value("document.activeElement.id") == "item-title"
    page.press("c")
    assert page.value("said.textContent") == "Subtitles off"
    page.run("document.querySelector('.cue').focus()")
    page.press("ArrowDown")
    assert page.value("document.activeElement.textContent").startswith("The water itself")
    assert page.value("document.querySelectorAll('.cue[tabindex=\"0\"]').length") == 1


# -- playlists -------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("mpv") is None, reason="mpv is not installed")
def test_mpv_plays_every_lecture_of_a_playlist(root: Path, tmp_path: Path) -> None:
    playlist = next(root.glob("Waves*/playlist.m3u8"))
    command = ["mpv", "--no-config", "--vo=null", "--ao=null", "--length=0.1", "--no-input-terminal", str(playlist)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=tmp_path, check=False)
    played = [Path(line.removeprefix("Playing: ")).name for line in done.stdout.splitlines() if "Playing: " in line]
    assert played[-3:] == ["01 What a Wave Is.webm", "02 Frequency and Pitch.webm", "01 The Inner Ear.webm"]
    assert done.returncode == 0, done.stdout
