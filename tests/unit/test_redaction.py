"""What a report keeps of a reply: its shape and its lengths, and nothing that says who a person is."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursefs.transport.redaction import redact_html, redact_json, redact_text

KNOWN = {"elements", "name", "email", "id", "typeName", "count", "url", "byUser"}
SECRETS = ["Ada Lovelace", "ada@example.org", "CAUTH-3f9a", "Zy9xWv87EeuTSr6qPoNmLk", "Der Schall"]


def shape(value: Any) -> Any:
    match value:
        case dict():
            return sorted((len(key), json.dumps(shape(one))) for key, one in value.items())
        case list():
            return [shape(one) for one in value]
        case str():
            return len(value)
    return type(value).__name__


def test_shape_and_lengths_stay() -> None:
    reply = {
        "elements": [
            {"name": SECRETS[0], "email": SECRETS[1], "id": SECRETS[3], "count": 1234567, "typeName": "asset"}
        ],
        "url": f"https://cdn.example/a.mp4?Signature={SECRETS[2]}&Expires=1893456000",
        "byUser": {"ada": {"name": "Ada"}, "ada@example.org": None},
        "ok": True,
    }
    redacted = redact_json(reply, KNOWN)
    text = json.dumps(redacted, ensure_ascii=False)
    for secret in SECRETS:
        assert secret not in text and secret.split()[0] not in text
    assert "ada" not in text and "1893456000" not in text and "1234567" not in text
    assert shape(redacted) == shape(reply)
    assert redacted["elements"][0]["typeName"] == "asset", "the word of the platform for a kind"
    assert redacted["url"].startswith("xxxxx://xxx.xxxxxxx/x.xx0?")
    assert list(redacted) == ["elements", "url", "byUser", "ok"]


def test_of_a_number_kind_sign_and_length_stay() -> None:
    redacted = redact_json([7, 90210, -42, 2**70, 0.93, -1e9, True, None])
    assert redacted == [1, 11111, -11, 10**18 // 9, 1.5, 1.5, True, None]
    assert [type(one) for one in redacted[4:6]] == [float, float]


def test_an_unknown_field_keeps_its_name_beside_known_ones_and_an_id_does_not() -> None:
    redacted = redact_json({"name": "x", "newThing": 1, "course-v1:A+B+C": 2, "user17": 3}, KNOWN)
    assert list(redacted) == ["name", "newThing", "xxxxxx-x0:X+X+X", "xxxx00"]
    assert list(redact_json({"grace": 1, "alan": 2}, KNOWN)) == ["xxxxx", "xxxx"], "a map by user"


def test_a_key_that_is_a_name_of_a_person_elsewhere_is_no_field() -> None:
    assert list(redact_json({"name": "grace", "grace": 1}, KNOWN)) == ["name", "xxxxx"]


@pytest.mark.parametrize("word", ["two words", "mail@x", "Ada9", "x" * 41, ""])
def test_of_enumerations_single_words_alone_stay(word: str) -> None:
    assert redact_json({"type": word}, {"type"}) == {"type": redact_text(word)}


def test_a_page_keeps_its_elements_alone() -> None:
    link = '<a class="btn" href="https://x/?t=s3cret">Hello <b>Ada</b> &amp; you</a>'
    html = f"<!DOCTYPE html><title>Login</title>{link}<!-- Ada -->"
    redacted = redact_html(html)
    assert re.findall(r"</?[a-z]+", redacted) == ["<title", "</title", "<a", "<b", "</b", "</a"]
    for word in ("Login", "btn", "s3cret", "Hello", "Ada", "you"):
        assert word not in redacted


def test_a_word_stays_only_under_a_field_that_stays() -> None:
    assert redact_json({"lockStatus": "Ada"}) == {"xxxxXxxxxx": "Xxx"}
    assert redact_json({"lockStatus": "LOCKED"}, {"lockStatus"}) == {"lockStatus": "LOCKED"}


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
                    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=40))  # fmt: skip
def test_nothing_is_left_of_any_reply(value: Any) -> None:
    text = json.dumps(redact_json(value))
    assert not re.search(r"[a-wyzA-WYZ2-9]", re.sub(r"true|false|null|1\.5|\\u[0-9a-f]{4}|\\[nt]", "", text))


@given(st.text())
def test_nothing_is_left_of_any_page(html: str) -> None:
    plain = re.sub(r"<[^>]*>|<!doctype[^>]*>", "", redact_html(html))
    assert not re.search(r"[a-wyzA-WYZ1-9]", plain)
