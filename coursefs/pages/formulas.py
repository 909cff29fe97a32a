"""Mathematics in the text of readings: TeX between delimiters becomes MathML, which browsers show without any help.

The platform's delimiters are `$$…$$` and `$…$` within a line and `\\[…\\]` on a line of its own; elements that hold
formulas say `hasMath="true"`.  Only `$$` is trusted without that: a single `$` is a price as often as not.
"""

from __future__ import annotations

import re
from html import escape

from latex2mathml.converter import convert

_LENGTH = r"{1,4000}?"  # of one formula: bounds the work on text with a delimiter that is never closed
_ALWAYS = re.compile(rf"(?<!\\)\$\$((?:\\\$|[^$]){_LENGTH})\$\$")
_FLAGGED = re.compile(
    _ALWAYS.pattern
    + rf"|\\\[(.{_LENGTH})\\\]"
    + rf"|\\\((.{_LENGTH})\\\)"
    + rf"|(?<![\\$])\$(?![\s$])((?:\\\$|[^$\n]){_LENGTH})(?<![\s\\])\$(?![\d$])",
    re.DOTALL,
)

_NAMESPACE = 'xmlns="http://www.w3.org/1998/Math/MathML"'  # XML needs it, HTML does not


def with_formulas(text: str, *, flagged: bool) -> str:
    """HTML of a plain text: formulas as MathML, everything else escaped.  `flagged`: the platform says it has some."""
    pieces: list[str] = []
    position = 0
    for match in (_FLAGGED if flagged else _ALWAYS).finditer(text):
        pieces += (escape(text[position : match.start()], quote=False), _formula(match))
        position = match.end()
    return "".join((*pieces, escape(text[position:], quote=False)))


def _formula(match: re.Match[str]) -> str:
    source = next(group for group in match.groups() if group is not None).strip()
    mathml = _mathml(source, display="block" if match[0].startswith(r"\[") else "inline")
    if mathml is None:
        return f'<code class="math">{escape(match[0], quote=False)}</code>'
    return mathml.replace(f"<math {_NAMESPACE} ", f'<math alttext="{escape(source)}" ', 1)


def _mathml(source: str, *, display: str) -> str | None:
    """None: the source says more to a reader than what could be made of it."""
    try:
        mathml: str = convert(source, display=display)
    except Exception:  # its errors have no base of their own, and no formula is worth losing the page
        return None
    return None if "<mi>\\" in mathml else mathml  # an unknown command is left standing as a name
