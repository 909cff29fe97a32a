"""What Panopto's replies say, and what of them is believed."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from coursefs.errors import BadReply, CoursefsError, Gone, NoAnswer, NotAllowed, NotSignedIn, RouteGone
from coursefs.providers.panopto import replies, routes
from coursefs.providers.panopto.replies import TAGS, Delivery, Folder, Mark, Recording, content_of, tag
from coursefs.transport import Reply

ID = "0a1b2c3d-0000-4000-8000-00000000000f"
OTHER = "0a1b2c3d-0000-4000-8000-00000000000e"
ZERO = "00000000-0000-0000-0000-000000000000"
#: a row of a real listing, its ids changed
LISTED = {
    "Id": ID,
    "Name": "2025 118th Ceremony",
    "Description": "…",
    "StartTime": "2025-06-11T15:56:46.082Z",
    "Duration": 4590.833,
    "CreatedBy": {"Id": ZERO, "Username": None},
    "Urls": {
        "ViewerUrl": f"https://campus.example/Panopto/Pages/Viewer.aspx?id={ID}",
        "DownloadUrl": None,
        "CaptionDownloadUrl": f"https://campus.example/Panopto/Pages/Transcription/GenerateSRT.ashx?id={ID}",
    },
    "Folder": OTHER,
    "FolderDetails": {"Id": OTHER, "Name": "2025"},
    "PercentCompleted": 4,
}


def test_a_row_of_a_listing() -> None:
    session = replies.session(LISTED)
    assert session is not None
    assert (session.id, session.name, session.folder_id, session.percent) == (ID, "2025 118th Ceremony", OTHER, 4)
    assert (session.start, session.duration) == (1749657406.082, 4590.833)
    assert session.viewer_url.endswith(f"Viewer.aspx?id={ID}")
    assert session.download_url == "" and session.captions_url.endswith(ID)
    assert "GenerateSRT" not in repr(session)


@pytest.mark.parametrize(
    ("field", "value", "gives"),
    [
        ("StartTime", None, {"start": None}),
        ("StartTime", "yesterday", {"start": None}),
        ("StartTime", "0001-01-01T00:00:00", {"start": None}),
        ("StartTime", "2024-01-09T10:00:00", {"start": 1704794400.0}),
        ("StartTime", "2024-01-09T10:00:00.1234567Z", {"start": 1704794400.123456}),
        ("Duration", "long", {"duration": None}),
        ("Duration", float("inf"), {"duration": None}),
        ("Duration", True, {"duration": None}),
        ("Name", None, {"name": ""}),
        ("Name", "\ud800 x", {"name": "? x"}),
        ("Urls", [], {"viewer_url": "", "captions_url": ""}),
        ("Folder", ZERO, {"folder_id": OTHER}),
        ("Id", ID.upper(), {"id": ID}),
    ],
)
def test_a_strange_field_costs_that_field_alone(field: str, value: object, gives: dict[str, object]) -> None:
    session = replies.session({**LISTED, field: value})
    assert session is not None
    assert {name: getattr(session, name) for name in gives} == gives


@pytest.mark.parametrize("value", [None, "", "1", ZERO, "../../etc", ID + "0", 5])
def test_what_has_no_id_is_nothing(value: object) -> None:
    for read in (replies.session, replies.folder, replies.playlist):
        assert read({"Id": value, "Name": "x"}) is None


def test_a_folder_knows_its_parent() -> None:
    row = {"Id": ID, "Name": "Spring", "ParentFolder": {"Id": OTHER, "Name": "Biology"}, "Urls": {"FolderUrl": "u"}}
    assert replies.folder(row) == Folder(ID, "Spring", OTHER, "Biology", "u")
    top = replies.folder({"Id": ID, "Name": "Spring", "ParentFolder": None})
    assert top is not None and top.parent_id == ""


@pytest.mark.parametrize(
    ("content", "count"), [({"Results": []}, 0), ({"Results": None}, 0), ({"Results": [{}, 1]}, 1)]
)
def test_a_page(content: object, count: int) -> None:
    assert len(replies.results(content)) == count


@pytest.mark.parametrize("content", [None, [], {}, {"Results": "x"}, {"Message": "boom"}])
def test_what_is_no_page(content: object) -> None:
    with pytest.raises(BadReply):
        replies.results(content)


def told(**delivery: Any) -> Delivery:
    return replies.delivery(
        {"SessionId": ID, "UserEmail": "me@campus.example", "Delivery": {"Duration": 1, **delivery}}
    )


def test_what_the_viewer_is_told() -> None:
    found = told(
        HasCaptions=True,
        AvailableLanguages=[4, 0, 4],
        IsPodcastEncodeComplete=True,
        PodcastStreams=[{}],
        Timestamps=[
            {"Time": 9, "Caption": " Two \n lines ", "EventTargetType": "ObjectVideo"},
            {"Time": 2.5, "EventTargetType": "PowerPoint", "ObjectIdentifier": ID, "ObjectSequenceNumber": "3"},
            {"Time": "soon"},
            {"Time": -1},
        ],
    )  # fmt: skip
    assert (found.languages, found.has_podcast) == ((4, 0), True)
    assert found.marks == (Mark(2.5, "", ID, "3"), Mark(9, "Two lines"))
    assert "campus" not in repr(found)


@pytest.mark.parametrize(
    ("delivery", "languages"),
    [
        ({"AvailableCaptions": [{"Language": 1}, {"Language": 2}]}, (1, 2)),
        ({"AvailableLanguages": []}, ()),
        ({"HasCaptions": False}, ()),
        ({"HasCaptions": True}, None),
        ({}, None),
    ],
)
def test_languages_of_captions(delivery: dict[str, Any], languages: tuple[int, ...] | None) -> None:
    assert told(**delivery).languages == languages


@pytest.mark.parametrize(
    ("delivery", "has"),
    [
        ({}, None),
        ({"IsPodcastEncodeComplete": True}, True),
        ({"IsPodcastEncodeComplete": False}, False),
        ({"IsPodcastEncodeComplete": False, "PodcastStreams": [{}]}, True),
        ({"PodcastStreams": []}, False),
    ],
)
def test_whether_there_is_a_file(delivery: dict[str, Any], has: bool | None) -> None:
    assert told(**delivery).has_podcast is has


def test_errors_of_the_viewer_come_with_the_status_of_success() -> None:
    with pytest.raises(NotSignedIn):
        replies.delivery({"ErrorCode": 2, "ErrorMessage": "<p>Log in</p>"})
    with pytest.raises(NotAllowed, match=r"viewer: You may not see this\.$"):
        replies.delivery({"ErrorCode": 5, "ErrorMessage": "<p>You may not <b>see</b> this.</p>\x1b"})
    nothing: list[object] = [None, [], {}, {"Delivery": []}]
    for content in nothing:
        with pytest.raises(BadReply):
            replies.delivery(content)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"Error": {"Success": False, "ErrorCode": "E", "Message": "No such folder"}}, "No such folder"),
        ({"Message": "boom"}, "boom"),
        ({"Error": {"Code": "E42"}}, "E42"),
        ({"Error": "x"}, ""),
        ("x", ""),
    ],
)
def test_the_platforms_own_words(content: object, words: str) -> None:
    assert replies.said(content) == words


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (401, b"", NotSignedIn),
        (403, b"", NotAllowed),
        (404, b'{"Error": {"Message": "gone"}}', Gone),
        (404, b"<html>", RouteGone),
        (405, b"", RouteGone),
        (200, b"<html>", RouteGone),
        (429, b"", NoAnswer),
        (400, b'{"Error": {"Message": "bad"}}', BadReply),
        (503, b"<html>", BadReply),
    ],
)
def test_what_a_status_means(status: int, body: bytes, error: type[CoursefsError]) -> None:
    import httpx

    reply = Reply("https://campus.example/Panopto/api/v1/folders/1", status, httpx.Headers(), body)
    with pytest.raises(CoursefsError) as caught:
        content_of(reply, what="folder", sign_in_again="sign in")
    assert type(caught.value) is error
    assert "\n" not in str(caught.value)


def test_replies_as_a_client_of_others_has_them(platform_replies: Path) -> None:
    folder = platform_replies / "panopto" / "uw"

    def rows(pattern: str) -> list[Any]:
        (file,) = folder.glob(pattern)
        return list(replies.results(json.loads(file.read_text())))

    (row,) = rows("folders__*040__children_pageNumber_0.json")
    child = replies.folder(row)
    assert child is not None and row["Name"] and row["ParentFolder"]["Name"]
    assert (child.name, child.parent_name) == (row["Name"], row["ParentFolder"]["Name"])
    (row,) = rows("folders__*040__sessions_pageNumber_0.json")
    session = replies.session(row)
    assert session is not None
    assert session.start == pytest.approx(datetime.fromisoformat(row["StartTime"]).timestamp())
    assert session.download_url == row["Urls"]["DownloadUrl"] != "" and session.folder_id == ""
    assert rows("folders__*040__sessions_pageNumber_1.json") == []


def test_the_languages_are_those_of_the_platforms_description(recorded: Path) -> None:
    text = (recorded / "panopto" / "panopto-public-api.swagger2.json").read_text()
    start = text.index('"x-enumNames"', text.index('"title": "ContentLanguage"'))
    listed = json.loads(text[text.index("[", start) : text.index("]", start) + 1])
    assert len(listed) == len(TAGS)
    spoken = {"English": "en", "German": "de", "Danish": "da", "Vietnamese": "vi", "Chinese": "zh", "Hebrew": "he"}
    for number, name in enumerate(listed):
        if name.split("_")[0] in spoken:
            assert tag(number).split("-")[0] == spoken[name.split("_")[0]]
    assert tag(99) == "x-99"


def test_every_route_of_the_api_is_in_the_platforms_description(recorded: Path) -> None:
    described = json.loads((recorded / "panopto" / "panopto-public-api.swagger2.json").read_text())["paths"]
    ours = [one for one in vars(routes).values() if isinstance(one, routes.Route) and "/api/v1/" in one.path]
    assert len(ours) > 10
    for route in ours:
        operation = described[route.path.removeprefix("/Panopto")]["get"]
        known = {parameter["name"]: parameter for parameter in operation.get("parameters", ())}
        for name, value in route.query:
            assert name in known, (route, name)
            if "enum" in known[name]:
                assert value in known[name]["enum"], (route, name)
        required = {name for name, one in known.items() if one.get("required") and one["in"] == "query"}
        assert required <= {name for name, _ in route.query}


def test_addresses_are_encoded() -> None:
    url = routes.SEARCH_FOLDERS.url("https://campus.example", text="a&b c", page="0")
    assert "searchQuery=a%26b%20c&" in url
    assert (
        routes.FOLDER.url("https://campus.example", id="../x") == "https://campus.example/Panopto/api/v1/folders/..%2Fx"
    )


def test_a_session_says_nothing_of_its_addresses() -> None:
    assert "token" not in repr(Recording(ID, "x", download_url="https://x/?token", captions_url="https://x/?token"))
