"""Folded text and search terms: what makes two words the same (pure).

Case and accents make no difference.  Chinese, Japanese, Korean and Thai are written without blanks, or with endings
that belong to the word before: a run of their characters becomes its pairs of neighbours, so that any part of two
characters or more is found as a phrase, and a single one as the beginning of a pair.

What is neither letter, digit nor mark only separates words, for the index (`tokenize` in `index`) and for `compared`:
the two must agree, or a document is found in which no sentence is.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

#: scripts without blanks between words: Thai, Lao, Burmese, Khmer, Hangul, kana, Bopomofo, Han
_RUN = re.compile(
    "[\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ede\u1000-\u109f\u1100-\u11ff\u1780-\u17d3\u3005-\u3007\u3041-\u3096"
    "\u3099-\u30ff\u3105-\u312f\u3130-\u318e\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff"
    "\U00020000-\U000323af]+"
)
_ACCENTS = re.compile("[\u0300-\u036f]")
#: characters of a search, after which it is cut, and terms of it
_LONGEST, _MOST_TERMS = 500, 32
#: characters of a word whose beginning is enough: of a shorter one there would be too many
_LEAST = 3
_PART = re.compile(r'"([^"]*)"|(\S+)')
_SEPARATORS, _PLAIN_SEPARATORS = re.compile(r"[\W_]+"), re.compile("[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Term:
    """A part of a search: all of its text must occur in this order."""

    text: str  # as `compared`
    is_whole: bool  # a word must end where it ends; False: its last word may go on


def folded(text: str) -> str:
    """The text without case and accents, and with wide and composed forms in their plain ones."""
    if text.isascii():
        return text.lower()
    plain = _ACCENTS.sub("", unicodedata.normalize("NFKD", text))
    return unicodedata.normalize("NFC", plain).casefold()


def compared(text: str) -> str:
    """Folded text in which a single blank is between words, and nothing else."""
    plain = folded(text)
    if plain.isascii():
        return _PLAIN_SEPARATORS.sub(" ", plain).strip()
    return " ".join(_SEPARATORS.sub(_blank, plain).split())


def _blank(separators: re.Match[str]) -> str:
    """What is between two words for `re`: marks, as the vowels of Hindi, and private characters belong to a word."""
    if separators[0].isascii():
        return " "
    categories = map(unicodedata.category, separators[0])
    return "".join(
        one if category[0] == "M" or category == "Co" else " "
        for one, category in zip(separators[0], categories, strict=True)
    )


def words(text: str) -> str:
    """Folded text as the index takes it: runs of scripts without blanks are cut into pairs."""
    plain = folded(text)
    return plain if plain.isascii() else _RUN.sub(lambda run: f" {' '.join(_pairs(run[0]))} {run[0][-1]} ", plain)


def _pairs(run: str) -> list[str]:
    return [run[place : place + 2] for place in range(len(run) - 1)]


def terms(text: str) -> tuple[Term, ...]:
    """The terms of a search: words, of which the beginning is enough, and what is in quotation marks.

    What has no letter and no digit is left out, and punctuation makes no difference.
    """
    found: list[Term] = []
    for match in _PART.finditer(text[:_LONGEST].replace("\0", " ")):
        quoted = match[1] is not None
        plain = compared(match[1] if quoted else match[2])
        for part in [plain] if quoted else map(str.strip, _split_runs(plain)):
            is_whole = quoted or (len(part) < _LEAST and not _RUN.fullmatch(part))
            found += [Term(part, is_whole)] if any(map(str.isalnum, part)) else []
    return tuple(dict.fromkeys(found))[:_MOST_TERMS]


def _split_runs(plain: str) -> list[str]:
    """A word with the runs in it apart: the index has them apart."""
    return [part for part in re.split(f"({_RUN.pattern})", plain) if part]


def expression(searched: Sequence[Term]) -> str:
    """The terms as an expression of FTS5: documents that have all of them."""
    return " AND ".join(_expression(term) for term in searched)


def _expression(term: Term) -> str:
    runs = _RUN.findall(term.text)
    if not runs:
        return _quoted(term.text) + ("" if term.is_whole else " *")
    parts = []
    for part in _split_runs(term.text):
        if not _RUN.fullmatch(part):
            parts += [_quoted(part)] if any(character.isalnum() for character in part) else []
        elif len(part) == 1:
            parts.append(f"{_quoted(part)} *")
        else:
            parts.append(_quoted(" ".join(_pairs(part))))
    return "(" + " AND ".join(parts) + ")"


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def places(term: Term, plain: str) -> int:
    """How often a term occurs in a text (as `compared`), at the beginning of a word."""
    count, start = 0, 0
    while (start := plain.find(term.text, start)) >= 0:
        end = start + len(term.text)
        begins = start == 0 or plain[start - 1] == " " or _is_run(term.text[0]) or _is_run(plain[start - 1])
        ends = not term.is_whole or end == len(plain) or plain[end] == " " or _is_run(plain[end])
        count += begins and ends
        start = end if begins and ends else start + 1
    return count


def _is_run(character: str) -> bool:
    return _RUN.fullmatch(character) is not None
