"""The public catalogue: its courses and specializations, and the search in them (pure)."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from coursefs.model import About
from coursefs.providers.coursera.naptime import Envelope
from coursefs.providers.kit.fields import Json, as_identifier, identifier, identifiers, integer, record, rows, text
from coursefs.providers.kit.files import web_host

_SLUG = re.compile(r"[\w-]{1,200}")
#: segments of an address that are followed by the slug of a course, or of a specialization
_COURSE_PARTS = frozenset({"learn", "course"})
_PROGRAMME_PARTS = frozenset({"specializations", "professional-certificates"})


@dataclass(frozen=True, slots=True)
class CatalogueCourse:
    """A course of the catalogue; a text is "" when the platform does not give it."""

    id: str
    slug: str
    name: str
    course_type: str  # v2.ondemand; v1.session: the platform that was shut off in 2016
    partners: tuple[str, ...] = ()  # names of universities and companies, if requested
    instructors: tuple[str, ...] = ()
    about: About = field(default_factory=About)


@dataclass(frozen=True, slots=True)
class Specialization:
    """A specialization: a programme of several courses."""

    id: str
    slug: str
    name: str
    course_ids: tuple[str, ...]  # in order
    role: str = ""  # the learner's, in a list of their own: LEARNER, NOT_ENROLLED …


@dataclass(frozen=True, slots=True)
class CourseAddress:
    """A parsed address, slug or id: the course or specialization that it names."""

    course: str = ""  # slug or id
    programme: str = ""  # slug


def course_address(said: str, host: str) -> CourseAddress | None:
    """Parse an address, slug or id for the platform at this host (without `www.`); None: it is of another platform.

    A slug alone may name either kind, because courses and specializations share slugs; an address tells which.
    """
    if "://" not in said:
        word = as_identifier(said.strip())
        return CourseAddress(word, word) if _SLUG.fullmatch(word) else None
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
            return CourseAddress(course=slug)
        if _SLUG.fullmatch(slug) and part in _PROGRAMME_PARTS:
            return CourseAddress(programme=slug)
    return None


def courses(envelope: Envelope) -> tuple[CatalogueCourse, ...]:
    """The courses of a reply of `courses.v1` or `onDemandCourses.v1`, with the names that are joined to it."""
    partners = {identifier(row, "id"): text(row, "name") for row in envelope.related("partners.v1")}
    instructors = {identifier(row, "id"): text(row, "fullName") for row in envelope.related("instructors.v1")}
    found = (_course(row, partners, instructors) for row in envelope.elements)
    return tuple(course for course in found if course.id)


@dataclass(frozen=True, slots=True)
class Hits:
    """A page of the search: its courses, and the cursor of the next page ("": this is the last)."""

    courses: tuple[CatalogueCourse, ...]
    next: str


def hits(data: Json) -> Hits | None:
    """The reply of the gateway's search; None when it has no result.

    Programmes, projects and articles are among the hits; courses are those with an address of a course.
    """
    search = record(data, "SearchResult").get("search")
    result = next((one for one in search if isinstance(one, dict)), None) if isinstance(search, list) else search
    if not isinstance(result, dict) or not isinstance(result.get("elements"), list):
        return None
    found = (_hit(row) for row in rows(result, "elements"))
    return Hits(tuple(one for one in found if one.id), text(record(result, "pagination"), "cursor"))


def _hit(row: Json) -> CatalogueCourse:
    segments = text(row, "url").partition("?")[0].rstrip("/").split("/")
    slug = unquote(segments[-1]) if len(segments) > 1 and segments[-2] in _COURSE_PARTS else ""
    partners = row.get("partners")
    named = [one.strip() for one in partners if isinstance(one, str)] if isinstance(partners, list) else []
    rating = row.get("avgProductRating")
    ratings = integer(row, "numProductRatings")
    is_rated = isinstance(rating, (int, float)) and not isinstance(rating, bool) and 0 < rating <= 5
    return CatalogueCourse(
        # `course~<id>`
        id=identifier(row, "id").rpartition("~")[2] if _SLUG.fullmatch(slug) else "",
        slug=slug,
        name=text(row, "name"),
        course_type="",
        partners=tuple(filter(None, named)),
        about=About(
            level=_word(text(row, "productDifficultyLevel")),
            length=_word(text(row, "productDuration")),
            rating=float(rating) if is_rated else None,  # type: ignore[arg-type]  # it is a number then
            ratings=ratings if is_rated else None,
            partners=tuple(filter(None, named)),
            description=text(row, "tagline"),
        ),
    )


def _word(constant: str) -> str:
    """A constant of the platform as words: `ONE_TO_FOUR_WEEKS`."""
    return constant.replace("_", " ").lower() if re.fullmatch(r"[A-Z0-9_]{1,60}", constant) else ""


def linked_courses(envelope: Envelope) -> Mapping[str, CatalogueCourse]:
    """The courses linked in a reply, by id."""
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
        about=About(
            level=_word(text(row, "level")),
            length=text(row, "workload"),
            partners=_named(identifiers(row, "partnerIds"), partners),
            description=text(row, "description"),
            image_url=url if web_host(url := text(row, "photoUrl")) else None,
        ),
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
    """The courses whose names or slugs contain all of these words: the best match first, equal ones in their order.

    Case and accents are ignored.  The best match is the name itself, then a name that begins with the words, then one
    that has them as whole words, then one in which words begin with them.
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
