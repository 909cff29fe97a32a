"""Requests to Coursera's GraphQL gateway: listed operations that read, by POST.

`coursefs.transport.graphql` refuses every other body, from any caller.
"""

from __future__ import annotations

import random
import string
import time
from collections.abc import Callable, Mapping

from coursefs.errors import BadReply, CoursefsError, NotAllowed, NotSignedIn
from coursefs.providers.coursera.asking import Asker
from coursefs.providers.coursera.documents import DOCUMENTS, refused_names
from coursefs.providers.coursera.naptime import refusal
from coursefs.providers.coursera.routes import Route
from coursefs.providers.kit.fields import Json, record, rows, text
from coursefs.transport import Reply, parse_json

#: how often a document may be shortened by what the server no longer has
_SHORTENED = 4
_LETTERS = string.ascii_letters + string.digits


class Gateway:
    """The gateway for one account.  `clock` returns seconds since 1970."""

    def __init__(self, asker: Asker, clock: Callable[[], float] = time.time) -> None:
        self._asker = asker
        self._clock = clock
        self._documents = dict(DOCUMENTS)

    async def query(self, operation: str, variables: Mapping[str, object], *, public: bool = False) -> Json:
        """The `data` of an operation's reply.

        A document that the server refuses for a field or type is sent again without it, and stays so.  Raises
        `NotAllowed` for a refusal of this one operation, and the errors of the account and the network.
        """
        for _ in range(_SHORTENED):
            document = self._documents[operation]
            route = Route(operation, "/graphql-gateway", (("opname", operation),), bare=True, public=public)
            reply = await self._asker.post(route, document.body(variables), self._headers)
            data, messages = _read(reply)
            if data is not None:
                return data
            shorter = document.without(refused_names(messages)) if messages else None
            if shorter is None:
                raise await self._error(route, reply, messages)
            self._documents[operation] = shorter
        raise BadReply(f"{operation}: the platform does not know what was asked for")

    def _headers(self) -> Mapping[str, str]:
        """What the web application sends besides: a pair of equal random words against forged requests."""
        word = f"{self._clock():.0f}.{''.join(random.choices(_LETTERS, k=20))}"
        return {
            "Content-Type": "application/json",
            "Origin": self._asker.api_url,
            "X-Coursera-Application": "ondemand",
            "apollographql-client-name": "ondemand",
            "X-CSRF3-Token": word,
            "Cookie": f"CSRF3-Token={word}",
        }

    async def _error(self, route: Route, reply: Reply, messages: list[str]) -> CoursefsError:
        if messages:
            return BadReply(f"{route.name}: the platform does not know what was asked for (HTTP {reply.status})")
        error = refusal(reply, what=route.name, sign_in_again="")
        if isinstance(error, NotSignedIn):
            if not route.public:
                await self._asker.whoami()  # raises `NotSignedIn` if the session has ended
            return NotAllowed(f"{route.name}: the platform keeps it back")
        return error


def _read(reply: Reply) -> tuple[Json | None, list[str]]:
    """The data of a reply, and the messages of its errors.  The answer is a list of one object, or that object."""
    content = parse_json(reply.body)
    if isinstance(content, list):
        content = next((one for one in content if isinstance(one, dict)), None)
    if not isinstance(content, dict):
        return None, []
    data = record(content, "data")
    errors = [text(one, "message")[:300] for one in rows(content, "errors")]
    return (data if data and reply.status == 200 else None), [message for message in errors if message]
