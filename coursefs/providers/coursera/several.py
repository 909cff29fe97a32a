"""Requests for several items at once, where the platform takes them: found out by trying, once.

The protocol has such requests (`?ids=a,b`), but each resource decides whether it does, and nothing was recorded.  The
reply lists what is linked to all the items together, in no order.  It is used only for those items of which it is
certain which linked objects are theirs; all others are requested one by one, as ever.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from coursefs.errors import BadReply, Gone, NotAllowed, NotSignedIn, RouteGone
from coursefs.providers.coursera.naptime import Envelope
from coursefs.providers.coursera.routes import Route, compound
from coursefs.providers.kit.fields import Json, identifier

log = logging.getLogger(__name__)

#: how many items are worth the trial, and how many go into one request: the URL stays below 2 kB
LEAST, MOST = 3, 40


def for_several(route: Route, *more_fields: str) -> Route:
    """The route for several items: `ids` in the query in place of the id in the path.

    `more_fields` are asked for besides: they may tell which linked objects belong to which item.
    """
    path = route.path.partition("/{id}")[0]
    query = dict(route.query)
    fields = ",".join(filter(None, (query.pop("fields", ""), *more_fields)))
    pairs = (*query.items(), *((("fields", fields),) if fields else ()), ("ids", "{ids}"))
    return Route(f"{route.name}, several at once", path, pairs, is_trial=True)


class Several:
    """The requests for several items.  `ask` raises `NotSignedIn` only when the session has ended."""

    def __init__(self, ask: Callable[..., Awaitable[Envelope]]) -> None:
        self._ask = ask
        self._one_at_a_time = False  # the platform refuses such requests
        self._useless: set[str] = set()  # routes whose replies cannot be taken apart

    async def get(self, route: Route, course_id: str, item_ids: Sequence[str]) -> Mapping[str, Envelope]:
        """Replies by item id, each as that of a request for the item alone; items that are left out were not clear.

        Nothing is requested when it is known that the platform does not take it.
        """
        found: dict[str, Envelope] = {}
        for first in range(0, len(item_ids), MOST):
            some = item_ids[first : first + MOST]
            if self._one_at_a_time or route.name in self._useless or len(some) < LEAST:
                break
            ids = {compound(course_id, one): one for one in some}
            try:
                reply = await self._ask(route, ids=",".join(ids))
            except NotSignedIn:
                raise
            except (RouteGone, BadReply) as error:
                self._one_at_a_time = True
                log.info("items are requested one by one: %s", error)
                break
            except (NotAllowed, Gone) as error:  # of one of them, perhaps
                log.info("these items are requested one by one: %s", error)
                continue
            parts = split(reply, ids)
            if not parts:
                self._useless.add(route.name)
                log.info("%s: what belongs to which item is not said", route.name)
            found |= parts
        return found


def split(reply: Envelope, ids: Mapping[str, str]) -> dict[str, Envelope]:
    """The reply for each item by its id; none when it is not certain to which item a linked object belongs (pure).

    `ids` are the item ids by compound id.  An item without a linked object is left out, because it is not certain
    whether it has none.
    """
    elements: dict[str, Json] = {}
    for element in reply.elements:
        item_id = _named(element, ids)
        if item_id:
            elements[item_id] = element
    linked: dict[str, dict[str, list[Any]]] = {}
    for resource in reply.linked:
        for row in reply.related(resource):
            owners = _owners(row, elements, ids)
            if not owners:
                return {}
            for owner in owners:
                linked.setdefault(owner, {}).setdefault(resource, []).append(row)
    return {
        one: replace(reply, elements=(elements[one],), linked=linked[one], next="", tag=None)
        for one in elements
        if one in linked
    }


def _named(row: Json, ids: Mapping[str, str]) -> str:
    """The asked item that an object names itself; "" for none."""
    item_id = ids.get(identifier(row, "id"), "")
    named = identifier(row, "itemId")
    return item_id or (named if named in ids.values() else "")


def _owners(row: Json, elements: Mapping[str, Json], ids: Mapping[str, str]) -> list[str]:
    """The items of a linked object: the one that it names, else those whose elements name it."""
    named = _named(row, ids)
    if named:
        return [named]
    key = identifier(row, "id")
    return [one for one, element in elements.items() if key and _refers_to(element, key)]


def _refers_to(element: Json, key: str) -> bool:
    for name, value in element.items():
        if name in ("id", "itemId", "courseId"):
            continue
        if value == key or (isinstance(value, list) and key in value):
            return True
    return False
