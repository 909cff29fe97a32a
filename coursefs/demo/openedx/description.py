"""Course descriptions of the sample server: `courses/*.toml`; the files are those of the other demo courses."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

COURSES = Path(__file__).parent / "courses"
FILES = Path(__file__).parent.parent / "courses"


@dataclass(frozen=True, slots=True)
class Block:
    """A block of a course; `fields` are those of its type."""

    key: str
    id: str
    type: str
    name: str
    fields: Mapping[str, Any]
    blocks: tuple[Block, ...] = ()

    def walk(self) -> Iterator[Block]:
        """The block and all its descendants, in order."""
        yield self
        for block in self.blocks:
            yield from block.walk()


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that texts of the course refer to; a locked one is for enrolled learners only."""

    path: str  # decoded, with `block@`
    file: Path
    locked: bool

    @property
    def digest(self) -> str:
        """The digest in its versioned URL."""
        return hashlib.md5(self.file.read_bytes(), usedforsecurity=False).hexdigest()

    @property
    def versioned(self) -> str:
        """The path with the digest, as in rendered pages: encoded, and with `block/`."""
        return f"/assets/courseware/v1/{self.digest}{quote(self.path.replace('+block@', '+block/'), safe='/+:@')}"


@dataclass(frozen=True, slots=True)
class AccessDenied:
    """Why a learner may not see a course, in the platform's words."""

    code: str
    said: str
    developer: str


@dataclass(frozen=True, slots=True)
class Course:
    """One course. `enrolled` is the time of the learner's enrolment; None: not enrolled."""

    id: str
    org: str
    number: str
    run: str
    name: str
    start: datetime
    end: datetime | None
    enrolled: datetime | None
    root: Block
    assets: Mapping[str, Asset]  # by name
    handouts: str | None
    updates: tuple[Mapping[str, str], ...]
    dates: tuple[Mapping[str, str], ...]
    self_paced: bool = False
    mobile_available: bool = False  # whether apps may show it; the platform's default is no
    ended: datetime | None = None  # when the learner's access ended
    prerequisite: bool = False  # whether another course has to be completed first
    staff_only: bool = False
    tabs: tuple[Mapping[str, str], ...] = ()  # pages that its authors have added: slug, name, html
    books: tuple[Mapping[str, str], ...] = ()  # textbooks: name, and the name of the asset

    def refusal(self, now: datetime) -> AccessDenied | None:
        """Why an enrolled learner may not see the course at this time; None if they may."""
        if self.staff_only:
            said = "You do not have access to this course"
            return AccessDenied("not_visible_to_user", said, "Course is not visible to this user")
        if self.enrolled is None:
            said = "You must be enrolled in the course"
            return AccessDenied("enrollment_required", said, "User must be enrolled in the course")
        if self.start > now:
            said = "Course does not start until"
            return AccessDenied("course_not_started", f"{said} {self.start:%B %d, %Y}", f"{said} {self.start}")
        if self.ended is not None and self.ended <= now:
            said = f"Access expired on {self.ended:%b %d, %Y}"
            return AccessDenied("audit_expired", said, f"User learner had access to {self.id} until {self.ended}")
        if self.prerequisite:
            said = "You have unfulfilled milestones"
            return AccessDenied("unfulfilled_milestones", said, "User has unfulfilled milestones")
        return None

    def block(self, key: str) -> Block | None:
        """The block with this usage key."""
        return next((block for block in self.root.walk() if block.key == key), None)

    def parent(self, key: str) -> Block | None:
        """The parent of this block."""
        return next((one for one in self.root.walk() if any(inner.key == key for inner in one.blocks)), None)

    def with_static(self, html: str, cdn: str = "") -> str:
        """A text with URLs of the course's files in place of `/static/…`, as the server renders it.

        `cdn` is the base URL of the host for public files; "": the site has none.
        """
        for name, asset in self.assets.items():
            host = "" if asset.locked or not cdn else f"//{cdn.partition('://')[2]}"
            html = html.replace(f"/static/{name}", f"{host}{asset.versioned}")
        return html


def load(folder: Path = COURSES) -> tuple[Course, ...]:
    """All courses of a folder, by file name."""
    return tuple(read(tomllib.loads(path.read_text())) for path in sorted(folder.glob("*.toml")))


def read(described: Mapping[str, Any]) -> Course:
    """Read a course description."""
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
        enrolled=described.get("enrolled"),
        root=block({**described, "id": "course"}, "course"),
        assets=assets,
        handouts=described.get("handouts"),
        updates=tuple(described.get("updates", ())),
        dates=tuple(described.get("dates", ())),
        self_paced=described.get("self_paced", False),
        mobile_available=described.get("mobile_available", False),
        ended=described.get("ended"),
        prerequisite=described.get("prerequisite", False),
        staff_only=described.get("staff_only", False),
        tabs=tuple(described.get("tabs", ())),
        books=tuple(described.get("books", ())),
    )


def iso(moment: datetime | None) -> str | None:
    """A time in the API's format; None for None."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z") if moment else None


def media_path(file: Path) -> str:
    """The path of a video on the media host."""
    return f"/{hashlib.sha256(file.name.encode()).hexdigest()[:16]}/{file.name}"


def media_files(courses: tuple[Course, ...]) -> Mapping[str, Path]:
    """All videos and PDFs of the media host, by path."""
    found: dict[str, Path] = {}
    for course in courses:
        for block in course.root.walk():
            names = [*block.fields.get("encodings", {}).values()]
            names += [block.fields[name] for name in ("fallback", "pdf") if name in block.fields]
            found |= {media_path(FILES / name): FILES / name for name in names}
    return found
