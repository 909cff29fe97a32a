"""The key file of a shared cache."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursefs.errors import CoursefsError, UsageError
from coursefs.shared.keys import SharedKey, create_key, load_key, parse_key, public_text


def test_a_new_key_signs_and_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "new" / "shared.key"
    key = create_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_key(path) == key
    assert key.verifies(b"message", key.sign(b"message"))
    assert not key.verifies(b"another", key.sign(b"message"))
    assert not SharedKey.generated().verifies(b"message", key.sign(b"message"))


def test_a_key_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "shared.key"
    path.write_text("mine")
    with pytest.raises(CoursefsError, match="exists already"):
        create_key(path)
    assert path.read_text() == "mine"


def test_the_public_line_makes_a_reader_that_cannot_sign() -> None:
    key = SharedKey.generated()
    reader = parse_key([public_text(key)], "key")
    assert reader.verifies(b"message", key.sign(b"message"))
    assert reader.seed is None and not reader.token
    with pytest.raises(ValueError, match="cannot sign"):
        reader.sign(b"message")
    assert reader.lines() == f"{public_text(key)}\n"


def test_several_machines_may_be_believed() -> None:
    one, other, third = (SharedKey.generated() for _ in range(3))
    reader = parse_key(["# the teachers", public_text(one), "", f"{public_text(other)}  # Ada"], "key")
    assert [reader.verifies(b"message", key.sign(b"message")) for key in (one, other, third)] == [True, True, False]


def test_secrets_are_not_shown() -> None:
    key = SharedKey.generated()
    assert key.seed is not None
    assert key.token not in repr(key)
    assert repr(key.seed) not in repr(key)


@pytest.mark.parametrize(
    ("lines", "wrong"),
    [
        ([], "holds no key"),
        (["token abcdefgh"], "holds no key"),
        (["sign short"], ":1: expected"),
        (["# fine", "sing " + "A" * 43], ":2: expected"),
        (["sign " + "A" * 43, "sign " + "B" * 43], ":2: expected"),
        (["verify " + "A" * 42 + "é"], ":1: expected"),
        (["token with spaces"], ":1: expected"),
    ],
)
def test_a_wrong_line_is_named_and_not_quoted(lines: list[str], wrong: str) -> None:
    with pytest.raises(UsageError, match=wrong) as error:
        parse_key(lines, "shared.key")
    assert "AAAA" not in str(error.value)


@given(st.lists(st.text()))
def test_no_text_does_more_than_be_refused(lines: list[str]) -> None:
    with suppress(UsageError):
        parse_key(lines, "key")


def test_a_missing_key_says_what_to_type(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="type coursefs cache shared key"):
        load_key(tmp_path / "shared.key")


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "shared.key"
    key = create_key(path)
    path.chmod(0o644)
    with pytest.raises(UsageError, match="chmod 600"):
        load_key(path)
    path.write_text(key.reader.lines().partition("token")[0])
    load_key(path)  # a public key is no secret


def test_a_key_file_may_be_no_text(tmp_path: Path) -> None:
    path = tmp_path / "shared.key"
    path.write_bytes(os.urandom(3000))
    with pytest.raises(UsageError, match="expected"):
        load_key(path)
