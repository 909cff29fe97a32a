"""From titles to names: pure, deterministic, and the same whatever order siblings come in.

Two steps.  `Style` makes the name that a title wants (`01 Introduction`, `01_introduction`); `decide` settles who gets
it when several want the same.  What was decided is stored, so that a name which was shown stays: a path changes only
when the platform renames, moves or renumbers that very thing.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from coursefs.model import File, Kind, Placement

#: longest name that Linux file systems take, in bytes of UTF-8
MAX_BYTES = 255
#: a stem leaves this much for what its files put behind it (`.zh-Hant-TW.srt`, ` (programming assignment).html`)
STEM_BYTES = MAX_BYTES - 40
#: files that coursefs itself puts into a course; a title never takes their names
RESERVED = frozenset({"index.html", "playlist.m3u8", "deadlines.ics"})

_BREAKS = re.compile("[\t\n\x0b\x0c\r\x85\u2028\u2029]+")
# C0 and C1 controls, lone surrogates, and every character that turns the direction of the text around it
_DROPPED = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
# of ASCII, coursera-dl keeps letters, digits, dots, dashes and underscores of a title
_NOT_IN_SLUGS = re.compile(r"[!-,/;-@\[-^`{-~]")


class Layout(StrEnum):
    """`layout.names` of the settings."""

    TITLE = "title"
    SLUG = "slug"


def clean(title: str) -> str:
    """A title without what no name may hold: NFC, `/` as `-`, no control or bidi characters, no outer blanks."""
    text = _BREAKS.sub(" ", title)
    text = _DROPPED.sub("", text).replace("/", "-")
    return unicodedata.normalize("NFC", text).strip()


def slugged(title: str) -> str:
    """A title as coursera-dl writes it into a name: `_` for blanks, without other marks; but every script is kept."""
    text = clean(title).replace(":", "-").rstrip(".")
    return _NOT_IN_SLUGS.sub("", re.sub(r"\s", "_", text))


def fit(name: str, limit: int) -> str:
    """The longest beginning of a name that has at most `limit` bytes, cut between characters and not inside one.

    Combining marks and joined emoji lose their last parts together with their base.
    """
    if len(name.encode()) <= limit:
        return name
    plain = cut = name.encode()[: max(limit, 0)].decode(errors="ignore")
    following = name[len(cut)]
    while cut and (unicodedata.combining(following) or following == "\u200d" or cut[-1] == "\u200d"):
        cut, following = cut[:-1], cut[-1]
    return cut.rstrip() or plain  # nothing but marks: cut them all the same


def is_sound(text: str) -> bool:
    """Whether a text can be stored: JSON may hold half a character, UTF-8 may not."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def fold(name: str) -> str:
    """What makes two names equal: neither case nor normal form tells them apart.

    Linux would keep `Week 1` and `week 1` asunder, but a copy on a phone's card or a Mac would not.
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())


def directory(layout: Layout, *, title: str, slug: str, position: int | None, kind: str) -> str:
    """The name that a course, a section or the stem of an item wants; never empty, at most `MAX_BYTES`."""
    plain = clean(title) or clean(slug)
    if layout is Layout.SLUG:
        plain = clean(slug) or slugged(title)
    plain = plain or kind.capitalize()
    if position is not None:
        plain = f"{position:02d}{'_' if layout is Layout.SLUG else ' '}{plain}"
    plain = plain.lstrip(". ") or kind.capitalize()
    return fit(plain, MAX_BYTES)


def stem(layout: Layout, *, title: str, slug: str, position: int | None, kind: str) -> str:
    """What the names of all files of an item begin with, byte for byte the same; at most `STEM_BYTES`."""
    return fit(directory(layout, title=title, slug=slug, position=position, kind=kind), STEM_BYTES)


@dataclass(frozen=True, slots=True)
class Wish:
    """A name that something wants: `body` + `extension`; the suffix goes between them."""

    key: str  # stable id of who wants it
    body: str
    extension: str = ""
    mark: str | None = None  # what tells it apart; the last part of the key if not said
    limit: int = MAX_BYTES

    @property
    def name(self) -> str:
        """The name without a suffix, within the limit, its extension kept."""
        return self._fitted("")

    def suffixed(self, mark: str) -> str:
        """The name with ` (mark)` before the extension, within the limit."""
        return self._fitted(f" ({mark})")

    def _fitted(self, suffix: str) -> str:
        tail = suffix + self.extension
        return fit(self.body, self.limit - len(tail.encode())) + tail


def wish(layout: Layout, item_stem: str, file: File) -> Wish:
    """The name that a file of an item wants.  `Placement.BESIDE` wants it within its item's `.files` directory."""
    if layout is Layout.SLUG:
        body = _slug_body(item_stem, file)
    else:
        title = clean(file.title)
        match file.placement:
            case Placement.MAIN:
                body = item_stem
            case Placement.MARKED:
                body = f"{item_stem} ({title})"
            case Placement.ATTACHED:
                body = f"{item_stem} - {title or file.kind.value.capitalize()}"
            case Placement.BESIDE:
                body = title.lstrip(". ") or file.kind.value
    return Wish(file.key, body, fit(clean(file.extension), 30))


def _slug_body(item_stem: str, file: File) -> str:
    title = slugged(file.title)
    match file.placement:
        case Placement.MAIN:
            return f"{item_stem}_instructions" if file.kind is Kind.READING else item_stem  # coursera-dl's word
        case Placement.MARKED | Placement.ATTACHED:
            return f"{item_stem}_{title or file.kind.value}"
        case Placement.BESIDE:
            return title.lstrip(".") or file.kind.value


@dataclass(frozen=True, slots=True)
class Shown:
    """What was decided for a key earlier: the name it wanted then, and the one it got."""

    wanted: str
    name: str


def decide(
    wishes: Iterable[Wish], shown: Mapping[str, Shown], past: Mapping[str, Shown] | None = None
) -> dict[str, str]:
    """Who gets which name among siblings, by key.

    A key that still wants what it wanted keeps the name it has; one that was gone gets the one it had (`past`) where
    that is free.  Of the others, one that is alone in wanting a free name gets it; several that want the same one, and
    those that come too late, get a suffix made of their own id.
    """
    names: dict[str, str] = {}
    taken = set(RESERVED)
    open_wishes = sorted(wishes, key=lambda one: one.key)
    for known in (shown, past or {}):
        undecided = []
        for each in open_wishes:
            before = known.get(each.key)
            if before is not None and before.wanted == each.name and fold(before.name) not in taken:
                names[each.key] = before.name
                taken.add(fold(before.name))
            else:
                undecided.append(each)
        open_wishes = undecided
    rivals: defaultdict[str, list[Wish]] = defaultdict(list)
    for each in open_wishes:
        rivals[fold(each.name)].append(each)
    late: list[Wish] = []
    for folded, group in rivals.items():
        if len(group) == 1 and folded not in taken:
            names[group[0].key] = group[0].name
            taken.add(folded)
        else:
            late.extend(group)
    for each in sorted(late, key=lambda one: one.key):
        names[each.key] = name = next(name for name in _suffixed(each) if fold(name) not in taken)
        taken.add(fold(name))
    return names


def _suffixed(wanted: Wish) -> Iterable[str]:
    """The suffixed names to try: the last part of the key, then ever longer digests of all of it."""
    last = clean(wanted.mark if wanted.mark is not None else wanted.key.rsplit("/", 1)[-1])
    if last and len(last.encode()) <= 40:
        yield wanted.suffixed(last)
    digest = hashlib.blake2b(wanted.key.encode(errors="surrogatepass")).hexdigest()
    for length in range(6, len(digest) + 1, 2):
        yield wanted.suffixed(digest[:length])
