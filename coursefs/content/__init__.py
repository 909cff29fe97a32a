"""Bytes of remote files: fetched when somebody reads them, and kept."""

from coursefs.content.contents import CacheUse, Contents
from coursefs.content.identity import Content
from coursefs.content.reader import Reader

__all__ = ["CacheUse", "Content", "Contents", "Reader"]
