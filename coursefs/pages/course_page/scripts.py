"""Small classic scripts beside a page that give its script data: cues of a subtitle, and progress (pure).

A browser loads a script from `file:`, where it fetches nothing else. Each calls one function of `page.js` with JSON.
"""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta

from coursefs.pages.captions import cues, decoded
from coursefs.pages.cleaning import plain
from coursefs.pages.course_page.model import PageProgress
from coursefs.pages.course_page.texts import key_of, line

#: cues of a file, and characters of a cue, that are shown
_MOST_CUES, _LONGEST_CUE = 50_000, 2_000
#: bytes that the size of a progress script is a multiple of: it is the same before and after progress was asked for,
#: so a browser that opens the script meanwhile, and reads as much as it had before, reads all of it
_STEP = 16 * 1024
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def cues_js(file_key: str, subtitle: bytes) -> bytes:
    """The cues of a subtitle (SubRip or WebVTT, broken ones too) by time, for the file with this key.

    The script calls `coursefs.cues(key, [[start, end, text], …])`: seconds, and text without markup.
    """
    found = []
    for cue in cues(decoded(subtitle)):
        lines = (" ".join(one.split()) for one in plain(cue.text[:_LONGEST_CUE]).split("\n"))
        text = "\n".join(one for one in lines if one)
        if text:
            found.append((round(cue.start, 3), round(max(cue.end, cue.start + 0.1), 3), text))
        if len(found) >= _MOST_CUES:
            break
    return _call("cues", key_of(file_key), sorted(found))


def progress_js(progress: PageProgress) -> bytes:
    """What is done, and what is due.

    The script calls `coursefs.progress({course, done: {key: fraction}, due: [{title, at, key, course}, …]})`; `at` is
    an instant in UTC.
    """
    due = [
        {
            "title": line(one.title) or "Untitled",
            "at": instant,
            "key": None if one.key is None else key_of(one.key),
            "course": None if one.course is None else key_of(one.course),
        }
        for one in sorted(progress.due, key=lambda one: one.due_ns)
        if (instant := _instant(one.due_ns)) is not None
    ]
    done = {key_of(key): _fraction(part) for key, part in progress.done.items() if math.isfinite(part)}
    course = progress.course_done
    whole = None if course is None or not math.isfinite(course) else _fraction(course)
    script = _call("progress", {"course": whole, "done": done, "due": due})
    return script.removesuffix(b"\n").ljust(-len(script) // _STEP * -_STEP - 1) + b"\n"


def _fraction(part: float) -> float:
    return round(min(max(part, 0.0), 1.0), 4)


def _instant(due_ns: int) -> str | None:
    """An instant in UTC; None for what no calendar has."""
    try:
        return (_EPOCH + timedelta(seconds=due_ns // 10**9)).strftime("%Y-%m-%dT%H:%M:%SZ")
    except OverflowError:
        return None


def _call(function: str, *arguments: object) -> bytes:
    """A call of a function of `page.js`, in ASCII; nothing in it ends a script or begins markup."""
    texts = (
        json.dumps(one, sort_keys=True, separators=(",", ":"), allow_nan=False)
        .replace("<", "\\u003c")
        .replace(">", "\\u003e")
        .replace("&", "\\u0026")
        for one in arguments
    )
    return f"coursefs.{function}({','.join(texts)});\n".encode("ascii")
