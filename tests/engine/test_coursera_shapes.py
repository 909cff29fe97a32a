"""Replies in the shapes that other clients have met: the sample platform gives each, the files are the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from coursefs.demo.description import SHAPES
from coursefs.model import File, Item, Kind, Outline, Page, Remote, Wanted
from tests.engine.small_platform import COURSE, DESCRIPTION, MP4, World, small_platform
from tests.engine.test_coursera_catalogue import provider_in
from tests.engine.test_coursera_provider import names, remote

VIDEO = 'video = { "720p" = "media/a.720p.mp4", "360p" = "media/a.360p.mp4" }\n'
READING = """
[[modules.lessons.items]]
id = "ite09"
slug = "handout"
name = "Handout"
type = "supplementary"
tree_files = [ { id = "HandoutHandoutHandout1", name = "Handout 1.pdf", file = "media/slides.pdf" } ]
[[modules.lessons]]
id = "les02"
"""
DISCUSSION = """
[[modules.lessons.items]]
id = "ite08"
slug = "talk"
name = "Talk"
type = "discussionPrompt"
instructions = "readings/how.cml"
tasks = ["What did you hear?"]
[[modules.lessons]]
id = "les02"
"""
NEXT = '\n[[modules.lessons]]\nid = "les02"\n'


def items_of(outline: Outline | None) -> dict[str, Item]:
    assert outline is not None
    return {one.key: one for module in outline.sections for lesson in module.sections for one in lesson.items}


async def files_of(
    world: World,
    key: str,
    wanted: Wanted = Wanted(),  # noqa: B008  frozen
) -> tuple[list[File], dict[str, bytes]]:
    """The files of an item, and the bytes of those that are fetched."""
    async with provider_in(world, wanted=wanted) as provider:
        (course,) = [one for one in await provider.courses() if one.key == COURSE]
        item = items_of(await provider.outline(course))[key]
        found = (await provider.files(course, [item]))[key]
        assert not isinstance(found, Exception), found
        content = {}
        for file in found:
            if isinstance(file.body, Remote):
                source = await provider.source(course, file.body, fresh=True)
                content[file.key] = (await world.anyone.get(source.url)).content
        assert not any("write" in entry.notes for entry in world.platform.journal.entries)
        return list(found), content


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_lecture_has_its_video_in_every_shape_of_its_sources(tmp_path: Path, shape: str) -> None:
    description = DESCRIPTION.replace(VIDEO, f'{VIDEO}shape = "{shape}"\n')
    if shape in ("addresses", "text"):  # they have no place for two containers
        description = description.replace('webm = { "360p" = "media/a.360p.webm" }\n', "")
    async with small_platform(tmp_path, description) as world:
        files, content = await files_of(world, "item/ite01")
    assert files[0].kind is Kind.VIDEO and files[0].extension == ".mp4"
    assert content["item/ite01/video"] in ((MP4, b"bytes of a.360p.mp4") if shape == "text" else (MP4,))


async def test_a_lecture_that_is_a_stream_alone_keeps_page_and_texts(tmp_path: Path) -> None:
    description = DESCRIPTION.replace(VIDEO, 'shape = "text"\n')
    description = description.replace('webm = { "360p" = "media/a.360p.webm" }\n', "")
    async with small_platform(tmp_path, description) as world:
        files, _ = await files_of(world, "item/ite01")
        assert not any("Playlists" in entry.path for entry in world.platform.journal.entries)
    assert isinstance(files[0].body, Page) and "as a stream only" in files[0].body.html
    assert {"ite01/subtitle/en.srt", "ite01/transcript/en.txt"} <= set(names(files))


async def test_other_voices_are_read_as_files(tmp_path: Path) -> None:
    voices = 'voices = { de = "media/notes.txt", es = "media/slides.pdf" }\ndescribed = "media/ear.png"\n'
    async with small_platform(tmp_path, DESCRIPTION.replace(VIDEO, VIDEO + voices)) as world:
        plain, _ = await files_of(world, "item/ite01")
        wanted = Wanted(voices=("de",), audio_description=True)
        files, content = await files_of(world, "item/ite01", wanted)
    added = [file for file in files if file.key not in {one.key for one in plain}]
    assert [file.extension for file in added] == [".de.mp4", ".de.de.vtt", ".audio-description.mp4"]
    assert [content[file.key] for file in added] == [b"bytes of notes.txt", "de vtt ü".encode(), b"bytes of ear.png"]


async def test_a_file_that_stands_in_the_tree_alone_is_the_reading(tmp_path: Path) -> None:
    async with small_platform(tmp_path, DESCRIPTION.replace(NEXT, READING)) as world:
        (file,), content = await files_of(world, "item/ite09")
    assert (file.title, file.extension, file.placement.value) == ("", ".pdf", "main")
    assert content == {file.key: b"bytes of slides.pdf"}
    assert isinstance(file.body, Remote) and "Expires" not in str(file.body)


async def test_a_reading_has_its_text_and_the_files_in_the_tree(tmp_path: Path) -> None:
    row = READING.replace("tree_files", 'cml = "readings/how.cml"\ntree_files')
    async with small_platform(tmp_path, DESCRIPTION.replace(NEXT, row)) as world:
        (page, file), content = await files_of(world, "item/ite09")
    assert (page.extension, file.title, file.extension) == (".html", "Handout 1", ".pdf")
    assert content == {file.key: b"bytes of slides.pdf"}


async def test_the_other_spelling_of_a_discussion_prompt(tmp_path: Path) -> None:
    async with small_platform(tmp_path, DESCRIPTION.replace(NEXT, DISCUSSION)) as world:
        (page,), _ = await files_of(world, "item/ite08")
    assert isinstance(page.body, Page)
    assert "What did you hear?" in page.body.html and "<p>How</p>" in page.body.html


LAB = """
[[modules.lessons.items]]
id = "ite07"
slug = "lab"
name = "Lab"
type = "ungradedLab"
instructions = "readings/how.cml"
tasks = ["One", "Two"]
[[modules.lessons]]
id = "les02"
"""


async def test_a_lab_has_its_instructions_and_is_not_started(tmp_path: Path) -> None:
    async with small_platform(tmp_path, DESCRIPTION.replace(NEXT, LAB)) as world:
        (page,), _ = await files_of(world, "item/ite07")
        launches = [entry for entry in world.platform.journal.entries if "Workspace" in entry.path]
    assert [(entry.method, entry.notes) for entry in launches] == [("GET", [])]
    assert isinstance(page.body, Page) and page.title == "lab"
    assert "<p>How</p>" in page.body.html and "Step Two" in page.body.html


@pytest.mark.parametrize("change", ["instructions", "type"])
async def test_a_lab_without_instructions_leads_to_its_web_page(tmp_path: Path, change: str) -> None:
    description = DESCRIPTION.replace(NEXT, LAB)
    if change == "instructions":
        description = description.replace('instructions = "readings/how.cml"\ntasks = ["One", "Two"]\n', "")
    else:  # the launcher does not know it
        description = description.replace('type = "ungradedLab"', 'type = "workspaceLauncher"')
    async with small_platform(tmp_path, description) as world:
        (page,), _ = await files_of(world, "item/ite07")
    assert page.kind is Kind.LINK and page.url is not None and page.url.endswith("/ite07/lab")


async def test_remote_identities_hold_no_signature(tmp_path: Path) -> None:
    async with small_platform(tmp_path) as world:
        files, _ = await files_of(world, "item/ite01")
    assert "Signature" not in str([remote(files, one.key) for one in files if isinstance(one.body, Remote)])
