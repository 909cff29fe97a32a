"""The guard of GraphQL requests: only listed operations that read leave this process.

GraphQL sends reading and changing operations to one address, by POST.  So the transport examines the body of every
request to such an address, and every body that is GraphQL, before a connection is made: whatever calls it, nothing is
begun, handed in or marked on a platform.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from coursefs.errors import BadReply, NotAllowed
from coursefs.transport.parsing import parse_json

#: the operations that may be sent: three for quizzes that were taken, one for the search in the catalogue
READING = frozenset({"QueryState", "AssignmentFeedback", "AssignmentGradingStatus", "Search"})

_CHANGES = re.compile("mutation|subscription", re.IGNORECASE)
_OPERATION = re.compile(r"\s*query\s+(\w+)\s*[({]")
_OPERATIONS = re.compile(r"\b(?:query|mutation|subscription)\b\s*\w*\s*[({]", re.IGNORECASE)


def require_reading(url: str, content: bytes | None) -> None:
    """Raise `NotAllowed` for a GraphQL request that is not a listed reading operation."""
    concerned = "graphql" in urlsplit(url).path.lower() or (content is not None and is_graphql(content))
    if concerned and (content is None or not only_reads(content)):
        raise NotAllowed("coursefs sends a platform no request that could change anything")


def is_graphql(content: bytes) -> bool:
    """Whether a body has a GraphQL operation (pure)."""
    for one in _operations(content):
        document = one.get("query") if isinstance(one, dict) else None
        if isinstance(document, str) and ("operationName" in one or _OPERATIONS.search(document)):
            return True
    return False


def only_reads(content: bytes) -> bool:
    """Whether every operation in a body is a listed one that reads (pure).

    The word `mutation` may not occur anywhere, not in the values either.
    """
    operations = _operations(content)
    return bool(operations) and not _CHANGES.search(content.decode("utf-8", "replace")) and all(map(_reads, operations))


def _operations(content: bytes) -> list[Any]:
    try:
        said = parse_json(content)
    except BadReply:
        return []
    return said if isinstance(said, list) else [said]


def _reads(operation: Any) -> bool:
    if not isinstance(operation, dict) or not operation.keys() <= {"operationName", "variables", "query"}:
        return False
    document, name = operation.get("query"), operation.get("operationName")
    if not isinstance(document, str) or not isinstance(name, str) or name not in READING:
        return False
    first = _OPERATION.match(document)
    return (
        first is not None
        and first[1] == name
        and len(_OPERATIONS.findall(document)) == 1
        and not _CHANGES.search(document)  # escapes in the JSON could hide it from a look at the bytes
    )
