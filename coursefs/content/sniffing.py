"""Sniffing: finds web pages and API replies that a server sends in place of a file.

A server without the file may send a page with status 200, a plausible length, and `application/octet-stream` or even
`video/mp4` as its type.  The first bytes tell: no film, recording, document, picture, archive or subtitle begins with
`<`, and data of other kinds never begins as a web page does.  Every body that begins with the first byte of the file is
checked, so that nothing of such a page is cached.  A file whose names do not tell its kind may be anything.

JSON needs both signs, its type and its first bytes: captions in an old format may begin with `{`, those of today with a
number, and servers send captions with wrong types.
"""

from __future__ import annotations

import json
import re
from urllib.parse import urlsplit

from coursefs.content.identity import Content, expects_html, suffix, suffixes
from coursefs.content.range_response import PageInstead, Part, UrlRefused, Whole
from coursefs.errors import BadReply
from coursefs.model import Source
from coursefs.transport.body import beginning_of
from coursefs.transport.http_library import httpx

#: bytes that are checked: blanks and a byte order mark may come first
BEGINNING = 512
#: kinds of file that never begin with `<`; those that are not here (.xml, .svg, .txt) may
_SUFFIXES = frozenset(
    ".mp4 .m4v .mov .webm .mkv .avi .wmv .flv .mp3 .m4a .ogg .wav .srt .vtt .pdf .zip .gz .7z .rar .docx .pptx .xlsx "
    ".doc .ppt .xls .odt .odp .ods .epub .png .jpg .jpeg .gif .webp".split()
)
#: kinds that may begin with any byte, also with `<`, but never as a web page does
_DATA_SUFFIXES = frozenset(
    ".bin .dat .img .iso .dmg .vdi .ova .exe .msi .dll .so .o .a .jar .war .apk .whl .egg .deb .rpm .class .pyc "
    ".tar .tgz .bz2 .tbz .xz .zst .lz4 .pkl .pickle .joblib .npy .npz .h5 .hdf5 .mat .rda .rdata .rds .parquet "
    ".feather .arrow .orc .avro .sqlite .db .mdb .accdb .sav .dta .sas7bdat .xlsb .xlsm .docm .pptm .ppsx .key "
    ".pages .numbers .psd .ai .ps .eps .djvu .mobi .azw3 .tif .tiff .bmp .ico .heic .avif .mid .aac .flac .opus "
    ".m4b .3gp .mpg .mpeg .m2ts .stl .blend .fbx .glb .ttf .otf .woff .woff2 .pcap .pt .pth .onnx .pb .tflite "
    ".safetensors .model".split()
)
#: kinds that may begin with `<` and are never JSON
_TEXT_SUFFIXES = frozenset({".txt", ".html", ".htm", ".xhtml"})
#: the same by what providers call a content (`video/…`)
_KINDS = frozenset({"video", "audio", "captions", "subtitle", "subtitles", "slide"})
_TEXT_KINDS = frozenset({"transcript"})
_TYPES = ("video/", "audio/", "application/pdf", "application/zip")
_BLANKS = b" \t\r\n\f"
_PAGE = re.compile(rb"<(?:!doctype\s+html|html)[\s>]", re.IGNORECASE)
_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_NUMBER = re.compile(rb"[-+.0-9eE]+")
#: bytes that are longer than the first line of captions, which may be a number
_NO_CAPTIONS = 256
_UNDECIDED = _BLANKS + b"\xef\xff\xfe"
#: the one of these that JPEG and MP3 begin with as well: a size is not worth a second request then
_OF_PICTURES = b"\xff"


def is_markup(beginning: bytes) -> bool:
    """Whether a file that begins so is HTML or XML (pure)."""
    return _first_text(beginning).startswith(b"<")


def is_page(beginning: bytes) -> bool:
    """Whether a file that begins so is a web page, with its document type or its first tag (pure)."""
    return _PAGE.match(_first_text(beginning).replace(b"\0", b"")) is not None


def is_json(beginning: bytes, content_type: str, *, is_all: bool = False) -> bool:
    """Whether a file that begins so and is sent with this type is JSON; `is_all`: it is no longer than that (pure)."""
    text = _first_text(beginning)
    return _is_json_type(content_type) and (text.startswith((b"{", b"[")) or _is_one_value(text, is_all=is_all))


def _is_json_type(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind.startswith("application/") and kind.endswith("json")


def _is_one_value(text: bytes, *, is_all: bool) -> bool:
    """Whether a text is a single JSON value: a word, a number or a string.

    Of a text that continues beyond `text` only a number can be told, and only one longer than the number of a caption.
    """
    if not is_all:
        return len(text) >= _NO_CAPTIONS and _NUMBER.fullmatch(text) is not None
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def expects_media(content: Content, source: Source, content_type: str) -> bool:
    """Whether a content is never a page and never JSON, going by its names and the type it is sent with (pure)."""
    if expects_html(content, source):
        return False
    return _is_of(content, source, _KINDS, _SUFFIXES) or content_type.strip().lower().startswith(_TYPES)


def expects_text(content: Content, source: Source) -> bool:
    """Whether a content is a text that may begin with `<` but is never JSON, going by its names (pure)."""
    return _is_of(content, source, _TEXT_KINDS, _TEXT_SUFFIXES)


def is_never_page(content: Content, source: Source, content_type: str) -> bool:
    """Whether a content is data that never is a web page, going by its names and the type it is sent with (pure)."""
    is_text = content_type.strip().lower().startswith("text/")
    return not is_text and _is_of(content, source, frozenset(), _DATA_SUFFIXES) and not expects_text(content, source)


async def require_file(response: httpx.Response, ranged: Part | Whole, content: Content, source: Source) -> bool:
    """Check the first bytes of a body that begins with the first byte of the file; they can be read again.

    Waits for these bytes.  Returns whether they were enough: a part that is shorter may hold only a blank.
    Raises `PageInstead` for a web page in place of a file, `BadReply` for JSON, and `UrlRefused` for a sign-in page
    (see `check`).
    """
    if isinstance(ranged, Part) and (ranged.start or not ranged.end):
        return True
    content_type = response.headers.get("content-type", "")
    is_media = expects_media(content, source, content_type)
    is_data = not is_media and is_never_page(content, source, content_type)
    if not (is_media or is_data or expects_text(content, source)):
        return True
    beginning = await beginning_of(response, 1)  # enough for most bodies, and has come with the headers
    may_be_json = _is_json_type(content_type) and not is_data
    is_undecided = not beginning or beginning in _UNDECIDED or may_be_json or (is_data and beginning == b"<")
    if is_undecided:
        beginning = await beginning_of(response, BEGINNING)
    if (is_media and is_markup(beginning)) or (is_data and is_page(beginning)):
        if source.guarded:
            raise UrlRefused
        raise PageInstead(f"{urlsplit(source.url).hostname}: sent a web page instead of the file")
    is_cut = isinstance(ranged, Part) and ranged.end != ranged.total and len(beginning) < BEGINNING
    is_all = not is_cut and len(beginning) < BEGINNING
    if may_be_json and is_json(beginning, content_type, is_all=is_all):
        raise BadReply(f"{urlsplit(source.url).hostname}: sent a reply of its API instead of the file")
    return not (is_undecided and is_cut) or beginning == _OF_PICTURES


def _is_of(content: Content, source: Source, kinds: frozenset[str], wanted: frozenset[str]) -> bool:
    if content.remote.identity.partition("/")[0] in kinds or suffix(content.name) in wanted:
        return True
    return not wanted.isdisjoint(suffixes(content, source))


def _first_text(beginning: bytes) -> bytes:
    for mark in _MARKS:
        if beginning.startswith(mark):
            beginning = beginning.removeprefix(mark).lstrip(b"\0")  # of UTF-16
    return beginning.lstrip(_BLANKS)
