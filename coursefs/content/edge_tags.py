"""Edge tags: ETags that each server of a CDN makes up for itself, told from a change of the file (pure).

An ETag is opaque (RFC 9110, section 8.8.3).  Some servers make it of what they alone know, such as the number of an
inode, so each response may have another one for the same bytes.  `identity.same` knows the forms that say so.  Of the
others only the responses can tell: a file that has changed does not change back within a minute, but the next response
of another server has the ETag of before.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, replace

from cachetools import LRUCache

from coursefs.content.identity import Key, same
from coursefs.model import Version

#: seconds within which an ETag has to come back: later it may be that a person has taken back a change
_COMES_BACK = 60.0
#: responses, one after the other, that may have another ETag before it counts as a change
_MOST_UNCLEAR = 4
#: contents and hosts that are remembered, and responses for each content
_MOST, _MOST_RESPONSES = 1024, 8


class Verdict(enum.Enum):
    """Whether a response is of the version that is known."""

    SAME = enum.auto()
    CHANGED = enum.auto()
    UNCLEAR = enum.auto()  # the next response may tell


@dataclass(frozen=True, slots=True)
class _Response:
    """The ETag of a response, when it was asked for, and when it came: the server has sent it in between."""

    tag: str | None
    asked: float = float("-inf")
    came: float = float("-inf")


@dataclass(slots=True)
class _Heard:
    """The last responses for one content; of a row of responses with the same ETag only the first and the last."""

    responses: deque[_Response]
    unclear: int = 0  # requests, one after the other, whose responses had another ETag
    unclear_at: float = float("-inf")


class EdgeTags:
    """What the responses of all hosts have shown of their ETags.  Times are seconds of any one clock."""

    def __init__(self) -> None:
        self._heard: LRUCache[Key, _Heard] = LRUCache(_MOST)
        self._hosts: LRUCache[str, None] = LRUCache(_MOST)

    def differ_at(self, host: str) -> bool:
        """Whether the servers of a host have ETags of their own for the same file, as far as is known."""
        return host in self._hosts

    def judge(
        self, key: Key, host: str, known: Version, found: Version, *, is_settled: bool, asked: float, now: float
    ) -> Verdict:
        """Whether the version `found` in a response of `host` to a request made at `asked` is the one that is known.

        `is_settled`: its date is a strong validator (`range_response.is_settled`).  Only then ETags that go to and fro,
        with the same size and date, are taken for those of several servers.
        """
        is_same = same(known, found)
        if not is_settled or not _is_alike(known, found):
            self._heard.pop(key, None)
            return Verdict.SAME if is_same else Verdict.CHANGED
        response = _Response(known.etag if is_same else found.etag, asked, now)
        heard = self._heard.setdefault(key, _Heard(deque([_Response(known.etag)], _MOST_RESPONSES)))
        if _comes_back(heard.responses, response):
            self._hosts[host] = None
        if [one.tag for one in heard.responses][-2:] == [response.tag] * 2:
            heard.responses.pop()
        heard.responses.append(response)
        if is_same or host in self._hosts:
            heard.unclear = 0
            return Verdict.SAME
        if heard.unclear == _MOST_UNCLEAR:
            heard.unclear = 0
            return Verdict.CHANGED
        if asked >= heard.unclear_at:  # requests side by side may have come to the same server
            heard.unclear, heard.unclear_at = heard.unclear + 1, now
        return Verdict.UNCLEAR


def _is_alike(one: Version, other: Version) -> bool:
    """Whether two versions, with all marks, are the same but perhaps for their ETags."""
    is_complete = None not in {one.etag, other.etag, one.modified_ns, other.modified_ns}
    return is_complete and same(replace(one, etag=None), other)


def _comes_back(before: Collection[_Response], last: _Response) -> bool:
    """Whether servers have sent the ETag of a response, a moment ago another one, and then that one again."""
    return any(
        first.tag == last.tag != between.tag
        and first.came <= between.asked
        and last.asked - _COMES_BACK <= between.came <= last.asked
        for first in before
        for between in before
    )
