"""What background indexing and a reader leave on the sample server."""

from __future__ import annotations

from pathlib import Path

import trio

from coursefs.base.foreground import Foreground
from coursefs.catalog import Indexer, IndexingDelays, Node, Sizes
from coursefs.model import Version
from tests.engine.openedx_world import lms
from tests.engine.test_tree import opened

AT_ONCE = IndexingDelays(first=0, pause=0, quiet=0, again=3600, failed=3600)


async def measured(_: Node, __: Version | None) -> Version:
    return Version(1000)


async def test_background_indexing_leaves_no_traces_in_a_course_that_was_never_opened(tmp_path: Path) -> None:
    async with lms() as world, opened(tmp_path, world.provider(world.learner())) as tree:
        courses = await tree.children(tree.node(1))
        async with trio.open_nursery() as nursery:
            fill = Indexer(tree, Sizes(tree.store, measured, nursery), tree.store, Foreground().idle, AT_ONCE)
            nursery.start_soon(fill.run)
            with trio.fail_after(30):
                while fill.progress.state != "done":
                    await trio.sleep(0.01)
            nursery.cancel_scope.cancel()
        assert world.asked("/api/courses/v2/blocks/") != []
        assert world.platform.site.rows == set() and world.asked("/xblock/") == []
        (course,) = [one for one in courses if one.name == "How Far, How Loud?"]
        (chapter,) = [one for one in await tree.children(course) if one.name == "01 How far?"]
        (lesson,) = [one for one in await tree.children(chapter) if one.is_directory]
        await tree.children(lesson)  # a user looks into it
        assert len(world.platform.site.rows) == 1
