"""Looking after a tier: how much it holds, which pieces are bad, and deleting the oldest.

Other machines may use the tier at the same time: whatever is deleted here is fetched from the platform again.
"""

from __future__ import annotations

from dataclasses import dataclass

from coursefs.base import threads
from coursefs.shared.keys import SharedKey
from coursefs.shared.pieces import BadPiece, require_signed
from coursefs.shared.tier import CLAIM_SUFFIX, Entry, ListedTier

#: seconds after which a claim belongs to a machine that has died
_DEAD_CLAIM = 3600.0


@dataclass(frozen=True, slots=True)
class TierUse:
    """How much a tier holds."""

    pieces: int = 0
    bytes: int = 0
    oldest: float = 0.0  # seconds since the oldest piece was put


@dataclass(frozen=True, slots=True)
class TierChecked:
    """The result of a check of all pieces."""

    pieces: int = 0  # good ones
    bad_pieces: int = 0  # not signed with a key that this machine believes


@dataclass(frozen=True, slots=True)
class TierTrimmed:
    """What was deleted, and what is left."""

    pieces: int = 0
    bytes: int = 0
    kept_bytes: int = 0


async def use_of(tier: ListedTier) -> TierUse:
    """How much a tier holds.  Raises `TierFailed`."""
    pieces = await _pieces(tier)
    return TierUse(len(pieces), sum(one.size for one in pieces), max((one.age for one in pieces), default=0.0))


async def check(tier: ListedTier, key: SharedKey, *, delete: bool) -> TierChecked:
    """Check the signature of every piece; `delete` those that are bad.  Raises `TierFailed`.

    A piece that a machine has signed whose key this one does not have counts as bad.
    """
    good = bad = 0
    for entry in await _pieces(tier):
        data = await tier.get(entry.name)
        if data is None:
            continue
        try:
            await threads.run_sync(require_signed, entry.name, data, key)
            good += 1
        except BadPiece:
            bad += 1
            if delete:
                await tier.remove(entry.name)
    return TierChecked(good, bad)


async def trim(tier: ListedTier, *, size: int | None, age: float | None) -> TierTrimmed:
    """Delete pieces older than `age` seconds, then the oldest until `size` bytes are left.  Raises `TierFailed`.

    None: whatever their age, or size.
    """
    pieces = sorted(await _pieces(tier, delete_dead_claims=True), key=lambda entry: entry.age, reverse=True)
    left = sum(entry.size for entry in pieces)
    deleted = count = 0
    for entry in pieces:
        if (age is None or entry.age <= age) and (size is None or left <= size):
            break
        await tier.remove(entry.name)
        left -= entry.size
        deleted += entry.size
        count += 1
    return TierTrimmed(count, deleted, left)


async def _pieces(tier: ListedTier, *, delete_dead_claims: bool = False) -> list[Entry]:
    found = []
    async for entry in tier.entries():
        if not entry.name.endswith(CLAIM_SUFFIX):
            found.append(entry)
        elif delete_dead_claims and entry.age > _DEAD_CLAIM:
            await tier.remove(entry.name)
    return found
