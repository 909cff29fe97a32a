"""Bytes of remote files: fetched when somebody reads them, and kept."""

from coursefs.content.contents import Contents, Fetching
from coursefs.content.identity import Content
from coursefs.content.prefetch import CacheFull, Progress
from coursefs.content.reader import Reader
from coursefs.content.upkeep import CacheUse, Cleared, Upkeep, Verified, open_cache

__all__ = [
    "CacheFull",
    "CacheUse",
    "Cleared",
    "Content",
    "Contents",
    "Fetching",
    "Progress",
    "Reader",
    "Upkeep",
    "Verified",
    "open_cache",
]
