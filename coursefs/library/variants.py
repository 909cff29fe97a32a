"""Catalogues of variants: the same courses with other subtitles and videos than the settings want, for `download`."""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import replace
from pathlib import Path

from coursefs.base.atomic_files import private_folder
from coursefs.base.lock import FileLock
from coursefs.library.settings import LibrarySettings
from coursefs.model import Wanted

_FOLDER = "variants"


def variant_settings(settings: LibrarySettings, wanted: Wanted) -> LibrarySettings:
    """The settings of a variant: what is known of it is kept beside the catalogue of the library."""
    name = hashlib.blake2b(repr(wanted).encode(), digest_size=8).hexdigest()
    catalogue = settings.catalogue.parent / _FOLDER / f"{name}.sqlite"
    return replace(settings, wanted=wanted, catalogue=catalogue, fill=False)


def variant_lock(settings: LibrarySettings) -> FileLock:
    """The lock of a variant's catalogue; makes its folder. Raises `CoursefsError` while it is in use."""
    private_folder(settings.catalogue.parent)
    return FileLock(
        settings.catalogue.with_suffix(".lock"),
        holder=f"coursefs download (pid {os.getpid()})",
        taken=lambda holder: (
            f"a download with the same --subtitles and --video runs: {holder}; try again when it is done"
        ),
    )


def forget_variants(catalogue: Path) -> None:
    """Remove what is known of all variants of a library, whose own catalogue is given."""
    shutil.rmtree(catalogue.parent / _FOLDER, ignore_errors=True)
