"""Settings and secrets that change under a library that is open."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path

import pytest
import trio
import trio.testing

from coursefs.catalog import Ages, Place
from coursefs.catalog.node import ROOT
from coursefs.catalog.refresh_errors import RefreshErrors
from coursefs.daemon.readiness import Manager
from coursefs.daemon.reloading import Reloading
from coursefs.daemon.status_report import library_report
from coursefs.errors import BadReply, Gone, NoAnswer, NotSignedIn, Unreachable, UsageError
from coursefs.library import AccountSource, Applied, Library, LibrarySettings, open_library
from coursefs.model import Course, Outline, Wanted
from coursefs.providers.base import Account
from coursefs.transport import Transport
from tests.engine.fakes import FakeProvider, lecture, made_by, section


def create(account: Account, transport: Transport) -> FakeProvider:
    """A provider that accepts the token "good"."""
    failure = None if account.secrets["token"] == "good" else NotSignedIn("it has ended")
    return FakeProvider([Course("c", "c", "C")], failure=failure)


def opened(path: Path, token: str = "old") -> AbstractAsyncContextManager[Library]:
    return open_library(settings(path, account(token)), providers={"fake": create})


def account(token: str = "old", user: str = "1", name: str = "campus") -> AccountSource:
    return AccountSource(name, "fake", {"server": "https://x.org"}, {"token": token, "user_id": user})


def settings(tmp_path: Path, *accounts: AccountSource) -> LibrarySettings:
    return LibrarySettings(tmp_path / "c.sqlite", tmp_path / "cache", list(accounts or [account()]), Wanted())


async def test_a_new_sign_in_is_used_from_now_on(tmp_path: Path) -> None:
    async with opened(tmp_path) as library:
        with pytest.raises(NotSignedIn):
            await library.courses.refresh("campus")
        assert library.status().accounts[0].trouble is not None
        assert library.apply(settings(tmp_path, account("good"))) == Applied(signed_in=("campus",))
        assert library.status().accounts[0].trouble is None
        assert [course.key for course in await library.courses.refresh("campus")] == ["c"]


async def test_limits_change_and_the_rest_waits(tmp_path: Path) -> None:
    async with opened(tmp_path) as library:
        assert library.apply(settings(tmp_path)) == Applied()
        new = replace(
            settings(tmp_path),
            max_size=123,
            streams=2,
            ages=Ages(1.0, 1.0, 1.0),
            read_timeout=1.0,
            wanted=Wanted(video=1),
        )
        applied = library.apply(new)
        assert applied.changed == ("cache.max_size", "network.streams", "refresh")
        assert applied.waiting == ("layout.subtitles or layout.video", "network.read_timeout")
        assert library.cache.use().max_size == library._settings.max_size == 123
        assert library._settings.read_timeout == 60.0
        assert library._tree.ages.outline == 1.0
        assert library.apply(new).changed == ()


async def names(library: Library) -> list[str]:
    return [node.name for node in await library.files.children(ROOT)]


def kernel(library: Library) -> list[tuple[int, str]]:
    """The names that the kernel is told to look up again."""
    told: list[tuple[int, str]] = []
    library.on_change(lambda changed, gone_or_new: told.extend(gone_or_new))
    return told


async def test_a_new_account_is_shown_at_once_and_one_that_is_signed_out_no_longer(tmp_path: Path) -> None:
    both = settings(tmp_path, account("good"), account("good", name="other"))
    async with opened(tmp_path, "good") as library:
        assert await names(library) == ["C"]
        inode = library.files.known_child(ROOT, "C") or await library.files.child(ROOT, "C")
        assert inode is not None
        told = kernel(library)
        assert library.apply(both) == Applied(added=("other",))
        assert await names(library) == ["C", "Fake"]  # of several accounts each has a folder, but the first one stays
        assert (ROOT, "Fake") in told
        folder = await library.files.child(ROOT, "Fake")
        assert folder is not None
        assert [node.name for node in await library.files.children(folder.inode)] == ["C"]
        assert [one.source.name for one in library.status().accounts] == ["campus", "other"]
        told.clear()
        assert library.apply(settings(tmp_path, account("good", name="other"))) == Applied(removed=("campus",))
        assert told == [(ROOT, "C")]
        assert await names(library) == ["Fake"]
        assert await library.files.child(ROOT, "C") is None
        with pytest.raises(Gone):
            await library.files.children(inode.inode)
        assert library.apply(settings(tmp_path)).removed == ("other",)
        assert library.apply(replace(settings(tmp_path), accounts=[])) == Applied(removed=("campus",))
        assert await names(library) == []
        assert library.apply(both) == Applied(added=("campus", "other"))
        assert await names(library) == ["C", "Fake"]


async def test_a_folder_of_an_account_that_was_signed_out_lists_nothing(tmp_path: Path) -> None:
    provider = FakeProvider([Course("c", "c", "C")])
    provider.outlines["c"] = Outline((section("m", "M", 1, lecture("a", "A", 1)),))
    async with open_library(settings(tmp_path, account("good")), providers=made_by("fake", provider)) as library:
        course = await library.files.child(ROOT, "C")
        assert course is not None
        module = (await library.files.children(course.inode))[0]
        assert await library.files.children(module.inode)
        assert library.files.known_listing(module.inode)
        library.apply(replace(settings(tmp_path), accounts=[]))
        assert library.files.known_listing(module.inode) is None
        with pytest.raises(Gone):
            await library.files.children(module.inode)


async def test_an_account_of_another_user_or_with_other_settings_is_made_anew(tmp_path: Path) -> None:
    async with opened(tmp_path, "good") as library:
        await names(library)
        told = kernel(library)
        applied = library.apply(settings(tmp_path, replace(account("good"), folder="Campus")))
        assert applied == Applied(replaced=("campus",))
        assert await names(library) == ["Campus"]
        assert {(ROOT, "C"), (ROOT, "Campus")} <= set(told)
        assert library.apply(settings(tmp_path, account("good", user="2"))) == Applied(replaced=("campus",))
        assert library.courses.known("campus") == []  # those of the other user are forgotten
        assert await names(library) == ["C"]


async def test_wrong_settings_of_a_new_account_change_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path, "good") as library:
        wrong = replace(account(name="other"), provider="unknown")
        with pytest.raises(UsageError):
            library.apply(settings(tmp_path, wrong))
        assert library.courses.accounts == ["campus"] and await names(library) == ["C"]


@pytest.mark.parametrize("user", ["1", "2"])
async def test_a_reply_to_a_sign_in_of_before_is_nothing_to_go_by(tmp_path: Path, user: str) -> None:
    """It fails after a new sign-in, or brings the courses of an account that is another user's now."""
    gate = trio.Event()
    made: list[FakeProvider] = []

    def waiting(account: Account, transport: Transport) -> FakeProvider:
        provider = create(account, transport)
        provider.gate = gate if not made else None
        made.append(provider)
        return provider

    old = settings(tmp_path, account("old" if user == "1" else "good"))
    async with open_library(old, providers={"fake": waiting}) as library:
        changes: list[tuple[str, bool]] = []
        library.on_sign_in(lambda name, error: changes.append((name, error is None)))

        async def ask() -> None:
            with pytest.raises(NotSignedIn if user == "1" else Gone):
                await library.courses.refresh("campus")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await trio.testing.wait_all_tasks_blocked()
            library.apply(settings(tmp_path, account("good", user=user)))
            gate.set()
        assert library.status().accounts[0].trouble is None
        assert changes == [] and library.courses.known("campus") == []


async def test_the_end_of_a_sign_in_and_the_next_one_are_told_once_each(tmp_path: Path) -> None:
    changes: list[tuple[str, str | None]] = []
    async with opened(tmp_path, "good") as library:
        library.on_sign_in(lambda name, error: changes.append((name, None if error is None else str(error))))
        await library.courses.refresh("campus")
        library.apply(settings(tmp_path, account("bad")))
        for _ in range(3):
            with pytest.raises(NotSignedIn):
                await library.courses.refresh("campus")
        assert changes == [("campus", "it has ended")]
        node = await library.files.child(ROOT, "C")
        assert node is not None
        library._note_read(node, NotSignedIn("it has ended"))
        library._note_read(node, NoAnswer("late"))
        library.apply(settings(tmp_path, account("good")))
        assert changes == [("campus", "it has ended")]  # not accepted yet
        for _ in range(3):
            await library.courses.refresh("campus")
        assert changes == [("campus", "it has ended"), ("campus", None)]
        assert [one.message for one in library.status().troubles] == ["late"]
        library._note_read(node, None)
        assert library.status().troubles == ()


async def test_a_read_that_is_refused_for_the_sign_in_has_it_checked_once(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    provider = FakeProvider([Course("c", "c", "C")])
    item = lecture("a", "A", 1)
    provider.outlines["c"] = Outline((section("m", "M", 1, item),))
    async with open_library(settings(tmp_path, account("good")), providers=made_by("fake", provider)) as library:
        ended: list[str] = []
        library.on_sign_in(lambda name, error: ended.append(name))
        course = await library.files.child(ROOT, "C")
        assert course is not None
        module = (await library.files.children(course.inode))[0]
        video = (await library.files.children(module.inode))[0]
        provider.failure = NotSignedIn("it has ended")
        provider.calls.clear()
        for _ in range(3):
            with pytest.raises(NotSignedIn):
                await library.files.open(video.inode)
            await trio.testing.wait_all_tasks_blocked()
        assert ended == ["campus"]
        assert provider.calls.count("courses") == 1
        assert isinstance(library.status().accounts[0].trouble, NotSignedIn)


async def test_a_sign_in_that_is_accepted_after_its_end_has_not_ended(tmp_path: Path) -> None:
    past = replace(account("good"), secrets={"token": "good", "user_id": "1", "expires": "1000000000"})
    async with open_library(settings(tmp_path, past), providers={"fake": create}) as library:
        (before,) = library_report(library)["accounts"]
        assert (before["signed_in"], before["expires"]) == (False, 1e9)
        await library.courses.refresh("campus")
        (after,) = library_report(library)["accounts"]
        assert (after["signed_in"], after["expires"]) == (True, None)


async def test_a_network_that_is_back_is_no_trouble_of_another_course(tmp_path: Path) -> None:
    errors = RefreshErrors()
    errors.remember(Place("campus", "a"), Unreachable("down"))
    errors.remember(Place("campus", "b"), BadReply("odd"))
    errors.remember(Place("other", "a"), Unreachable("down"))
    errors.succeeded(Place("campus", "c"))
    assert errors.error(Place("campus", "a")) is None
    assert str(errors.of_account("campus")) == "odd"
    assert str(errors.of_account("other")) == "down"


@pytest.mark.logs
async def test_settings_that_cannot_be_read_change_nothing_and_end_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    problems: list[Exception] = [UsageError("config.toml:1: no"), OSError(5, "disk")]

    def again() -> LibrarySettings:
        raise problems[0]

    async with opened(tmp_path) as library:
        reloading = Reloading(library, again, Manager(), "mounted")
        with pytest.raises(UsageError):
            await reloading.now()
        await reloading.on_hangup()
        problems.pop(0)
        await reloading.on_hangup()
        assert library._settings == settings(tmp_path)
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == [
        "settings not reloaded: config.toml:1: no",
        next(line for line in caplog.messages if line.startswith("reading the settings again: unexpected OSError")),
    ]


async def test_a_new_sign_in_is_tried_at_once(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    async with opened(tmp_path) as library:
        replies = Reloading(library, lambda: settings(tmp_path, account("good")), Manager(), "mounted").command({})
        assert [reply["signed_in"] async for reply in replies] == [("campus",)]
        await trio.testing.wait_all_tasks_blocked()
        assert [course.key for course in library.courses.known("campus")] == ["c"]
