"""Names that programs ask every directory for, and that no course ever has (pure)."""

from __future__ import annotations

# desktops, file managers, media scanners and version control look for these wherever they come; names that begin with
# a dot need no list, because no name of ours does
_ASKED_FOR = frozenset(
    {"autorun.inf", "desktop.ini", "thumbs.db", "ehthumbs.db", "folder.jpg", "cover.jpg", "albumart.jpg"}
)


def is_probe(name: str) -> bool:
    """Whether a name that the catalogue does not have is not worth asking a platform for."""
    return name.startswith(".") or name.casefold() in _ASKED_FOR
