"""The web site: the page of a unit, and the error and sign-in pages in its place. Pure."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from html import escape

from coursefs.demo.openedx.description import FILES, Block, Course, media_path

LOGIN = '<!DOCTYPE html><html lang="en"><head><title>Sign in</title></head><body><form id="login"></form></body></html>'
NOT_FOUND = '<!DOCTYPE html><html lang="en"><head><title>Page Not Found</title></head><body></body></html>'
ERROR = '<!DOCTYPE html><html lang="en"><head><title>Server Error</title></head><body><h1>500</h1></body></html>'
GATE = '<!DOCTYPE html><html lang="en"><head><title>Courseware</title></head><body>Do this first.</body></html>'


def unit(course: Course, block: Block, *, cdn: str = "", extracted: bool = False) -> str:
    """The reply of `/xblock/…`: a page without the site's frame, with different bytes each time.

    `cdn` is the host for public files; `extracted`: the blocks are those that have packages of their own.
    """
    token, shown = secrets.token_urlsafe(32), _UnitPage(course, cdn, extracted).block(block)
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="UTF-8"><title>Unit</title>'
        '<link rel="stylesheet" href="/static/css/lms-course.css"><script src="/static/js/lms.js"></script></head>'
        f'<body class="view-in-course view-courseware"><input type="hidden" name="csrfmiddlewaretoken" value="{token}">'
        f'<section class="course-content" id="course-content"><main id="main">{shown}</main></section>'
        "</body></html>"
    )


def static_tab(course: Course, tab: Mapping[str, str], cdn: str) -> str:
    """A page that the authors added to a course, within the site's frame."""
    key = f"block-v1:{course.org}+{course.number}+{course.run}+type@static_tab+block@{tab['slug']}"
    return (
        f'<!DOCTYPE html><html lang="en"><head><title>{escape(tab["name"])}</title></head><body><nav>Course</nav>'
        '<main id="main"><section class="container"><div class="static_tab_wrapper">'
        f'<div class="xblock xblock-student_view-static_tab" data-block-type="static_tab" data-usage-id="{key}">'
        f"{course.with_static(tab['html'], cdn)}</div></div></section></main><footer>School</footer></body></html>"
    )


def pdf_book(address: str, number: int) -> str:
    """The viewer of a textbook; the URL of its frame names the file."""
    viewer = f"pdfbook/{number}/?viewer=true&amp;file={address}#zoom=page-fit&amp;disableRange=true"
    return (
        '<!DOCTYPE html><html lang="en"><head><title>Textbook</title></head><body><main id="main">'
        f'<iframe title="pdf" id="viewer-frame" src="{viewer}"></iframe></main></body></html>'
    )


class _UnitPage:
    """The blocks of one page."""

    def __init__(self, course: Course, cdn: str, extracted: bool) -> None:
        self._course = course
        self._cdn = cdn
        self._package = ' data-package-name="xblocks-contrib"' if extracted else ""

    def block(self, block: Block) -> str:
        """A block with its children; of an item bank only the drawn ones."""
        inner = "".join(
            f'<div class="vert vert-{place}" data-id="{one.key}" id="{one.key}">{self.block(one)}</div>'
            for place, one in enumerate(_drawn(block))
        )
        return (
            f'<div class="xblock xblock-student_view xblock-student_view-{block.type} xmodule_display"'
            f' data-block-type="{block.type}" data-usage-id="{block.key}" data-request-token="{secrets.token_hex(8)}"'
            f' data-course-id="{self._course.id}" data-has-score="{block.type == "problem"}">'
            f'<script type="json/xblock-args" class="xblock-json-init-args">{{}}</script>'
            f"{self._content(block, inner)}</div>"
        )

    def _content(self, block: Block, inner: str) -> str:
        match block.type:
            case "problem":
                return self._problem(block)
            case "video":
                return self._video(block)
            case "html":  # as its author wrote it: unclosed tags stay unclosed
                return self._static(block.fields.get("html", ""))
            case "pdf" if self._package:
                return self._pdf(block)
            case "openassessment":
                return (
                    '<div class="openassessment"><h3 class="openassessment__title">{{ title }}</h3>'
                    '<span class="icon fa fa-spinner fa-spin"></span><span class="copy">Loading</span>'
                    '<p class="staff-info">{{ submissions_count }}</p><span class="icon">menu_book</span></div>'
                )
            case "word_cloud":
                box = '<label><span class="sr">1 of 1</span><input class="input-cloud" type="text"></label>'
                return f'<div class="word_cloud"><h3>{escape(block.name)}</h3>{box}<p>Your words were:</p></div>'
            case "poll" | "survey":
                template = '<script class="poll-results-template" type="text/html"><h3>{{display_name}}</h3></script>'
                return f'{template}<div class="poll-block"><h3 class="poll-header">Loading</h3></div>'
            case _:
                return f'<div class="vert-mod">{inner}</div>' if inner else "<p>Your browser cannot show this.</p>"

    def _static(self, html: str) -> str:
        return self._course.with_static(html, self._cdn)

    def _problem(self, block: Block) -> str:
        shown = (
            f'<h3 class="hd hd-3 problem-header">{escape(block.name)}</h3>'
            '<div class="problem-progress"></div>'
            f'<div class="problem">{self._static(block.fields.get("html", ""))}</div>'
            '<div class="action"><button class="submit">Submit</button></div>'
        )
        return (
            f'<div id="problem_{block.id}" class="problems-wrapper" role="group" data-problem-id="{block.key}"'
            f' data-content="{escape(shown)}" data-graded="True"><p class="loading-spinner">Loading…</p></div>'
        )

    def _video(self, block: Block) -> str:
        """The player of a video. Only this page names the handout."""
        languages = dict.fromkeys(block.fields.get("transcripts", {}) or ["en"], "Language")
        metadata = escape(json.dumps({"sources": [], "streams": "", "transcriptLanguages": languages}))
        handout = block.fields.get("handout", "")
        link = f'<a class="btn-link" href="{self._static(handout)}">Download Handout</a>'
        downloads = f'<div class="wrapper-downloads"><div class="wrapper-handouts"><h4>Handouts</h4>{link}</div></div>'
        return (
            f'<h3 class="hd hd-2">{escape(block.name)}</h3>'
            f'<div id="video_{block.id}" class="video closed"{self._package} data-metadata="{metadata}">'
            f'<span class="spinner" aria-label="Loading video player"></span></div>{downloads if handout else ""}'
        )

    def _pdf(self, block: Block) -> str:
        """The PDF block of newer releases, which gives apps no data."""
        where = block.fields.get("address") or self._cdn + media_path(FILES / block.fields["pdf"])
        address = self._static(escape(where))
        return (
            f'<div class="pdf_block"{self._package}><h2>{escape(block.name)}</h2>'
            f'<iframe src="{address}" type="application/pdf" width="100%"></iframe>'
            f'<ul><li class="pdf-download-button"><a href="{address}" download>Download</a></li></ul></div>'
        )


def _drawn(block: Block) -> Sequence[Block]:
    """The blocks on the page: as many as an item bank draws, and the last one of a choice."""
    if block.type == "randomize":
        return block.blocks[-1:]
    return block.blocks[: block.fields.get("draws")]
