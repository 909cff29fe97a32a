"""The learner's standing in a course: parsers of the replies, and the standing built from them (pure).

Times are seconds since 1970, fractions are 0 to 1.  The shapes of replies are from notes of 2015 (progress, deadlines,
schedule, grades) and from clients of 2025 (sessions).  Which routes answer today is not known, so each may be missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from coursefs.model import About, CourseProgress, Deadline, Outline, Section, Standing
from coursefs.providers.coursera.naptime import Envelope
from coursefs.providers.kit.fields import Json, identifier, identifiers, integer, record, rows, text

_WEEK = 7 * 86_400


@dataclass(frozen=True, slots=True)
class CourseraProgress:
    """The progress of a learner in a course."""

    overall: float | None = None
    modules: Mapping[str, float] = field(default_factory=dict)  # by id
    completed: Mapping[str, float] = field(default_factory=dict)  # time of completion by item id
    lessons: Mapping[str, float] = field(default_factory=dict)  # by id
    lists_items: bool = False  # the reply has a list of items
    next_item: str = ""


@dataclass(frozen=True, slots=True)
class CourseSession:
    """The session of a course in which the learner is enrolled."""

    starts: float | None
    ends: float | None


@dataclass(frozen=True, slots=True)
class DeadlineSettings:
    """The learner's deadlines for the modules of a course."""

    starts: float | None
    is_enabled: bool
    modules: Mapping[str, float]  # by module id


@dataclass(frozen=True, slots=True)
class Period:
    """Some weeks of a course, and the modules planned for them."""

    module_ids: tuple[str, ...]
    weeks: int


@dataclass(frozen=True, slots=True)
class CourseGrade:
    """The learner's grade in a course."""

    grade: float | None
    passed: bool | None


@dataclass(frozen=True, slots=True)
class ModulesDone:
    """The ids of the modules that the learner has completed, and of those passed."""

    completed: tuple[str, ...]
    passed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Parts:
    """The parsed replies from which a standing is built; each may be missing."""

    progress: CourseraProgress | None = None
    session: CourseSession | None = None
    deadlines: DeadlineSettings | None = None
    schedule: Sequence[Period] = ()
    grade: CourseGrade | None = None
    instructors: Sequence[str] = ()
    about: About | None = None


def progress(envelope: Envelope) -> CourseraProgress | None:
    """`onDemandCoursesProgress.v1` with its envelope, or the older bare reply; None when it has no progress."""
    said = _first(envelope) or envelope.whole
    items = record(said, "items")
    completed = {
        one: _seconds(record(items, one), "timestamp") or 0.0
        for one in items
        if text(record(items, one), "progressState") == "Completed"
    }
    found = CourseraProgress(
        overall=_part(said.get("overall"), of=100.0),
        modules=_parts_of_modules(record(said, "modules")),
        lessons=_parts_of_modules(record(said, "lessons")),
        lists_items=isinstance(said.get("items"), dict),
        completed=completed,
        next_item=identifier(said, "nextItem"),
    )
    return None if replace(found, lists_items=False) == CourseraProgress() else found


def course_progress(found: CourseraProgress | None) -> CourseProgress:
    """The progress by the keys of sections and items."""
    if found is None:
        return CourseProgress()
    parts = {f"module/{one}": part for one, part in found.modules.items()}
    parts |= {f"lesson/{one}": part for one, part in found.lessons.items()}
    parts |= {f"item/{one}": 1.0 for one in found.completed}
    return CourseProgress(found.overall, parts, found.lists_items)


def place(envelope: Envelope) -> float | None:
    """The place in a video, in seconds; None when the reply has none.  No reply was recorded."""
    said = _first(envelope)
    milliseconds = integer(said, "viewedUpTo")
    return milliseconds / 1000 if milliseconds is not None and milliseconds >= 0 else None


def session(envelope: Envelope) -> CourseSession | None:
    """`onDemandSessionMemberships.v1` with its sessions joined, or `guidedCourseSessionProgresses.v1`."""
    said = next(iter(envelope.related("onDemandSessions.v1")), None) or _first(envelope)
    found = CourseSession(_seconds(said, "startedAt"), _seconds(said, "endedAt"))
    return None if found == CourseSession(None, None) else found


def deadlines(envelope: Envelope) -> DeadlineSettings | None:
    """`onDemandDeadlineSettings.v1`; without the field `isEnabled` the deadlines apply."""
    said = _first(envelope)
    modules = {
        key: due
        for row in rows(said, "moduleDeadlines")
        if (key := identifier(row, "moduleId")) and (due := _seconds(row, "deadline")) is not None
    }
    if not modules and _seconds(said, "start") is None:
        return None
    return DeadlineSettings(_seconds(said, "start"), said.get("isEnabled") is not False, modules)


def schedule(envelope: Envelope) -> tuple[Period, ...]:
    """`onDemandCourseSchedules.v1`."""
    periods = rows(record(_first(envelope), "defaultSchedule"), "periods")
    return tuple(
        Period(identifiers(row, "moduleIds"), max(0, min(integer(row, "numberOfWeeks") or 0, 520))) for row in periods
    )


def grade(envelope: Envelope) -> CourseGrade | None:
    """`onDemandCourseGrades.v1`."""
    said = _first(envelope)
    found = CourseGrade(
        grade=_part(record(said, "overallOutcome").get("courseGrade")),
        passed={"notPassed": False, "passed": True, "verifiedPassed": True}.get(text(said, "passingState")),
    )
    return None if found == CourseGrade(None, None) else found


def modules_done(envelope: Envelope) -> ModulesDone:
    """`onDemandHomeProgress.v1`."""
    said = _first(envelope)
    return ModulesDone(identifiers(said, "modulesCompleted"), identifiers(said, "modulesPassed"))


def instructors(envelope: Envelope) -> tuple[str, ...]:
    """The names of the instructors linked in a reply."""
    names = (text(row, "fullName") for row in envelope.related("instructors.v1"))
    return tuple(dict.fromkeys(name for name in names if name))


def standing(parts: Parts, outline: Outline) -> Standing:
    """The standing from all replies; the outline gives the names of the modules and the number of items."""
    starts = parts.session.starts if parts.session else None
    if starts is None and parts.deadlines is not None:
        starts = parts.deadlines.starts
    ends = parts.session.ends if parts.session else None
    due = _due(parts, starts)
    by_key = {module.key: module for module in outline.sections}
    named = [
        Deadline(module.title, _ns(at), key=module.key, url=module.url)
        for key, at in due.items()
        if (module := by_key.get(f"module/{key}")) is not None
    ]
    return Standing(
        done=_done(parts.progress, _item_count(outline)),
        grade=parts.grade.grade if parts.grade else None,
        passed=parts.grade.passed if parts.grade else None,
        starts_ns=None if starts is None else _ns(starts),
        ends_ns=None if ends is None else _ns(ends),
        deadlines=tuple(sorted(named, key=lambda one: one.due_ns)),
        instructors=tuple(parts.instructors),
        about=parts.about,
    )


def needs_outline(parts: Parts) -> bool:
    """Whether the standing needs the names of modules or the number of items."""
    lacks_overall = parts.progress is not None and parts.progress.overall is None
    return bool(parts.schedule or lacks_overall or (parts.deadlines and parts.deadlines.modules))


def _item_count(outline: Outline) -> int:
    """The number of items in a course."""

    def count(sections: Sequence[Section]) -> int:
        return sum(len(section.items) + count(section.sections) for section in sections)

    return len(outline.items) + count(outline.sections)


def _due(parts: Parts, starts: float | None) -> Mapping[str, float]:
    """The deadline of each module: the learner's own, else from the weeks of the course after its start."""
    if parts.deadlines is not None and parts.deadlines.modules:
        return parts.deadlines.modules if parts.deadlines.is_enabled else {}
    if starts is None:
        return {}
    due: dict[str, float] = {}
    end = starts
    for period in parts.schedule:
        end += period.weeks * _WEEK
        due |= dict.fromkeys(period.module_ids, end)
    return due


def _done(progress: CourseraProgress | None, items: int) -> float | None:
    if progress is None:
        return None
    if progress.overall is None and items:
        return min(1.0, len(progress.completed) / items)
    return progress.overall


def _first(envelope: Envelope) -> Json:
    return next(iter(envelope.elements), {})


def _part(value: object, *, of: float = 1.0) -> float | None:
    """A number as a fraction of `of`, 0 to 1; None when it is out of this range."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= of:
        return None
    return value / of


def _parts_of_modules(modules: Json) -> Mapping[str, float]:
    found = {key: _part(modules[key], of=100.0) for key in modules}
    return {key: part for key, part in found.items() if part is not None}


def _seconds(said: Json, name: str) -> float | None:
    """A time of the platform, given in milliseconds; None after the year 9999."""
    value = integer(said, name)
    return value / 1000 if value is not None and 0 < value < 253_370_764_800_000 else None


def _ns(seconds: float) -> int:
    return round(seconds * 1000) * 10**6  # the platform's precision is milliseconds
