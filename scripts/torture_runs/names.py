"""Where the files of the hostile server are, also while it gives them other titles: their id stays what it is."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from torture_runs import golden

_ID = "user.coursefs.id"


def file_of(place: Path | int) -> int | None:
    """The number of the file at a path, or behind a descriptor, by its id; None where it is not one of the server's."""
    number = os.getxattr(place, _ID).rpartition(b"/")[2].decode()
    return int(number) if number.isdecimal() and int(number) in golden.SIZES else None


class Names:
    """The names of the files as they were seen last."""

    def __init__(self, folder: Path) -> None:
        """`folder`: where the files are as long as the titles are right."""
        self._folder = folder
        self._seen: dict[int, Path] = {}

    def usual(self, file: int) -> Path:
        """Where a file is as long as its title is right."""
        return self._folder / f"file {file:02d}{' film.mp4' if file % 2 else '.bin'}"

    def folder(self) -> Path:
        """The folder of the files, whatever their course is called."""
        if self._folder.is_dir():
            return self._folder
        others = self._folder.parents[1].glob(f"*/{self._folder.name}")
        return next(others, self._folder)

    def learn(self, listed: Iterable[Path]) -> set[int]:
        """Remember where files are; which of them are among these paths."""
        self._seen.clear()
        for path in listed:
            file = file_of(path)
            if file is not None:
                self._seen[file] = path
        return set(self._seen)

    def places(self, file: int) -> Iterator[Path]:
        """Where a file may be: its own name, the one under which it was seen last, and the one that it has now."""
        yield self.usual(file)
        if file in self._seen:
            yield self._seen[file]
        with suppress(OSError):  # a name that has changed again while it was looked at
            self.learn(self.folder().iterdir())
        if file in self._seen:
            yield self._seen[file]
