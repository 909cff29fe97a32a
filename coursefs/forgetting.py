"""Dropping what is kept of an account: its contents, and what is known of its courses."""

from __future__ import annotations

import os
from pathlib import Path

import trio

from coursefs.catalog import Store
from coursefs.config import Cache
from coursefs.content import Cleared, open_cache
from coursefs.files import private_folder
from coursefs.lock import FileLock


def forget_account(account: str, catalogue: Path, cache: Cache, cache_dir: Path) -> Cleared:
    """Drop everything of an account, what is pinned too; says what was dropped from the cache.

    Blocking.  Raises `CoursefsError` while a mount has the catalogue or the cache, and nothing is dropped then.
    """

    def taken(holder: str) -> str:
        return f"what is kept is in use by {holder}; unmount first"

    private_folder(catalogue.parent)
    private_folder(cache_dir)
    holder = f"coursefs logout (pid {os.getpid()})"
    with FileLock(catalogue.with_name("lock"), holder=holder, taken=taken):
        dropped = trio.run(_forget_contents, account, cache, cache_dir)
        if catalogue.exists():
            store = Store(catalogue)
            try:
                store.forget_account(account)
            finally:
                store.close()
    return dropped


async def _forget_contents(account: str, cache: Cache, cache_dir: Path) -> Cleared:
    async with open_cache(cache_dir, max_size=cache.max_size, min_free=cache.min_free) as upkeep:
        return await upkeep.forget(account)
