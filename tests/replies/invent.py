"""Invents replies: of the same shape as recorded ones, with values of our own.

    python -m tests.replies.invent RECORDED

reads the JSON files below RECORDED and writes one for each below `tests/replies`.  The keys, the types and the nesting
stay, and so do the words that coursefs itself knows (types of items, states, roles).  Every other value is made up
here: titles, ids, addresses, dates, numbers and texts.  Equal values become equal inventions, so that what was joined
by an id still is.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
import string
import sys
import uuid
from collections.abc import Iterator
from functools import cache
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from xml.sax.saxutils import quoteattr

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

_WORDS = (
    "amber birch comet delta ember fjord glade harbor indigo juniper kelp lantern meadow nectar orchid pebble quartz"
    " river saffron tundra umber violet willow yarrow zephyr"
).split()
_ALPHABET = string.ascii_letters + string.digits
_ID = re.compile(r"(?=.*[0-9A-Z])(?=.*[A-Za-z])[\w=-]{4,}")
_DATE = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?")
_FILE = re.compile(r"[^/<>]{1,200}\.(\w{2,5})")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z]{2,4})?")
_STATE = re.compile(r"v\d\.[a-z]+|[A-Z]+(_[A-Z]+)+|[a-z]{3,}([A-Z][a-z]{2,})+")
_FIELD = re.compile(r"_{0,2}[A-Za-z][A-Za-z_]*(\.v\d+)?")
_LINES = re.compile(r"\d{3,4}p")
_UUID = re.compile(r"[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}", re.IGNORECASE)
_TYPE = re.compile(r"(video|audio|image|text|application)/[a-z0-9.+-]+")
_HOST = re.compile(r"[\w-]+(\.[\w-]+)+")
#: keys of a recording that say where it comes from
_NOT_THE_PLATFORMS = {"_source", "captured", "iso"}
#: what is written by hand: links and the pages that they go with, and the words by which platforms refuse
_BY_HAND = re.compile("supplement-(deduplication|skip-sites|two-zips)|auth_errors.documented|GetFolders.not-in-role")
#: elements of a list that are kept, and more where they have other keys
_MOST = 4
#: words in a path that say what a file is
_ROLES = {"instructions", "extended", "description", "mixed", "merged", "resources"}
#: paths of a course that are kept
_PATHS = 160


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(f"invented {text}".encode(), digest_size=16).digest(), "big")


def _literals(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


@cache
def known() -> frozenset[str]:
    """What coursefs itself has in its code, and the fields of replies that it knows."""
    words: set[str] = set()
    for file in (ROOT / "coursefs" / "providers").rglob("*.py"):
        words.update(_literals(ast.parse(file.read_text())))
    for file in (ROOT / "coursefs" / "providers").rglob("known_fields.txt"):
        words.update(line.partition(":")[0] for line in file.read_text().splitlines())
    return frozenset(word for word in words if len(word) < 60)


def number(value: float) -> float:
    """A number of the same kind and length; small ones count something, and stay."""
    if isinstance(value, float) and not value.is_integer():
        return round(_hash(repr(value)) % 1000 / 1000, 3) if abs(value) < 1 else _whole(int(value)) + 0.5
    if abs(value) <= 100:
        return value
    return type(value)(_whole(int(value)))


def _whole(value: int) -> int:
    digits, found = len(str(abs(value))), _hash(str(value))
    if digits in {10, 13}:  # a moment, in seconds or in ms: some day of 2023 to 2027
        second: int = 1_700_000_000 + _hash(str(value)[:10]) % 100_000_000
        return second * (1000 if digits == 13 else 1)
    unit: int = 10 ** (digits - 1)
    return (unit + found % (9 * unit)) * (1 if value > 0 else -1)


def token(text: str) -> str:
    """An id of the same length, which begins with a letter."""
    found, letters = _hash(text), []
    for at in range(len(text)):
        found, rest = divmod(found or _hash(f"{text}{at}"), len(_ALPHABET))
        letters.append(_ALPHABET[rest % 52 if at == 0 else rest])
    if len(text) > 2:
        letters[1:3] = "7Q"  # so that it is no word, and no field
    if len(text) == 5:
        letters[4] = letters[4].upper() if letters[4].isalpha() else "X"  # as Coursera's items have it
    return "".join(letters)


def words(text: str, most: int = 5) -> str:
    """A title of as many words, up to `most`."""
    found = _hash(text)
    count = min(max(len(text.split()), 1), most)
    chosen = [_WORDS[(found >> 8 * at) % len(_WORDS)] for at in range(count)]
    return " ".join(chosen).capitalize()


def slug(text: str) -> str:
    """A slug that no other text has."""
    return f"{words(text, 2).lower().replace(' ', '-')}-{_hash(text) % 1000}"


def _cml(text: str) -> str:
    if not re.sub(r"<[^>]*>", "", text).strip() and "<asset" not in text and "<img" not in text:
        return "<co-content></co-content>"
    name = words(text, 3)
    assets = [
        f'<asset id="{token(found)}" name="{name}" extension="pdf"/>'
        for found in re.findall(r'<asset\b[^>]*?\bid="([^"]+)"', text)[:_MOST]
    ]
    images = [f'<img assetId="{token(found)}" alt="{name}"/>' for found in re.findall(r'assetId="([^"]+)"', text)[:1]]
    links = [
        f"<text>See <a href={quoteattr(_url(found))}>{words(found, 2)}</a></text>"
        for found in map(unescape, re.findall(r'href="(https?://[^"]+)"', text)[:_MOST])
    ]
    return (
        f'<co-content><heading level="2">{name}</heading><text>Read <em>{name}</em>, then go on.</text>'
        f'<list bulletType="bullets"><li><text>One</text></li><li><text>Two <a href="https://example.org/x">'
        f"there</a></text></li></list><code>print(1)</code>{' '.join(['', *assets, *images, *links])}</co-content>"
    )


def _url(text: str) -> str:
    parts = urlsplit(text)
    host = parts.hostname or ""
    place = host if host.endswith("coursera.org") else f"media{_hash(host) % 10}.example.org"
    path = "/".join(_segment(one) for one in parts.path.split("/"))
    query = [(key, str(inner(key, value))) for key, value in parse_qsl(parts.query, keep_blank_values=True)]
    return f"{parts.scheme}://{place}{path}" + (f"?{urlencode(query)}" if query else "")


def _segment(text: str) -> str:
    if not text or text in known() or _LINES.fullmatch(text) or re.fullmatch(r"(api|v\d|[A-Za-z]+\.v\d)", text):
        return text
    ending = _FILE.fullmatch(text)
    if ending and (stored := re.fullmatch(r"(_?)([\da-f]{32})_(.+)", text)):  # the platform's name, and the author's
        return f"{stored[1]}{_hash(text):032x}_{slug(stored[3])}.{ending[1]}"
    return f"{slug(text)}.{ending[1]}" if ending else token(text)


def _usage(text: str) -> str:
    kind, _, rest = text.partition(":")
    parts = [
        part if part.startswith("type@") else f"block@{token(part[6:])}" if part.startswith("block@") else token(part)
        for part in rest.split("+")
    ]
    return f"{kind}:{'+'.join(parts)}"


def _id(text: str) -> str:
    """An id of the same kind; "" for what is none."""
    if _UUID.fullmatch(text):
        return str(uuid.UUID(int=_hash(text)))
    if versioned := re.fullmatch(r"([\w-]{10,})(@\d+)", text):
        return token(versioned[1]) + versioned[2]
    return str(int(number(int(text)))) if text.isdecimal() else ""


def inner(key: str, text: str) -> str:
    """What stands in place of a text; `key` is the field that it is the value of."""
    if (
        not text
        or text in known()
        or _LINES.fullmatch(text)
        or _LANGUAGE.fullmatch(text)
        or (_STATE.fullmatch(text) and len(text) < 30)
    ):
        return text
    if "<co-content" in text:
        return _cml(text)
    if text.startswith(("https://", "http://")) and " " not in text:
        return _url(text)
    if re.match(r"(block|course|asset)-v1:", text):
        return _usage(text)
    if "<" in text and ">" in text:
        return f"<p>{words(text)}</p>"
    if text.startswith("/") and " " not in text:
        path, _, query = text.partition("?")
        said = urlencode([(name, inner(name, value)) for name, value in parse_qsl(query)])
        return "/".join(_segment(one) for one in path.split("/")) + (f"?{said}" if said else "")
    if found := _id(text):
        return found
    if _DATE.fullmatch(text):
        moment = f"{2024 + _hash(text) % 4}-{_hash(text) % 12 + 1:02}-{_hash(text) % 28 + 1:02}"
        return (
            moment + text[10:] if len(text) < 12 else f"{moment}T09:30:00{text[19:] if text[19:20] in 'Z+-' else 'Z'}"
        )
    if "~" in text or "!" in text:
        return "".join(part if part in "~!" else inner(key, part) for part in re.split("([~!])", text))
    if key == "host" or (_HOST.fullmatch(text) and text.rpartition(".")[2] in {"com", "org", "net"}):
        return f"media{_hash(text) % 10}.example.org"
    if (ending := _FILE.fullmatch(text)) and not text.endswith("."):
        return f"{words(text, 2).replace(' ', '_')}_{_hash(text) % 100}.{ending[1]}"
    if key.lower().endswith(("slug", "shortname")) or re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", text):
        return slug(text)
    return token(text) if _ID.fullmatch(text) else words(text)


def invented(value: Any, key: str = "") -> Any:
    """The same shape with other values."""
    match value:
        case bool() | None:
            return value
        case int() | float():
            return value if key == "status" and 100 <= value < 600 else number(value)
        case str():
            return inner(key, value)
        case list():
            return [invented(one, key) for one in _some(value)]
        case dict():
            return {
                _name(name): invented(one, name)
                for name, one in value.items()
                if name not in _NOT_THE_PLATFORMS and not name.startswith("$")
            }
    raise TypeError(type(value))


def _name(name: str) -> str:
    """The name of a field; a key of a map is an id, and becomes another."""
    if re.fullmatch(r"(?=.*\d)[A-Za-z\d]{5}", name) or (name not in known() and re.fullmatch(r"[A-Za-z]{5}", name)):
        return token(name)
    return name if name in known() or _FIELD.fullmatch(name) or _TYPE.fullmatch(name) else inner("", name)


def _some(values: list[Any]) -> list[Any]:
    """The first few, and of the rest the first of each shape."""
    seen: set[str] = set()
    kept = []
    for at, value in enumerate(values):
        shape = json.dumps([sorted(value), value.get("typeName")]) if isinstance(value, dict) else ""
        if at < _MOST or shape not in seen:
            kept.append(value)
        seen.add(shape)
    return kept


def paths(lines: list[str]) -> list[str]:
    """Paths with other words; the roles of files, short numbers and endings stay, and equal words are equal again."""
    ours: dict[str, str] = {}

    def other(found: re.Match[str]) -> str:
        word = found[0]
        if len(word) < 3 or word.lower() in _ROLES:
            return word
        if word.lower() not in ours:
            at, count = _hash(word.lower()), len(_WORDS)
            taken = set(ours.values())
            pairs = (_WORDS[(at + step) % count] + (_WORDS[step // count] if step >= count else "")
                     for step in range(count * count))  # fmt: skip
            ours[word.lower()] = next(one for one in pairs if one not in taken)
        mine = ours[word.lower()]
        return mine.capitalize() if word[0].isupper() else mine

    changed = []
    for line in lines:
        stem, dot, ending = line.rpartition(".")
        changed.append(re.sub(r"[^\W\d_]+", other, re.sub(r"\d{4,}", _other_number, stem)) + dot + ending)
    return changed


def _other_number(found: re.Match[str]) -> str:
    return str(abs(_whole(int(found[0]))))


def texts(value: Any) -> Iterator[str]:
    """Every text in a reply, keys as well."""
    if isinstance(value, str):
        yield value
    for one in value.items() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ():
        yield from texts(one)


def copied(ours: Any, theirs: Any) -> set[str]:
    """Texts that an invention has in common with what it was made after, but for what coursefs knows by itself."""
    common = set(texts(ours)) & set(texts(theirs))
    return {
        one
        for one in common
        if len(one) > 3
        and one not in known()
        and not any(kept.fullmatch(one) for kept in (_LANGUAGE, _STATE, _FIELD, _TYPE, _LINES))
    }


def main(recorded: Path) -> None:
    """Write an invention for each JSON file of the recordings that is a reply or goes with one."""
    for path in sorted(recorded.rglob("*.json")):
        name = path.relative_to(recorded)
        if "real-teak" in name.parts or any(word in path.name for word in ("types", "swagger", "client", "probes")):
            continue
        if _BY_HAND.fullmatch(path.stem):
            continue
        theirs = json.loads(path.read_text(encoding="utf-8"))
        ours = invented(theirs)
        if found := copied(ours, theirs):
            print(f"{name}: copied {sorted(found)}")
        target = HERE / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(ours, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for path in sorted(recorded.rglob("*.coursera-dl-tree.txt")):
        lines = paths(path.read_text(encoding="utf-8").splitlines()[:_PATHS])
        target = HERE / path.relative_to(recorded).with_name(f"{lines[0].partition('/')[0]}.coursera-dl-tree.txt")
        target.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
