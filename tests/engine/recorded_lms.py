"""A server that answers with the replies of a real one, or with inventions of the same shape."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import httpx

HOST = "https://lms.example.invalid"
#: the page of units that were not recorded, and the answer for a video without transcripts
_A_PAGE, _NO_TRANSCRIPTS = "xblock_plain.html", "transcript_translations_none.html"
#: videos that have transcripts, of which the list of one was recorded
_SPOKEN = {"vid0092": '["en"]', "vid0094": '["en"]', "video1": '["es-419", "zh-hans"]'}
#: what depends on who is asking: recorded with a sign-in as well as without
_OTHERS = ("no_auth", "bad_", "dead_", "throttled", "blocks_no_auth", "oauth2_login_", "token_", "xblock_no_cookie",
           "xblock_jwt", "asset_")  # fmt: skip


@dataclass
class RecordedLms:
    """`asked` has path and status of every request so far."""

    folder: Path
    asked: list[tuple[str, int]] = field(default_factory=list)
    replies: dict[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for entry in json.loads((self.folder / "headers.json").read_text()):
            if not entry["file"].startswith(_OTHERS) or entry["file"] == "oauth2_login.html":
                method, _, target = entry["request"].partition(" ")
                self.replies.setdefault((method, _normal(target)), entry)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """The reply; for pages of units that were not recorded, that of another unit."""
        target = request.url.raw_path.decode()
        found = self.replies.get((request.method, _normal(target)))
        response = self._response(found["file"], found["status"], found["headers"]) if found else self._other(target)
        self.asked.append((unquote(request.url.path), response.status_code))
        return response

    def _other(self, target: str) -> httpx.Response:
        if target.startswith("/xblock/"):
            return self._response(_A_PAGE, 200, ["Content-Type: text/html; charset=utf-8"])
        if target.endswith("/available_translations"):
            video = unquote(target).split("/handler_noauth/")[0].rpartition("@")[2]
            if video in _SPOKEN:
                return httpx.Response(200, content=_SPOKEN[video], headers={"Content-Type": "application/json"})
            return self._response(_NO_TRANSCRIPTS, 404, ["Content-Type: text/html; charset=UTF-8"])
        return self._response("page_404.html", 404, ["Content-Type: text/html; charset=utf-8"])

    def _response(self, name: str, status: int, headers: list[str]) -> httpx.Response:
        pairs = [tuple(line.split(": ", 1)) for line in headers if not line.startswith("Content-Length")]
        return httpx.Response(status, content=(self.folder / name).read_bytes(), headers=pairs)  # type: ignore[arg-type]


def _normal(target: str) -> str:
    """Path and query of a request, so that two that mean the same are the same."""
    parts = urlsplit(target)
    query = sorted(pair for pair in parse_qsl(parts.query) if pair[0] not in {"requested_fields", "student_view_data"})
    return f"{unquote(parts.path)}?{query}"
