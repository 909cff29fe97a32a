"""The public catalogue: courses, specializations, partners and instructors."""

from __future__ import annotations

from collections.abc import Sequence

from coursefs.demo.description import Course
from coursefs.demo.media import made_id
from coursefs.demo.naptime import Answer, Element, Query, invalid, not_found, page, unordered

USER_ID = 1000001

#: of every course of the demo
INSTRUCTORS: Sequence[Element] = (
    {"id": "2001", "fullName": "Dr. Ada Example ", "title": "Lecturer", "department": "Samples"},
    {"id": "2002", "fullName": "Grace Sample", "title": "Professor", "department": "Samples"},
)
PARTNERS: Sequence[Element] = (
    {"id": "348", "name": "University of Examples", "shortName": "examples", "location": {"city": "Sampleton"}},
)


def made_course(slug: str, name: str, course_type: str = "v2.ondemand") -> Element:
    """A course that has only a name."""
    return {"id": made_id("course", slug), "courseType": course_type, "slug": slug, "name": name}


#: old courses of an account: one of a platform that was shut down, and one that the learner has left
DEAD = made_course("algorithms-003", "Algorithms, Part III", "v1.session")
LEFT = made_course("gardening-for-beginners", "Gardening for Beginners")
#: courses in which only other learners are enrolled
_OTHERS = (
    made_course("machine-learning", "Machine Learning"),
    made_course("la-guitare", "La guitare, dès le début "),
    made_course("bird-song", "Bird Song: an Introduction to Hearing"),
)
_SPECIALIZATION = "seeing-and-hearing"


class Catalogue:
    """Replies about public courses; a list page has at most `largest_page` elements."""

    def __init__(self, courses: Sequence[Course], largest_page: int) -> None:
        self._largest_page = largest_page
        self._own = {course.id: described_course(course) for course in courses}
        self._courses = {str(course["id"]): course for course in (*self._own.values(), DEAD, LEFT, *_OTHERS)}
        own = list(self._own)
        all_of_it = _specialization(_SPECIALIZATION, "Seeing and Hearing ", [*own[::-1], str(_OTHERS[2]["id"])])
        # a specialization with the slug of a course, and one whose id holds a tilde
        twin = _specialization(str(_OTHERS[0]["slug"]), "Machine Learning", [str(_OTHERS[0]["id"])])
        child = _specialization("gardens", "Gardens", [str(LEFT["id"])], f"child~{made_id('specialization', 'x')}")
        self._specializations = (all_of_it, twin, child)

    def offered(self) -> Sequence[Element]:
        """The courses that the search finds: those of the platform of sessions are not among them."""
        return [course for course in self._courses.values() if course["courseType"] != "v1.session"]

    def course(self, key: str, query: Query) -> Answer:
        """`courses.v1/{id}`."""
        if key not in self._courses:
            raise not_found()
        return self._joined([self._courses[key]], query)

    def courses_by_id(self, ids: frozenset[str], query: Query) -> Answer:
        """`courses.v1?ids=`; unknown ids are left out."""
        return self._joined(unordered([course for key, course in self._courses.items() if key in ids]), query)

    def course_by_slug(self, query: Query) -> Answer:
        """`courses.v1?q=slug`, `onDemandCourses.v1?q=slug`."""
        slug = slug_of(query)
        found = [course for course in self._courses.values() if course["slug"] == slug]
        if not found:
            raise not_found()
        return self._joined(found, query)

    def all_courses(self, query: Query) -> Answer:
        """`courses.v1`: every course that the platform offers, or once offered."""
        return page(list(self._courses.values()), query, largest=self._largest_page)

    def watch_list(self, query: Query) -> Answer:
        """`courses.v1?q=watchlist`."""
        return page([DEAD, *_OTHERS], query, largest=self._largest_page)

    def specialization_by_slug(self, query: Query) -> Answer:
        """`onDemandSpecializations.v1?q=slug`, the courses joined on `includes=courseIds`."""
        slug = slug_of(query)
        found = [one for one in self._specializations if one["slug"] == slug]
        if not found:
            raise not_found()
        if "courseIds" not in query.includes:
            return Answer(found)
        ids = found[0]["courseIds"]
        assert isinstance(ids, list)
        return Answer(found, {"courses.v1": unordered([self._courses[key] for key in ids])})

    def all_specializations(self, query: Query) -> Answer:
        """`onDemandSpecializations.v1`."""
        return page(self._specializations, query, largest=self._largest_page)

    def my_specializations(self, query: Query) -> Answer:
        """`onDemandSpecializationMemberships.v1?q=me`; the joined courses have another order."""
        all_of_it, _, child = self._specializations
        answer = page(
            [_membership(all_of_it, "LEARNER"), _membership(child, "NOT_ENROLLED")], query, largest=self._largest_page
        )
        if "s12nId" not in query.includes:
            return answer
        ids = {element["s12nId"] for element in answer.elements}
        joined = unordered([one for one in self._specializations if one["id"] in ids])
        return Answer(answer.elements, {"onDemandSpecializations.v1": joined}, answer.paging)

    def instructors(self, ids: frozenset[str], _query: Query) -> Answer:
        """`instructors.v1?ids=`."""
        return Answer(unordered([one for one in INSTRUCTORS if one["id"] in ids]))

    def partners(self, ids: frozenset[str], _query: Query) -> Answer:
        """`partners.v1?ids=`."""
        return Answer(unordered([one for one in PARTNERS if one["id"] in ids]))

    def _joined(self, courses: Sequence[Element], query: Query) -> Answer:
        linked: dict[str, Sequence[Element]] = {}
        if "instructorIds" in query.includes:
            linked["instructors.v1"] = unordered(INSTRUCTORS)
        if "partnerIds" in query.includes:
            linked["partners.v1"] = PARTNERS
        return Answer(courses, linked or None)


def slug_of(query: Query) -> str:
    """The `slug` of a query. Raises `Refusal` (400) if it is missing or, for example, a whole URL."""
    slug = query.required("slug")
    if not slug.replace("-", "").replace("_", "").isalnum():
        raise invalid("slug is not a slug")
    return slug


def described_course(course: Course) -> Element:
    """A course as the public catalogue shows it."""
    return {
        "id": course.id,
        "courseType": "v2.ondemand",
        "slug": course.slug,
        "name": course.title,
        "workload": course.workload,
        "primaryLanguages": list(course.languages),
        "level": "BEGINNER",
        "description": f"All about {course.title.strip()}.",
        "photoUrl": "https://images.example/course.jpg",
        "domainTypes": [],
        "partnerIds": [one["id"] for one in PARTNERS],
        "instructorIds": [one["id"] for one in INSTRUCTORS],
        "certificates": [],
    }


def _specialization(slug: str, name: str, course_ids: list[str], key: str | None = None) -> Element:
    return {
        "id": key or made_id("specialization", slug),
        "slug": slug,
        "name": name,
        "tagline": "",
        "description": f"This Specialization has {len(course_ids)} courses.",
        "courseIds": course_ids,
    }


def _membership(specialization: Element, role: str) -> Element:
    key = str(specialization["id"])
    return {
        "id": f"{USER_ID}~{key.replace('~', '!~')}",
        "s12nId": key,
        "userId": USER_ID,
        "role": role,
        "createdAt": 1_600_000_000_000,
        "lastModified": 1_700_000_000_000,
    }
