"""The sample Panopto server: what its clients can rely on, and what they cannot."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from coursefs.demo.panopto.platform import Panopto
from coursefs.demo.panopto.signing_in import REDIRECT, USER_ID, WEB_CLIENT
from coursefs.demo.panopto.web import Manners
from tests.engine.campus import SERVER, folder, held, session

BIOLOGY = folder("Biology 101")
WEEK = folder("Week 1", BIOLOGY)
CLOSED = folder("Closed", closed=True)
SESSIONS = "/Panopto/Services/Data.svc/GetSessions"


@asynccontextmanager
async def server(tmp_path: Path, **more: Any) -> AsyncIterator[tuple[Panopto, httpx.AsyncClient]]:
    """A server, and a browser that has signed in to it."""
    film = tmp_path / "film.mp4"
    film.write_bytes(b"film")
    sessions = [
        session("Lecture", WEEK, film),
        session("Evening", BIOLOGY, film, start="2024-01-10T02:00:00Z"),
        session("In a closed folder", CLOSED, film),
    ]
    panopto = Panopto(held([BIOLOGY, WEEK, CLOSED], sessions), windows=[(1000, 1.0)], **more)
    cookies = panopto.sign_ins.browser()
    transport = httpx.ASGITransport(panopto.app())
    headers = {"x-csrf-token": cookies["csrfToken"]}
    async with httpx.AsyncClient(transport=transport, base_url=SERVER, cookies=cookies, headers=headers) as client:
        yield panopto, client


async def listed(client: httpx.AsyncClient, **parameters: object) -> Mapping[str, Any]:
    reply = await client.post(SESSIONS, json={"queryParameters": parameters})
    assert reply.status_code == 200
    found = reply.json()["d"]
    assert isinstance(found, dict)
    return found


def names(found: Mapping[str, Any]) -> list[str]:
    return [row["SessionName"] for row in found["Results"]]


async def test_a_listing_without_a_folder_has_everything_and_unknown_names_are_ignored(tmp_path: Path) -> None:
    async with server(tmp_path) as (_, client):
        everything = await listed(client, sortAscending=True)
        assert sorted(names(everything)) == ["Evening", "In a closed folder", "Lecture"]
        ignored = await listed(client, FolderID=WEEK.id, startDate="2030-01-01")
        assert sorted(names(ignored)) == sorted(names(everything))
        assert names(await listed(client, folderID=WEEK.id)) == ["Lecture"]
        assert names(await listed(client, maxResults=1, page=1, sortAscending=True)) == [names(everything)[1]]
        closed = await listed(client, folderID=CLOSED.id, getFolderData=True)
        assert (closed["Results"], closed["TotalNumber"], closed["Subfolders"]) == ([], 0, [])
        above = await listed(client, folderID=BIOLOGY.id, getFolderData=True)
        assert [one["Name"] for one in above["Subfolders"]] == ["Week 1"]
        reply = await client.post(SESSIONS, json={"folderID": WEEK.id})
        assert reply.status_code == 500 and "Object reference" in reply.text


async def test_a_page_has_250_rows_and_no_more(tmp_path: Path) -> None:
    many = [session(f"Lecture {number}", BIOLOGY) for number in range(300)]
    panopto = Panopto(held([BIOLOGY], many), windows=[(1000, 1.0)])
    cookies = panopto.sign_ins.browser()
    transport = httpx.ASGITransport(panopto.app())
    headers = {"x-csrf-token": cookies["csrfToken"]}
    async with httpx.AsyncClient(transport=transport, base_url=SERVER, cookies=cookies, headers=headers) as client:
        for asked in ({}, {"maxResults": 500}):
            assert len(names(await listed(client, **asked))) == 250
        assert (await listed(client))["TotalNumber"] == 300


async def test_times_are_those_of_the_room(tmp_path: Path) -> None:
    for manners, start in ((Manners(), "/Date(1704834000000)/"), (Manners(in_utc=True), "/Date(1704852000000)/")):
        async with server(tmp_path, manners=manners) as (_, client):
            (row,) = [one for one in (await listed(client))["Results"] if one["SessionName"] == "Evening"]
            assert row["StartTime"] == start
            told = (await client.get("/Panopto/Pages/Viewer/DeliveryInfo.aspx", params=delivery_of(row))).json()
            assert told["Delivery"]["SessionStartTime"] == 1704852000 + 11644473600


def delivery_of(row: Mapping[str, Any]) -> dict[str, str]:
    return {"deliveryId": row["DeliveryID"], "responseType": "json"}


async def test_has_accessible_children_says_nothing_and_not_in_role_is_a_fault(tmp_path: Path) -> None:
    async with server(tmp_path) as (_, client):
        top = (await client.get("/Panopto/Api/Folders", params={"parentId": "null"})).json()
        assert {one["Name"]: (one["HasAccessibleChildren"], one["SessionCount"]) for one in top} == {
            "Biology 101": (False, None), "Closed": (False, None),
        }  # fmt: skip
        (found,) = (await client.get("/Panopto/Api/Folders", params={"parentId": "null", "searchTerm": "week"})).json()
        assert found["Parent"]["Id"] == BIOLOGY.id
        reply = await client.post("/Panopto/Services/Data.svc/GetFolders", json={"queryParameters": {}})
        assert reply.status_code == 500 and "is not in role (FolderEnumerate)" in reply.text
        assert reply.headers["content-type"].startswith("application/xml")


async def test_the_viewer_takes_a_form_and_renews_the_cookie(tmp_path: Path) -> None:
    async with server(tmp_path) as (_, client):
        (row, *_) = (await listed(client))["Results"]
        path = "/Panopto/Pages/Viewer/DeliveryInfo.aspx"
        by_query = await client.get(path, params=delivery_of(row))
        assert "set-cookie" not in by_query.headers
        by_form = await client.post(path, data={**delivery_of(row), "refreshAuthCookie": "true"})
        assert by_form.json()["Delivery"]["SessionName"] == by_query.json()["Delivery"]["SessionName"]
        assert ".ASPXAUTH=" in by_form.headers["set-cookie"]
        assert by_form.json()["UserId"] == USER_ID.upper()
        (stream,) = by_form.json()["Delivery"]["PodcastStreams"]
        assert urlsplit(stream["StreamUrl"]).path.endswith("film.mp4")


async def test_without_a_sign_in_every_answer_is_another(tmp_path: Path) -> None:
    async with server(tmp_path) as (panopto, client):
        panopto.sign_ins.end_cookies()
        assert (await client.get("/Panopto/Api/Folders")).status_code == 302
        panopto.manners.refusal = "page"
        reply = await client.post(SESSIONS, json={})
        assert (reply.status_code, reply.headers["content-type"]) == (200, "text/html; charset=utf-8")
        panopto.manners.refusal = "nothing"
        assert (await client.post(SESSIONS, json={})).json()["d"]["TotalNumber"] == 0
        reply = await client.get("/Panopto/Pages/Viewer/DeliveryInfo.aspx", params={"responseType": "json"})
        assert (reply.status_code, reply.json()["ErrorCode"]) == (200, 2)
        film = "/Panopto/Podcast/Download/x.mp4"
        assert urlsplit((await client.get(film)).headers["location"]).path.endswith("Login.aspx")
        panopto.media.pages = True
        assert (await client.get(film)).headers["content-type"].startswith("text/html")


async def test_a_post_needs_the_token_and_the_api_takes_no_cookie(tmp_path: Path) -> None:
    async with server(tmp_path) as (panopto, client):
        body: dict[str, object] = {"queryParameters": {}}
        assert (await client.post(SESSIONS, json=body, headers={"x-csrf-token": "forged"})).status_code == 403
        assert (await client.get("/Panopto/api/v1/folders/search", params={"searchQuery": "*"})).status_code == 401
        bearer = {"Authorization": f"Bearer {panopto.sign_ins.grant()['access_token']}"}
        client.cookies.clear()
        assert (await client.post(SESSIONS, json=body, headers=bearer)).json()["d"]["TotalNumber"] == 3


@pytest.mark.parametrize("basic", [True, False])
async def test_the_authorization_works_without_pkce_and_the_token_endpoint_with_basic(
    tmp_path: Path, basic: bool
) -> None:
    async with server(tmp_path) as (panopto, client):
        query = {"client_id": WEB_CLIENT, "redirect_uri": REDIRECT, "response_type": "code", "scope": "openid api"}
        reply = await client.get("/Panopto/oauth2/connect/authorize", params=query)
        code = parse_qs(urlsplit(reply.headers["location"]).query)["code"][0]
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT}
        secret = panopto.sign_ins.clients[WEB_CLIENT].secret
        headers = {}
        if basic:
            headers["Authorization"] = f"Basic {base64.b64encode(f'{WEB_CLIENT}:{secret}'.encode()).decode()}"
        else:
            form |= {"client_id": WEB_CLIENT, "client_secret": secret}
        reply = await client.post("/Panopto/oauth2/connect/token", data=form, headers=headers)
        assert reply.json()["token_type"] == "Bearer"
        for wrong in ("Basic x", f"Basic {base64.b64encode(b'demo-web-client:x').decode()}"):
            reply = await client.post("/Panopto/oauth2/connect/token", data=form, headers={"Authorization": wrong})
            assert reply.json() == {"error": "invalid_client"}


async def test_a_server_that_offers_no_api_clients(tmp_path: Path) -> None:
    async with server(tmp_path, offers_clients=False) as (panopto, client):
        assert panopto.sign_ins.clients == {}
        query = {"client_id": WEB_CLIENT, "redirect_uri": REDIRECT, "response_type": "code"}
        assert (await client.get("/Panopto/oauth2/connect/authorize", params=query)).status_code == 400
        form = {"grant_type": "password", "client_id": WEB_CLIENT, "client_secret": ""}
        reply = await client.post("/Panopto/oauth2/connect/token", data=form)
        assert json.loads(reply.text) == {"error": "invalid_client"}
        assert len((await listed(client))["Results"]) == 3
