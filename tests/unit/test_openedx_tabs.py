"""Textbooks and the pages that a course's team has written, as a real server has them."""

from __future__ import annotations

from pathlib import Path

from coursefs.model import Course, Item, Kind, Page, Remote
from coursefs.providers.openedx.replies import Tab, access
from coursefs.providers.openedx.tabs import tab_files, tab_items

LMS = "https://lms.example.invalid"
KEY = "course-v1:RealX+R101+2026"
COURSE = Course(KEY, "r101", "Real")
METADATA = {
    "course_access": {"has_access": True},
    "tabs": [
        {"tab_id": "courseware", "title": "Course", "url": f"https://apps.example.invalid/learning/course/{KEY}/home"},
        {"tab_id": "teams", "title": "Teams", "url": f"{LMS}/courses/{KEY}/teams/"},
        {"tab_id": "wiki", "title": "Wiki", "url": f"{LMS}/courses/{KEY}/course_wiki"},
        {"tab_id": "static_tab_extra", "title": "Extra", "url": f"{LMS}/courses/{KEY}/extra/"},
        {"tab_id": "pdftextbook/0", "title": "A book", "url": f"/courses/{KEY}/pdfbook/0/"},
        {"tab_id": "static_tab_far", "title": "Far", "url": f"https://elsewhere.example/courses/{KEY}/far/"},
        {"tab_id": "static_tab_odd", "title": "Odd", "url": "https://[odd"},
        "nonsense",
    ],
}


def items() -> tuple[Item, ...]:
    return tab_items(access(METADATA).tabs, LMS)


def test_of_all_tabs_the_courses_own_are_items() -> None:
    assert access(METADATA).tabs[1] == Tab("pdfbook/0", "A book", f"/courses/{KEY}/pdfbook/0/")
    assert [(item.key, item.title, item.type_name, item.details["url"]) for item in items()] == [
        ("item/tab/extra", "Extra", "tab", f"{LMS}/courses/{KEY}/extra/"),
        ("item/tab/pdfbook/0", "A book", "textbook", f"{LMS}/courses/{KEY}/pdfbook/0/"),
    ]


def test_a_reply_without_tabs_has_none() -> None:
    for tabs in (None, "x", [1], [{"url": 7}]):
        assert access({"tabs": tabs}).tabs == ()


def test_a_textbook_is_its_chapters(real: Path) -> None:
    html = (real / "pdf_book.html").read_text(encoding="utf-8")
    page, chapter = tab_files(COURSE, items()[1], html, LMS)
    assert isinstance(page.body, Page) and "Ch 1" in page.body.html
    assert (chapter.kind, chapter.title, chapter.extension) == (Kind.ATTACHMENT, "plain", ".pdf")
    assert isinstance(chapter.body, Remote) and chapter.body.locator["path"].endswith("@plain.pdf")


def test_a_page_of_the_team_is_a_page(real: Path) -> None:
    html = (real / "static_tab.html").read_text(encoding="utf-8")
    page, linked = tab_files(COURSE, items()[0], html, LMS)
    assert isinstance(page.body, Page) and "Marker-tab" in page.body.html and "Sign in" not in page.body.html
    assert linked.extension == ".pdf"


def test_a_tab_without_anything_leads_to_the_web() -> None:
    for item in items():
        (link,) = tab_files(COURSE, item, "<p>nothing of ours", LMS)
        assert link.kind is Kind.LINK
