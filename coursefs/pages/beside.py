"""Links of a page to the files that lie beside it.

Whoever writes a page does not know what its neighbours will be called, and whoever names them does not read pages.
So a page says `coursefs-beside:<file key>` where a URL belongs, and the path is put there once it is decided.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote, unquote

SCHEME = "coursefs-beside"

#: one tag with its attributes; whatever a quoted value holds, it is not taken for the end of the tag
_TAG = re.compile(r'<[A-Za-z][^\s<>"]*+(?:[^<>"]|"[^"]*+")*+>')
_REFERENCE = re.compile(rf'(?<=\s)(href|src)="{SCHEME}:([^"]*)"')


def beside_url(file_key: str) -> str:
    """The placeholder for the URL of the file with this key: safe within a double-quoted attribute as it is."""
    return f"{SCHEME}:{quote(file_key, safe='')}"


def with_links(html: str, names: Mapping[str, str]) -> bytes:
    """The final UTF-8 bytes of a page.

    `names` gives for each file key its path relative to the page, as it is on disk; it is percent-encoded here.  A
    key without a name becomes `#`.  Only `href` and `src` of tags are looked at: the words of a text stay as they are.
    """

    def reference(match: re.Match[str]) -> str:
        name = names.get(unquote(match[2]))
        return f'{match[1]}="{"#" if name is None else quote(name, safe="/")}"'

    linked = _TAG.sub(lambda tag: _REFERENCE.sub(reference, tag[0]), html)
    return linked.encode("utf-8", "replace")  # a lone surrogate is no character: better a `?` than no page
