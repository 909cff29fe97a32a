"""Globs: patterns for names and paths, as `--only`, `--except` and PATH arguments take them (pure).

The rules are those of .gitignore and rsync:

* `*` is any text without `/`, `?` one character, `[a-z]` one of these, `[!a-z]` one of all others; a backslash takes
  the meaning from the character after it. Brackets that are not closed mean themselves.
* A pattern without `/` is for a name, wherever it is: `*.mp4`. One with `/` is for a path from the top (of the course,
  in `--only` and `--except`): `01*/*.pdf`. A `/` at the beginning only says that it is one: `/index.html`.
* `**` as a whole part is any number of folders, none included: `**/Slides/*.pdf`, `01*/**`.
* A pattern that fits a folder means everything in it; with a `/` at its end it fits only folders: `*.files/`.
* Capital and small letters are the same, and so are the ways in which Unicode writes one letter.

A name is compared in time proportional to its length: the regular expressions below never go back over what they have
matched (atomic groups), and `**` is a set of states instead of attempts.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from coursefs.errors import UsageError

_FOLDERS = "**"
_SPECIAL = re.compile(r"[*?\[]")
#: characters; no path is longer
_LONGEST = 4096

#: the positions in a pattern at which the rest of a path may go on
State = frozenset[int]


@dataclass(frozen=True, slots=True)
class Glob:
    """A pattern: its parts, of which each fits one name, or is `**`."""

    text: str
    parts: tuple[str, ...]
    for_folders: bool = False

    @property
    def start(self) -> State:
        """The state before the first name of a path."""
        return self._with_none(frozenset({0}))

    def step(self, state: State, name: str) -> State:
        """The state after one more name; empty: no path that begins like this fits."""
        name = unicodedata.normalize("NFC", name)
        after: set[int] = set()
        for at in state - {len(self.parts)}:
            if self.parts[at] == _FOLDERS:
                after |= {at, at + 1} if at == len(self.parts) - 1 else {at}
            elif _name(self.parts[at]).fullmatch(name):
                after.add(at + 1)
        return self._with_none(frozenset(after))

    def ends(self, state: State) -> bool:
        """Whether the names so far are a path that fits."""
        return len(self.parts) in state

    def fits(self, path: Sequence[str], *, is_folder: bool) -> bool:
        """Whether a path, or one of the folders that it lies in, fits."""
        state = self.start
        for number, name in enumerate(path, 1):
            state = self.step(state, name)
            if self.ends(state) and (not self.for_folders or is_folder or number < len(path)):
                return True
        return False

    def may_fit_below(self, path: Sequence[str]) -> bool:
        """Whether something in the folder with this path may fit, or the folder itself does."""
        state = self.start
        for name in path:
            state = self.step(state, name)
            if self.ends(state):
                return True
        return bool(state)

    def _with_none(self, state: State) -> State:
        """The state, and what follows from it where `**` is no folder at all; the last `**` is at least one name."""
        found = set(state)
        for first in state:
            at = first
            while at < len(self.parts) - 1 and self.parts[at] == _FOLDERS:
                at += 1
                found.add(at)
        return frozenset(found)


def glob(text: str) -> Glob:
    """The pattern that a text is. Raises `UsageError` for one that fits nothing."""
    plain = unicodedata.normalize("NFC", text)
    names = [part for part in plain.split("/") if part not in {"", "."}]
    if not names or len(plain) > _LONGEST or ".." in names or "\0" in plain:
        raise UsageError(f"\"{text[:80]}\" is not a pattern for files, such as '*.mp4' or '01*/**'")
    if "/" not in plain.rstrip("/"):
        names.insert(0, _FOLDERS)
    once = [name for name, before in zip(names, [None, *names], strict=False) if (name, before) != (_FOLDERS, _FOLDERS)]
    return Glob(text, tuple(once), for_folders=plain.endswith("/"))


def is_glob(text: str) -> bool:
    """Whether a text has characters that make it a pattern."""
    return _SPECIAL.search(text) is not None


@dataclass(frozen=True, slots=True)
class Filter:
    """The files that `--only` and `--except` leave; `--except` wins. Paths are the names from the course on."""

    only: tuple[Glob, ...] = ()
    excepted: tuple[Glob, ...] = ()

    def takes(self, path: Sequence[str], *, is_folder: bool = False) -> bool:
        """Whether a file (or an empty folder) is taken."""
        if self.refuses(path, is_folder=is_folder):
            return False
        return not self.only or any(one.fits(path, is_folder=is_folder) for one in self.only)

    def refuses(self, path: Sequence[str], *, is_folder: bool) -> bool:
        """Whether `--except` names this path."""
        return any(one.fits(path, is_folder=is_folder) for one in self.excepted)

    def enters(self, path: Sequence[str]) -> bool:
        """Whether a folder may have something that is taken: else it need not be listed."""
        if self.refuses(path, is_folder=True):
            return False
        return not self.only or any(one.may_fit_below(path) for one in self.only)


@lru_cache(maxsize=256)
def _name(part: str) -> re.Pattern[str]:
    """The regular expression of a pattern for one name, to be used with `fullmatch`."""
    pieces: list[str] = []  # of the text between two stars
    between: list[str] = []
    at = 0
    while at < len(part):
        char = part[at]
        at += 1
        if char == "*":
            between.append("".join(pieces))
            pieces.clear()
        elif char == "?":
            pieces.append(".")
        elif char == "[" and (end := _end_of_set(part, at)) is not None:
            pieces.append(_set(part[at:end]))
            at = end + 1
        elif char == "\\" and at < len(part):
            pieces.append(re.escape(part[at]))
            at += 1
        else:
            pieces.append(re.escape(char))
    last = "".join(pieces)
    if not between:
        return _compiled(last)
    first, *middle = between
    # the shortest text that leads to the next piece is always right: what follows has the more to choose from
    return _compiled(first + "".join(f"(?>.*?{piece})" for piece in middle if piece) + ".*" + last)


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.DOTALL)


def _end_of_set(part: str, at: int) -> int | None:
    """The position of the `]` that ends the set which begins at `at`; None: none does, and `[` means itself."""
    begin = at + (part[at : at + 1] in {"!", "^"})
    end = part.find("]", begin + 1)  # a `]` that comes first is one of the characters
    return end if end > begin else None


def _set(text: str) -> str:
    """The regular expression of a set of characters."""
    negated = text[0] in {"!", "^"}
    chars = text[negated:]
    parts = []
    at = 0
    while at < len(chars):
        first, last = chars[at], chars[at]
        if chars[at + 1 : at + 2] == "-" and at + 2 < len(chars):
            last = chars[at + 2]
            at += 2
        at += 1
        if first <= last:  # as in a shell, a range that runs backwards holds nothing
            parts.append(f"{re.escape(first)}-{re.escape(last)}")
    if not parts:
        return "." if negated else "(?!)"
    return f"[{'^' if negated else ''}{''.join(parts)}]"
