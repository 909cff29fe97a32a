"""What of a reply is not as it is known."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from coursefs.providers.kit.known_fields import fields, known_fields, unknown

KNOWN = {"elements": frozenset({"list"}), "name": frozenset({"text", "null"}), "count": frozenset({"any"})}


def test_names_and_types_that_are_not_known_are_told_once() -> None:
    reply = {"elements": [{"name": 1, "newThing": {"name": "x"}}, {"name": 2, "count": "x", "newThing": {}}]}
    assert sorted(unknown(reply, KNOWN)) == [
        "the field name is number, not text",
        "the field newThing (object) is not known",
    ]


def test_null_is_a_value_of_every_type() -> None:
    assert unknown({"elements": None, "name": None}, KNOWN) == []


def test_keys_of_maps_are_no_fields() -> None:
    reply = {"elements": [{"DAaFw": 1}, {"en": "x", "pt-BR": "y"}, {"course-v1:A+B+C": {"name": "x"}}]}
    assert unknown(reply, KNOWN) == []
    assert [name for name, _ in fields(reply)] == ["elements", "name"]


def test_a_reply_that_is_all_new_is_told_in_a_few_lines() -> None:
    assert len(unknown({f"field{chr(97 + n)}x": n for n in range(26)}, KNOWN)) == 10


@pytest.mark.parametrize("provider", ["coursera", "openedx", "panopto"])
def test_nothing_of_a_reply_surprises(platform_replies: Path, provider: str) -> None:
    known = known_fields(provider)
    assert len(known) > 100
    for path in (platform_replies / provider).rglob("*.json"):
        if not any(word in path.name for word in ("types", "swagger", "client", "probes", "observed")):
            told = [one for one in unknown(json.loads(path.read_text(encoding="utf-8")), known) if "field _" not in one]
            assert told == [], path.name


def test_a_provider_from_elsewhere_has_no_list() -> None:
    assert known_fields("nobody") == {}
