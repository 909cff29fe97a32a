"""What is fuzzed: each target takes any bytes, and only a `CoursefsError` may leave it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx

from coursefs.catalog import names
from coursefs.content import range_response
from coursefs.errors import CoursefsError
from coursefs.mount import mountinfo, options
from coursefs.pages import cleaning, formulas
from coursefs.providers.coursera import catalogue, cml, replies, standing
from coursefs.providers.coursera.materials import materials
from coursefs.providers.coursera.naptime import envelope
from coursefs.providers.coursera.sign_in import secrets_from_cookies
from coursefs.providers.kit.cookies import cookies_of
from coursefs.providers.openedx import oauth
from coursefs.providers.openedx import replies as openedx
from coursefs.providers.panopto import replies as panopto
from coursefs.providers.panopto import web_replies as panopto_web
from coursefs.providers.panopto.replies import content_of
from coursefs.settings import config, units
from coursefs.transport import Reply
from coursefs.transport.backoff import retry_after_seconds

Target = Callable[[bytes], object]


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _reply(data: bytes) -> Reply:
    return Reply("https://x.example", 200, httpx.Headers(), data)


def _coursera(data: bytes) -> None:
    page = envelope(_reply(data), what="this", sign_in_again="sign in")
    for read in (replies.memberships, replies.course_assets, replies.wrappers, replies.assets, catalogue.courses):
        _quietly(lambda read=read: read(page))  # type: ignore[misc]  # bound at once
    for other in (replies.lecture_video, standing.schedule, standing.deadlines, standing.grade, materials):
        _quietly(lambda other=other: other(page))  # type: ignore[misc]


def _openedx(data: bytes) -> None:
    body = json.loads(data)
    for read in (
        openedx.user,
        openedx.enrolments,
        openedx.access,
        openedx.blocks,
        openedx.updates,
        openedx.course_dates,
    ):
        _quietly(lambda read=read: read(body))  # type: ignore[misc]
    _quietly(lambda: oauth.token_of(_reply(data), 0.0))


def _panopto(data: bytes) -> None:
    body = content_of(_reply(data), what="this", sign_in_again="sign in")
    _quietly(
        lambda: [(panopto.folder(row), panopto.session(row), panopto.playlist(row)) for row in panopto.results(body)]
    )
    _quietly(lambda: panopto.delivery(body))
    for read in (
        panopto_web.sessions_page,
        panopto_web.folders_page,
        panopto_web.list_items,
        panopto_web.item,
        panopto_web.viewer_of,
        lambda _: panopto_web.is_sign_in(_reply(data), "https://x.example"),
    ):
        _quietly(lambda read=read: read(body))  # type: ignore[misc]


def _heads(data: bytes) -> None:
    lines = [line.partition(":") for line in _text(data).split("\n")]
    headers = {name.lower(): value for name, _, value in lines}
    for status in (200, 206, 416, 429):
        try:
            range_response.check(status, headers, "x.example", html=False, now=1e9)
        except (range_response.Retry, range_response.UrlRefused, CoursefsError):
            continue
    range_response.version_of(headers, 5)
    retry_after_seconds(_text(data), 1e9)


def _settings(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.toml"
        path.write_bytes(data)
        config.load(path)


def _cookies(data: bytes) -> None:
    _quietly(lambda: cookies_of(_text(data)))
    secrets_from_cookies(_text(data), now=1e9)


def _small(data: bytes) -> None:
    text = _text(data)
    for read in (units.parse_size, units.parse_duration):
        _quietly(lambda read=read: read(text))  # type: ignore[misc]
    _quietly(lambda: options.parse([text]))
    names.fit(names.clean(text), 100)
    names.slugged(text)


def _mounts(data: bytes) -> None:
    line = b"36 35 98:0 / /" + data.replace(b"\n", b"").replace(b" ", b"") + b" rw - ext4 x rw"
    mountinfo.parse(line)


def _quietly(read: Callable[[], object]) -> None:
    try:
        read()
    except CoursefsError:
        return


TARGETS: Mapping[str, Target] = {
    "cml": lambda data: (cml.render(_text(data), {}), cml.assets(_text(data)), cml.says_something(_text(data))),
    "html": lambda data: (cleaning.safe(_text(data)), cleaning.plain(_text(data)), cleaning.link_target(_text(data))),
    "formulas": lambda data: formulas.with_formulas(_text(data), flagged=True),
    "coursera": _coursera,
    "openedx": _openedx,
    "panopto": _panopto,
    "heads": _heads,
    "settings": _settings,
    "cookies": _cookies,
    "small": _small,
    "mounts": _mounts,
}
#: errors of the standard library that a target's own reading of its input raises, not the parser's
FORGIVEN: Mapping[str, tuple[type[Exception], ...]] = {"openedx": (ValueError, RecursionError)}
