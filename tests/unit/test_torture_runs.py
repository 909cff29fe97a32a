"""What the torture's own judgement is made of: it finds a wrong byte, and the same seed gives the same steps."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from torture_runs import golden, hostile_values, reader, report
from torture_runs.__main__ import steps
from torture_runs.counters import Counters
from torture_runs.kinds import kinds
from torture_runs.server import Request, part_of


def test_every_word_says_its_file_its_version_and_its_place() -> None:
    words = {
        golden.content(file, version, start, start + golden.WORD)
        for file, version, start in itertools.product((1, 2, 12), (1, 2, 7), range(0, 8000, golden.WORD))
    }
    assert len(words) == 3 * 3 * 1000
    assert golden.content(1, 1, 5, 100) == golden.content(1, 1, 0, 200)[5:100]


@pytest.mark.parametrize("at", [0, 1, 4095, 4096, 9_999])
def test_one_wrong_byte_is_found(at: int) -> None:
    data = bytearray(golden.content(3, 1, 7, 10_007))
    assert golden.is_right(bytes(data), 3, 1, 7, 10_007)
    data[at] ^= 1
    assert not golden.is_right(bytes(data), 3, 1, 7, 10_007)


def test_zeros_other_files_other_places_and_mixed_versions_are_found() -> None:
    def wrong(data: bytes) -> str:
        assert not golden.is_right(data, 3, 2, 0, 4096)
        return golden.what_is_wrong(data, 3, 2, 0, 4096)

    one = golden.content(3, 1, 0, 4096)
    assert "zeros at 2048" in wrong(one[:2048] + bytes(2048))
    assert "bytes " in wrong(golden.content(4, 1, 0, 4096))
    assert "bytes " in wrong(golden.content(3, 1, 4096, 8192))
    assert "versions ['1', '2']" in wrong(one[:2048] + golden.content(3, 2, 2048, 4096))
    assert "4088 bytes in place of 4096" in wrong(one[:-8])
    assert not golden.is_right(golden.content(3, 3, 0, 4096), 3, 2, 0, 4096)  # of a version that never was


def test_the_same_seed_gives_the_same_steps_and_a_short_run_something_of_every_group() -> None:
    deck = list(kinds().values())
    first = [(number, one.name) for number, one in itertools.islice(steps(deck, 5), 300)]
    assert first == [(number, one.name) for number, one in itertools.islice(steps(deck, 5), 300)]
    assert first != [(number, one.name) for number, one in itertools.islice(steps(deck, 6), 300)]
    assert {name for _, name in first[: len(deck)]} == {one.name for one in deck}
    groups = {one.group for one in deck}
    assert {one.group for _, one in itertools.islice(steps(deck, 5), len(groups))} == groups


def test_there_are_more_than_forty_kinds_and_each_says_what_it_is() -> None:
    known = kinds()
    assert len(known) > 40
    assert all(one.says and one.name == name for name, one in known.items())


def test_the_server_that_is_well_sends_what_was_asked_for(tmp_path: Path) -> None:
    counters = Counters.create(tmp_path / "counters")
    size = golden.SIZES[6]

    def asked(value: str, **more: str) -> tuple[int, int, bool] | None:
        found = part_of(Request("GET", "/f/6?x", {"range": value} | more), counters)
        return (found.start, found.end, found.is_range) if found else None

    assert asked("bytes=5-9") == (5, 10, True)
    assert asked("bytes=5-") == (5, size, True)
    assert asked("bytes=-3") == (size - 3, size, True)
    assert asked(f"bytes={size}-") is None
    assert asked("bytes=5-9", **{"if-range": '"6-1"'}) == (5, 10, True)
    counters.new_version(6)
    assert asked("bytes=5-9", **{"if-range": '"6-1"'}) == (0, size, False)


def test_hostile_values_can_be_sent() -> None:
    import random

    source = random.Random(1)
    for make in hostile_values.TEXTS:
        assert json.dumps(make())
    tree = {"elements": [{"id": str(number), "name": "x", "value": "<co-content/>"} for number in range(50)]}
    assert json.dumps(hostile_values.changed(tree, source, 0.2)) != json.dumps(tree)
    named = hostile_values.with_names(tree, source, 1.0)
    assert isinstance(named, dict) and all(one["name"] in hostile_values.NAMES for one in named["elements"])


def test_every_goal_is_in_the_table() -> None:
    figures = {"seed": 1, "by kind": {"kill-9": 3}, "goals": dict.fromkeys(report.GOALS, 0), "findings": []}
    assert report.table(figures).count("kept") == len(report.GOALS)


class Shown:
    """A folder as the mount shows it, with a reader of it: names of files, and the number that each has as its id."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = root / "Torture" / "Files"
        self.folder.mkdir(parents=True)
        self.counters = Counters.create(root / "counters")
        self.reader = reader.Reader(self.folder, self.counters, 0, "1", 5.0)
        self.said: list[str] = []
        monkeypatch.setattr(self.reader, "say", lambda what, text: self.said.append(text))
        monkeypatch.setattr("torture_runs.names.os.getxattr", lambda place, _: b"torture/c/" + self._number(place))
        for file in golden.SIZES:
            self.reader.names.usual(file).write_bytes(b"%d" % file)

    def _number(self, place: Path | int) -> bytes:
        return os.pread(place, 9, 0) if isinstance(place, int) else place.read_bytes()

    def rename(self, file: int, name: str) -> None:
        self.reader.names.usual(file).rename(self.folder / name)

    def read(self, file: int) -> bytes:
        descriptor = self.reader.opened(file)
        try:
            return os.pread(descriptor, 9, 0)
        finally:
            os.close(descriptor)


@pytest.fixture
def shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shown]:
    one = Shown(tmp_path, monkeypatch)
    with one.reader.scratch:
        yield one


def test_readers_follow_files_that_the_server_gives_other_titles(shown: Shown, tmp_path: Path) -> None:
    shown.rename(2, "$(touch x)")
    shown.counters.has_wrong_titles = True
    shown.reader.list()
    assert shown.said == []
    assert shown.read(2) == b"2"
    shown.folder.parent.rename(tmp_path / "x;touch x")  # the course, too
    shown.reader.list()
    assert shown.said == []
    assert shown.read(1) == b"1"


def test_a_name_that_another_file_has_by_now_is_not_taken_for_it(shown: Shown) -> None:
    shown.rename(2, "-")
    shown.counters.has_wrong_titles = True
    assert shown.read(2) == b"2"
    (shown.folder / "-").rename(shown.folder / "--")
    shown.rename(4, "-")
    with pytest.raises(FileNotFoundError):  # it is looked for again the next time
        shown.read(2)


def test_what_is_missing_or_has_a_wrong_name_without_a_reason_is_found(shown: Shown) -> None:
    shown.rename(2, "-rf")
    shown.reader.list()
    assert shown.said == ["not listed: file 02.bin"]
    with pytest.raises(FileNotFoundError):
        shown.read(2)
    shown.counters.has_wrong_titles = True
    shown.reader.names.usual(4).unlink()
    shown.reader.list()
    assert shown.said[1:] == ["not listed: file 04.bin"]
    shown.counters.began_anew = True  # a list in which nothing is, and nothing was known before
    shown.reader.list()
    assert len(shown.said) == 2
    shown.reader.is_check = True
    with pytest.raises(FileNotFoundError):
        shown.read(2)
