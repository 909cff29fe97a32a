"""Replies of Panopto's web site, cookies, and clocks of rooms: decided without a platform."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursefs.errors import BadReply, CoursefsError, Gone, NoAnswer, NotAllowed, NotSignedIn, RouteGone, UsageError
from coursefs.providers.kit.cookies import Cookie
from coursefs.providers.panopto import wall_clock, web_replies
from coursefs.providers.panopto.replies import Delivery, Folder, Mark, delivery
from coursefs.providers.panopto.session_files import chapters
from coursefs.providers.panopto.web_cookies import WebCookies, from_cookies, from_value, kept_cookies
from coursefs.providers.panopto.web_replies import ListingRow, Viewer
from coursefs.transport import Reply

SERVER = "https://campus.example"
ID, OTHER = "0a1b2c3d-0000-4000-8000-00000000000f", "0a1b2c3d-0000-4000-8000-00000000000e"
ZERO = "00000000-0000-0000-0000-000000000000"
FAULT = (
    '<Fault xmlns="http://schemas.microsoft.com/ws/2005/05/envelope/none"><Reason><Text xml:lang="en-US">User '
    "unified\\user1 is not in role (FolderEnumerate).</Text></Reason></Fault>"
)


def reply(status: int = 200, body: object = None, *, kind: str = "application/json", url: str = "/Panopto/x") -> Reply:
    text = body if isinstance(body, str) else json.dumps(body)
    return Reply(url if "://" in url else SERVER + url, status, httpx.Headers({"content-type": kind}), text.encode())


# --- listings


def test_a_row_of_a_listing() -> None:
    row = {
        "DeliveryID": ID.upper(),
        "SessionID": OTHER,
        "SessionName": " Lecture 1 ",
        "FolderID": OTHER,
        "FolderName": "Biology",
        "Duration": 4462.451,
        "StartTime": "/Date(1771877100000)/",
        "HasCaptions": True,
        "HasStreams": True,
        "Status": 7,
        "ViewerUrl": f"{SERVER}/Panopto/Pages/Viewer.aspx?id={ID}",
        "UserCanEnumerateFolder": False,
    }
    page = web_replies.sessions_page({"d": {"Results": [row, {"SessionName": "without an id"}, 7], "TotalNumber": 3}})
    assert page.total == 3
    assert page.rows == (
        ListingRow(ID, "Lecture 1", OTHER, "Biology", 1771877100.0, None, 4462.451, True, may_list=False),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "is_scheduled"),
    [
        ({"Status": 1, "HasStreams": False, "Duration": 3600.0}, True),
        ({"Status": 1, "Duration": 3600.0}, True),
        ({"Status": 1, "HasStreams": True, "Duration": 3600.0}, False),  # it can be watched, whatever the number means
        ({"Duration": 0}, True),
        ({"Duration": None}, False),
        ({"ViewerUrl": f"/Panopto/Pages/Viewer.aspx?pid={OTHER}", "Duration": 0}, False),
    ],
)
def test_what_is_not_recorded_yet(fields: dict[str, Any], is_scheduled: bool) -> None:
    (row,) = web_replies.sessions_page({"d": {"Results": [{"DeliveryID": ID, **fields}]}}).rows
    assert row.is_scheduled is is_scheduled


@pytest.mark.parametrize(
    ("url", "playlist"),
    [
        (f"{SERVER}/Panopto/Pages/Viewer.aspx?pid={OTHER}", OTHER),
        (f"/Panopto/Pages/Viewer.aspx?pid={OTHER}&advance=true", OTHER),
        (f"/Panopto/Pages/Viewer.aspx?id={ID}&pid={OTHER}", ""),
        (f"/Panopto/Pages/Viewer.aspx?id={ID}", ""),
        ("http://[", ""),
        ("", ""),
    ],
)
def test_a_playlist_is_known_by_its_page(url: str, playlist: str) -> None:
    (row,) = web_replies.sessions_page({"d": {"Results": [{"DeliveryID": ID, "ViewerUrl": url}]}}).rows
    assert (row.id, row.is_playlist) == ((playlist, True) if playlist else (ID, False))


@pytest.mark.parametrize(
    "content",
    [
        [{"Id": ID, "Name": "Spring", "Parent": {"Id": OTHER, "Name": "Biology"}, "HasAccessibleChildren": True}],
        {"d": [{"Id": ID, "Name": "Spring", "HasAccessibleChildren": True, "Parent": {"Id": OTHER, "Name": "Biology"}}]
         },
        {"d": {"Results": [{"ID": ID.upper(), "Name": "Spring", "ParentFolderId": OTHER, "ParentFolderName": "Biology",
                            "HasAccessibleChildren": True}], "TotalNumber": 1}},
    ],
)  # fmt: skip
def test_folders_are_spelled_in_three_ways(content: object) -> None:
    (found,) = web_replies.folders_page(content)
    assert (found.folder, found.has_children) == (Folder(ID, "Spring", OTHER, "Biology"), True)


@pytest.mark.parametrize("row", [{"Parent": None}, {"Parent": {"Id": ZERO}}, {"ParentFolderId": None}, {}])
def test_a_top_folder(row: dict[str, object]) -> None:
    (found,) = web_replies.folders_page([{"Id": ID, "Name": "x", **row}])
    assert found.folder.parent_id == "" and not found.has_children


def test_of_two_listings_the_one_that_knows_the_parent_counts() -> None:
    top, placed = [web_replies.WebFolder(Folder(ID, "Spring", parent)) for parent in ("", OTHER)]
    for order in ([top, placed], [placed, top]):
        assert web_replies.merged(order, {})[ID].parent_id == OTHER


@pytest.mark.parametrize("content", [None, 7, "x", [], {}, {"d": None}, {"d": {"Results": None}}, {"d": []}])
def test_what_is_no_listing_of_recordings(content: object) -> None:
    with pytest.raises(BadReply):
        web_replies.sessions_page(content)


@pytest.mark.parametrize("content", [None, 7, "x", {}, {"d": None}, {"d": {"Results": None}}])
def test_what_is_no_listing_of_folders(content: object) -> None:
    with pytest.raises(BadReply):
        web_replies.folders_page(content)


@pytest.mark.parametrize(
    ("value", "wall"),
    [
        ("/Date(1771877100000)/", 1771877100.0),
        ("/Date(1644832810113)/", 1644832810.113),
        ("/Date(1771877100000-0500)/", 1771877100.0),
        ("/Date(-62135596800000)/", None),
        ("/Date(99999999999999999999)/", None),
        ("2024-01-09T10:00:00Z", None),
        ("", None),
    ],
)
def test_times_of_a_listing(value: str, wall: float | None) -> None:
    assert web_replies.wall_clock(value) == wall


def test_recorded_replies_are_understood(platform_replies: Path) -> None:
    empty = json.loads((platform_replies / "panopto/GetSessions.empty.json").read_text())["reply"]
    assert web_replies.sessions_page(empty) == web_replies.ListingPage((), 0)
    fault = json.loads((platform_replies / "panopto/GetFolders.not-in-role.json").read_text())
    refused = reply(fault["status"], fault["reply_text"], kind="application/xml")
    assert web_replies.is_refusal(refused)
    with pytest.raises(NotAllowed):
        web_replies.web_content(refused, "folders")
    row = json.loads((platform_replies / "panopto/GetSessions.row.json").read_text())["reply"]
    assert web_replies.sessions_page(row).total == 1


# --- who is signed in, if any


@pytest.mark.parametrize(
    ("content", "viewer"),
    [
        ({"UserId": ID.upper(), "UserName": "Ada", "UserKey": "unified\\ada"}, Viewer(ID, "Ada")),
        ({"UserId": ID, "UserName": None, "UserKey": "unified\\ada"}, Viewer(ID, "ada")),
        ({"UserId": ID}, Viewer(ID, "")),
        ({"UserId": ID, "UserName": "A\ndа" + "x" * 200}, Viewer(ID, ("Adа" + "x" * 200)[:100])),
        ({"UserId": ZERO, "UserName": "Guest"}, None),
        ({"UserId": None}, None),
        ({"Delivery": {}}, Viewer("", "")),
        ({"ErrorCode": 2, "UserId": ID}, None),
        ([], None),
    ],
)
def test_who_is_signed_in(content: object, viewer: Viewer | None) -> None:
    assert web_replies.viewer_of(content) == viewer


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        (reply(200, {"d": []}), False),
        (reply(200, {"ErrorCode": 2, "ErrorMessage": "<p>"}), True),
        (reply(200, {"ErrorCode": 4}), False),
        (reply(200, "<!doctype html>", kind="text/html; charset=utf-8"), True),
        (reply(200, "  <html>", kind="application/json"), True),
        (reply(200, {"d": []}, url="/Panopto/Pages/Auth/Login.aspx"), True),
        (reply(200, {"d": []}, url="https://sso.campus.example/adfs/ls"), True),
        (reply(302, ""), True),
        (reply(401, ""), True),
        (reply(403, "<html>", kind="text/html"), False),  # downloads and tokens are refused so as well
        (reply(500, FAULT, kind="application/xml"), False),
        (reply(404, {"Message": "no"}), False),
    ],
)
def test_which_replies_send_to_the_sign_in(got: Reply, expected: bool) -> None:
    assert web_replies.is_sign_in(got, SERVER) is expected


@pytest.mark.parametrize(
    ("got", "error"),
    [
        (reply(500, FAULT, kind="application/xml"), NotAllowed),
        (reply(500, "<Fault><Reason>Object reference</Reason></Fault>", kind="application/xml"), BadReply),
        (reply(401, ""), NotAllowed),
        (reply(302, ""), NotAllowed),
        (reply(403, ""), NotAllowed),
        (reply(404, {"Message": "no"}), Gone),
        (reply(404, "<html>"), RouteGone),
        (reply(200, "<html>"), RouteGone),
        (reply(429, ""), NoAnswer),
        (reply(502, ""), BadReply),
    ],
)
def test_what_a_reply_means(got: Reply, error: type[CoursefsError]) -> None:
    with pytest.raises(error) as caught:
        web_replies.web_content(got, "folders")
    assert type(caught.value) is error and "unified" not in str(caught.value)


# --- cookies


def cookie(name: str, value: str, host: str = "campus.example", expires: float | None = None) -> Cookie:
    return Cookie(host, expires, name, value)


def found(*cookies: Cookie) -> WebCookies:
    return from_cookies(cookies, host="campus.example", now=100.0, where="this file", again="again")


def test_two_cookies_are_taken_and_no_other() -> None:
    taken = found(cookie("UserSettings", "private"), cookie(".aspxauth", "A"), cookie("csrfToken", "C"))
    assert taken == WebCookies("A", "C") and taken.header == ".ASPXAUTH=A; csrfToken=C"
    assert "A" not in repr(taken).replace("WebCookies", "")
    assert kept_cookies(taken.secrets()) == taken
    assert kept_cookies({}) is None and kept_cookies({"aspxauth": "two words"}) is None
    assert kept_cookies({"aspxauth": "A", "csrf_token": "two\r\nlines"}) == WebCookies("A")


def test_the_host_s_own_cookie_goes_before_one_of_the_domain_above_and_others_are_not_taken() -> None:
    above = cookie(".ASPXAUTH", "above", "example")
    assert found(above) == WebCookies("above")
    assert found(above, cookie(".ASPXAUTH", "own")) == WebCookies("own")
    for host in ("other.example", "ampus.example", "sub.campus.example", ""):
        with pytest.raises(CoursefsError, match=r"no cookie \.ASPXAUTH of campus\.example"):
            found(cookie(".ASPXAUTH", "X", host))


def test_a_cookie_that_has_ended_or_is_broken() -> None:
    with pytest.raises(NotSignedIn, match="has ended"):
        found(cookie(".ASPXAUTH", "A", expires=99.0))
    with pytest.raises(CoursefsError, match="is broken"):
        found(cookie(".ASPXAUTH", "a b"))
    assert found(cookie(".ASPXAUTH", "A"), cookie("csrfToken", "a;b")) == WebCookies("A")


@pytest.mark.parametrize("value", ["A1B2", " A1B2\n", '"A1B2"', ".ASPXAUTH=A1B2", ".aspxauth=A1B2;"])
def test_a_pasted_value(value: str) -> None:
    assert from_value(value) == WebCookies("A1B2")


@pytest.mark.parametrize("value", ["", " ", "a b", "https://campus.example", "{}", "[1]", "ä", "a;b", "x" * 9000])
def test_what_is_no_value(value: str) -> None:
    with pytest.raises(UsageError) as caught:
        from_value(value)
    assert not value.strip() or value not in str(caught.value)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], WebCookies("A", "C")),
        ([".ASPXAUTH=B; path=/; HttpOnly"], WebCookies("B", "C")),
        ([".ASPXAUTH=B; path=/", "csrfToken=D"], WebCookies("B", "D")),
        ([".ASPXAUTH=; expires=Thu, 01-Jan-1970 00:00:00 GMT"], WebCookies("A", "C")),
        (["other=1", ";;;"], WebCookies("A", "C")),
    ],
)
def test_cookies_that_a_reply_sets(headers: list[str], expected: WebCookies) -> None:
    assert WebCookies("A", "C").updated(headers) == expected


# --- the viewer's data


def told(**fields: object) -> Delivery:
    return delivery({"Delivery": {"SessionName": "x", **fields}})


@pytest.mark.parametrize(
    ("stream", "url"),
    [
        ({"StreamUrl": "https://cdn/x.mp4?s=1", "ViewerMediaFileTypeName": "mp4"}, "https://cdn/x.mp4?s=1"),
        ({"StreamUrl": "https://cdn/x.mp4?s=1"}, "https://cdn/x.mp4?s=1"),
        ({"StreamUrl": "https://cdn/master.m3u8", "ViewerMediaFileTypeName": "hls"}, ""),
        ({"StreamUrl": "https://cdn/master.m3u8", "ViewerMediaFileTypeName": "mp4"}, ""),
        ({"StreamUrl": "https://cdn/x.panobf2", "ViewerMediaFileTypeName": "hls"}, ""),
        ({"StreamUrl": None}, ""),
        ({}, ""),
    ],
)
def test_the_film_of_the_viewer(stream: dict[str, object], url: str) -> None:
    assert told(PodcastStreams=[stream]).stream_url == url
    assert url == "" or url not in repr(told(PodcastStreams=[stream]))


def test_the_start_in_the_viewer_is_counted_from_1601() -> None:
    assert told(SessionStartTime=13289306410.113071).start == pytest.approx(1644832810.113)
    for value in (None, 0, -1.0, 1644832810, "x"):
        assert told(SessionStartTime=value).start is None


def test_whose_chapters_count() -> None:
    screen = {"Time": 1.0, "Caption": "From the screen", "EventTargetType": "SmartOcrToc"}
    machine = {"Start": 2.0, "Summary": "By  a\nmachine"}
    person = {"Time": 3.0, "Caption": "By a person", "EventTargetType": "ObjectVideo"}
    silent = {"Time": 0.0, "Caption": None, "EventTargetType": "PowerPoint"}

    def names(*marks: Mark) -> list[str]:
        return [line.partition("NAME=")[2] for line in chapters(marks).splitlines() if "NAME=" in line]

    assert names(*told(Timestamps=[screen, silent]).marks) == ["From the screen"]
    assert names(*told(Timestamps=[screen, silent], AIChapters=[machine]).marks) == ["By a machine"]
    assert names(*told(Timestamps=[person, screen], AIChapters=[machine]).marks) == ["By a person"]
    odd = [{"Start": None, "Summary": "x"}, {"Start": -1, "Summary": "x"}, {"Start": 1}, {"Summary": "x"}, 7]
    assert told(AIChapters=odd).marks == () and told(AIChapters=None).marks == ()


# --- clocks


def shown(text: str) -> float:
    """What a clock shows, as the listings write it."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def test_what_a_clock_shows() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    assert wall_clock.instant(shown("2024-01-09T18:00"), berlin) == shown("2024-01-09T17:00")
    assert wall_clock.instant(shown("2024-07-09T18:00"), berlin) == shown("2024-07-09T16:00")
    assert wall_clock.instant(1e30, berlin) == 1e30


def test_zones_differ_about_days_and_agree_in_the_end() -> None:
    berlin, london, lagos = (ZoneInfo(name) for name in ("Europe/Berlin", "Europe/London", "Africa/Lagos"))
    winter, summer = shown("2024-01-09T10:00"), shown("2024-07-09T10:00")
    assert wall_clock.disputed([winter], [berlin, lagos]) is None
    assert wall_clock.disputed([winter, summer], [berlin, lagos]) == shown("2024-07-09T00:00")
    assert wall_clock.disputed([winter, summer], [berlin, lagos, london]) == shown("2024-07-09T00:00")
    assert wall_clock.disputed([], [berlin, london]) is None
    assert wall_clock.fitting([berlin, london, lagos], winter, winter - 3600) == [berlin, lagos]
    (fixed,) = wall_clock.fitting([berlin], winter, winter - 20700)  # Nepal's
    assert wall_clock.instant(summer, fixed) == summer - 20700
    assert wall_clock.fitting([berlin], winter, winter - 10**7) == [UTC]


@given(
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Sydney", "Asia/Kolkata", "UTC", "Asia/Kathmandu"]),
    st.lists(st.integers(1_400_000_000, 1_900_000_000), min_size=1, max_size=40),
)
def test_with_a_few_questions_every_day_is_right(name: str, starts: list[int]) -> None:
    zone = ZoneInfo(name)

    def wall(start: int) -> float:
        return datetime.fromtimestamp(start, zone).replace(tzinfo=UTC).timestamp()

    # at noon: on the day on which the clocks change, the morning is not looked at
    noons = [start - start % 86400 + 43200 for start in starts]
    rows = {wall(noon): float(noon) for noon in noons}
    candidates = wall_clock.zones()
    for _ in range(8):
        day = wall_clock.disputed(rows, candidates)
        if day is None:
            break
        asked = next(one for one in rows if wall_clock.is_on(one, day))
        candidates = wall_clock.fitting(candidates, asked, rows[asked])
    assert {one: wall_clock.instant(one, candidates[0]) for one in rows} == rows
