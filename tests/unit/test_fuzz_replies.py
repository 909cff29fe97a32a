"""Recorded replies of every platform with anything wrong in them: `CoursefsError` leaves their parsers, or nothing."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings

from coursefs.errors import CoursefsError
from coursefs.model import Course
from coursefs.providers.coursera import catalogue
from coursefs.providers.openedx import oauth, outline
from coursefs.providers.openedx import replies as openedx
from coursefs.providers.panopto import replies as panopto
from coursefs.providers.panopto import web_replies as panopto_web
from coursefs.transport import Reply
from tests.unit.mutations import changes, mutated
from tests.unit.test_coursera_recorded import READERS, enveloped, nothing_asked

Read = Callable[[Any], object]

#: what reads a recorded reply of Open edX; each file is one reply, or one with what was asked
OPENEDX: dict[str, Read] = {
    "blocks_RG+MC01+2022_with_video.json": lambda body: _outline(openedx.blocks(body)),
    "mfe_pact/02_api_courses_v2_blocks.json": lambda body: _outline(openedx.blocks(_body(body))),
    "mobile_v3_course_enrollments_edx.json": openedx.enrolments,
    "dates_HarvardX+ECD01.json": openedx.course_dates,
    "mfe_pact/01_api_course_home_v1_dates_course_v1_edx_demox_demo_course.json": lambda body: openedx.course_dates(
        _body(body)
    ),
    "mfe_pact/00_api_course_home_v1_course_metadata_course_v1_edx_demox_demo_course.json": lambda body: openedx.access(
        _body(body)
    ),
    "handouts_demo_course_2014.json": openedx.handouts,
    "updates.documented.json": openedx.updates,
    "auth_errors.documented.json": lambda body: _answered(oauth.token_of, body),
}

#: shapes as the providers' own tests have them, for what is not recorded
PANOPTO: dict[str, tuple[Any, Read]] = {
    "folders": (
        {
            "Results": [
                {"Id": "1" * 8 + "-1111-1111-1111-" + "1" * 12, "Name": "A", "ParentFolder": {"Id": "x", "Name": "y"}}
            ]
        },
        lambda body: [panopto.folder(row) for row in panopto.results(body)],
    ),
    "sessions": (
        {
            "Results": [
                {
                    "Id": "2" * 8 + "-1111-1111-1111-" + "1" * 12,
                    "Name": "Lecture",
                    "StartTime": "2024-01-09T10:00:00Z",
                    "Duration": 3600.5,
                    "Urls": {"DownloadUrl": "https://x.example/d", "ViewerUrl": "https://x.example/v"},
                    "FolderDetails": {"Id": "x", "Name": "y"},
                    "MostRecentViewPosition": 3,
                }
            ]
        },
        lambda body: [panopto.session(row) for row in panopto.results(body)],
    ),
    "delivery": (
        {
            "SessionId": "x",
            "Delivery": {
                "SessionName": "Lecture",
                "Duration": 10.5,
                "PodcastStreams": [{"StreamUrl": "https://x.example/a.mp4", "StreamHttpUrl": "https://x.example/b"}],
                "Streams": [{"StreamUrl": "https://x.example/c", "Tag": "DV", "ViewerMediaFileTypeName": "mp4"}],
                "Timestamps": [{"Caption": "One", "Time": 3.5, "ObjectIdentifier": "x", "Url": ""}],
                "HasCaptions": True,
                "AvailableCaptions": [{"Language": 0}, {"Language": 1}],
                "Contents": [{"Caption": "Two", "Time": 9, "ObjectPublicIdentifier": "y"}],
            },
        },
        panopto.delivery,
    ),
    "web recordings": (
        {
            "d": {
                "Results": [
                    {
                        "DeliveryID": "3" * 8 + "-1111-1111-1111-" + "1" * 12,
                        "SessionName": "Lecture",
                        "FolderID": "1" * 8 + "-1111-1111-1111-" + "1" * 12,
                        "FolderName": "A",
                        "StartTime": "/Date(1704794400000)/",
                        "Duration": 3600.5,
                        "ViewerUrl": "https://x.example/Viewer.aspx?pid=" + "4" * 8 + "-1111-1111-1111-" + "1" * 12,
                        "Status": 7,
                    }
                ],
                "Subfolders": [{"ID": "5" * 8 + "-1111-1111-1111-" + "1" * 12, "Name": "B"}],
                "TotalNumber": 1,
            }
        },
        panopto_web.sessions_page,
    ),
    "web folders": (
        [{"Id": "1" * 8 + "-1111-1111-1111-" + "1" * 12, "Name": "A", "Parent": {"Id": "x", "Name": "y"}}],
        panopto_web.folders_page,
    ),
    "viewer": ({"UserId": "6" * 8 + "-1111-1111-1111-" + "1" * 12, "UserName": "A"}, panopto_web.viewer_of),
    "refusal": ({"Error": {"Message": "no"}, "Message": "x"}, lambda body: panopto.said(body, "Message")),
}


#: of one kind the list of good replies reads the first element alone, and one must be there
EACH = {"*/onDemandSpecializations.v1.json": enveloped(lambda page: [*map(catalogue.specialization, page.elements)])}


def _body(recorded: Any) -> Any:
    """The reply's body; what was asked is not the platform's."""
    response = recorded.get("response") if isinstance(recorded, dict) else None
    return response.get("body") if isinstance(response, dict) else response


def _outline(blocks: openedx.Blocks) -> object:
    """As the provider makes it; where no root is said its client ends with an error."""
    course = Course("course-v1:x+y+z", "x", "X")
    return outline.outline(blocks, course, "https://x.example") if blocks.root else None


def _answered(read: Callable[[Reply, float], object], body: Any) -> object:
    return read(Reply("https://x.example", 200, httpx.Headers(), json.dumps(body).encode()), 0.0)


def _survives(read: Callable[[], object]) -> None:
    try:
        read()
    except CoursefsError as error:
        assert "\n" not in str(error)  # one line for a person


_slow = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize("pattern", [one for one, read in READERS.items() if read not in (None, nothing_asked)])
def test_replies_of_coursera(platform_replies: Path, pattern: str) -> None:
    read = EACH.get(pattern, READERS[pattern])
    assert read is not None
    folder = platform_replies / "coursera"
    names = {f"/{path.relative_to(folder).as_posix()}": path for path in sorted(folder.rglob("*.json"))}
    trees = [
        tree
        for name, path in names.items()
        if next((one for one in READERS if fnmatchcase(name, one)), None) == pattern
        and isinstance(tree := json.loads(path.read_text(encoding="utf-8")), dict)
    ]

    @_slow
    @given(changes)
    def changed(change: tuple[random.Random, float]) -> None:
        source, chance = change
        tree = source.choice(trees)
        top = {name: mutated(value, source, chance) for name, value in tree.items()}
        if isinstance(tree.get("reply"), dict):
            top = tree | {"reply": {name: mutated(value, source, chance) for name, value in tree["reply"].items()}}
        _survives(lambda: read(json.dumps(top)))

    if trees:
        changed()


@pytest.mark.parametrize("name", OPENEDX)
def test_replies_of_openedx(platform_replies: Path, name: str) -> None:
    tree = json.loads((platform_replies / "openedx" / name).read_text(encoding="utf-8"))

    @_slow
    @given(changes)
    def changed(change: tuple[random.Random, float]) -> None:
        source, chance = change
        _survives(lambda: OPENEDX[name](mutated(tree, source, chance)))

    changed()


@pytest.mark.parametrize("name", PANOPTO)
def test_replies_of_panopto(name: str) -> None:
    tree, read = PANOPTO[name]

    @settings(deadline=None, max_examples=300)
    @given(changes)
    def changed(change: tuple[random.Random, float]) -> None:
        source, chance = change
        _survives(lambda: read(mutated(tree, source, chance)))

    changed()
