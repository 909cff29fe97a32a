"""Settings and secrets that change under a library that is open."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import trio
import trio.testing

from coursefs.catalog import Ages
from coursefs.daemon.notify import Manager
from coursefs.daemon.reloading import Reloading
from coursefs.errors import NotSignedIn, UsageError
from coursefs.library import AccountSource, LibrarySettings, open_library
from coursefs.model import Course, Wanted
from coursefs.providers import registry
from coursefs.providers.base import Account
from coursefs.reload import Applied, apply
from coursefs.transport import Transport
from tests.engine.fakes import FakeProvider


@pytest.fixture(autouse=True)
def made(monkeypatch: pytest.MonkeyPatch) -> list[FakeProvider]:
    """The providers that are made, in their order: each accepts the token "good"."""
    every: list[FakeProvider] = []

    def create(account: Account, _: Transport) -> FakeProvider:
        failure = None if account.secrets["token"] == "good" else NotSignedIn("it has ended")
        every.append(FakeProvider([Course("c", "c", "C")], failure=failure))
        return every[-1]

    monkeypatch.setattr(registry, "provider", lambda _: create)
    return every


def account(token: str = "old", user: str = "1", name: str = "campus") -> AccountSource:
    return AccountSource(name, "fake", {"server": "https://x.org"}, {"token": token, "user_id": user})


def settings(tmp_path: Path, *accounts: AccountSource) -> LibrarySettings:
    return LibrarySettings(tmp_path / "c.sqlite", tmp_path / "cache", list(accounts or [account()]), Wanted())


async def test_a_new_sign_in_is_used_from_now_on(tmp_path: Path, made: list[FakeProvider]) -> None:
    async with open_library(settings(tmp_path)) as library:
        with pytest.raises(NotSignedIn):
            await library.refresh_courses("campus")
        assert library.tree.renewal.trouble("campus") is not None
        assert apply(library, settings(tmp_path, account("good"))) == Applied(signed_in=("campus",))
        assert library.tree.renewal.trouble("campus") is None
        assert [course.key for course in await library.refresh_courses("campus")] == ["c"]
        assert library.providers["campus"] is made[-1]


async def test_limits_change_and_the_rest_waits(tmp_path: Path) -> None:
    async with open_library(settings(tmp_path)) as library:
        assert apply(library, settings(tmp_path)) == Applied()
        new = replace(
            settings(tmp_path),
            max_size=123,
            streams=2,
            ages=Ages(1.0, 1.0, 1.0),
            read_timeout=1.0,
            wanted=Wanted(video=1),
        )
        applied = apply(library, new)
        assert applied.changed == ("cache.max_size", "network.streams", "refresh")
        assert applied.waiting == ("layout.subtitles or layout.video", "network.read_timeout")
        assert library.use().max_size == library.settings.max_size == 123
        assert library.settings.read_timeout == 60.0
        assert library.tree.ages.outline == 1.0
        assert apply(library, new).changed == ()


@pytest.mark.parametrize(
    "accounts",
    [[], [account("good", user="2")], [replace(account("good"), folder="x")], [account(), account(name="other")]],
)
async def test_accounts_come_and_go_with_a_mount(tmp_path: Path, accounts: list[AccountSource]) -> None:
    async with open_library(settings(tmp_path)) as library:
        applied = apply(library, replace(settings(tmp_path), accounts=accounts))
        assert applied.signed_in == () and len(applied.waiting) == 1
        assert [(one.name, one.secrets["token"]) for one in library.settings.accounts] == [("campus", "old")]


@pytest.mark.logs
async def test_settings_that_cannot_be_read_change_nothing_and_end_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    problems: list[Exception] = [UsageError("config.toml:1: no"), OSError(5, "disk")]

    def again() -> LibrarySettings:
        raise problems[0]

    async with open_library(settings(tmp_path)) as library:
        reloading = Reloading(library, again, Manager(), "mounted")
        with pytest.raises(UsageError):
            await reloading.now()
        await reloading.on_hangup()
        problems.pop(0)
        await reloading.on_hangup()
        assert library.settings == settings(tmp_path)
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == [
        "the settings stay as they are: config.toml:1: no",
        "the settings could not be read again",
    ]


async def test_a_new_sign_in_is_tried_at_once(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    async with open_library(settings(tmp_path)) as library:
        replies = Reloading(library, lambda: settings(tmp_path, account("good")), Manager(), "mounted").command({})
        assert [reply["signed_in"] async for reply in replies] == [("campus",)]
        await trio.testing.wait_all_tasks_blocked()
        assert [course.key for course in library.courses("campus")] == ["c"]
