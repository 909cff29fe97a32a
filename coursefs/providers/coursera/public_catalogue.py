"""Requests to the public catalogue; only the learner's own lists need a sign-in."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Protocol

from coursefs.errors import BadReply, Gone, NotAllowed
from coursefs.providers.coursera import catalogue, routes
from coursefs.providers.coursera.catalogue import CatalogueCourse, Specialization
from coursefs.providers.coursera.documents import SEARCH
from coursefs.providers.coursera.naptime import Envelope
from coursefs.providers.coursera.routes import Route, compound
from coursefs.providers.kit.fields import Json

log = logging.getLogger(__name__)

#: how many ids go into one request: the URL stays below 2 kB
_IDS_PER_REQUEST = 50
#: hits in one request at most, and how many are asked for besides, because programmes are among them
_HITS, _OTHERS = 100, 20
#: requests of one search at most
_MOST_SEARCHES = 40
#: how many pages a list may have; Coursera's catalogue has some hundreds
_MOST_PAGES = 2000


class Ask(Protocol):
    """A function that requests a route and returns the envelope of a good reply."""

    async def __call__(self, route: Route, **values: str) -> Envelope: ...


class Query(Protocol):
    """A function that sends an operation to the GraphQL gateway and returns its data."""

    async def __call__(self, operation: str, variables: Mapping[str, object], *, public: bool = False) -> Json: ...


class PublicCatalogue:
    """`CourseraClient.catalogue`.  Raises the client's errors."""

    def __init__(self, ask: Ask, query: Query) -> None:
        self._ask = ask
        self._query = query

    async def course(self, slug: str) -> CatalogueCourse:
        """The course of this slug, with its partners' and instructors' names.  Raises `Gone` when there is none."""
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
        """A page of a hundred courses of the catalogue, and the start of the next page; "" for the last page."""
        reply = await self._ask(routes.CATALOGUE, start=start)
        return catalogue.courses(reply), reply.next

    async def search(self, said: str, *, limit: int = 50) -> list[CatalogueCourse]:
        """The courses that match these words, best first: one request, and more for more than a hundred of them.

        Where the platform's search does not work, the whole catalogue is read, a hundred courses a request, and
        searched here.
        """
        try:
            return await self._searched(said, limit)
        except (NotAllowed, Gone, BadReply) as error:
            log.info("the whole catalogue is read, because the search does not work: %s", error)
        return await self._read(said, limit)

    async def _searched(self, said: str, limit: int) -> list[CatalogueCourse]:
        """The courses that the platform finds, in its order.  Raises `BadReply` when it has no answer."""
        found: dict[str, CatalogueCourse] = {}
        cursor, asked = "0", set[str]()
        while len(found) < limit and cursor not in asked and len(asked) < _MOST_SEARCHES:
            asked.add(cursor)
            request = {
                "entityType": "PRODUCTS",
                "limit": min(_HITS, limit + _OTHERS),
                "query": said,
                "cursor": cursor,
                "facetFilters": [],
                "maxValuesPerFacet": 1000,
                "disableRecommender": True,
            }
            page = catalogue.hits(await self._query(SEARCH, {"requests": [request]}, public=True))
            if page is None:
                raise BadReply("search: the platform's answer holds no result")
            found |= {course.id: course for course in page.courses if course.id not in found}
            cursor = page.next or cursor
        return list(found.values())[:limit]

    async def _read(self, said: str, limit: int) -> list[CatalogueCourse]:
        """The courses of the whole catalogue that match these words."""
        found: list[CatalogueCourse] = []
        async for reply in all_pages(self._ask, routes.CATALOGUE):
            found += catalogue.ranked(catalogue.courses(reply), said)
        unique = {course.id: course for course in found if not course.course_type.startswith("v1.")}
        return catalogue.ranked(unique.values(), said)[:limit]

    async def watchlist(self) -> list[CatalogueCourse]:
        """The courses of the learner's watch list, also those of the platform that was shut down in 2016."""
        pages = all_pages(self._ask, routes.WATCHLIST)
        return [course async for reply in pages for course in catalogue.courses(reply)]

    async def specialization(self, slug: str) -> tuple[Specialization, Sequence[CatalogueCourse]]:
        """The specialization of this slug, and its courses in order.  Raises `Gone` when there is none."""
        reply = await self._ask(routes.SPECIALIZATION, slug=slug)
        if not reply.elements:
            raise Gone("specialization: the platform does not have it")
        found = catalogue.specialization(reply.elements[0])
        known = dict(catalogue.linked_courses(reply))
        if missing := [one for one in found.course_ids if one not in known]:
            known |= await self.courses(missing)
        return found, [known[one] for one in found.course_ids if one in known]

    async def my_specializations(self) -> list[Specialization]:
        """The learner's specializations, also those that they have left (`role` NOT_ENROLLED)."""
        pages = all_pages(self._ask, routes.MY_SPECIALIZATIONS)
        return [one async for reply in pages for one in catalogue.my_specializations(reply)]


async def all_pages(ask: Ask, route: Route, **values: str) -> AsyncIterator[Envelope]:
    """All pages of a list.  Raises `BadReply` for a list without an end."""
    start, asked = "0", set[str]()
    while start:
        asked.add(start)
        page = await ask(route, start=start, **values)
        yield page
        start = page.next
        if start in asked or len(asked) > _MOST_PAGES:
            raise BadReply(f"{route.name}: the platform's list does not end")
