"""A sample platform with one small course, over real sockets, for the tests of the platform itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import Any

import httpx
import trio

from coursefs.demo.description import load_course
from coursefs.demo.faults import Faults
from coursefs.demo.platform import Addresses, Platform

COURSE = "Kx7mQ2vTEeqAbQ7kLmNo1w"
VIDEO = "Zy9xWv87EeuTSr6qPoNmLk"
SLIDES = "Vq8hwsdaEeWGlA7xclFASw"
NOTES = "Vq8hwsdaEeWGlA7xclFASx"
PICTURE = "Vq8hwsdaEeWGlA7xclFASy"
MP4 = bytes(number * 7 % 251 for number in range(200_000))

DESCRIPTION = f"""
id = "{COURSE}"
slug = "small"
title = "A Small Course "
workload = "1 hour"
languages = ["en"]
enrolled = 2026-09-01T08:00:00Z
[[modules]]
id = "mod01"
slug = "first"
name = "First"
description = "All there is"
[[modules.lessons]]
id = "les01"
slug = "welcome"
name = "Welcome"
[[modules.lessons.items]]
id = "ite01"
slug = "introduction"
name = "Introduction"
type = "lecture"
duration_ms = 12000
video_id = "{VIDEO}"
video = {{ "720p" = "media/a.720p.mp4", "360p" = "media/a.360p.mp4" }}
webm = {{ "360p" = "media/a.360p.webm" }}
subtitles = {{ en = "media/a.en", de = "media/a.de", "zh-CN" = "media/a.zh-CN" }}
attachments = [
  {{ id = "{SLIDES}", name = "Größe & Form.pdf", title = "Slides", file = "media/slides.pdf" }},
  {{ id = "{NOTES}", name = "notes.txt", file = "media/notes.txt" }},
  {{ url = "https://example.org/paper", title = "Further reading" }},
]
[[modules.lessons.items]]
id = "ite02"
slug = "how"
name = "How"
type = "supplement"
cml = "readings/how.cml"
assets = [ {{ id = "{PICTURE}", name = "ear.png", type = "image", file = "media/ear.png" }} ]
[[modules.lessons.items]]
id = "ite03"
slug = "quiz"
name = "Quiz"
type = "staffGraded"
[[modules.lessons.items]]
id = "ite04"
slug = "bonus"
name = "Bonus"
type = "lecture"
locked = "PREMIUM"
[[modules.lessons]]
id = "les02"
slug = "nothing"
name = "Nothing"
"""


def write_course(folder: Path, description: str = DESCRIPTION) -> Path:
    """The small course in a folder of its own."""
    (folder / "media").mkdir(parents=True)
    (folder / "readings").mkdir()
    (folder / "course.toml").write_text(description, encoding="utf-8")
    (folder / "readings" / "how.cml").write_text("<co-content><text>How</text></co-content>", encoding="utf-8")
    (folder / "media" / "a.720p.mp4").write_bytes(MP4)
    for name in ("a.360p.mp4", "a.360p.webm", "slides.pdf", "notes.txt", "ear.png"):
        (folder / "media" / name).write_bytes(f"bytes of {name}".encode())
    for language in ("en", "de", "zh-CN"):
        for extension in ("srt", "vtt", "txt"):
            (folder / "media" / f"a.{language}.{extension}").write_text(f"{language} {extension} ü", encoding="utf-8")
    return folder


@dataclass(frozen=True, slots=True)
class World:
    """A running platform and a client that is signed in to it."""

    platform: Platform
    addresses: Addresses
    api: httpx.AsyncClient  # with session and Accept header
    anyone: httpx.AsyncClient  # with neither

    async def get(self, path: str, **parameters: str) -> Any:
        """The JSON of a reply that is 200."""
        reply = await self.api.get(f"/api/{path}", params=parameters)
        assert reply.status_code == 200, (reply.status_code, reply.text)
        return reply.json()

    async def video_url(self) -> str:
        """A signed URL of the 200 kB video."""
        reply = await self.get(
            f"onDemandLectureVideos.v1/{COURSE}~ite01", includes="video", fields="onDemandVideos.v1(sources)"
        )
        url: str = reply["linked"]["onDemandVideos.v1"][0]["sources"]["byResolution"]["720p"]["mp4VideoUrl"]
        return url

    async def fail(self, **faults: Any) -> None:
        """These things go wrong, and nothing else."""
        await self.platform.apply(Faults(**faults))


@asynccontextmanager
async def small_platform(
    folder: Path, description: str = DESCRIPTION, *, mutations: int = 0, **options: Any
) -> AsyncIterator[World]:
    """A platform with the small course alone; `options` as for `Platform`.

    Fails at the end when it got GraphQL requests that could change something, or not as many as `mutations`.
    """
    course = load_course(write_course(folder / "small", description))
    platform = Platform([course], **options)
    async with trio.open_nursery() as nursery:
        addresses: Addresses = await nursery.start(platform.serve)
        async with (
            httpx.AsyncClient(
                base_url=addresses.api,
                headers={"Accept": "application/json", "Cookie": f"CAUTH={addresses.cauth}"},
                cookies=_no_cookies(),
                trust_env=False,
            ) as api,
            httpx.AsyncClient(base_url=addresses.api, trust_env=False, cookies=_no_cookies()) as anyone,
        ):
            yield World(platform, addresses, api, anyone)
            assert platform.journal.mutations == mutations
        nursery.cancel_scope.cancel()


def _no_cookies() -> CookieJar:
    """A jar that keeps nothing: the platform's own cookies must not come back by themselves."""
    return CookieJar(policy=DefaultCookiePolicy(allowed_domains=[]))
