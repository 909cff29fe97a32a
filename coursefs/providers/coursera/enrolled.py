"""The courses of an account, and the resolution of a slug, id or address to courses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from coursefs.errors import BadReply, Gone
from coursefs.model import Course
from coursefs.providers.coursera.catalogue import CatalogueCourse, course_address
from coursefs.providers.coursera.client import CourseraClient
from coursefs.providers.coursera.item_types import course_url
from coursefs.providers.coursera.replies import Membership
from coursefs.providers.coursera.sign_in import cookie_host
from coursefs.providers.kit.files import web_host

#: a slug of the platform that was shut down in 2016 ends with the number of a session: `algo-001`
_SESSION_SLUG = re.compile(r"[a-z0-9]+-0\d\d")


def enrolled(memberships: Iterable[Membership], base_url: str) -> list[Course]:
    """The courses of these memberships (pure).

    Courses that the learner has left are dropped; those of the platform that was shut down in 2016 are hidden.
    """
    return [_course(one, base_url) for one in memberships if one.role != "NOT_ENROLLED"]


def _course(membership: Membership, base_url: str) -> Course:
    slug = membership.slug
    since = membership.enrolled
    return Course(
        key=membership.course_id,
        slug=slug or membership.course_id,
        title=membership.name or slug or membership.course_id,
        url=course_url(base_url, slug) if slug else None,
        enrolled_ns=None if since is None else round(since * 1000) * 10**6,
        hidden=not slug or membership.course_type.startswith("v1."),
        image=membership.image_url if web_host(membership.image_url) else None,
    )


def from_catalogue(course: CatalogueCourse, base_url: str) -> Course:
    """A course of the public catalogue (pure)."""
    slug = course.slug
    return Course(
        key=course.id,
        slug=slug or course.id,
        title=course.name or slug or course.id,
        url=course_url(base_url, slug) if slug else None,
        about=course.about,
    )


async def resolved(client: CourseraClient, text: str, base_url: str) -> Sequence[Course]:
    """The courses that a slug, an id or an address names: one, or all of a specialization; () when none matches.

    A course that the account is not enrolled in is `hidden`: the platform shows its content to its learners only.
    """
    meant = course_address(text, cookie_host(base_url))
    if meant is None:
        return ()
    found: Sequence[CatalogueCourse] = ()
    if meant.course:
        found = await _one_course(client, meant.course)
    if meant.programme and not found:
        found = await _programme(client, meant.programme)
    if not found:
        if _SESSION_SLUG.fullmatch(meant.course):
            raise Gone(f"{text}: courses of this kind ended with the platform of sessions in 2016")
        return ()
    own = {course.key: course for course in enrolled(await client.memberships(), base_url)}
    return [own.get(one.id) or _not_enrolled(from_catalogue(one, base_url)) for one in found]


def _not_enrolled(course: Course) -> Course:
    return Course(course.key, course.slug, course.title, course.url, hidden=True)


async def _one_course(client: CourseraClient, slug_or_id: str) -> Sequence[CatalogueCourse]:
    try:
        return [await client.catalogue.course(slug_or_id)]
    except (Gone, BadReply):  # the platform may answer 400 for a text that is no slug
        return list((await client.catalogue.courses([slug_or_id])).values())


async def _programme(client: CourseraClient, slug: str) -> Sequence[CatalogueCourse]:
    try:
        _, courses = await client.catalogue.specialization(slug)
    except (Gone, BadReply):  # which HTTP error an unknown slug gets was not recorded
        return ()
    return courses
