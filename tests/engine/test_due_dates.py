"""Due dates: who asks for them, what is kept, and what is listed of them without a request."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import trio
import trio.testing

from coursefs.catalog import IndexingDelays, Place, Store
from coursefs.catalog.item_store import ItemStore
from coursefs.catalog.node import ROOT, StoredItem
from coursefs.errors import CoursefsError, Gone, NotAllowed, NotSignedIn
from coursefs.library import AccountSource, Library, LibrarySettings, open_library, stored_due
from coursefs.model import Course, Deadline, File, Outline, Standing, Wanted
from tests.engine.fakes import FakeProvider, lecture, made_by, reading, section

DAY = 86_400 * 10**9
NEVER = 2**63 - 1
HELLO, AGAIN = lecture("a", "Hello", 1), lecture("b", "Again", 2)
GRAPHICS, EARS = Course("c1", "graphics", "Graphics  &amp; the <div> element"), Course("c2", "ears", "Ears")


@dataclass
class Dated(FakeProvider):
    """A provider that knows deadlines without the rest of the standing."""

    due: dict[str, Sequence[Deadline] | CoursefsError] = field(default_factory=dict)

    async def due_dates(self, course: Course) -> Sequence[Deadline]:
        await self._asked(f"deadlines {course.key}")
        found = self.due.get(course.key, ())
        if isinstance(found, CoursefsError):
            raise found
        return found


def provider_of(*courses: Course) -> Dated:
    outline = Outline((section("m", "Start", 1, HELLO, AGAIN),))
    listed = courses or (GRAPHICS,)
    contents: dict[str, list[File] | CoursefsError] = {one.key: reading(one, "x") for one in (HELLO, AGAIN)}
    return Dated(list(listed), {one.key: outline for one in listed}, contents)


def settings_in(tmp_path: Path) -> LibrarySettings:
    account = AccountSource("fake", "fake", {}, {})
    catalogue = tmp_path / "state" / "catalogue.sqlite"
    return LibrarySettings(catalogue, tmp_path / "cache", [account], Wanted(), fill=False)


async def update(library: Library) -> None:
    async for _ in library.courses.update([]):
        pass


async def test_update_asks_once_for_each_course_and_due_asks_nothing(tmp_path: Path) -> None:
    now = time.time_ns()
    provider = provider_of(GRAPHICS, EARS)
    provider.due["c1"] = [
        Deadline("", now + DAY, "module/m"),
        Deadline("Quiz", now + 2 * DAY, "item/b", "https://x.example/quiz"),
        Deadline("", now + DAY, "module/unknown"),
    ]
    settings = settings_in(tmp_path)
    async with open_library(settings, providers=made_by("fake", provider)) as library:
        await update(library)
        assert [call for call in provider.calls if "deadlines" in call] == ["deadlines c1", "deadlines c2"]
        provider.calls.clear()
        found = stored_due(settings.catalogue, ["fake"], now, NEVER)  # as another process, under a mount
        assert provider.calls == []
    assert [(one.title, one.key, one.url) for one in found.due] == [
        ("Start", "module/m", None),
        ("Quiz", "item/b", "https://x.example/quiz"),
    ]
    assert {one.path for one in found.due} == {f"{found.due[0].directory}/01 Start"}
    assert {one.course for one in found.due} == {"Graphics &amp; the <div> element"}
    assert found.unknown == ()
    assert stored_due(settings.catalogue, ["fake"], now, now + DAY).due == found.due[:1]
    assert stored_due(settings.catalogue, ["fake"], now + 3 * DAY, NEVER).due == ()
    with pytest.raises(CoursefsError, match="no course is known yet"):
        stored_due(settings.catalogue, ["another"], now, NEVER)


async def test_what_no_calendar_has_is_left_out_and_counted(tmp_path: Path) -> None:
    now = time.time_ns()
    provider = provider_of(GRAPHICS, EARS)
    long = replace(Deadline("x" * 10_000, now + DAY), url="https://x.example")
    provider.due["c1"] = [Deadline("1970", 0), Deadline("9999", 253_402_214_400 * 10**9), long, Deadline("past", now)]
    settings = settings_in(tmp_path)
    async with open_library(settings, providers=made_by("fake", provider)) as library:
        await update(library)
    found = stored_due(settings.catalogue, ["fake"], now + 1, NEVER)
    ((course, number),) = found.implausible
    assert (course, number) == (found.due[0].directory, 2)
    assert [len(one.title) for one in found.due] == [200]
    assert found.due[0].title.endswith("…")


@pytest.mark.parametrize("failure", [NotAllowed("closed"), NotSignedIn("ended")])
async def test_dates_that_are_refused_are_no_failure_of_an_update_and_what_is_known_stays(
    tmp_path: Path, failure: CoursefsError
) -> None:
    now = time.time_ns()
    provider = provider_of()
    provider.due["c1"] = [Deadline("Quiz", now + DAY)]
    settings = settings_in(tmp_path)
    async with open_library(settings, providers=made_by("fake", provider)) as library:
        await update(library)
        provider.due["c1"] = failure
        await update(library)
        provider.due["c1"] = "nonsense"  # type: ignore[assignment]  # of a platform that others wrote
        await update(library)
    assert [one.title for one in stored_due(settings.catalogue, ["fake"], now, NEVER).due] == ["Quiz"]


async def test_more_dates_than_any_course_has_are_refused_and_unknown_keys_are_looked_up_once(tmp_path: Path) -> None:
    now = time.time_ns()
    provider = provider_of()
    provider.due["c1"] = [Deadline("Quiz", now + DAY)]
    settings = settings_in(tmp_path)
    async with open_library(settings, providers=made_by("fake", provider)) as library:
        await update(library)
        provider.due["c1"] = [Deadline("", now + DAY, f"module/{number}") for number in range(2_001)]
        await update(library)
        assert [one.title for one in stored_due(settings.catalogue, ["fake"], now, NEVER).due] == ["Quiz"]
        read: list[Place] = []
        real = ItemStore.of_course

        def counted(self: ItemStore, place: Place, *, gone: bool = False) -> list[StoredItem]:
            read.append(place)
            return real(self, place, gone=gone)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ItemStore, "of_course", counted)
            provider.due["c1"] = [Deadline("", now + DAY, f"module/{number}") for number in range(2_000)]
            (course,) = await library.files.children(ROOT)
            await library.courses.due(course, NEVER)
        assert 1 <= len(read) <= 3, "not once for each key"


async def test_a_standing_without_dates_is_no_proof_that_there_are_none(tmp_path: Path) -> None:
    class Graded(FakeProvider):
        found: Sequence[Deadline] = ()

        async def standing(self, course: Course) -> Standing:
            return Standing(deadlines=tuple(self.found))

    now = time.time_ns()
    provider = Graded([EARS], {"c2": Outline((section("m", "Start", 1, HELLO),))})
    settings = settings_in(tmp_path)
    async with open_library(settings, providers=made_by("fake", provider)) as library:
        for provider.found in ([Deadline("Essay", now + DAY)], []):
            await update(library)
    assert [one.title for one in stored_due(settings.catalogue, ["fake"], now, NEVER).due] == ["Essay"]


async def test_an_account_that_was_removed_meanwhile_keeps_its_dates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time_ns()
    provider = provider_of()
    provider.due["c1"] = [Deadline("Quiz", now + DAY)]
    settings = settings_in(tmp_path)
    async with open_library(settings, providers=made_by("fake", provider)) as library:
        await update(library)
        (course,) = await library.files.children(ROOT)
        refresher = library.courses._due_dates
        monkeypatch.setattr(refresher, "_providers", {})
        with pytest.raises(Gone):
            await refresher.ask(course)
    assert [one.title for one in stored_due(settings.catalogue, ["fake"], now, NEVER).due] == ["Quiz"]


async def test_a_platform_without_dates_is_known_to_have_none_and_the_whole_standing_will_do(tmp_path: Path) -> None:
    class Graded(FakeProvider):
        async def standing(self, course: Course) -> Standing:
            return Standing(deadlines=(Deadline("Essay", now + DAY),))

    now = time.time_ns()
    outline = Outline((section("m", "Start", 1, HELLO),))
    for number, kind in enumerate((FakeProvider, Graded)):
        settings = settings_in(tmp_path / str(number))
        provider = kind([EARS], {"c2": outline})
        async with open_library(settings, providers=made_by("fake", provider)) as library:
            await library.courses.refresh("fake")
            assert stored_due(settings.catalogue, ["fake"], now, NEVER).unknown == ("Ears",)
            await update(library)
        found = stored_due(settings.catalogue, ["fake"], now, NEVER)
        assert ([one.title for one in found.due], found.unknown) == (["Essay"] if number else [], ())


async def test_a_mount_asks_once_a_day_and_lets_an_account_alone_that_has_ended(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    provider = provider_of(GRAPHICS, EARS)
    settings = settings_in(tmp_path)
    async with open_library(settings, providers=made_by("fake", provider)) as library:
        await update(library)
    store = Store(settings.catalogue)
    store.due_dates.replace(Place("fake", "c1"), [], time.time_ns() - 25 * 3600 * 10**9)
    store.close()
    delays = IndexingDelays(again=600.0)
    provider.calls.clear()
    async with open_library(replace(settings, fill=True, delays=delays), providers=made_by("fake", provider)):
        await trio.sleep(3600)
        assert [call for call in provider.calls if "deadlines" in call] == ["deadlines c1"]
    store = Store(settings.catalogue)
    for key in ("c1", "c2"):
        store.due_dates.replace(Place("fake", key), [], 1)
    store.close()
    provider.due = {"c1": NotSignedIn("ended"), "c2": NotSignedIn("ended")}
    provider.calls.clear()
    async with open_library(replace(settings, fill=True, delays=delays), providers=made_by("fake", provider)):
        await trio.sleep(500)
        # the clock may jump while a thread opens the cache, so there may have been several rounds
        asked = {call for call in provider.calls if "deadlines" in call}
        assert len(asked) == 1, "the other course of the account is left alone"
