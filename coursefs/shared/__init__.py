"""The shared cache: pieces of files that other machines of the same house, lab or library have fetched already.

`SharedCache` is what the content engine uses.  It stores pieces in a `Tier`: a folder, a web cache, or an object store.
docs/shared-cache.md says what it guarantees, and which machines it trusts.
"""

from coursefs.shared.keys import SharedKey
from coursefs.shared.pieces import PIECE_SIZE, PieceName, SharedFile
from coursefs.shared.shared_cache import Claim, SharedCache, SharedUse
from coursefs.shared.tier import Tier, TierFailed

__all__ = [
    "PIECE_SIZE",
    "Claim",
    "PieceName",
    "SharedCache",
    "SharedFile",
    "SharedKey",
    "SharedUse",
    "Tier",
    "TierFailed",
]
