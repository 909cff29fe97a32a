"""Names: from titles to file names; pure, deterministic, independent of the order of siblings.

First a title gives a desired name in the style of `Layout` (`01 Introduction`, `01_introduction`); then `decide` gives
each sibling its name if several desire the same one. Decisions are stored, so a name that was shown stays: a path
changes only when the platform renames, moves or renumbers that very item.

`is_probe` recognizes names that programs look for in every directory and that no course has.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from unicodedata import normalize

from coursefs.base.characters import is_joined, legible, skeleton
from coursefs.catalog.node import Space, id_of
from coursefs.formats.media_center import SEASON_FILE, SHOW_FILE, episode_name
from coursefs.model import File, Kind, Placement

#: longest name that Linux file systems take, in bytes of UTF-8
MAX_BYTES = 255
#: longest stem; the rest is for what files append (`.zh-Hant-TW.srt`, ` (programming assignment).html`)
STEM_BYTES = MAX_BYTES - 40
#: files that coursefs adds to a course; no title gets their names
RESERVED = frozenset({"index.html", "index.files", "playlist.m3u8", "deadlines.ics", SHOW_FILE, SEASON_FILE})

#: no name begins with these: a dot hides the file, and programs take a dash for an option
_NOT_FIRST = "-. "
# of ASCII, coursera-dl keeps letters, digits, dots, dashes and underscores of a title
_NOT_IN_SLUGS = re.compile(r"[!-,/;-@\[-^`{-~]")


class Layout(StrEnum):
    """The style of names: `layout.names` of the settings."""

    TITLE = "title"
    SLUG = "slug"
    MEDIA_CENTER = "media_center"  # as by title, and items are the episodes of a season: `S01E02 - Introduction`


def clean(title: str) -> str:
    """A title with only characters that names may hold: NFC, `/` as `-`, nothing invisible, no outer blanks."""
    return legible(title).replace("/", "-").strip()


def slugged(title: str) -> str:
    """A title in coursera-dl's style: `_` for blanks and no punctuation, but letters of every script."""
    text = clean(title).replace(":", "-").rstrip(".")
    # again: without the marks between them, a letter and an accent may become one character
    return normalize("NFC", _NOT_IN_SLUGS.sub("", re.sub(r"\s", "_", text)))


def fit(name: str, limit: int) -> str:
    """The longest prefix of a name with at most `limit` bytes of UTF-8, cut between graphemes.

    Combining marks and joined emoji are never separated from their base.
    """
    if len(name.encode()) <= limit:
        return name
    plain = cut = name.encode()[: max(limit, 0)].decode(errors="ignore")
    following = name[len(cut)]
    while cut and is_joined(cut[-1], following):
        cut, following = cut[:-1], cut[-1]
    return cut.rstrip() or plain  # it consists of marks only


def is_sound(text: str) -> bool:
    """Whether a text can be stored: JSON may hold lone surrogates, UTF-8 may not."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def fold(name: str) -> str:
    """The form in which equal-looking names are equal (`coursefs.base.characters.skeleton`)."""
    return skeleton(name)


def directory(layout: Layout, *, title: str, slug: str, position: int | None, kind: str) -> str:
    """The desired name of a course or section, or an item's stem; never empty, at most `MAX_BYTES`."""
    plain = clean(title) or clean(slug)
    if layout is Layout.SLUG:
        plain = clean(slug) or slugged(title)
    plain = plain or kind.capitalize()
    if position is not None:
        plain = f"{position:02d}{'_' if layout is Layout.SLUG else ' '}{plain}"
    return fit(_without_bad_start(plain) or kind.capitalize(), MAX_BYTES)


def _without_bad_start(name: str) -> str:
    """The name without leading dashes, dots and blanks."""
    while (shorter := name.lstrip(_NOT_FIRST).lstrip()) != name:
        name = shorter
    return name


def stem(layout: Layout, *, title: str, slug: str, position: int | None, kind: str) -> str:
    """The common beginning of the names of an item's files; at most `STEM_BYTES`."""
    return fit(directory(layout, title=title, slug=slug, position=position, kind=kind), STEM_BYTES)


def episode_stem(season: int, number: int, *, title: str, slug: str, kind: str) -> str:
    """As `stem`, of the episode of a season."""
    return fit(episode_name(season, number, clean(title) or clean(slug) or kind.capitalize()), STEM_BYTES)


@dataclass(frozen=True, slots=True)
class DesiredName:
    """A name that something should get: `body` + `extension`; a suffix goes between them."""

    key: str  # stable id of the file, section or course
    body: str
    extension: str = ""
    mark: str | None = None  # the suffix if another one desires the same name; None: the last part of the key
    limit: int = MAX_BYTES
    space: Space = Space.SECTION

    @property
    def id(self) -> str:
        """What is unique among siblings."""
        return id_of(self.key, self.space)

    @property
    def name(self) -> str:
        """The name without a suffix, within the limit; the extension is kept."""
        return self._fitted("")

    def suffixed(self, mark: str) -> str:
        """The name with ` (mark)` before the extension, within the limit."""
        return self._fitted(f" ({mark})")

    def _fitted(self, suffix: str) -> str:
        tail = suffix + self.extension
        return fit(self.body, self.limit - len(tail.encode())) + tail


def desired_name(layout: Layout, item_stem: str, file: File) -> DesiredName:
    """The desired name of an item's file; of `Placement.BESIDE`, the name within the `.files` directory."""
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
                body = _without_bad_start(title) or file.kind.value
    return DesiredName(file.key, body, fit(clean(file.extension), 30), space=Space.FILE)


def _slug_body(item_stem: str, file: File) -> str:
    title = slugged(file.title)
    match file.placement:
        case Placement.MAIN:
            return f"{item_stem}_instructions" if file.kind is Kind.READING else item_stem  # coursera-dl's word
        case Placement.MARKED | Placement.ATTACHED:
            return f"{item_stem}_{title or file.kind.value}"
        case Placement.BESIDE:
            return _without_bad_start(title) or file.kind.value


@dataclass(frozen=True, slots=True)
class DecidedName:
    """An earlier decision: the name that was desired then, and the name that was given."""

    wanted: str
    name: str


def decide(
    desired: Iterable[DesiredName], shown: Mapping[str, DecidedName], past: Mapping[str, DecidedName] | None = None
) -> dict[str, str]:
    """The names of siblings, by key.

    A key whose desired name is unchanged keeps its name; one that comes back gets its former name if that is free. Of
    the others, a key that alone desires a free name gets it; several that desire the same name, and late ones, get a
    suffix made of their stable id.
    """
    names: dict[str, str] = {}
    taken = set(RESERVED)
    undecided = sorted(desired, key=lambda one: one.id)
    for known in (shown, past or {}):
        remaining = []
        for each in undecided:
            before = known.get(each.id)
            if before is not None and before.wanted == each.name and fold(before.name) not in taken:
                names[each.id] = before.name
                taken.add(fold(before.name))
            else:
                remaining.append(each)
        undecided = remaining
    rivals: defaultdict[str, list[DesiredName]] = defaultdict(list)
    for each in undecided:
        rivals[fold(each.name)].append(each)
    late: list[DesiredName] = []
    for folded, group in rivals.items():
        if len(group) == 1 and folded not in taken:
            names[group[0].id] = group[0].name
            taken.add(folded)
        else:
            late.extend(group)
    for each in sorted(late, key=lambda one: one.id):
        names[each.id] = name = next(name for name in _suffixed(each) if fold(name) not in taken)
        taken.add(fold(name))
    return names


def _suffixed(wanted: DesiredName) -> Iterable[str]:
    """The suffixed names to try: with the mark, then with ever longer digests of the whole key."""
    last = clean(wanted.mark if wanted.mark is not None else wanted.key.rsplit("/", 1)[-1])
    if last and len(last.encode()) <= 40:
        yield wanted.suffixed(last)
    digest = hashlib.blake2b(wanted.key.encode(errors="surrogatepass")).hexdigest()
    for length in range(6, len(digest) + 1, 2):
        yield wanted.suffixed(digest[:length])


# desktops, file managers, media scanners and version control look for these everywhere. Names with a leading dot need
# no list, because no name of ours begins with one
_ASKED_FOR = frozenset(
    {"autorun.inf", "desktop.ini", "thumbs.db", "ehthumbs.db", "folder.jpg", "cover.jpg", "albumart.jpg"}
)


def is_probe(name: str) -> bool:
    """Whether an unknown name is not worth a request to the platform."""
    return name.startswith(".") or name.casefold() in _ASKED_FOR
