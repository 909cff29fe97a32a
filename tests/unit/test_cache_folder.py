"""The cache folder: whether it is the one that was taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from coursefs.content.cache_folder import CacheFolder


@pytest.mark.parametrize("is_missing", [True, False])
def test_a_folder_whose_index_was_missing_all_along_is_not_in_place(tmp_path: Path, is_missing: bool) -> None:
    folder = CacheFolder(tmp_path / "cache")
    folder.take()
    if not is_missing:
        folder.index_path.write_bytes(b"an index")
    folder.remember()
    assert folder.is_in_place() is not is_missing
    folder.release()
