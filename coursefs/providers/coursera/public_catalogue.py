"""Asking the public catalogue; none of it but a learner's own lists needs a sign-in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Protocol

from coursefs.errors import BadReply, Gone
from coursefs.providers.coursera import catalogue, routes
from coursefs.providers.coursera.catalogue import CatalogueCourse, Specialization
from coursefs.providers.coursera.naptime import Envelope
from coursefs.providers.coursera.routes import Route, compound

#: how many ids go into one request: the URL stays below 2 kB
_IDS_PER_REQUEST = 50
#: pages that a list may have; Coursera's catalogue has some hundred
_MOST_PAGES = 2000


class Ask(Protocol):
    """Asks a route, and gives its good reply."""

    async def __call__(self, route: Route, **values: str) -> Envelope: ...


class PublicCatalogue:
    """`CourseraClient.catalogue`.  Raises what the client raises."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def course(self, slug: str) -> CatalogueCourse:
        """The course of this slug, with its partners' and instructors' names.  Raises `Gone` where there is none."""
        found = catalogue.courses(await self._ask(routes.COURSE, slug=slug))
        if not found:
            raise Gone("course: the platform does not have it")
        return found[0]

    async def courses(self, ids: Iterable[str]) -> Mapping[str, CatalogueCourse]:
        """Courses by id, fifty in a request; ids that the platform does not know are absent."""
        wanted = list(dict.fromkeys(ids))
        found: dict[str, CatalogueCourse] = {}
        for first in range(0, len(wanted), _IDS_PER_REQUEST):
            listed = ",".join(compound(one) for one in wanted[first : first + _IDS_PER_REQUEST])
            found |= {course.id: course for course in catalogue.courses(await self._ask(routes.COURSES, ids=listed))}
        return found

    async def page(self, start: str = "0") -> tuple[Sequence[CatalogueCourse], str]:
        """A hundred courses of the whole catalogue, and where the next ones start; "" where these are the last."""
        reply = await self._ask(routes.CATALOGUE, start=start)
        return catalogue.courses(reply), reply.next

    async def search(self, said: str, *, limit: int = 50) -> list[CatalogueCourse]:
        """The courses that fit these words, best first.

        The platform has no search that answers without its web application, so the whole catalogue is read, a hundred
        courses in a request, and looked through here.
        """
        found: list[CatalogueCourse] = []
        async for reply in all_pages(self._ask, routes.CATALOGUE):
            found += catalogue.ranked(catalogue.courses(reply), said)
        unique = {course.id: course for course in found if not course.course_type.startswith("v1.")}
        return catalogue.ranked(unique.values(), said)[:limit]

    async def watchlist(self) -> list[CatalogueCourse]:
        """The courses of the learner's watch list, those of the platform that was shut off in 2016 too."""
        pages = all_pages(self._ask, routes.WATCHLIST)
        return [course async for reply in pages for course in catalogue.courses(reply)]

    async def specialization(self, slug: str) -> tuple[Specialization, Sequence[CatalogueCourse]]:
        """The specialization of this slug, and its courses in order.  Raises `Gone` where there is none."""
        reply = await self._ask(routes.SPECIALIZATION, slug=slug)
        if not reply.elements:
            raise Gone("specialization: the platform does not have it")
        found = catalogue.specialization(reply.elements[0])
        known = dict(catalogue.linked_courses(reply))
        if missing := [one for one in found.course_ids if one not in known]:
            known |= await self.courses(missing)
        return found, [known[one] for one in found.course_ids if one in known]

    async def my_specializations(self) -> list[Specialization]:
        """The learner's specializations, those that they have left too (`role` NOT_ENROLLED)."""
        pages = all_pages(self._ask, routes.MY_SPECIALIZATIONS)
        return [one async for reply in pages for one in catalogue.my_specializations(reply)]


async def all_pages(ask: Ask, route: Route, **values: str) -> AsyncIterator[Envelope]:
    """Every page of a list.  Raises `BadReply` when it does not end."""
    start, asked = "0", set[str]()
    while start:
        asked.add(start)
        page = await ask(route, start=start, **values)
        yield page
        start = page.next
        if start in asked or len(asked) > _MOST_PAGES:
            raise BadReply(f"{route.name}: the platform's list does not end")
