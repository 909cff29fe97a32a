"""Courses as the sample server has them: `courses/*.toml`, whose files lie with the other demo courses."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

COURSES = Path(__file__).parent / "courses"
FILES = Path(__file__).parent.parent / "courses"


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of a course; `fields` are those of its type."""

    key: str
    id: str
    type: str
    name: str
    fields: Mapping[str, Any]
    blocks: tuple[Block, ...] = ()

    def walk(self) -> Iterator[Block]:
        """It and all within it, in order."""
        yield self
        for block in self.blocks:
            yield from block.walk()


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that texts of the course refer to; a locked one is for the enrolled alone."""

    path: str  # decoded
    file: Path
    locked: bool

    @property
    def digest(self) -> str:
        """What stands in its versioned address."""
        return hashlib.md5(self.file.read_bytes(), usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True)
class Course:
    """One course."""

    id: str
    org: str
    number: str
    run: str
    name: str
    start: datetime
    end: datetime | None
    enrolled: datetime
    root: Block
    assets: Mapping[str, Asset]  # by name
    handouts: str | None
    updates: tuple[Mapping[str, str], ...]
    dates: tuple[Mapping[str, str], ...]

    def block(self, key: str) -> Block | None:
        """The block with this usage key."""
        return next((block for block in self.root.walk() if block.key == key), None)

    def with_static(self, html: str, address: str = "") -> str:
        """A text with the addresses of the course's files in place of `/static/…`, as the server renders it."""
        for name, asset in self.assets.items():
            html = html.replace(f"/static/{name}", f"{address}/assets/courseware/v1/{asset.digest}{asset.path}")
        return html


def load(folder: Path = COURSES) -> tuple[Course, ...]:
    """All courses of a folder, by name of their files."""
    return tuple(read(tomllib.loads(path.read_text())) for path in sorted(folder.glob("*.toml")))


def read(described: Mapping[str, Any]) -> Course:
    """A course from its description."""
    parts = f"{described['org']}+{described['number']}+{described['run']}"

    def block(one: Mapping[str, Any], kind: str) -> Block:
        inner = {"course": ("chapters", "chapter"), "chapter": ("sequentials", "sequential")}
        inner |= {"sequential": ("units", "vertical")}
        name, inner_kind = inner.get(kind, ("blocks", ""))
        return Block(
            key=f"block-v1:{parts}+type@{kind}+block@{one['id']}",
            id=one["id"],
            type=kind,
            name=one["name"],
            fields=one,
            blocks=tuple(block(each, inner_kind or each["type"]) for each in one.get(name, ())),
        )

    assets = {
        one["name"]: Asset(
            path=f"/asset-v1:{parts}+type@asset+block@{one['name'].replace(' ', '_')}",
            file=FILES / one["file"],
            locked=one.get("locked", False),
        )
        for one in described.get("assets", ())
    }
    return Course(
        id=f"course-v1:{parts}",
        org=described["org"],
        number=described["number"],
        run=described["run"],
        name=described["name"],
        start=described["start"],
        end=described.get("end"),
        enrolled=described["enrolled"],
        root=block({**described, "id": "course"}, "course"),
        assets=assets,
        handouts=described.get("handouts"),
        updates=tuple(described.get("updates", ())),
        dates=tuple(described.get("dates", ())),
    )


def media_path(file: Path) -> str:
    """Where a video lies on the media host."""
    return f"/{hashlib.sha256(file.name.encode()).hexdigest()[:16]}/{file.name}"


def media_files(courses: tuple[Course, ...]) -> Mapping[str, Path]:
    """Every video and PDF of the media host, by path."""
    found: dict[str, Path] = {}
    for course in courses:
        for block in course.root.walk():
            names = [*block.fields.get("encodings", {}).values()]
            names += [block.fields[name] for name in ("fallback", "pdf") if name in block.fields]
            found |= {media_path(FILES / name): FILES / name for name in names}
    return found
