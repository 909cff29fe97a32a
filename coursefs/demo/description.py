"""Course descriptions: a folder with a `course.toml` and the files that it names.

A description says what a course contains, not how a platform's replies look; `resources` makes the replies.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

SUBTITLE_FORMATS = ("srt", "vtt", "txt")
#: the shapes in which living clients have met `sources`
SHAPES = ("object", "list", "lists", "addresses", "text")


class DescriptionError(ValueError):
    """A course description is wrong; the message names the file and the key."""


@dataclass(frozen=True, slots=True)
class FileAsset:
    """A file of an item: an attachment of a lecture, or a file that a reading refers to."""

    id: str
    name: str
    title: str | None
    type: str
    file: Path


@dataclass(frozen=True, slots=True)
class LinkAsset:
    """An attachment that is only a URL on another site."""

    url: str
    title: str | None


@dataclass(frozen=True, slots=True)
class Video:
    """The video files and subtitles of a lecture."""

    id: str
    files: Mapping[str, Mapping[str, Path]]  # resolution ("720p") -> format ("mp4", "webm") -> file
    subtitles: Mapping[str, Mapping[str, Path]]  # language -> format ("srt", "vtt", "txt") -> file
    shape: str  # of `sources` in the reply, one of `SHAPES`
    voices: Mapping[str, Path]  # dubbed: language -> mp4
    described: Path | None  # with audio description, mp4


@dataclass(frozen=True, slots=True)
class Instructions:
    """The instructions of an assignment or a discussion."""

    cml: str
    tasks: tuple[str, ...]  # titles of a programming assignment's parts, or prompts of a peer assignment


@dataclass(frozen=True, slots=True)
class Question:
    """A question of a quiz, with the learner's answer."""

    type: str  # MultipleChoice, Checkbox, Numeric …
    prompt: str
    options: tuple[str, ...]
    chosen: tuple[str, ...]  # of the options
    answer: str  # of a question without options
    correct: tuple[str, ...]
    feedback: str  # HTML; "": none


@dataclass(frozen=True, slots=True)
class Attempt:
    """The learner's attempt at a quiz."""

    state: str  # taken, in progress, untaken
    grade: float  # 0 to 1
    awaits_feedback: bool
    questions: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class Reference:
    """An entry of a course's Resources tab."""

    id: str
    short_id: str
    slug: str
    name: str
    cml: str
    assets: tuple[FileAsset, ...]
    listed: bool  # or only linked to from readings


@dataclass(frozen=True, slots=True)
class Item:
    """An item of a lesson."""

    id: str
    slug: str
    name: str
    type: str  # the platform's term: lecture, supplement, staffGraded …
    duration_ms: int
    locked: str | None  # the platform's reason code
    censored: bool  # preview mode: listed without details
    video: Video | None
    in_video_quiz: bool
    attachments: tuple[FileAsset | LinkAsset, ...]  # of a reading: its parts besides the text
    cml: str | None  # text of a reading
    instructions: Instructions | None
    assets: tuple[FileAsset, ...]  # files that the text or the instructions refer to
    tree_files: tuple[FileAsset, ...]  # files whose addresses are in the tree, and in no other reply
    attempt: Attempt | None  # of a quiz; None: the gateway does not know it


@dataclass(frozen=True, slots=True)
class Lesson:
    """A lesson; it may be empty."""

    id: str
    slug: str
    name: str
    items: tuple[Item, ...]
    groups: tuple[tuple[str, ...], ...]  # ids of items of which one is enough


@dataclass(frozen=True, slots=True)
class Module:
    """A module; it may be empty."""

    id: str
    slug: str
    name: str
    description: str
    lessons: tuple[Lesson, ...]


@dataclass(frozen=True, slots=True)
class Course:
    """A whole course."""

    id: str
    slug: str
    title: str
    workload: str
    languages: tuple[str, ...]
    enrolled_ms: int  # since 1970
    modules: tuple[Module, ...]
    references: tuple[Reference, ...]

    def items(self) -> Iterator[tuple[Module, Lesson, Item]]:
        """Every item with its module and lesson, in order."""
        for module in self.modules:
            for lesson in module.lessons:
                for item in lesson.items:
                    yield module, lesson, item


def load_courses(folder: Path) -> tuple[Course, ...]:
    """All courses described below this folder, by folder name. Raises `DescriptionError` or `OSError`."""
    return tuple(load_course(path.parent) for path in sorted(folder.glob("*/course.toml")))


def load_course(folder: Path) -> Course:
    """Load one course and check its keys and files. Raises `DescriptionError` or `OSError`."""
    path = folder / "course.toml"
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise DescriptionError(f"{path}: {error}") from None
    table = _Table(values, folder, str(path))
    course = Course(
        id=table.text("id"),
        slug=table.text("slug"),
        title=table.text("title"),
        workload=table.text("workload", ""),
        languages=tuple(table.texts("languages")),
        enrolled_ms=table.milliseconds("enrolled"),
        modules=tuple(_module(module) for module in table.tables("modules")),
        references=tuple(_reference(reference) for reference in table.tables("references")),
    )
    table.end()
    _refuse_equal_ids(course, path)
    return course


def _module(table: _Table) -> Module:
    module = Module(
        id=table.text("id"),
        slug=table.text("slug"),
        name=table.text("name"),
        description=table.text("description", ""),
        lessons=tuple(_lesson(lesson) for lesson in table.tables("lessons")),
    )
    table.end()
    return module


def _lesson(table: _Table) -> Lesson:
    lesson = Lesson(
        id=table.text("id"),
        slug=table.text("slug"),
        name=table.text("name"),
        items=tuple(_item(item) for item in table.tables("items")),
        groups=tuple(tuple(map(str, group)) for group in table.take("choose_one", list, [])),
    )
    table.end()
    unknown = {one for group in lesson.groups for one in group} - {item.id for item in lesson.items}
    if unknown:
        raise DescriptionError(f"{table.place}: choose_one: not of this lesson: {', '.join(sorted(unknown))}")
    return lesson


def _reference(table: _Table) -> Reference:
    reference = Reference(
        id=table.text("id"),
        short_id=table.text("short_id"),
        slug=table.text("slug"),
        name=table.text("name"),
        cml=table.content(table.text("cml")),
        assets=tuple(_file_asset(asset) for asset in table.tables("assets")),
        listed=table.take("listed", bool, True),
    )
    table.end()
    return reference


def _item(table: _Table) -> Item:
    cml = table.take("cml", str, None)
    instructions = table.take("instructions", str, None)
    tasks = tuple(table.texts("tasks"))
    item = Item(
        id=table.text("id"),
        slug=table.text("slug"),
        name=table.text("name"),
        type=table.text("type"),
        duration_ms=table.take("duration_ms", int, 600_000),
        locked=table.take("locked", str, None),
        censored=table.take("censored", bool, False),
        video=_video(table),
        in_video_quiz=table.take("in_video_quiz", bool, False),
        attachments=tuple(_attachment(asset) for asset in table.tables("attachments")),
        cml=None if cml is None else table.content(cml),
        instructions=None if instructions is None else Instructions(table.content(instructions), tasks),
        assets=tuple(_file_asset(asset) for asset in table.tables("assets")),
        tree_files=tuple(_file_asset(asset) for asset in table.tables("tree_files")),
        attempt=_attempt(table),
    )
    table.end()
    return item


def _attempt(table: _Table) -> Attempt | None:
    state = table.take("attempt", str, None)
    questions = tuple(_question(one) for one in table.tables("questions"))
    grade, awaits = table.take("grade", float, 0.0), table.take("awaits_feedback", bool, False)
    if state is None:
        return None
    if state not in ("taken", "in progress", "untaken"):
        raise DescriptionError(f"{table.place}: attempt is one of taken, in progress, untaken")
    return Attempt(state, grade, awaits, questions)


def _question(table: _Table) -> Question:
    question = Question(
        type=table.text("type"),
        prompt=table.text("prompt"),
        options=tuple(table.texts("options")),
        chosen=tuple(table.texts("chosen")),
        answer=table.text("answer", ""),
        correct=tuple(table.texts("correct")),
        feedback=table.text("feedback", ""),
    )
    table.end()
    return question


def _video(table: _Table) -> Video | None:
    video_id = table.take("video_id", str, None)
    files: dict[str, dict[str, Path]] = {}
    for key, file_format in (("video", "mp4"), ("webm", "webm")):
        for resolution, name in table.names(key).items():
            files.setdefault(resolution, {})[file_format] = table.file(name)
    subtitles = {
        language: {file_format: table.file(f"{stem}.{file_format}") for file_format in SUBTITLE_FORMATS}
        for language, stem in table.names("subtitles").items()
    }
    voices = {language: table.file(name) for language, name in table.names("voices").items()}
    described = table.take("described", str, None)
    shape = table.take("shape", str, SHAPES[0])
    if shape not in SHAPES:
        raise DescriptionError(f"{table.place}: shape is one of {', '.join(SHAPES)}")
    if video_id is None:
        if files or subtitles or voices or described:
            raise DescriptionError(f"{table.place}: a video needs a video_id")
        return None
    return Video(video_id, files, subtitles, shape, voices, None if described is None else table.file(described))


def _attachment(table: _Table) -> FileAsset | LinkAsset:
    url = table.take("url", str, None)
    if url is None:
        return _file_asset(table)
    link = LinkAsset(url, table.take("title", str, None))
    table.end()
    return link


def _file_asset(table: _Table) -> FileAsset:
    asset = FileAsset(
        id=table.text("id"),
        name=table.text("name"),
        title=table.take("title", str, None),
        type=table.text("type", "generic"),
        file=table.file(table.text("file")),
    )
    table.end()
    return asset


def _refuse_equal_ids(course: Course, path: Path) -> None:
    ids = [module.id for module in course.modules]
    ids += [lesson.id for module in course.modules for lesson in module.lessons]
    ids += [item.id for _, _, item in course.items()]
    twice = {one for one in ids if ids.count(one) > 1}
    if twice:
        raise DescriptionError(f"{path}: used more than once: {', '.join(sorted(twice))}")


_REQUIRED: Any = object()


class _Table:
    """A TOML table that knows its path, for messages, and which of its keys were not read."""

    def __init__(self, values: Mapping[str, Any], folder: Path, place: str) -> None:
        self.place = place
        self._folder = folder
        self._left = dict(values)

    def take(self, key: str, kind: type, default: Any = _REQUIRED) -> Any:
        value = self._left.pop(key, default)
        if value is _REQUIRED:
            raise DescriptionError(f"{self.place}: {key} is missing")
        if value is not default and not isinstance(value, kind):
            raise DescriptionError(f"{self.place}: {key} is not of type {kind.__name__}")
        return value

    def text(self, key: str, default: str = _REQUIRED) -> str:
        value: str = self.take(key, str, default)
        return value

    def texts(self, key: str) -> list[str]:
        return [str(value) for value in self.take(key, list, [])]

    def names(self, key: str) -> dict[str, str]:
        return {name: str(value) for name, value in self.take(key, dict, {}).items()}

    def milliseconds(self, key: str) -> int:
        moment: datetime = self.take(key, datetime)
        return int(moment.astimezone(UTC).timestamp() * 1000)

    def tables(self, key: str) -> list[_Table]:
        tables = self.take(key, list, [])
        if not all(isinstance(values, dict) for values in tables):
            raise DescriptionError(f"{self.place}: {key} is not a list of tables")
        return [_Table(values, self._folder, f"{self.place}: {key}[{n}]") for n, values in enumerate(tables)]

    def file(self, name: str) -> Path:
        path = self._folder / name
        if not path.resolve().is_relative_to(self._folder.resolve()):
            raise DescriptionError(f"{self.place}: {name} lies outside the course's folder")
        if not path.is_file():
            raise DescriptionError(f"{self.place}: there is no file {name}")
        return path

    def content(self, name: str) -> str:
        return self.file(name).read_text(encoding="utf-8")

    def end(self) -> None:
        if self._left:
            raise DescriptionError(f"{self.place}: unknown: {', '.join(sorted(self._left))}")
