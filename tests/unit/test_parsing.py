"""JSON that platforms send, or a server in their place: parsed within bounds, and never an exception of ours."""

from __future__ import annotations

import json
import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursefs.errors import BadReply
from coursefs.transport import parse_json


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b'{"a": [1, "\xc3\xa4", null, true, 1.5]}', {"a": [1, "ä", None, True, 1.5]}),
        (b"\xef\xbb\xbf[1]", [1]),
        (b'{"grade": NaN, "most": Infinity, "least": -Infinity}', {"grade": None, "most": None, "least": None}),
        (b"[1e999, -1e999, 1e-999]", [None, None, 0.0]),
        (b"[9223372036854775807, 9223372036854775808, -9223372036854775808]", [2**63 - 1, None, -(2**63)]),
        (b"[" + b"9" * 400 + b"," + b"9" * 5000 + b"]", [None, None]),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b'"\\ud83d\\ude00"', "😀"),
    ],
)
def test_values_that_are_taken(text: bytes, value: object) -> None:
    assert parse_json(text) == value


def test_a_lone_surrogate_costs_no_more_than_its_own_text() -> None:
    assert parse_json(b'{"title": "cut \\ud83d", "id": "x"}')["id"] == "x"


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"null",
        b"<html></html>",
        b"[1,]",
        b"[1] [2]",
        b'"\xff"',
        b'"\xed\xa0\x80"',
        "[1]".encode("utf-16"),
        "[1]".encode("utf-32"),
        b'"\x00"',
        b"[" * 30_000,
        b"[" * 30_000 + b"]" * 30_000,
        b'{"a":' * 30_000,
        b"[" * 101 + b"]" * 101,
        b'{"a":' * 101 + b"0" + b"}" * 101,
    ],
)
def test_what_is_no_json_is_none(text: bytes) -> None:
    assert parse_json(text) is None


@pytest.mark.parametrize(
    "text",
    [
        b"[" + b"[]," * 3_000_000 + b"[]]",
        b"[" + b"{}," * 100_000 + b"{}]",
        b"[" + b"0," * 300_000 + b"0]",
        b'["' + b"a" * (8 * 2**20) + b'"]',
        b"[" * 300_000,
    ],
)
def test_more_than_any_reply_holds_is_a_bad_reply(text: bytes) -> None:
    with pytest.raises(BadReply, match="larger than any"):
        parse_json(text)


@pytest.mark.parametrize("text", [b"", b'"[0, 1)"', b'"' + b"{[" * 101 + b'"'])
def test_as_deep_as_values_may_lie_in_each_other(text: bytes) -> None:
    assert parse_json(b"[" * 100 + text + b"]" * 100) is not None


def test_braces_in_texts_are_no_values() -> None:
    text = json.dumps({"definition": {"value": r'\\frac{1}{2} "[" ' * 50_000}}).encode()
    assert text.count(b"{") > 100_000
    assert parse_json(text)["definition"]["value"].startswith("\\")


@pytest.mark.parametrize("unit", [b'"', b'\\"', b'"\\', b'["\\"', b"[{"])
def test_broken_strings_take_no_time(unit: bytes) -> None:
    text = b"[" + unit * (3_000_000 // len(unit))
    begun = time.process_time()
    with suppress(BadReply):
        parse_json(text)
    assert time.process_time() - begun < 5.0, "quadratic code takes hours"


def test_replies_twenty_times_as_large_as_any_that_was_recorded_are_taken() -> None:
    block = {"id": "block-v1:x", "children": ["a", "b", "c"], "display_name": "Unit", "type": "vertical", "fields": 8}
    text = json.dumps({"blocks": {f"block-{number}": block for number in range(10_000)}}).encode()
    assert len(parse_json(text)["blocks"]) == 10_000


@given(st.binary(max_size=60))
def test_no_bytes_raise_anything_else(text: bytes) -> None:
    parse_json(text)
    parse_json(b'{"a":[' + text + b"]}")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(-1e9, 1e9) | st.text(), st.lists
    )
)
def test_what_was_written_is_read(value: object) -> None:
    assert parse_json(json.dumps(value).encode()) == value
