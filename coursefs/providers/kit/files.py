"""Names, media types and languages of files, and link pages for content without a file (pure)."""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Collection, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from coursefs.model import Course, File, Item, Kind, Page, Placement
from coursefs.pages import link_page

_EXTENSION = re.compile(r"[a-z0-9]{1,20}")
#: Python's own table and a few additions, without the machine's: the same file has the same type on every machine
_TYPES = mimetypes.MimeTypes()
_OFFICE = "application/vnd.openxmlformats-officedocument"
for _extension, _type in {
    ".srt": "application/x-subrip",
    ".vtt": "text/vtt",
    ".docx": f"{_OFFICE}.wordprocessingml.document",
    ".pptx": f"{_OFFICE}.presentationml.presentation",
    ".xlsx": f"{_OFFICE}.spreadsheetml.sheet",
    ".ipynb": "application/x-ipynb+json",
    ".m4a": "audio/mp4",
    ".ogg": "audio/ogg",
    ".webp": "image/webp",
}.items():
    _TYPES.add_type(_type, _extension)

#: Extensions of files that run code, or lead elsewhere, when a desktop, a browser or Windows opens them: documents with
#: scripts and styles, desktop starters and links, shell and host scripts, programs and packages.  Source code that runs
#: only with an interpreter (`.py`, `.r`, `.c`) is not among them: courses are about such files.
_ACTIVE = frozenset(
    """action apk app appimage application appref-ms bat chm cmd com command cpl crx csh css deb desktop directory
    exe gadget hta htm html htt inf ins iqy isp jar jnlp job js jse ksh library-ms lnk map mht mhtml mjs mount
    msc msi msp mst pif pkg plasmoid ps1 ps1xml ps2 psc1 psd1 psm1 reg rpm run scf scpt scr sct search-ms service sh
    shb shs shtml slk swf settingcontent-ms svg svgz terminal theme url vb vbe vbs webloc website workflow ws wsc wsf
    wsh xbap xbl xht xhtml xml xpi xsl xslt xul zsh""".split()
)


class FileName(NamedTuple):
    """A file name in two parts; the extension includes its dot, or is ""."""

    title: str
    extension: str


def file_name(name: str, platform_extension: str) -> FileName:
    """The parts of an asset's name.

    Most names have an extension.  If one seems to have none (`Lecture 1.2`), `platform_extension` is used.
    """
    said = platform_extension.strip().lstrip(".").lower()
    title, dot, extension = name.strip().rpartition(".")
    extension = extension.lower()
    if dot and title and _EXTENSION.fullmatch(extension) and (extension == said or not extension.isdecimal()):
        return FileName(title, f".{extension}")
    return FileName(name.strip(), f".{said}" if _EXTENSION.fullmatch(said) else "")


def is_active(name: str) -> bool:
    """Whether opening a file of this name may run code.  Dots and blanks at its end are ignored, as Windows does."""
    _, dot, extension = name.rstrip(". ").rpartition(".")
    return bool(dot) and extension.casefold() in _ACTIVE


def mime_type(extension: str) -> str:
    """The media type of an extension that includes its dot."""
    return _TYPES.guess_type(f"file{extension}")[0] or "application/octet-stream"


def page_file(
    course: Course,
    item: Item,
    name: str,
    *,
    marker: str,
    what: str,
    reason: str,
    url: str | None = None,
    title: str | None = None,
    placement: Placement = Placement.MARKED,
) -> File:
    """A link page as a file of an item.  The defaults of `url` and `title` are those of the item."""
    page = link_page(
        title=title or item.title,
        what=what.capitalize(),
        reason=reason,
        url=url or item.url,
        course=course.title,
    )
    return File(
        key=f"{item.key}/{name}",
        kind=Kind.LINK,
        placement=placement,
        title=marker,
        extension=".html",
        mime_type="text/html",
        body=Page(page),
        url=url or item.url,
    )


def web_host(url: str) -> str:
    """The host of an http(s) link; "" for any other address, such as `javascript:`, which no page may link to."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return (parts.hostname or "") if parts.scheme in ("http", "https") else ""


def languages(available: Collection[str], wanted: Sequence[str]) -> tuple[str, ...]:
    """The wanted languages that are available, in the wanted order; all of them, sorted, for "all".

    A language that is not available is replaced by a regional form of it, or by its general form (`pt` by `pt-BR`,
    `en-GB` by `en`).  When nothing matches: English, the language of most lectures, else the first one.
    """
    existing = sorted(available)
    found = list(matching(existing, wanted))
    if not found:
        found = [*(one for one in existing if _primary(one) == "en"), *existing][:1]
    return tuple(found)


def matching(available: Collection[str], wanted: Sequence[str]) -> tuple[str, ...]:
    """As `languages`, without the replacement when nothing matches."""
    existing = sorted(available)
    if "all" in wanted:
        return tuple(existing)
    found: list[str] = []
    for language in wanted:
        same = [one for one in existing if one.casefold() == language.casefold()]
        related = [one for one in existing if _primary(one) == _primary(language)]
        found += (same or related)[:1]
    return tuple(dict.fromkeys(found))


def _primary(language: str) -> str:
    return language.partition("-")[0].casefold()
