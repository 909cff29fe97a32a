"""What the catalogue says without any request, and that it says what it does not know."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest

from coursefs.bulk.targets import Target, resolve
from coursefs.daemon.commands import commands
from coursefs.errors import CoursefsError, UsageError
from coursefs.library import ROOT, Library, Totals, stored_tree
from coursefs.model import Course, Outline
from tests.engine.fakes import lecture, section
from tests.engine.shelf import HELLO, KIB, Shelf, run, shelf

__all__ = ["shelf"]

PAGE = 4 * KIB  # more than the page of the reading has


async def test_what_is_known_is_summed_up_and_the_rest_counted(shelf: Shelf) -> None:
    shelf.provider.listed.append(Course("c2", "ears", "Ears"))
    shelf.provider.outlines["c2"] = Outline((section("m", "One", 1, lecture("x", "Ear", 1)),))
    async with shelf.opened() as library:
        await library.files.children(ROOT)
        assert library.files.stored().known(library.files.node(ROOT)).totals == Totals(folders=2, unlisted=2)
        (course,) = library.courses.select(["graphics"])
        await library.files.children(course.inode)
        assert library.files.stored().known(course).totals == Totals(folders=2, unlisted=3), (
            "three items, not listed yet"
        )
        calls, asked = list(shelf.provider.calls), list(shelf.cdn.asked)
        await library.files.children((await library.files.child(course.inode, "01 Start")).inode)  # type: ignore[union-attr]
        known = library.files.stored().known(course)
        assert (known.totals.files, known.totals.unsized, known.totals.unlisted) == (4, 3, 0)
        calls = list(shelf.provider.calls)
        await run(library, "fetch", "graphics")
        calls, asked = list(shelf.provider.calls), list(shelf.cdn.asked)
        known = library.files.stored().known(course)
        assert (known.totals.files, known.totals.unsized, known.totals.unlisted) == (4, 0, 0)
        assert 5301 * KIB < known.totals.bytes < 5301 * KIB + PAGE
        start, empty = known.children
        assert (start.name, [one.name for one in start.children][:2]) == ("01 Start", ["01 Hello.mp4", "02 Again.mp4"])
        assert start.children[0].totals == Totals(files=1, bytes=300 * KIB)
        assert (empty.name, empty.children, empty.totals) == ("02 Empty", (), Totals())
        assert library.files.stored().known(course, 0).children == ()
        assert [one.children for one in library.files.stored().known(course, 1).children] == [(), ()]
        assert (shelf.provider.calls, shelf.cdn.asked) == (calls, asked)


async def test_from_the_disk_while_another_process_has_it_open(shelf: Shelf) -> None:
    async with shelf.opened() as library:
        await run(library, "fetch")
        calls = list(shelf.provider.calls)
        with stored_tree(shelf.settings.catalogue, ["x"]) as tree:
            (course,) = await resolve(tree, tree, [Target("Gra")])
            assert tree.path(course) == "Graphics" and tree.known(course).totals.files == 4
            names = [node.name for node in await resolve(tree, tree, [Target("Graphics/01*/*.mp4")])]
            assert names == ["01 Hello.mp4", "02 Again.mp4"]
            with pytest.raises(UsageError, match=r"did you mean Graphics\?"):
                await resolve(tree, tree, [Target("Grafics")])
        assert shelf.provider.calls == calls


async def test_only_accounts_of_the_settings_are_shown(shelf: Shelf) -> None:
    (account,) = shelf.settings.accounts
    shelf.settings = replace(
        shelf.settings, accounts=[replace(account, folder=""), replace(account, name="y", folder="Y")]
    )
    async with shelf.opened() as library:
        await library.files.children(ROOT)
        await library.files.children((await library.files.child(ROOT, "Y")).inode)  # type: ignore[union-attr]
    with stored_tree(shelf.settings.catalogue, ["x", "y"]) as tree:
        assert [tree.path(node) for node, _ in tree.courses()] == ["Graphics", "Y/Graphics"]
    with stored_tree(shelf.settings.catalogue, ["y"]) as tree:
        assert [node.name for node in await tree.children(ROOT)] == ["Y"]
        assert await tree.child(ROOT, "Graphics") is None
    with (
        pytest.raises(CoursefsError, match="no course is known yet"),
        stored_tree(shelf.settings.catalogue, ["z"]),
    ):
        pass


async def test_a_mount_says_it_over_its_socket(shelf: Shelf) -> None:
    async with shelf.opened() as library:
        await run(library, "fetch")
        calls = list(shelf.provider.calls)
        (reply,) = await _asked(library, {"targets": [["01*", ["Graphics", "01*"]]], "depth": 1})
        assert reply["path"] == "Graphics/01 Start"
        assert next(one["name"] for one in reply["known"]["children"]) == "01 Hello.mp4"
        assert reply["known"]["totals"]["files"] == 4
        shelf.provider.outlines["c1"] = Outline((section("m", "Start", 1, HELLO),))
        (reply,) = await _asked(library, {"targets": [], "depth": 0})
        assert (reply["path"], reply["known"]["children"]) == ("", ())
        assert shelf.provider.calls == calls


async def _asked(library: Library, wanted: dict[str, Any]) -> list[dict[str, Any]]:
    async with aclosing(commands(library)["known"](wanted)) as replies:
        return [dict(reply) async for reply in replies]
