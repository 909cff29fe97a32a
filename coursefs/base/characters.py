"""Characters: which ones a name may hold, which names look the same, what a terminal is shown, and decoding (pure).

Names come from platforms, and programs and people act on them. An invisible character lets two names look the same, or
hides a part of one, so names hold none. Three invisible characters are needed and stay where they have an effect: the
zero-width joiner and non-joiner between letters of joining scripts, the joiner between emoji, and the variation
selector 16 after a character that has a coloured form.
"""

from __future__ import annotations

import codecs
import re
import unicodedata

#: longest text that is processed, in characters: a name has at most 255 bytes, and normalizing long runs of combining
#: marks takes quadratic time
_MOST = 4096
_MOST_NORMALIZED = 1024

_BREAKS = re.compile("[\t\n\x0b\x0c\r\x85\u2028\u2029\u2800]+")  # the last is the braille pattern without a dot
# Letters and marks that `str.isprintable` accepts but that have no glyph: the combining grapheme joiner, Hangul
# fillers, unwritten Khmer vowels, and all variation selectors but the last one
_BLANK = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0\ufe00-\ufe0e\U000e0100-\U000e01ef]")
#: format and control characters, surrogates, private use; but the Arabic and Syriac number signs (Cf) are visible
_DROPPED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co"})
_SEEN = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd")
_JOINERS = "\u200c\u200d"
_SELECTOR = "\ufe0f"

# Arabic, Syriac, N'Ko and their like; the scripts of India; Tibetan, Myanmar; Khmer, Mongolian; Arabic forms
_JOINING = (
    "\u0600-\u08ff\u0900-\u0dff\u0f00-\u109f\u1780-\u18af"
    "\ua840-\ua87f\ua8e0-\ua8ff\ufb50-\ufdcf\ufdf0-\ufdff\ufe70-\ufefc"
)
_EMOJI = "\u00a9\u00ae\u203c-\u3299\U0001f000-\U0001faff"
_USELESS = re.compile(
    f"(?<![{_JOINING}{_EMOJI}{_SELECTOR}])[{_JOINERS}]"
    f"|[{_JOINERS}](?![{_JOINING}{_EMOJI}])"
    f"|(?<![{_EMOJI}#*0-9]){_SELECTOR}"
)
_UNSEEN = re.compile(f"[{_JOINERS}{_SELECTOR}]")
#: byte order marks at the begin of a file
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


def legible(text: str) -> str:
    """A text in NFC on one line, without invisible, direction-changing or unassigned characters.

    Blanks of every kind stay, also at the ends; a line break becomes a blank. Only the beginning of a very long text is
    used.
    """
    if text.isascii() and text.isprintable():  # as most titles are
        return text[:_MOST_NORMALIZED]
    text = _BREAKS.sub(" ", text[:_MOST])
    if not text.isprintable():
        text = "".join(character for character in text if _is_kept(character))
    text = _BLANK.sub("", text)
    # repeat: a joiner beside another one is found useless only after that one is gone
    while _UNSEEN.search(text) and (shorter := _USELESS.sub("", text)) != text:
        text = shorter
    return unicodedata.normalize("NFC", text[:_MOST_NORMALIZED])


def skeleton(name: str) -> str:
    """The form in which names that look the same are equal: case, width, compatibility form and blanks are folded.

    Linux would keep `Week 1` and `week 1` apart, but a copy on a phone's card or a Mac would not.
    """
    if not name.isascii():
        name = unicodedata.normalize("NFKD", _UNSEEN.sub("", name)).casefold()
        name = unicodedata.normalize("NFKC", name)
    return " ".join(name.casefold().split())


def printable(text: str) -> str:
    """A text for a terminal: control characters and characters that reorder text become U+FFFD."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def decoded(data: bytes) -> str:
    """The text of a file that a person gives, in UTF-8 or UTF-16; undecodable bytes become U+FFFD.

    Notepad and PowerShell write UTF-16.  Without a byte order mark it is known by its zero bytes.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace")
    begin = data[:200]
    if begin[1::2].count(0) > len(begin) // 4:
        return data.decode("utf-16-le", "replace")
    if begin[::2].count(0) > len(begin) // 4:
        return data.decode("utf-16-be", "replace")
    return data.decode("utf-8", "replace")


def is_joined(before: str, after: str) -> bool:
    """Whether a name must not be cut between these two characters."""
    return unicodedata.combining(after) != 0 or after in _JOINERS + _SELECTOR or before in _JOINERS


def _is_kept(character: str) -> bool:
    category = unicodedata.category(character)
    if category in _DROPPED_CATEGORIES:
        return character in _JOINERS or character in _SEEN
    return category != "Cn" or not _is_noncharacter(ord(character))


def _is_noncharacter(code: int) -> bool:
    return code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF


#: characters of a title, after which it is cut
_LONGEST_TITLE = 200


def one_line(title: str) -> str:
    """A title, which is plain text, on one line: blanks are folded, and a long one is cut (pure)."""
    words = " ".join(title[:20_000].split())
    return words if len(words) <= _LONGEST_TITLE else f"{words[: _LONGEST_TITLE - 1].rstrip()}…"
