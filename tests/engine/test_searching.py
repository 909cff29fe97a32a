"""`courses search`: which platforms are searched, and what is said where none can be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from coursefs.errors import CoursefsError, Unreachable, UsageError
from coursefs.library import AccountSource, Factories, LibrarySettings, search
from coursefs.model import Course, Wanted
from tests.engine.fakes import FakeProvider


class Searchable(FakeProvider):
    async def search(self, text: str, *, limit: int = 50) -> Sequence[Course]:
        await self._asked(f"search {text}")
        return [course for course in self.listed if text in course.title]


@pytest.fixture
def providers() -> Mapping[str, FakeProvider]:
    return {"one": Searchable([Course("a", "a", "Birds of Europe")]), "campus": FakeProvider()}


def platforms(providers: Mapping[str, FakeProvider]) -> Factories:
    return {name: lambda account, transport: providers[account.name] for name in providers}


def settings_in(folder: Path, *names: str) -> LibrarySettings:
    accounts = [AccountSource(name, name, {}, {}) for name in names]
    return LibrarySettings(folder / "state" / "catalogue.sqlite", folder / "cache", accounts, Wanted())


async def test_every_platform_with_a_catalogue_is_searched(
    tmp_path: Path, providers: Mapping[str, FakeProvider]
) -> None:
    (one,) = await search(settings_in(tmp_path, "campus", "one"), "Birds", None, providers=platforms(providers))
    assert (one.account, one.course.title) == ("one", "Birds of Europe")
    assert await search(settings_in(tmp_path, "one"), "Fish", "one", providers=platforms(providers)) == []
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    ("names", "account", "error", "why"),
    [
        (("campus", "one"), "campus", CoursefsError, "campus: has no public catalogue to search"),
        (("campus",), None, CoursefsError, "campus: has no public catalogue to search"),
        (("one",), "other", UsageError, "no account other; there is one"),
    ],
)
async def test_what_cannot_be_searched(
    tmp_path: Path,
    providers: Mapping[str, FakeProvider],
    names: tuple[str, ...],
    account: str | None,
    error: type[CoursefsError],
    why: str,
) -> None:
    with pytest.raises(error, match=why):
        await search(settings_in(tmp_path, *names), "Birds", account, providers=platforms(providers))


async def test_a_platform_that_cannot_be_reached(tmp_path: Path, providers: Mapping[str, FakeProvider]) -> None:
    providers["one"].failure = Unreachable("no network")
    with pytest.raises(Unreachable, match="no network"):
        await search(settings_in(tmp_path, "one"), "Birds", None, providers=platforms(providers))
