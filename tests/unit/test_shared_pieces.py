"""Names of pieces in a shared cache, their sealed form, and when a tier is left alone."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursefs.content.identity import shared_mark
from coursefs.library.shared import platform
from coursefs.model import Version
from coursefs.shared.health import BAD_IN_A_ROW, FIRST_PAUSE, LONGEST_PAUSE, SLOW, SLOW_IN_A_ROW, Health
from coursefs.shared.keys import SharedKey
from coursefs.shared.pieces import (
    MOST_SEALED,
    PIECE_SIZE,
    BadPiece,
    PieceName,
    SharedFile,
    require_signed,
    seal,
    unseal,
)

KEY = SharedKey.generated()
FILE = SharedFile("openedx https://lms.example.com", "video/1~2/720p.mp4", 3 * PIECE_SIZE + 5, 'etag "one"')
SMALL = replace(FILE, size=5)


def test_pieces_cover_the_file_once() -> None:
    assert [piece.start for piece in _pieces(FILE)] == [0, PIECE_SIZE, 2 * PIECE_SIZE, 3 * PIECE_SIZE - 2**17]
    for offset in (-1, FILE.size):
        with pytest.raises(ValueError, match="no byte"):
            FILE.piece(offset)


@given(st.integers(1, 4 * PIECE_SIZE) | st.sampled_from([PIECE_SIZE, PIECE_SIZE + 1, 2 * PIECE_SIZE, 3 * PIECE_SIZE]))
def test_the_last_piece_of_a_larger_file_is_small(size: int) -> None:
    """A player looks at the end before it shows a first picture."""
    pieces = _pieces(replace(FILE, size=size))
    assert pieces[-1].end == size
    assert all(one.end == other.start for one, other in pairwise(pieces))
    assert all(piece.size <= PIECE_SIZE for piece in pieces)
    if size <= PIECE_SIZE:
        assert len(pieces) == 1
    else:
        assert 2**17 <= pieces[-1].size < 2**18
        assert all(piece.start % PIECE_SIZE == 0 for piece in pieces[:-1])


def _pieces(file: SharedFile) -> list[PieceName]:
    """All pieces; each is the one of its first and of its last byte."""
    pieces = [file.piece(0)]
    while pieces[-1].end < file.size:
        pieces.append(file.piece(pieces[-1].end))
    assert [file.piece(piece.end - 1) for piece in pieces] == pieces
    return pieces


def test_every_fact_makes_another_name_and_another_secret() -> None:
    others = [
        replace(FILE, host="openedx https://other.example.com"),
        replace(FILE, identity="video/1~2/360p.mp4"),
        replace(FILE, size=FILE.size + 1),
        replace(FILE, mark='etag "two"'),
    ]
    assert len(others) == len(fields(SharedFile))
    pieces = [FILE.piece(0), FILE.piece(PIECE_SIZE), *(other.piece(0) for other in others)]
    for one, other in combinations(pieces, 2):
        assert one.name != other.name and one.secret != other.secret


def test_the_names_never_change() -> None:
    """A newer coursefs that named pieces otherwise would find nothing of what is there, without a word."""
    assert FILE.piece(0).name == "d1682a1e30e6b685566d56dab9e25aaf6b707a35a805d5fa1b31a0229c9abdbe"
    assert FILE.piece(FILE.size - 1).secret.hex() == "4c4099d65ef1dcd88011518a4c282b0aeccafb5afabf6069d95ecb1060a0c965"


@given(st.binary(min_size=5, max_size=5))
def test_what_was_sealed_is_unsealed(data: bytes) -> None:
    piece = SMALL.piece(0)
    sealed = seal(piece, data, KEY)
    assert unseal(piece, sealed, KEY) == data
    assert len(sealed) <= MOST_SEALED
    assert data not in sealed


def test_a_whole_piece_fits() -> None:
    assert len(seal(FILE.piece(0), bytes(PIECE_SIZE), KEY)) == MOST_SEALED


def test_bytes_of_another_number_are_not_sealed() -> None:
    with pytest.raises(ValueError, match="not the bytes"):
        seal(SMALL.piece(0), b"four", KEY)


@given(st.data())
def test_no_changed_bit_is_overlooked(data: st.DataObject) -> None:
    piece = SMALL.piece(0)
    sealed = bytearray(seal(piece, b"12345", KEY))
    place = data.draw(st.integers(0, len(sealed) - 1))
    sealed[place] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(BadPiece):
        unseal(piece, bytes(sealed), KEY)


@given(st.binary(max_size=300))
def test_noise_is_no_piece(noise: bytes) -> None:
    with pytest.raises(BadPiece):
        unseal(SMALL.piece(0), noise, KEY)


def test_a_piece_is_good_for_its_own_name_alone() -> None:
    """Also where the key is known: a machine of the house may mix files up."""
    sealed = seal(FILE.piece(0), bytes(PIECE_SIZE), KEY)
    with pytest.raises(BadPiece, match="not signed"):
        unseal(FILE.piece(PIECE_SIZE), sealed, KEY)
    with pytest.raises(BadPiece, match="not signed"):
        unseal(FILE.piece(0), sealed, SharedKey.generated())


def test_a_piece_under_the_right_name_for_another_file_is_refused() -> None:
    """Its signature is right and its encryption is not: only a faulty program signs that."""
    piece = SMALL.piece(0)
    mixed = replace(piece, secret=FILE.piece(0).secret)
    with pytest.raises(BadPiece, match="encrypted for another"):
        unseal(piece, seal(mixed, b"12345", KEY), KEY)
    longer = replace(piece, size=6)
    with pytest.raises(BadPiece, match="another size"):
        unseal(piece, seal(longer, b"123456", KEY), KEY)


def test_a_server_checks_the_signature_without_the_secret() -> None:
    piece = SMALL.piece(0)
    sealed = seal(piece, b"12345", KEY)
    require_signed(piece.name, sealed, KEY.reader)
    with pytest.raises(BadPiece):
        require_signed(FILE.piece(0).name, sealed, KEY.reader)


# -- what is the same on all machines ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        (Version(5, '"abc"'), Version(5, 'W/"abc"'), True),
        (Version(5, '"abc"'), Version(5, '"abc-gzip"'), True),
        (Version(5, '"abc"', 1), Version(5, '"abc"', 2 * 10**9), True),  # the ETag is the stronger one
        (Version(5, '"abc"'), Version(5, '"abd"'), False),
        (Version(5, None, 10**9), Version(5, None, 10**9 + 5), True),  # within the second of the header
        (Version(5, None, 10**9), Version(5, None, 2 * 10**9), False),
    ],
)
def test_what_tells_versions_apart_is_the_same_on_all_machines(one: Version, other: Version, is_same: bool) -> None:
    assert (shared_mark(one) == shared_mark(other)) is is_same


def test_a_version_with_a_size_alone_is_not_shared() -> None:
    assert shared_mark(Version(5)) is None


def test_a_platform_is_named_by_its_address_and_not_by_the_account() -> None:
    mine = platform("openedx", {"server": "https://LMS.example.com/", "client_id": "mine"})
    assert mine == platform("openedx", {"server": "https://lms.example.com", "client_id": "yours"})
    assert mine != platform("openedx", {"server": "https://other.example.com"})
    assert mine != platform("panopto", {"server": "https://lms.example.com"})


# -- health ------------------------------------------------------------------------------------------------------------


def test_a_tier_that_fails_is_left_alone_longer_and_longer_until_it_works() -> None:
    health, now, pauses = Health(), 0.0, []
    for _ in range(8):
        assert health.is_usable(now)
        health = health.failed(now, "away")
        assert not health.is_usable(now) and health.trouble == "away"
        pauses.append(health.alone_until - now)
        now = health.alone_until
    assert pauses == [FIRST_PAUSE, 60.0, 120.0, 240.0, 480.0, *[LONGEST_PAUSE] * 3]
    assert health.brought(now, 0.1, "slow") == Health()


def test_requests_that_were_begun_before_a_failure_do_not_count_again() -> None:
    health = Health().failed(0.0, "away")
    assert health.failed(1.0, "away") == health


def test_a_slow_tier_is_left_alone() -> None:
    health = Health()
    for _ in range(SLOW_IN_A_ROW - 1):
        health = health.brought(0.0, SLOW, "is slow")
        assert health.is_usable(0.0)
    assert health.brought(0.0, SLOW / 2, "is slow") == Health()  # once quick, it begins anew
    assert health.brought(0.0, SLOW, "is slow").trouble == "is slow"
    assert not health.brought(0.0, SLOW, "is slow").is_usable(0.0)


def test_a_tier_that_lies_is_left_alone() -> None:
    health = Health()
    for _ in range(BAD_IN_A_ROW - 1):
        health = health.lied(0.0, "a bad piece")
        assert health.is_usable(0.0)
    assert not health.lied(0.0, "a bad piece").is_usable(0.0)
