"""`coursefs open`: pages and files of a mount through its web server, as a browser asks for them."""

from __future__ import annotations

import os
import re
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import httpx
import pytest

from tests.mount.test_life import VIDEO
from tests.mount.world import World, until

pytestmark = pytest.mark.mount


def url_of(world: World, *arguments: str | Path) -> str:
    """The address that `coursefs open --print` gives."""
    return world.run("open", "--print", *arguments).stdout.strip()


@pytest.fixture
def browser() -> Iterator[httpx.Client]:
    """A browser: it keeps cookies, and follows no redirect by itself."""
    with httpx.Client(trust_env=False, timeout=60) as client:
        yield client


def signed_in(world: World, browser: httpx.Client) -> str:
    """Let a browser in; the origin of the server."""
    url = url_of(world)
    assert browser.get(url).status_code == 303
    return "http://" + urlsplit(url).netloc


def below(origin: str, path: Path, world: World) -> str:
    """The URL of a path in the mount."""
    return f"{origin}/{quote(str(path.relative_to(world.mountpoint)))}"


def course(world: World) -> Path:
    """A course of the mount with lectures."""
    return next(path.parent for path in sorted(world.mountpoint.glob("*/index.html")))


def test_a_course_page_and_all_that_it_links_to_arrive(mounted: World, browser: httpx.Client) -> None:
    folder = course(mounted)
    url = url_of(mounted, folder)
    first = browser.get(url)
    assert first.status_code == 303
    assert "token" not in first.headers["location"]
    page = browser.get(urljoin(url, first.headers["location"]), follow_redirects=True)
    assert page.status_code == 200
    assert page.content == (folder / "index.html").read_bytes()
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["referrer-policy"] == "no-referrer"
    policy = dict(one.strip().split(" ", 1) for one in page.headers["content-security-policy"].split(";"))
    assert (policy["default-src"], policy["script-src"]) == ("'none'", "'self'")
    links = {
        urljoin(str(page.url), link.partition("#")[0].replace("&amp;", "&"))
        for link in re.findall(r'(?:href|src)="([^"#][^"]*)"', page.text)
        if not link.startswith(("http:", "https:", "data:"))
    }
    assert len(links) > 10
    for link in sorted(links):
        reply = browser.head(link, follow_redirects=True)
        assert reply.status_code == 200, (link, reply.text)
    script = browser.get(next(link for link in links if link.endswith("/page.js")))
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"


def test_a_course_by_its_name_and_the_overview(mounted: World, browser: httpx.Client) -> None:
    folder = course(mounted)
    for arguments, path in (([], Path()), ([folder.name], Path(folder.name)), ([folder.name + "/index.html"], None)):
        url = url_of(mounted, *arguments)
        page = browser.get(url, follow_redirects=True)
        wanted = mounted.mountpoint / (path or folder.name) / "index.html"
        assert page.content == wanted.read_bytes()
    assert "no-such-course" in mounted.run("open", "no-such-course", status=2).stderr


def test_a_video_arrives_whole_and_in_part(mounted: World, browser: httpx.Client) -> None:
    origin = signed_in(mounted, browser)
    video = next(course(mounted).rglob("*.mp4"))
    content, url = video.read_bytes(), below(origin, video, mounted)
    whole = browser.get(url)
    assert (whole.status_code, whole.headers["content-type"]) == (200, "video/mp4")
    assert whole.content == content
    etag = whole.headers["etag"]
    head = browser.head(url)
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(content)))
    for asked, first, end in (("100-299", 100, 300), ("100-", 100, len(content)), ("-7", len(content) - 7, None)):
        part = browser.get(url, headers={"Range": f"bytes={asked}", "If-Range": etag})
        assert part.status_code == 206
        assert part.content == content[first:end]
        assert part.headers["content-range"] == f"bytes {first}-{(end or len(content)) - 1}/{len(content)}"
    past = browser.get(url, headers={"Range": f"bytes={len(content)}-"})
    assert (past.status_code, past.headers["content-range"]) == (416, f"bytes */{len(content)}")
    assert browser.get(url, headers={"Range": "bytes=0-9", "If-Range": '"another"'}).content == content
    assert browser.get(url, headers={"If-None-Match": etag}).status_code == 304


def test_without_the_token_nothing_is_read_and_each_token_works_once(mounted: World, browser: httpx.Client) -> None:
    url = url_of(mounted)
    origin, token = "http://" + urlsplit(url).netloc, httpx.URL(url).params["token"]
    for path in ("/", "/index.html", "/?token=wrong&to=/", "/?token=&to=/", f"/index.html?token={token}"):
        refused = browser.get(origin + path)
        assert refused.status_code == 403
        assert len(refused.text.splitlines()) == 1
    first = browser.get(url)
    cookie = first.headers["set-cookie"].lower()
    assert first.status_code == 303
    assert all(word in cookie for word in ("httponly", "samesite=strict", "path=/"))
    assert token not in first.headers["set-cookie"]
    assert browser.get(f"{origin}/index.html").status_code == 200
    with httpx.Client(trust_env=False) as another:
        assert another.get(url).status_code == 403
        assert another.get(f"{origin}/index.html").status_code == 403
        name = cookie.partition("=")[0]
        assert another.get(f"{origin}/index.html", headers={"Cookie": f"{name}=guessed"}).status_code == 403
    assert token not in mounted.log


def test_a_page_from_elsewhere_and_a_change_are_refused(mounted: World, browser: httpx.Client) -> None:
    origin = signed_in(mounted, browser)
    port = urlsplit(origin).port
    url = f"{origin}/index.html"
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1", f"127.0.0.1.evil.example:{port}"):
        assert browser.get(url, headers={"Host": host}).status_code == 421
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        refused = browser.request(method, url)
        assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")
    away = browser.get(url_of(mounted).partition("&to=")[0] + "&to=//evil.example/")
    assert (away.status_code, away.headers["location"]) == (303, "/")


def test_no_path_leads_out_of_the_mount(mounted: World, browser: httpx.Client, tmp_path: Path) -> None:
    origin = signed_in(mounted, browser)
    (tmp_path / "outside").write_text("private")
    for path in ("/../outside", "/%2e%2e/outside", "/..%2foutside", "/%252e%252e/outside", "//index.html", "/a%00b"):
        target = httpx.URL(origin).copy_with(raw_path=path.encode())
        assert browser.get(target).status_code == 404, path


def test_a_folder_without_a_page_is_a_list(mounted: World, browser: httpx.Client) -> None:
    folder = next(path for path in sorted(course(mounted).iterdir()) if path.is_dir() and path.name != "index.files")
    page = browser.get(url_of(mounted, folder), follow_redirects=True)
    links = re.findall(r'href="([^"]*)"', page.text)
    assert len(links) == len(os.listdir(folder))
    assert {browser.get(urljoin(str(page.url), link)).status_code for link in links} <= {200, 303}


def test_the_server_ends_with_the_mount(mounted: World, browser: httpx.Client) -> None:
    origin = signed_in(mounted, browser)
    assert browser.get(f"{origin}/index.html").status_code == 200
    mounted.umount()
    with pytest.raises(httpx.TransportError):
        browser.get(f"{origin}/index.html")
    assert "mounted: coursefs mount" in mounted.run("open", status=1).stderr


def test_the_browser_is_started_where_there_is_one_and_else_the_address_is_printed(
    mounted: World, tmp_path: Path
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        mounted.environment.pop(name, None)
    assert mounted.run("open").stdout.startswith("http://127.0.0.1:")
    programs, got = tmp_path / "programs", tmp_path / "got"
    programs.mkdir()
    os.mkfifo(got)
    (programs / "xdg-open").write_text(f'#!/bin/sh\nprintf %s "$1" > "{got}"\n')
    (programs / "xdg-open").chmod(stat.S_IRWXU)
    mounted.environment |= {"DISPLAY": ":9", "PATH": f"{programs}:{mounted.environment['PATH']}"}
    done = mounted.run("open")
    assert (done.stdout, done.stderr) == ("", "")
    opened = subprocess.run(["cat", str(got)], capture_output=True, text=True, timeout=60, check=True).stdout
    assert httpx.get(opened, trust_env=False).status_code == 303


def test_a_page_is_told_what_is_cached_and_asks_the_platform_for_nothing(mounted: World, browser: httpx.Client) -> None:
    origin = signed_in(mounted, browser)
    video = mounted.path(VIDEO)
    page = quote(f"/{video.relative_to(mounted.mountpoint).parts[0]}/index.html")

    def told() -> dict[str, Any]:
        found: dict[str, Any] = browser.get(f"{origin}/-/cached", params={"of": page}).json()
        return found

    assert video.stat().st_size
    assert told() == {}
    with video.open("rb") as file:
        file.read(4096)
    (part,) = told().values()
    assert 0 < part["fraction"] < 1
    mounted.run("fetch", video)
    mounted.platform.forget()
    assert list(told().values()) == [{"fraction": part_of_item(video, mounted), "fetching": False}]
    assert mounted.platform.requests() == []
    for of in ("/no/such/page", "", "/../x"):
        assert browser.get(f"{origin}/-/cached", params={"of": of}).status_code in {200, 404}


def part_of_item(video: Path, world: World) -> float:
    """How much of a lecture is cached, after its video was fetched: not its captions."""
    stem = video.name.rpartition(".")[0]
    files = [path for path in video.parent.iterdir() if path.name.startswith(stem)]
    cached = sum(int(os.getxattr(path, "user.coursefs.cached")) for path in files)
    return round(cached / sum(path.stat().st_size for path in files), 4)


def test_captions_come_as_webvtt_and_nothing_else_does(mounted: World, browser: httpx.Client) -> None:
    origin = signed_in(mounted, browser)
    captions = next(mounted.path(VIDEO).parent.glob("*.srt"))
    path = quote(str(captions.relative_to(mounted.mountpoint)))
    track = browser.get(f"{origin}/-/captions/{path}")
    assert track.headers["content-type"] == "text/vtt; charset=utf-8"
    assert track.text.startswith("WEBVTT\n") and " --> " in track.text
    for other in (path.removesuffix(".en.srt") + ".mp4", path + "x", "", "..%2f..%2fetc"):
        assert browser.get(f"{origin}/-/captions/{other}").status_code == 404


def test_a_search_in_all_courses_leads_to_the_second_of_a_lecture(mounted: World, browser: httpx.Client) -> None:
    origin = signed_in(mounted, browser)
    mounted.run("fetch", *mounted.path(VIDEO).parent.glob("*.srt"))

    def ask(words: str) -> dict[str, Any]:
        found: dict[str, Any] = browser.get(f"{origin}/-/search", params={"words": words, "limit": "5"}).json()
        return found

    until(lambda: ask("torus")["complete"], "the index is built")
    told = ask("torus")["hits"]
    said = [hit for hit in told if hit["time"] is not None]
    assert said and all("torus" in hit["text"].lower() for hit in told)
    address, _, place = said[0]["address"].partition("#")
    page = browser.get(origin + address).text
    item, _, second = place.partition("&t=")
    assert f'id="{item}"' in page
    assert float(second) == said[0]["time"]
    assert ask("no-such-word-anywhere") == ask("?!") == {"hits": [], "complete": True}
    assert len(browser.get(f"{origin}/-/search", params={"words": "the", "limit": "9" * 5000}).json()["hits"]) > 5


def test_what_a_page_asks_is_answered_to_nobody_else(mounted: World) -> None:
    origin = "http://" + urlsplit(url_of(mounted)).netloc
    for path in ("live.js", "cached?of=/", "search?words=torus", f"captions/{quote(VIDEO)}", "nothing"):
        assert httpx.get(f"{origin}/-/{path}", trust_env=False).status_code == 403
    assert not [name for name in os.listdir(mounted.mountpoint) if name.startswith("-")]
