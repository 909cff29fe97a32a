"""Whatever JSON a platform sends: a reader gives an object, or raises an error of coursefs, and nothing else."""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC
from types import ModuleType
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coursefs.errors import CoursefsError
from coursefs.model import Course, Outline
from coursefs.providers.coursera import (
    catalogue,
    instructions,
    materials,
    naptime,
    old_replies,
    outline,
    replies,
    standing,
)
from coursefs.providers.kit import fields
from coursefs.providers.openedx import errors as openedx_errors
from coursefs.providers.openedx import outline as openedx_outline
from coursefs.providers.openedx import replies as openedx
from coursefs.providers.openedx import standing as openedx_standing
from coursefs.providers.panopto import folders, session_files, wall_clock
from coursefs.providers.panopto import replies as panopto
from coursefs.providers.panopto import replies as panopto_answers
from coursefs.providers.panopto import web_replies as panopto_web
from coursefs.providers.panopto.replies import is_srt
from coursefs.transport import Reply

COURSE = Course("C", "c", "C", "https://x.example/c")
Read = Callable[[Any], object]


def _reply(content: Any, status: int = 200) -> Reply:
    body = json.dumps(content).encode() if not isinstance(content, bytes) else content
    return Reply("https://x.example/api", status, httpx.Headers({"content-type": "application/json"}), body)


def _enveloped(read: Callable[[naptime.Envelope], object], *, bare: bool = False) -> Read:
    def readable(content: Any) -> object:
        given = {"elements": [content], "linked": content, "paging": content}
        if isinstance(content, dict):
            given |= content
        reply = _reply(content if bare else given)
        return read(naptime.envelope(reply, what="x", sign_in_again="y", bare=bare))

    return readable


def _openedx_outline(content: Any) -> object:
    found = openedx.blocks(content)
    if not found.root:
        return None  # the client says so
    for block in found.blocks.values():
        openedx_outline.parts(found, block)
    return openedx_outline.outline(found, COURSE, "https://x.example"), openedx_standing.due_blocks(found)


def _panopto(content: Any) -> object:
    found = panopto.delivery({"Delivery": content, **(content if isinstance(content, dict) else {})})
    return session_files.chapters(found.marks)


def _sessions(content: Any) -> object:
    rows = panopto.results({"Results": content})
    found = [(panopto.folder(row), panopto.session(row), panopto.playlist(row)) for row in rows]
    return [folders.title(one.name, one.start, UTC) + folders.slug(one.name) for _, one, _ in found if one is not None]


def _web_listing(content: Any) -> object:
    page = panopto_web.sessions_page({"d": {"Results": content, "Subfolders": content, "TotalNumber": content}})
    listed = [
        panopto_web.list_items({"Items": content if isinstance(content, list) else []}),
        panopto_web.folders_page(content if isinstance(content, list) else {"d": {"Results": []}}),
        panopto_web.viewer_of(content),
        panopto_web.total_of(content),
        panopto_web.session_list_id(content),
        panopto_web.is_sign_in(_reply(content), "https://x.example"),
    ]
    return page, listed, [wall_clock.instant(row.wall, UTC) for row in page.rows if row.wall is not None]


def _fields(content: Any) -> object:
    source = content if isinstance(content, dict) else {"a": content}
    readers: tuple[Callable[[fields.Json, str], object], ...] = (
        fields.rows, fields.record, fields.text, fields.identifier, fields.identifiers, fields.integer,
    )  # fmt: skip
    return [read(source, name) for name in source for read in readers]


def _coursera_outline(content: Any) -> object:
    found = _enveloped(materials.materials)(content)
    assert isinstance(found, materials.Materials)
    return outline.outline(found, COURSE, "https://x.example", outline.Aside())


def _standing(content: Any) -> object:
    names = [name for name in standing.Parts.__dataclass_fields__ if hasattr(standing, name)]
    said: dict[str, Any] = {name: _enveloped(getattr(standing, name))(content) for name in names}
    _enveloped(standing.modules_done)(content)
    return standing.standing(standing.Parts(**said), Outline(()))


READERS: dict[str, tuple[Read, ModuleType]] = {
    "fields": (_fields, fields),
    "memberships": (_enveloped(lambda one: [replies.membership(*each, {}) for each in zip(one.elements)]), replies),
    "lecture": (_enveloped(replies.lecture_video), replies),
    "lecture, bare": (_enveloped(replies.lecture_video, bare=True), replies),
    "assets of a course": (_enveloped(replies.course_assets), replies),
    "wrappers": (_enveloped(replies.wrappers), replies),
    "assets": (_enveloped(replies.assets), replies),
    "language": (_enveloped(replies.language), replies),
    "user": (_enveloped(replies.user_id), replies),
    "materials": (_coursera_outline, materials),
    "old materials": (_enveloped(old_replies.materials, bare=True), old_replies),
    "references": (_enveloped(replies.references), replies),
    "programming": (_enveloped(instructions.programming), instructions),
    "exercise": (_enveloped(instructions.exercise), instructions),
    "peer": (_enveloped(instructions.peer_assignment), instructions),
    "discussion": (_enveloped(instructions.discussion), instructions),
    "sessions": (_enveloped(old_replies.session_enrolments), old_replies),
    "catalogue": (_enveloped(catalogue.courses), catalogue),
    "linked courses": (_enveloped(catalogue.linked_courses), catalogue),
    "specializations": (_enveloped(catalogue.my_specializations), catalogue),
    "standing": (_standing, standing),
    "openedx user": (openedx.user, openedx),
    "openedx enrolments": (openedx.enrolments, openedx),
    "openedx access": (openedx.access, openedx),
    "openedx blocks": (_openedx_outline, openedx),
    "openedx updates": (openedx.updates, openedx),
    "openedx dates": (lambda content: openedx_standing.standing(openedx.course_dates(content), content), openedx),
    "openedx error": (lambda content: openedx_errors.api_json(_reply(content, 403), "x"), openedx_errors),
    "panopto viewer": (_panopto, panopto),
    "panopto listing": (_sessions, panopto),
    "panopto web": (_web_listing, panopto_web),
    "panopto web error": (lambda content: panopto_web.web_content(_reply(content, 500), "x"), panopto_web),
    "panopto error": (
        lambda content: panopto_answers.content_of(_reply(content, 400), what="x", sign_in_again="y"),
        panopto_answers,
    ),
}


def _words(module: ModuleType) -> list[str]:
    """The strings of a module: among them the names of every field that it reads."""
    nodes = ast.walk(ast.parse(inspect.getsource(module)))
    words = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return sorted(word for word in words if len(word) < 60)


def _contents(module: ModuleType) -> st.SearchStrategy[Any]:
    names = st.sampled_from([*_words(module), "id", ""])
    odd = ["\ud800", "1e999", "9" * 40, "None", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "²", "/" * 9]
    scalars = (
        st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(odd) | st.text(max_size=8) | names
        | st.sampled_from([10**400, -(10**400), 1e308, float("inf"), float("nan"), -1, 2**63])
    )  # fmt: skip
    return st.recursive(
        scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=6), max_leaves=30
    )


def _deep(depth: int, shape: str) -> Any:
    content: Any = {}
    for _ in range(depth):
        content = [content] if shape == "list" else {shape: content}
    return content


@pytest.mark.parametrize("name", READERS)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_no_reply_raises_anything_else(name: str, data: st.DataObject) -> None:
    read, module = READERS[name]
    content = data.draw(_contents(module))
    with suppress(CoursefsError):
        read(content)


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("shape", ["list", "elements", "results", "enrollments", "Results", "blocks", "id", "parts"])
def test_no_depth_raises_anything_else(name: str, shape: str) -> None:
    for depth in (50, 700, 940):
        with suppress(CoursefsError):
            READERS[name][0](_deep(depth, shape))


@pytest.mark.parametrize("body", [b"[" * 200_000, b'{"a":' * 100_000, b"9" * 5000, b"\xff\xfe", b"\0", b""])
def test_a_body_that_is_no_json_is_a_bad_reply(body: bytes) -> None:
    for read in (
        lambda: naptime.envelope(_reply(body), what="x", sign_in_again="y"),
        lambda: openedx_errors.api_json(_reply(body), "x"),
        lambda: panopto_answers.content_of(_reply(body), what="x", sign_in_again="y"),
    ):
        with pytest.raises(CoursefsError):
            read()


@given(st.binary(max_size=512))
def test_whatever_a_body_begins_with_is_captions_or_not(beginning: bytes) -> None:
    assert is_srt(beginning) in {True, False}
