"""Invents the replies of a real Open edX server: JSON, pages of units, subtitles, and the headers of all of them.

    python -m tests.replies.invent_lms RECORDED

reads `RECORDED/openedx/real-teak` and writes `tests/replies/openedx/real-teak`, as `invent.py` does with the rest.  Of
a page the elements stay, and of their attributes those that coursefs reads; scripts, styles and comments are left out.
The words of the tests themselves stay as well (the course that was made for them, its marks, some dates): they are ours
and in this repository already, so that one assertion holds for both.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Iterator
from functools import cache
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from tests.replies import invent
from tests.replies.invent import HERE, ROOT, known

_PLACE = Path("openedx") / "real-teak"
_TESTS = (
    "engine/recorded_lms.py",
    "engine/test_openedx_recorded.py",
    "unit/test_openedx_unit_page.py",
    "unit/test_openedx_tabs.py",
)
#: what no test asks for: sign-ins (they are in the headers), files, the catalogue, and a frame of a megabyte of script
_LEFT_OUT = re.compile(
    "asset_|token_|login_session|csrf_token|bulk_enroll|navigation|courses|course_detail|courseware_|grades|INDEX"
    "|transcript_(head|range|sjson|missing|listed)|xblock_sequential"
)
#: trees of blocks of which a few branches stand for all
_PRUNED = {"blocks_v2_demo.json": 3, "blocks_v2_r101_all_fields.json": 1}
_KEY = re.compile(r"(?:course|block|asset)-v1:[^\s\"'<>?#&/]+(?:/[^\s\"'<>?#&/]+\.\w{2,5})?")
_ATTRIBUTES = set(
    "class href src srcset rel alt title type name value id for lang dir colspan rowspan start data-content usemap"
    " coords shape download controls data data-usage-id data-block-type data-id aria-hidden hidden".split()
)
_EMPTY = set("area base br col embed hr img input link meta param source track wbr".split())
_HEADERS = {"content-type", "location", "www-authenticate", "set-cookie", "retry-after", "content-disposition"}


@cache
def said() -> str:
    """What the tests of these replies say themselves, and the words that coursefs knows."""
    literals: set[str] = set()
    for name in _TESTS:
        literals.update(_literals(HERE.parent / name))
    return "\n".join(sorted(literals))


def _literals(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


@cache
def _marks() -> tuple[str, ...]:
    """Of those, what may be a part of a longer text; the longest first."""
    lines = {line.strip() for line in said().splitlines()}
    marks = {one for one in lines if re.fullmatch(r"Marker-[\w-]+|\{\{|[A-Z][^ ]* [^|]{2,60}", one)}
    return tuple(sorted(marks | {"Red", "Blue", "One", "Two"}, key=lambda mark: (-len(mark), mark)))


@cache
def _classes() -> frozenset[str]:
    found: set[str] = set()
    for part in ("providers/openedx", "providers/kit", "pages"):
        for path in (ROOT / "coursefs" / part).rglob("*.py"):
            found.update(word for literal in _literals(path) for word in re.findall(r"[\w-]+", literal))
    return frozenset(found)


def is_said(text: str) -> bool:
    """Whether the tests say this, by itself or as a part that ends where a word ends."""
    return re.search(rf"(?<![^\W_]){re.escape(text)}(?![^\W_])", said()) is not None


def key(text: str) -> str:
    """A key of a course, block or asset: its course stays, where the tests name it, and the name is another."""
    kind, _, rest = text.partition(":")
    course, *parts = re.split(r"(?=\+type@)|(?=\+block[@/])", rest)
    if f"course-v1:{course}" not in said():
        course = "+".join(part if is_said(part) else invent.token(part) for part in course.split("+"))
    for at, part in enumerate(parts):
        if part.startswith("+block"):
            parts[at] = part[:7] + name(part[7:])
    return f"{kind}:{course}{''.join(parts)}"


def name(text: str) -> str:
    """The name of a block or a file; a file keeps its ending."""
    if is_said(text):
        return text
    stem, dot, ending = text.rpartition(".")
    plain = f"{invent.slug(stem)}-{invent._hash(stem) % 89}" if dot else ""
    return f"{plain}.{ending}" if dot else invent.token(text)


def address(text: str) -> str:
    """A URL or a path: its route stays, and so do hosts that are none."""
    if "%2B" in text or "%3A" in text or "%40" in text:
        return quote(address(unquote(text)), safe="/?=&:#")
    before, mark, rest = text.partition("//")
    host, slash, path = rest.partition("/") if mark else ("", "", text)
    if not mark:
        before = ""
    if host and not host.endswith((".invalid", "youtube.com")):
        host = f"media{invent._hash(host) % 10}.example.org"
    path, question, query = path.partition("?")
    keys: list[str] = []

    def held(found: re.Match[str]) -> str:
        keys.append(key(found[0]))
        return f"\x00{len(keys) - 1}\x00"

    path = _KEY.sub(held, path)
    path = "/".join(_step(one) for one in path.split("/"))
    query = "&".join(
        f"{field}{equals}{value if re.fullmatch(r'[a-z_,0-9]*', value) else text_of(value)}"
        for field, equals, value in (pair.partition("=") for pair in query.split("&"))
    )
    path = re.sub("\x00(\\d+)\x00", lambda found: keys[int(found[1])], path)
    return f"{before}{mark}{host}{slash}{path}{question}{query}"


def _step(text: str) -> str:
    if "\x00" in text or re.fullmatch(r"[a-z_]*|v[\d.]+|[a-z_]+;_\w*|#.*|\d{1,3}", text) or is_said(text):
        return text
    if re.fullmatch(r"[\da-f]{32,40}", text):
        return f"{invent._hash(text):032x}"
    return name(text) if "." in text else invent.token(text)


def text_of(text: str, field: str = "") -> str:
    """What stands in place of a text."""
    plain = text.strip()
    if not plain or is_said(plain) or not re.search(r"[^\W\d_]", plain):
        return text
    if "<" in plain and ">" in plain:
        return page(text)
    if _KEY.fullmatch(plain):
        return key(plain)
    if re.match(r"(https?:)?//\S+$|/\S*$|\S*/static/\S+$", plain) or (_KEY.search(plain) and " " not in plain):
        return address(plain)
    if re.match(r"\d{4}-\d\d-\d\dT", plain):
        return text if plain[:10] in said() else invent.inner(field, plain)
    if plain.startswith("#"):
        return f"#{invent.slug(plain)}"
    if re.fullmatch(r"[^\s@/]+@[^\s@/]+", plain):
        return f"{invent.slug(plain)}@example.org"
    marks = [mark for mark in _marks() if re.search(rf"(?<!\w){re.escape(mark)}(?!\w)", plain)]
    if marks:
        kept = sorted((mark for at, mark in enumerate(marks) if not any(mark in one for one in marks[:at])),
                      key=plain.index)  # fmt: skip
        return " ".join((invent.words(plain, 2), *kept))
    return invent.inner(field, plain)


def invented(value: Any, field: str = "") -> Any:
    """The same shape with other values."""
    match value:
        case str():
            return text_of(value, field)
        case list():
            return [invented(one, field) for one in value]
        case dict():
            return {_field(one): invented(inner, one) for one, inner in value.items()}
    return invent.invented(value, field)


def _field(text: str) -> str:
    return text if text in known() or re.fullmatch(r"_{0,2}[A-Za-z][\w-]*", text) else text_of(text)


class _Page(HTMLParser):
    """Writes a page again, as well-formed or broken as it is."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self.inside or tag in {"meta", "link"}:
            return
        if tag in {"script", "style", "head", "svg"}:
            self.inside = tag
            return
        self.parts.append(f"<{tag}{''.join(_attribute(*one) for one in attrs)}>")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _EMPTY:
            self.handle_starttag(tag, attrs)
        elif not self.inside and tag not in {"script", "style"}:
            self.parts.append(f"<{tag}{''.join(_attribute(*one) for one in attrs)}/>")

    def handle_endtag(self, tag: str) -> None:
        if self.inside:
            self.inside = "" if tag == self.inside else self.inside
        elif tag not in _EMPTY:
            self.parts.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if self.inside:
            return
        plain = re.sub(r"\s+", " ", data)
        ours = text_of(plain) if plain.strip() else ("\n" if "\n" in data else plain)
        self.parts.append(escape(ours, quote=False) if ours.strip() else ours[:1])


def _attribute(field: str, value: str | None) -> str:
    if field not in _ATTRIBUTES or field.startswith("on"):
        return ""
    if value is None:
        return f" {field}"
    if field == "class":
        value = " ".join(one for one in value.split() if one in _classes() or one == "xblock")
    elif field == "data-content":
        value = page(value)
    elif field in {"href", "src", "rel", "data", "srcset"} and "/" in value:
        value = address(value.strip()) if ":" in value or value.strip().startswith("/") else text_of(value)
    elif field not in {"type", "dir", "lang", "data-block-type", "colspan", "rowspan", "start", "shape", "coords"}:
        value = text_of(value)
    return f' {field}="{escape(value)}"' if value or field != "class" else ""


def page(html: str) -> str:
    """A page, or a part of one, with other texts and addresses."""
    written = _Page()
    written.feed(html)
    written.close()
    return re.sub(r"\s*\n\s*", "\n", "".join(written.parts))


def pruned(tree: dict[str, Any], most: int) -> dict[str, Any]:
    """A tree of blocks with at most so many children of each, and one block of every type."""
    blocks: dict[str, dict[str, Any]] = tree["blocks"]
    parents = {child: one for one, block in blocks.items() for child in block.get("children") or ()}
    kept: set[str] = set()
    types: set[str] = set()

    def keep(one: str) -> None:
        kept.add(one)
        types.add(blocks[one]["type"])
        for child in (blocks[one].get("children") or ())[:most]:
            if child in blocks:
                keep(child)

    keep(tree["root"])
    for one, block in blocks.items():
        if block["type"] not in types:
            types.add(block["type"])
            step: str | None = one
            while step is not None and step not in kept:
                kept.add(step)
                step = parents.get(step)
    small = {}
    for one, block in blocks.items():
        if one in kept:
            children = [child for child in block.get("children") or () if child in kept]
            small[one] = block | ({"children": children} if "children" in block else {})
    return tree | {"blocks": small}


def subtitles(text: str) -> str:
    """Subtitles with other words, and the same times."""
    return "\n".join(
        line if not line.strip() or line.strip().isdecimal() or "-->" in line else invent.words(line)
        for line in text.splitlines()
    )


def headers(entries: list[dict[str, Any]], names: set[str]) -> list[dict[str, Any]]:
    """What was asked, and the headers that coursefs reads, of the replies of which there is an invention."""
    found = []
    for entry in entries:
        if entry["file"] in names:
            method, _, target = entry["request"].partition(" ")
            lines = []
            for line in entry["headers"]:
                field, _, value = line.partition(": ")
                if field.lower() in _HEADERS:
                    lines.append(f"{field}: {_header(field.lower(), value)}")
            found.append(entry | {"request": f"{method} {address(target)}", "headers": lines})
    return found


def _header(field: str, value: str) -> str:
    match field:
        case "set-cookie":
            return re.sub(r"expires=[^;]*(20\d\d)[^;]*", r"expires=Fri, 01 Jan \1 00:00:00 GMT", value)
        case "location":
            return address(value)
        case "content-disposition":
            return 'attachment; filename="film.srt"'
    return value


class _Texts(HTMLParser):
    """The texts of a page, and the values of its attributes."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: set[str] = set()
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for _, value in attrs:
            self.found |= _Texts(value).found if value and "<" in value else {(value or "").strip()}

    def handle_data(self, data: str) -> None:
        self.found |= {line.strip() for line in data.splitlines()}


def copied(ours: str, theirs: str) -> set[str]:
    """Texts and values of attributes that two files have in common, but for what the project knows by itself."""
    try:
        found = [set(invent.texts(json.loads(text))) for text in (ours, theirs)]
    except ValueError:
        found = [_Texts(text).found for text in (ours, theirs)]
    common = {_KEY.sub("", one) for one in found[0] & found[1]}
    return {
        one
        for one in common  # names of fields, routes and classes are the platform's
        if not re.fullmatch(r"[a-z_-]+|[a-z]+[A-Z][a-z]+|/[a-z_/]*|https://[a-z.]+\.invalid/.*", one)
        and not all(map(_ours, re.findall(r"[^\W\d_]{4,}|\w*\d{4,}\w*", one)))
    }


def _ours(word: str) -> bool:
    return is_said(word) or word in _classes() or word in known()


def main(recorded: Path) -> None:
    """Write an invention for each reply that a test can ask for."""
    source, target = recorded / _PLACE, HERE / _PLACE
    target.mkdir(parents=True, exist_ok=True)
    names = set()
    for path in sorted(source.iterdir()):
        if _LEFT_OUT.match(path.name) or path.name == "headers.json":
            continue
        theirs = path.read_text(encoding="utf-8")
        names.add(path.name)
        match path.suffix:
            case ".json":
                value = json.loads(theirs)
                value = pruned(value, _PRUNED[path.name]) if path.name in _PRUNED else value
                compact = len(theirs) > 50_000
                ours = json.dumps(
                    invented(value), ensure_ascii=False, indent=0 if compact else 1,
                    separators=(",", ":") if compact else None,
                )  # fmt: skip
            case ".srt":
                ours = subtitles(theirs)
            case _:
                ours = page(theirs)
        if found := copied(ours, theirs):
            print(f"{path.name}: copied {sorted(found)[:12]}")
        (target / path.name).write_text(ours.strip() + "\n" if ours.strip() else "", encoding="utf-8")
    listed = headers(json.loads((source / "headers.json").read_text(encoding="utf-8")), names)
    lines = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in listed)
    (target / "headers.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
