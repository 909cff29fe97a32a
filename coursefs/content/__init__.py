"""The content engine: the bytes of remote files, requested when they are read, and cached.

How a byte travels: `Reader.read` → `planner.plan` (pure: which range requests, how much read-ahead) → `OpenFile.start`
→ a slot of the `Scheduler` → `RangeClient.fetch` (URL, retries, version check) → `transport` → `RangeRequest`
→ `CacheStore.put` (data file, then cache index) → the waiting readers are woken, and read it from the cache.
A read whose bytes are cached and that needs no plan is answered at once by `read_now`.

Everything but the store runs in the event loop and needs no locks: nothing changes between two awaits.  The store runs
in the disk threads of `EngineContext`; the top of `store.py` says which lock guards what.
"""

from coursefs.content.contents import Contents, Fetching
from coursefs.content.identity import Content
from coursefs.content.maintenance import CacheUse, Cleared, Maintenance, Verified, open_cache
from coursefs.content.prefetch import CacheFull, Progress
from coursefs.content.reader import Reader

__all__ = [
    "CacheFull",
    "CacheUse",
    "Cleared",
    "Content",
    "Contents",
    "Fetching",
    "Maintenance",
    "Progress",
    "Reader",
    "Verified",
    "open_cache",
]
