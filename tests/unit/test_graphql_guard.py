"""Only listed GraphQL operations that read leave the process."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursefs.errors import NotAllowed
from coursefs.providers.coursera.documents import DOCUMENTS
from coursefs.transport import Transport
from coursefs.transport.graphql import READING, only_reads, require_reading

GATEWAY = "https://www.coursera.org/graphql-gateway?opname=QueryState"
ELSEWHERE = "https://www.coursera.org/api/anything.v1"


def body(query: str, name: str = "QueryState", **more: Any) -> bytes:
    return json.dumps([{"operationName": name, "variables": {}, "query": query, **more}]).encode()


START = "mutation Submission_StartAttempt($a: ID!) { Submission_StartAttempt(input: {courseId: $a}) { __typename } }"


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"{}",
        b"[]",
        b"no JSON",
        body(START, "Submission_StartAttempt"),
        body(START),  # under the name of another
        body("query QueryState { a } " + START),
        body("query QueryState { a } mutation B { b }"),
        body("query QueryState { a } query Search { b }"),
        body("query QueryState { a } subscription B { b }"),
        body("query QueryState { a }").replace(b"query QueryState", b"\\u006dutation QueryState"),
        body("query QueryState { Mutation }").replace(b"Mutation", b"\\u006dutation"),
        body("Mutation QueryState { a }"),
        body("query Other { a }"),
        body("query Other { a }", "Other"),
        body("{ a }"),
        body("query QueryState { a }", extensions={"persistedQuery": {}}),  # the document is the server's
        body("query QueryState { a }", variables={"x": "mutation"}),
        json.dumps([json.loads(body("query QueryState { a }"))[0], json.loads(body(START))[0]]).encode(),
        json.dumps({"query": START}).encode(),
        b"[7]",
    ],
)
def test_every_other_body_is_refused(content: bytes | None) -> None:
    with pytest.raises(NotAllowed, match="could change anything"):
        require_reading(GATEWAY, content)


@pytest.mark.parametrize("content", [body(START, "X"), json.dumps({"query": START}).encode()])
def test_so_is_graphql_at_another_address(content: bytes) -> None:
    with pytest.raises(NotAllowed):
        require_reading(ELSEWHERE, content)


def test_what_is_no_graphql_may_be_sent_elsewhere() -> None:
    require_reading(ELSEWHERE, None)
    require_reading(ELSEWHERE, b'{"email": "a@b.example", "password": "mutation"}')
    require_reading(ELSEWHERE, b"query=mutation")
    require_reading(ELSEWHERE, json.dumps({"query": "genetics"}).encode())


def test_our_own_documents_are_the_list_and_may_be_sent() -> None:
    assert frozenset(DOCUMENTS) == READING
    for name, document in DOCUMENTS.items():
        require_reading(GATEWAY, document.body({"courseId": "c", "itemId": "i"}))
        assert document.name == name


@given(st.text(alphabet="query mutaionQSe{}()$\\ \n#", max_size=60), st.sampled_from([*READING, "Other"]))
def test_whatever_is_let_through_is_one_query_of_the_list(query: str, name: str) -> None:
    if only_reads(body(query, name)):
        assert query.split("{", maxsplit=1)[0].split("(", maxsplit=1)[0].split() == ["query", name]
        assert "mutation" not in query.lower() and name in READING


async def test_the_transport_makes_no_connection_for_it() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json=[{"data": {}}])

    async with Transport(http_transport=httpx.MockTransport(answer)) as transport:
        for content in (body(START), body(START, "Submission_StartAttempt"), None):
            with pytest.raises(NotAllowed):
                await transport.fetch(GATEWAY, method="POST", content=content)
        with pytest.raises(NotAllowed):
            await transport.fetch(ELSEWHERE, method="POST", content=body(START))
        assert asked == []
        await transport.fetch(GATEWAY, method="POST", content=DOCUMENTS["QueryState"].body({}))
    assert len(asked) == 1
