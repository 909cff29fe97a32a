"""Texts of Open edX that are too much for a page, and what takes their place."""

from __future__ import annotations

import pytest

from coursefs.model import Course, File, Item, Kind, Page, Wanted
from coursefs.providers.openedx.replies import Block, Encoding, Update, VideoData
from coursefs.providers.openedx.text_pages import TextPages

COURSE = Course("course-v1:A+B+C", "A+B+C", "C", "https://lms.example.com/c")
ITEM = Item("item/u", "A unit", "u", 1, "vertical", "https://lms.example.com/u")
HUGE = "<p>x</p>" * 500_001


def pages() -> TextPages:
    return TextPages("https://lms.example.com", Wanted())


def _link(file: File) -> str:
    assert file.kind is Kind.LINK and isinstance(file.body, Page)
    return file.body.html


@pytest.mark.logs
async def test_a_unit_whose_text_is_too_much_keeps_its_videos_and_leads_to_the_web() -> None:
    video = Block("block-v1:A+B+C+type@video+block@v", "video", "Film", "", video=VideoData(
        {"desktop_mp4": Encoding("https://cdn.example.com/v.mp4")}))  # fmt: skip
    text = Block("block-v1:A+B+C+type@html+block@t", "html", "Text", "", html="")
    for parts, html in (([video, text], HUGE), ([video, Block(text.key, "html", "Text", "", html=HUGE)], "")):
        found = {file.key: file for file in await pages().unit(COURSE, ITEM, parts, html)}
        assert set(found) == {"item/u/link", "item/u/video/v"}
        link = _link(found["item/u/link"])
        assert "too long" in link and "Not open to you" not in link and 'href="https://lms.example.com/u"' in link


@pytest.mark.logs
async def test_handouts_and_updates_that_are_too_much_lead_to_the_web() -> None:
    for found in (
        await pages().handouts(COURSE, ITEM, HUGE),
        await pages().updates(COURSE, ITEM, [Update("today", HUGE)]),
    ):
        (file,) = found
        assert "too long" in _link(file)


async def test_a_large_unit_is_rendered_as_a_small_one_would_be() -> None:
    text = Block("block-v1:A+B+C+type@html+block@t", "html", "Text", "")
    html = f'<div class="xblock" data-usage-id="{text.key}">{"<p>Words.</p>" * 10_000}</div>'
    (page,) = await pages().unit(COURSE, ITEM, [text], html)
    assert isinstance(page.body, Page) and page.body.html.count("Words.") == 10_000
