"""The files of a unit, out of its blocks and its page (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from coursefs.errors import CoursefsError
from coursefs.model import Course, File, Item, Kind, Placement, Remote, Wanted
from coursefs.pages import beside_url
from coursefs.pages.cleaning import link_target, plain
from coursefs.providers.filenames import mime_type
from coursefs.providers.languages import languages
from coursefs.providers.link_files import page_file
from coursefs.providers.openedx import choice
from coursefs.providers.openedx.files import Assets, page
from coursefs.providers.openedx.keys import block_id, block_url
from coursefs.providers.openedx.markup import clean_html
from coursefs.providers.openedx.replies import Block, VideoData
from coursefs.providers.openedx.unit_page import fragments

#: blocks that are files, or nothing at all, and need no page
_WITHOUT_TEXT = frozenset({"video", "videoalpha", "pdf", "audio", "discussion"})
_DISCUSSION = "discussion"
#: texts whose name no learner ever sees: authors leave the default, or write a note to themselves
_NAMELESS = frozenset({"html", "raw", "about"})

#: blocks that say on paper what they say on the screen
_READABLE = _NAMELESS | {"problem", "survey", "poll", "openassessment", "word_cloud", "annotatable", "acid"}


def needs_page(parts: Sequence[Block]) -> bool:
    """Whether a unit has anything that only its page can say."""
    return any(part.type not in _WITHOUT_TEXT and not part.html for part in parts)


def unit_files(
    course: Course,
    item: Item,
    parts: Sequence[Block],
    *,
    html: str | CoursefsError,
    base_url: str,
    wanted: Wanted,
) -> list[File]:
    """One page with all texts of a unit, its videos with their transcripts, PDFs, and the files that the page shows.

    `html` is the unit's page, or why it could not be had; "" where it was not needed.
    """
    unit = _Unit(course, item, base_url, wanted)
    for part in parts:
        unit.media(part)
    if isinstance(html, CoursefsError):
        unit.refused(html, parts)
    else:
        unit.texts(parts, html)
    return unit.files()


class _Unit:
    """The files of one unit, as its parts are gone through."""

    def __init__(self, course: Course, item: Item, base_url: str, wanted: Wanted) -> None:
        self._course = course
        self._item = item
        self._base_url = base_url
        self._wanted = wanted
        self._media: list[File] = []
        self._pages: list[File] = []
        self._assets: list[File] = []
        self._shown: dict[str, str] = {}  # key of a block -> markup that stands for it on the page
        self._titles: set[str] = set()

    def files(self) -> list[File]:
        """All of them; where there is none, a page that says so."""
        found = {file.key: file for file in (*self._pages, *self._media, *self._assets)}
        if not found:
            reason = "This unit has no text, no video and no file; what it has lives on its web page."
            link = page_file(self._course, self._item, "link", marker="unit", what="unit", reason=reason)
            found[link.key] = link
        return list(found.values())

    def media(self, part: Block) -> None:
        """What of a block is files: a video with its transcripts, a PDF, a sound."""
        if part.video is not None:
            self._video(part, part.video)
        elif part.file_url:
            what, kind, default = (
                ("pdf", Kind.ATTACHMENT, ".pdf") if part.type == "pdf" else ("audio", Kind.AUDIO, ".mp3")
            )
            extension = ".ogg" if what == "audio" and part.file_url.lower().endswith(".ogg") else default
            remote = Remote(f"{what}/{part.key}", {"what": what, "block": part.key})
            title = self._title(part, "Document" if what == "pdf" else "Audio")
            self._add(part, what, kind, title, extension, remote)

    def texts(self, parts: Sequence[Block], html: str) -> None:
        """The page, where any block has something to say; the blocks are in the platform's order."""
        assets = Assets(self._course, self._item, self._base_url, raw=False)
        unrendered = Assets(self._course, self._item, self._base_url, raw=True)
        said = fragments(html, assets.links) if html else {}
        if not any(part.type not in _WITHOUT_TEXT for part in parts):
            return
        known = not said or any(part.key in said for part in parts)
        bodies = [] if known else [text for text in said.values() if text]  # the page calls its blocks something else
        has_text = bool(bodies)
        for part in parts:
            shown = self._shown.get(part.key, "")
            if known and not shown and part.type not in _WITHOUT_TEXT:
                text = said.get(part.key) or (clean_html(part.html, unrendered.links) if part.html else "")
                shown = self._text(part, text, rendered=part.key in said)
                has_text = has_text or bool(shown)
            bodies.append(shown)
        if has_text:
            self._pages.append(page(self._course, self._item, "\n".join(body for body in bodies if body)))
            self._assets += [*assets.files(), *unrendered.files()]

    def refused(self, error: CoursefsError, parts: Sequence[Block]) -> None:
        """A page in place of the texts that the platform does not give, unless apps are given all of them."""
        if not needs_page(parts):
            self.texts(parts, "")
            return
        reason = f"Not open to you: {error}."
        link = page_file(self._course, self._item, "link", marker="locked", what="unit", reason=reason)
        self._pages.append(link)

    def _text(self, part: Block, text: str, *, rendered: bool) -> str:
        name = escape(" ".join(plain(part.name).split()), quote=False)
        heading = f"<h2>{name}</h2>" if name and part.type not in _NAMELESS else ""
        if text and part.type in _READABLE:
            return heading + text
        if rendered and part.type in _NAMELESS:  # a style sheet or a script: nothing to read
            return ""
        where = link_target(part.url) or block_url(self._base_url, self._course.key, part.key)
        kind = escape(part.type.replace("_", " "), quote=False)
        return f'{heading}{text}<p><a href="{escape(where)}">This part ({kind}) is on its web page only.</a></p>'

    def _video(self, part: Block, video: VideoData) -> None:
        title = self._title(part, "Video")
        profile = None if video.only_on_web else choice.profile(video, self._wanted.video)
        if profile is None:
            self._video_link(part, video, title)
            return
        extension = choice.extension(choice.video_url(video, profile), profile)
        locator = {"what": "video", "block": part.key, "profile": profile}
        remote = Remote(f"video/{part.key}/{profile}{extension}", locator)
        size = choice.video_size(video, profile)
        self._add(part, "video", Kind.VIDEO, title, extension, remote, size=size)
        for language in languages(video.transcripts, self._wanted.subtitles):
            remote = Remote(
                f"transcript/{part.key}/{language}.srt", {"what": "transcript", "block": part.key, "language": language}
            )
            self._add(part, "transcript", Kind.SUBTITLE, title, f".{language}.srt", remote)

    def _video_link(self, part: Block, video: VideoData, title: str) -> None:
        """A page for a video that has no file: on YouTube, or on the course's web page alone."""
        elsewhere = link_target(choice.web_url(video))
        reason = "This video lies on YouTube." if elsewhere else "This video can be watched on its web page only."
        link = page_file(
            self._course,
            self._item,
            f"video/{block_id(part.key)}",
            marker=f"{title} (video)",
            what="video",
            reason=reason,
            url=elsewhere or link_target(part.url),
            title=title,
            placement=Placement.ATTACHED,
        )
        self._media.append(link)
        self._shown[part.key] = _link(link.key, f"Video: {title}")

    def _add(
        self, part: Block, what: str, kind: Kind, title: str, extension: str, body: Remote, *, size: int | None = None
    ) -> None:
        suffix = f"/{extension.strip('.')}" if kind is Kind.SUBTITLE else ""
        key = f"{self._item.key}/{what}/{block_id(part.key)}{suffix}"
        media_type = mime_type(f".{extension.rpartition('.')[2]}")
        url = part.url or self._item.url
        self._media.append(File(key, kind, Placement.ATTACHED, title, extension, media_type, body, url=url, size=size))
        self._shown.setdefault(part.key, _link(key, f"{kind.value.capitalize()}: {title}"))

    def _title(self, part: Block, kind: str) -> str:
        """What the files of a block are called: all of them the same, and no other block's."""
        title = " ".join(plain(part.name).split()) or kind
        if title.casefold() in self._titles:
            title = f"{title} ({block_id(part.key)[-6:]})"
        self._titles.add(title.casefold())
        return title


def _link(file_key: str, text: str) -> str:
    return f'<p><a href="{beside_url(file_key)}">{escape(text, quote=False)}</a></p>'
