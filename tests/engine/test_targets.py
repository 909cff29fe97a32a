"""Which files the words of a person mean."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest

from coursefs.bulk.targets import Target, below, resolve
from coursefs.catalog import Ages
from coursefs.errors import BadReply, NotSignedIn, Unreachable, UsageError
from coursefs.library import Found, Library, Outdated, Unavailable
from coursefs.model import Course, Outline
from tests.engine.fakes import lecture, section
from tests.engine.shelf import AGAIN, HELLO, READ, Shelf, shelf

__all__ = ["shelf"]

EVERY = [
    "Graphics/01 Start/01 Hello.mp4",
    "Graphics/01 Start/02 Again.mp4",
    "Graphics/01 Start/03 Read.files/plan.png",
    "Graphics/01 Start/03 Read.html",
    "Graphics/02 Empty",
]


async def found(library: Library, *targets: Target) -> list[Found | Unavailable | Outdated]:
    async with aclosing(library.files.walk(await resolve(library.files, library.courses, targets))) as every:
        return [one async for one in every]


async def paths(library: Library, *targets: Target) -> list[str]:
    return [one.path for one in await found(library, *targets) if isinstance(one, Found)]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (Target("all"), EVERY),
        (Target("Graphics"), EVERY),
        (Target("Graphics/"), EVERY),
        (Target("graphics"), EVERY),
        (Target("c1"), EVERY),
        (Target("https://x.example/learn/graphics/home/week/1?a=b"), EVERY),
        (Target("/somewhere/else/Graphics"), EVERY),
        (Target("Graphics/01 Start/01 Hello.mp4"), EVERY[:1]),
        (Target("./Graphics/01 Start/03 Read.files"), EVERY[2:3]),
        (Target("Graphics/02 Empty"), EVERY[4:]),
        (Target("/mnt/c", ()), EVERY),
        (Target("/mnt/c/Graphics/01 Start", ("Graphics", "01 Start")), EVERY[:4]),
        (Target("02 Again.mp4", ("Graphics", "01 Start", "02 Again.mp4")), EVERY[1:2]),
        (Target("graphics", ("Graphics", "01 Start", "graphics")), EVERY),
        (Target("Graph"), EVERY),
        (Target("gRAPHICS"), EVERY),
        (Target("Gra*"), EVERY),
        (Target("gra*/01*"), EVERY[:4]),
        (Target("Graphics/*/*.mp4"), EVERY[:2]),
        (Target("Graphics/**/*.png"), EVERY[2:3]),
        (Target("*/01*/0[12]*"), EVERY[:2]),
        (Target("/mnt/c/Gra*/01*", ("Gra*", "01*")), EVERY[:4]),
        (Target("01*", ("Graphics", "01*")), EVERY[:4]),
    ],
    ids=lambda value: value.text if isinstance(value, Target) else "",
)
async def test_what_is_named(shelf: Shelf, target: Target, expected: list[str]) -> None:
    async with shelf.opened() as library:
        assert await paths(library, target) == expected


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (Target("nothing"), "no course is called nothing"),
        (Target(""), "no course is called"),
        (Target("https://x.example/learn/nothing"), "no course is called"),
        (Target("Graphics/nothing"), "no such file or folder"),
        (Target("Graphics/01 Start/01 Hello.mp4/more"), "no such file or folder"),
        (Target("/mnt/c/Graphics", ("nothing", "Graphics")), "no such file or folder"),
        (Target("Graphics/nothing/Graphics"), "no such file or folder"),
        (Target("Gra*/nothing*"), r"Gra\*/nothing\*: no file or folder fits"),
        (Target("x*"), r"x\*: no file or folder fits"),
        (Target("/home/me/courses/Gra*"), "without a mount, patterns begin with the name of a course"),
        (Target("/home/me/courses/Graphics/01 Start"), "nothing is mounted there; without a mount"),
        (Target("Grafics"), r"no course is called Grafics; did you mean Graphics\? see: coursefs courses list"),
    ],
    ids=lambda value: value.text if isinstance(value, Target) else "",
)
async def test_what_names_nothing(shelf: Shelf, target: Target, words: str) -> None:
    async with shelf.opened() as library:
        with pytest.raises(UsageError, match=words) as caught:
            await resolve(library.files, library.courses, [target])
        assert "\n" not in str(caught.value)


async def test_nothing_comes_twice_and_in_the_order_of_the_names(shelf: Shelf) -> None:
    async with shelf.opened() as library:
        assert await paths(library, Target("Graphics/02 Empty"), Target("Graphics"), Target("c1")) == [
            EVERY[4],
            *EVERY[:4],
        ]
        assert await paths(library) == EVERY


async def test_courses_in_an_accounts_folder_are_named_too(shelf: Shelf) -> None:
    (account,) = shelf.settings.accounts
    shelf.settings = replace(shelf.settings, accounts=[replace(account, folder="edX")])
    async with shelf.opened() as library:
        expected = [f"edX/{path}" for path in EVERY]
        assert await paths(library, Target("graphics")) == expected
    async with shelf.opened() as library:
        assert await paths(library, Target("edX")) == expected


async def test_a_pattern_for_courses_looks_into_the_folders_of_accounts(shelf: Shelf) -> None:
    (account,) = shelf.settings.accounts
    shelf.settings = replace(shelf.settings, accounts=[replace(account, folder="edX")])
    async with shelf.opened() as library:
        expected = [f"edX/{path}" for path in EVERY]
        assert await paths(library, Target("Gra*")) == expected
        assert await paths(library, Target("*/Gra*")) == expected
        assert await paths(library, Target("Gra")) == expected


async def test_the_whole_name_of_a_new_course_is_not_the_beginning_of_another(shelf: Shelf) -> None:
    async with shelf.opened() as library:
        await paths(library)
        shelf.provider.listed.append(Course("c2", "graph", "Theory of Graphs"))
        shelf.provider.outlines["c2"] = Outline((section("m", "One", 1, lecture("x", "Ear", 1)),))
        assert await paths(library, Target("graph")) == ["Theory of Graphs/01 One/01 Ear.mp4"]
        assert await paths(library, Target("Graphi")) == EVERY


async def test_an_account_that_cannot_be_listed_keeps_no_other_from_being_named(shelf: Shelf) -> None:
    (account,) = shelf.settings.accounts
    shelf.settings = replace(shelf.settings, accounts=[replace(account, folder="edX")])
    async with shelf.opened() as library:
        shelf.provider.failure = Unreachable("no network")
        with pytest.raises(Unreachable, match="no network"):
            await resolve(library.files, library.courses, [Target("Graphics")])
    other = replace(account, name="y")
    shelf.settings = replace(shelf.settings, accounts=[replace(account, folder="edX"), other])
    async with shelf.opened() as library:
        shelf.provider.failure = None
        await library.courses.refresh("y")
        shelf.provider.failure = Unreachable("no network")
        assert [node.name for node in await resolve(library.files, library.courses, [Target("Graphics")])] == [
            "Graphics"
        ]


async def test_what_is_old_is_asked_for_again_first(shelf: Shelf) -> None:
    shelf.settings = replace(shelf.settings, ages=Ages(0.0, 0.0, 0.0))
    async with shelf.opened() as library:
        await paths(library)
        new = lecture("n", "New", 4)
        shelf.provider.outlines["c1"] = Outline((section("m", "Start", 1, HELLO, AGAIN, READ, new),))
        shelf.provider.listed.append(Course("c2", "ears", "Ears"))
        shelf.provider.outlines["c2"] = Outline((section("m", "One", 1, lecture("x", "Ear", 1)),))
        assert await paths(library) == ["Ears/01 One/01 Ear.mp4", *EVERY[:4], "Graphics/01 Start/04 New.mp4"]


async def test_what_cannot_be_asked_for_again_is_as_it_was_and_that_is_said(shelf: Shelf) -> None:
    shelf.settings = replace(shelf.settings, ages=Ages(0.0, 0.0, 0.0))
    async with shelf.opened() as library:
        await paths(library)
        shelf.provider.failure = NotSignedIn("signed out")
        every = await found(library)
        assert [one.path for one in every if isinstance(one, Found)] == EVERY
        assert {(one.account, str(one.error)) for one in every if isinstance(one, Outdated)} == {("x", "signed out")}


async def test_a_folder_that_was_never_listed_is_a_trouble_and_the_others_come(shelf: Shelf) -> None:
    shelf.provider.listed.append(Course("c2", "ears", "Ears"))
    shelf.provider.outlines["c2"] = Outline((section("m", "One", 1, lecture("x", "Ear", 1)),))
    async with shelf.opened() as library:
        await paths(library, Target("Graphics"))
        shelf.provider.failure = Unreachable("no network")
        troubles = [one for one in await found(library) if isinstance(one, Unavailable)]
        assert [(one.path, one.node.place.account, str(one.error)) for one in troubles] == [("Ears", "x", "no network")]


async def test_the_page_of_an_unavailable_item_is_a_failure(shelf: Shelf) -> None:
    shelf.provider.contents[HELLO.key] = BadReply("not understood")
    async with shelf.opened() as library:
        (trouble,) = [one for one in await found(library) if isinstance(one, Unavailable)]
        assert (trouble.path, str(trouble.error)) == ("Graphics/01 Start/01 Hello (unavailable).html", "not understood")


@pytest.mark.parametrize(
    ("mountpoint", "path", "parts"),
    [
        ("/mnt/c", "/mnt/c", ()),
        ("/mnt/c", "/mnt/c/a/b", ("a", "b")),
        ("/mnt/c", "/mnt/cc/a", None),
        ("/mnt/c", "/mnt", None),
    ],
)
def test_where_a_path_lies_below_a_mount_point(mountpoint: str, path: str, parts: tuple[str, ...] | None) -> None:
    assert below(Path(mountpoint), Path(path)) == parts


async def test_a_course_that_is_new_today_can_be_named(shelf: Shelf) -> None:
    async with shelf.opened() as library:
        await paths(library, Target("Graphics"))
        shelf.provider.listed.append(Course("c2", "ears", "Ears"))
        shelf.provider.outlines["c2"] = Outline((section("m", "One", 1, lecture("x", "Ear", 1)),))
        assert await paths(library, Target("ears")) == ["Ears/01 One/01 Ear.mp4"]
