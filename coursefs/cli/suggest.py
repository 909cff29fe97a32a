"""What a person may have meant by a name that there is not (pure)."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(text: str, names: Iterable[str]) -> str:
    """`; did you mean NAME?` for the name most like a text, or those that it begins; "" where there is none."""
    known = list(names)
    begun = [name for name in known if len(text) > 1 and name.startswith(text.lower())]
    near = begun[:3] or difflib.get_close_matches(text.lower(), known, n=1)
    return f"; did you mean {' or '.join(near)}?" if near else ""
