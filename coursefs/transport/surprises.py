"""Surprises: platform replies that are not as coursefs expects them, counted by kind.

A mount only counts them, for `status` and `doctor`.  `coursefs report` also keeps a redacted example of each kind.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from coursefs.transport.redaction import redact_html, redact_json, redact_text

#: the most kinds: a platform that changes everything at once must not fill the memory
_MOST = 200
#: replies of a route that are searched for unknown fields: later ones would hardly show more
_LOOKED_AT = 20
#: the most bytes of an example
_LONGEST = 512 * 1024


@dataclass(frozen=True, slots=True)
class Surprise:
    """One kind of surprise: on which route, what, and how often."""

    provider: str
    route: str
    what: str  # for a person, in one line, without anything personal
    count: int = 1

    def __str__(self) -> str:
        times = f" ({self.count} times)" if self.count > 1 else ""
        return f"{self.provider}, {self.route}: {self.what}{times}"


@dataclass(frozen=True, slots=True)
class Example:
    """The first reply with a surprise of one kind, redacted."""

    surprise: Surprise
    status: int
    content_type: str
    body: str


class Surprises:
    """The surprises of a process so far."""

    def __init__(self, *, keep_examples: bool = False) -> None:
        self._keep_examples = keep_examples
        self._found: dict[tuple[str, str, str], Surprise] = {}
        self._examples: dict[tuple[str, str, str], Example] = {}
        self._looked_at: dict[tuple[str, str], int] = {}

    @property
    def found(self) -> list[Surprise]:
        """All kinds, the most frequent first."""
        return sorted(self._found.values(), key=lambda one: (-one.count, str(one)))

    @property
    def examples(self) -> list[Example]:
        """A redacted example of each kind, where they are kept."""
        return [replace(one, surprise=self._found[key]) for key, one in self._examples.items()]

    def wants(self, provider: str, route: str) -> bool:
        """Whether the next reply of this route should be searched for unknown fields; counts it."""
        seen = self._looked_at.get((provider, route), 0)
        self._looked_at[provider, route] = seen + 1
        return self._keep_examples or seen < _LOOKED_AT

    def note(
        self,
        provider: str,
        route: str,
        what: str,
        *,
        status: int,
        content_type: str,
        body: bytes,
        content: Any = None,
        known: Collection[str] = (),
    ) -> None:
        """Count a surprise; `content` is the reply's JSON (None: it has none), `known` the names of expected fields."""
        key = (provider, route, what)
        before = self._found.get(key)
        if before is not None:
            self._found[key] = replace(before, count=before.count + 1)
            return
        if len(self._found) >= _MOST:
            return
        self._found[key] = Surprise(*key)
        if self._keep_examples:
            kind = content_type.partition(";")[0].strip().lower()[:60]
            self._examples[key] = Example(self._found[key], status, kind, _redacted(body, content, known))


def _redacted(body: bytes, content: Any, known: Collection[str]) -> str:
    if content is not None:
        shown = json.dumps(redact_json(content, known), ensure_ascii=False, indent=1)
    else:
        text = body[:_LONGEST].decode("utf-8", "replace")
        shown = redact_html(text) if text.lstrip()[:1] == "<" else redact_text(text)
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}\n… ({len(shown)} characters in all)"
