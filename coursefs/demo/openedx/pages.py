"""The web site: the page of a unit, and the pages that come in its stead.  Pure."""

from __future__ import annotations

import secrets
from html import escape

from coursefs.demo.openedx.description import Block, Course

LOGIN = '<!DOCTYPE html><html lang="en"><head><title>Sign in</title></head><body><form id="login"></form></body></html>'
NOT_FOUND = '<!DOCTYPE html><html lang="en"><head><title>Page Not Found</title></head><body></body></html>'
GATE = '<!DOCTYPE html><html lang="en"><head><title>Courseware</title></head><body>Do this first.</body></html>'


def unit(course: Course, block: Block) -> str:
    """What `/xblock/…` gives: a page without the site around it, other in every byte each time."""
    token = secrets.token_urlsafe(32)
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="UTF-8"><title>Unit</title>'
        '<link rel="stylesheet" href="/static/css/lms-course.css"><script src="/static/js/lms.js"></script></head>'
        f'<body class="view-in-course view-courseware"><input type="hidden" name="csrfmiddlewaretoken" value="{token}">'
        f'<section class="course-content" id="course-content"><main id="main">{_block(course, block)}</main></section>'
        "</body></html>"
    )


def _block(course: Course, block: Block) -> str:
    inner = "".join(f'<div class="vert">{_block(course, one)}</div>' for one in block.blocks)
    text = course.with_static(block.fields.get("html", ""))
    match block.type:
        case "problem":
            shown = (
                f'<h3 class="hd hd-3 problem-header">{escape(block.name)}</h3>'
                f'<div class="problem-progress"></div><div class="problem">{text}</div>'
                '<div class="action"><button class="submit">Submit</button></div>'
            )
            content = (
                f'<div id="problem_{block.id}" class="problems-wrapper" role="group" data-problem-id="{block.key}"'
                f' data-content="{escape(shown)}" data-graded="True"><p class="loading-spinner">Loading…</p></div>'
            )
        case "video":
            content = (
                f'<h3 class="hd hd-2">{escape(block.name)}</h3><div class="video closed" data-metadata="{{}}"></div>'
            )
        case "html":
            content = text
        case _:
            content = inner or "<p>Your browser cannot show this.</p>"
    return (
        f'<div class="xblock xblock-student_view xblock-student_view-{block.type} xmodule_display"'
        f' data-block-type="{block.type}" data-usage-id="{block.key}" data-request-token="{secrets.token_hex(8)}"'
        f' data-course-id="{course.id}"><script type="json/xblock-args" class="xblock-json-init-args">{{}}</script>'
        f"{content}</div>"
    )
