"""The public catalogue: courses, specializations, and what of it fits some words (pure)."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from coursefs.providers.coursera.naptime import Envelope
from coursefs.providers.fields import Json, as_identifier, identifier, identifiers, text

_SLUG = re.compile(r"[\w-]{1,200}")
#: parts of an address that are followed by the slug of a course, or of a programme of several
_COURSE_PARTS = frozenset({"learn", "course"})
_PROGRAMME_PARTS = frozenset({"specializations", "professional-certificates"})


@dataclass(frozen=True, slots=True)
class CatalogueCourse:
    """A course as the catalogue has it; a text is "" where the platform says nothing."""

    id: str
    slug: str
    name: str
    course_type: str  # v2.ondemand; v1.session: the platform that was shut off in 2016
    partners: tuple[str, ...] = ()  # names of universities and companies, where they were asked for
    instructors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Specialization:
    """A programme of several courses."""

    id: str
    slug: str
    name: str
    course_ids: tuple[str, ...]  # in order
    role: str = ""  # the learner's, where it is one of their list: LEARNER, NOT_ENROLLED …


@dataclass(frozen=True, slots=True)
class Reference:
    """What an address or a word of a person may name."""

    course: str = ""  # slug or id
    programme: str = ""  # slug


def reference(said: str, host: str) -> Reference | None:
    """What a text refers to on the platform at this host (without `www.`); None: nothing of this platform.

    A word alone may be either, as courses and programmes share their slugs; an address says which.
    """
    if "://" not in said:
        word = as_identifier(said.strip())
        return Reference(word, word) if _SLUG.fullmatch(word) else None
    try:
        parts = urlsplit(said)
        there = parts.hostname or ""
    except ValueError:
        return None
    if there != host and not there.endswith(f".{host}"):
        return None
    segments = [unquote(segment) for segment in parts.path.split("/")]
    for part, slug in itertools.pairwise(segments):
        if _SLUG.fullmatch(slug) and part in _COURSE_PARTS:
            return Reference(course=slug)
        if _SLUG.fullmatch(slug) and part in _PROGRAMME_PARTS:
            return Reference(programme=slug)
    return None


def courses(envelope: Envelope) -> tuple[CatalogueCourse, ...]:
    """The courses of a reply of `courses.v1` or `onDemandCourses.v1`, with the names that are joined to it."""
    partners = {identifier(row, "id"): text(row, "name") for row in envelope.related("partners.v1")}
    instructors = {identifier(row, "id"): text(row, "fullName") for row in envelope.related("instructors.v1")}
    found = (_course(row, partners, instructors) for row in envelope.elements)
    return tuple(course for course in found if course.id)


def linked_courses(envelope: Envelope) -> Mapping[str, CatalogueCourse]:
    """The courses that are joined to a reply, by id."""
    return {course.id: course for row in envelope.related("courses.v1") if (course := _course(row, {}, {})).id}


def _course(row: Json, partners: Mapping[str, str], instructors: Mapping[str, str]) -> CatalogueCourse:
    """One course; `catalog.v1`, the catalogue of the platform of sessions, called its slug `shortName`."""
    slug, old_slug = text(row, "slug"), text(row, "shortName")
    return CatalogueCourse(
        id=identifier(row, "id"),
        slug=slug or old_slug,
        name=text(row, "name"),
        course_type=text(row, "courseType") or ("v1.session" if old_slug and not slug else ""),
        partners=_named(identifiers(row, "partnerIds"), partners),
        instructors=_named(identifiers(row, "instructorIds"), instructors),
    )


def _named(ids: Iterable[str], names: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(name for one in ids if (name := names.get(one, "")))


def specialization(row: Json, role: str = "") -> Specialization:
    """One element of `onDemandSpecializations.v1`."""
    return Specialization(
        id=identifier(row, "id"),
        slug=text(row, "slug"),
        name=text(row, "name"),
        course_ids=identifiers(row, "courseIds"),
        role=role,
    )


def my_specializations(envelope: Envelope) -> tuple[Specialization, ...]:
    """A page of `onDemandSpecializationMemberships.v1`, joined by `s12nId`: the two lists have no common order.

    An id may hold a `~` (`child~…`), which the compound id of the membership writes `!~`; it is never taken apart.
    """
    known = {identifier(row, "id"): row for row in envelope.related("onDemandSpecializations.v1")}
    found = ((text(row, "role"), known.get(identifier(row, "s12nId"))) for row in envelope.elements)
    return tuple(specialization(row, role) for role, row in found if row is not None)


def ranked(found: Iterable[CatalogueCourse], said: str) -> list[CatalogueCourse]:
    """The courses whose names or slugs hold all of these words, best first, else in the order in which they come.

    Neither case nor accents tell two words apart.  Best is the very name, then one that begins so, then one in which
    the words are whole, then one in which they begin words.
    """
    words = _words(said)
    if not words:
        return []
    scored = [(score, course) for course in found if (score := _score(course, words)) is not None]
    return [course for _, course in sorted(scored, key=lambda one: one[0])]


def _score(course: CatalogueCourse, words: list[str]) -> int | None:
    name, slug = _words(course.name), _words(course.slug)
    if words in (name, slug):
        return 0
    if words == name[: len(words)]:
        return 1
    has = set(name) | set(slug)
    if has.issuperset(words):
        return 2
    if all(any(own.startswith(word) for own in has) for word in words):
        return 3
    whole = " ".join((*name, *slug))
    return 4 if all(word in whole for word in words) else None


def _words(said: str) -> list[str]:
    plain = "".join(one for one in unicodedata.normalize("NFKD", said.casefold()) if not unicodedata.combining(one))
    return re.findall(r"\w+", plain.replace("_", " "))
