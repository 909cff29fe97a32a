"""Rendering under limits: what a text costs at most, and that it costs nothing but its own page."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import trio

from coursefs.errors import CoursefsError
from coursefs.model import File, Kind, Page, Placement, Remote
from coursefs.pages.worker import TextWorker, Unrenderable, WorkerLimits, is_small
from coursefs.providers.coursera import cml

LARGE = "x" * 70_000  # a text of this size is given to a process


def process() -> int:
    return os.getpid()


def files() -> list[File]:
    page = File("k", Kind.READING, Placement.MAIN, "", ".html", "text/html", Page("é\ud800"), url="https://x.example")
    return [page, File("i", Kind.IMAGE, Placement.BESIDE, "t", ".png", "image/png", Remote("r", {"a": "b"}), size=3)]


def environment() -> dict[str, str]:
    return dict(os.environ)


def burn() -> None:
    while True:
        pass


def hang(place: Path) -> None:
    part = place.with_suffix(".part")
    part.write_text(str(os.getpid()))
    part.rename(place)
    while True:
        time.sleep(10)


def fill() -> int:
    return len(bytearray(8 << 30))


def end(number: int) -> None:
    os.kill(os.getpid(), number)


def fail() -> None:
    raise RecursionError(LARGE)


def much() -> str:
    return "x" * 2_000_000


class Evil:
    def __init__(self, place: Path) -> None:
        self._place = place

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return os.mkdir, (str(self._place),)


async def test_a_small_text_is_rendered_at_once_and_a_large_one_in_a_process_of_its_own() -> None:
    worker = TextWorker()
    assert await worker.call(process, texts=["small"], about="x") == os.getpid()
    assert await worker.call(process, texts=[LARGE], about="x") != os.getpid()
    with pytest.raises(ChildProcessError):  # it has ended, and left nothing behind
        os.waitpid(-1, os.WNOHANG)


async def test_a_process_gives_what_would_be_given_here() -> None:
    worker = TextWorker()
    assert await worker.call(files, texts=[LARGE], about="x") == files()
    text = "<p>A <b>large</b> text, $$a^2$$.</p>" * 3000
    assert await worker.call(partial(cml.render, text, {}), texts=[text], about="x") == cml.render(text, {})


@pytest.mark.parametrize(
    ("text", "small"),
    [
        ("<p>Words.</p>" * 500, True),
        ("x" * 60_000, True),
        ("x" * 70_000, False),
        ("<p>" * 2001, False),
        ("$$x$$" * 200, True),
        (r"\(" + "x" * 3000 + r"\)" + r"\(" + "x" * 3000 + r"\)", False),
        (r"\(" * 20_000, True),  # none of these is a formula
    ],
)
def test_what_takes_long_is_not_small(text: str, small: bool) -> None:
    assert is_small([text], WorkerLimits()) is small


@pytest.mark.logs
@pytest.mark.parametrize(
    ("work", "reason"),
    [
        (burn, "takes too long"),
        (fill, "too much memory"),
        (fail, "failed (RecursionError)"),
        (much, "too long"),
        (partial(end, signal.SIGSEGV), f"failed (status {-signal.SIGSEGV})"),
    ],
)
async def test_a_text_that_is_too_much_is_unrenderable(
    work: Callable[[], object], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    worker = TextWorker(WorkerLimits(cpu=1, result=1_000_000))
    with pytest.raises(Unrenderable) as caught:
        await worker.call(work, texts=[LARGE], about="A reading")
    assert reason in str(caught.value) and len(str(caught.value)) < 200
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING] == [
        f"A reading: a link page takes the place of a text: {caught.value}"
    ]


@pytest.mark.logs
async def test_a_small_text_that_fails_is_unrenderable_and_one_beyond_all_measure_is_not_tried() -> None:
    worker = TextWorker()
    with pytest.raises(Unrenderable, match="RecursionError"):
        await worker.call(fail, texts=["small"], about="x")
    with pytest.raises(Unrenderable, match="too long"):
        await worker.call(burn, texts=["x" * 2_000_000, "x" * 2_000_001], about="x")


async def test_a_machine_that_is_too_busy_says_nothing_of_the_text(tmp_path: Path) -> None:
    worker = TextWorker(WorkerLimits(wall=1.0))
    for work in (partial(hang, tmp_path / "pid"), partial(end, signal.SIGKILL)):
        with pytest.raises(CoursefsError) as caught:
            await worker.call(work, texts=[LARGE], about="x")
        assert not isinstance(caught.value, Unrenderable)


async def test_no_process_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    with pytest.raises(CoursefsError) as caught:
        await TextWorker().call(process, texts=[LARGE], about="x")
    assert not isinstance(caught.value, Unrenderable)


async def test_a_call_that_is_cancelled_ends_its_process(tmp_path: Path) -> None:
    place = tmp_path / "pid"
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(TextWorker().call, partial(hang, place), texts=[LARGE], about="x"))
            while not place.exists():
                await trio.sleep(0.01)
            nursery.cancel_scope.cancel()
    with pytest.raises(ProcessLookupError):
        os.kill(int(place.read_text()), 0)


@pytest.mark.logs
async def test_a_process_that_its_text_has_overrun_gets_nothing_done_here(tmp_path: Path) -> None:
    with pytest.raises(Unrenderable):
        await TextWorker().call(partial(Evil, tmp_path / "owned"), texts=[LARGE], about="x")
    assert not (tmp_path / "owned").exists()


async def test_a_process_is_told_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSERA_CAUTH", "secret")
    told = await TextWorker().call(environment, texts=[LARGE], about="x")
    assert "secret" not in repr(told) and "HOME" not in told


async def test_a_large_text_delays_no_other_task() -> None:
    text = r"\(" * 1_500_000
    longest = 0.0
    async with trio.open_nursery() as nursery:

        async def others() -> None:
            nonlocal longest
            before = time.monotonic()
            while True:
                await trio.sleep(0)
                longest, before = max(longest, time.monotonic() - before), time.monotonic()

        nursery.start_soon(others)
        await TextWorker().call(partial(cml.render, text, {}), texts=[text], about="x")
        nursery.cancel_scope.cancel()
    assert 0 < longest < 0.5  # rendering it takes seconds
