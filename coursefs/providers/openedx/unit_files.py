"""The files of a unit, from its blocks, its page, and other replies on its parts (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape

from coursefs.errors import CoursefsError, Gone, NotAllowed
from coursefs.model import Course, File, Item, Kind, Placement, Remote, Wanted
from coursefs.pages import beside_url
from coursefs.pages.cleaning import link_target, plain
from coursefs.pages.worker import Unrenderable
from coursefs.providers.kit.files import languages, mime_type, page_file
from coursefs.providers.openedx import choice
from coursefs.providers.openedx.assets import Assets, page
from coursefs.providers.openedx.keys import block_id, block_url
from coursefs.providers.openedx.markup import clean_html
from coursefs.providers.openedx.outline import UNIT, parts
from coursefs.providers.openedx.replies import Block, Blocks, VideoData
from coursefs.providers.openedx.unit_page import fragments, pdf_address, usage_keys

#: types of block that are files, or are not shown, and need no page
_WITHOUT_TEXT = frozenset({"video", "videoalpha", "pdf", "audio", "discussion"})
_DISCUSSION = "discussion"
#: types of text whose name is not shown to learners: authors leave the default, or use it as a note
_NAMELESS = frozenset({"html", "raw", "about"})

#: types of block with a text that is complete without scripts
_READABLE = _NAMELESS | {"problem", "annotatable", "pdf", "audio"}
#: types of block whose text is loaded by a script: their page has only a frame for it
_FRAMES = frozenset(
    """openassessment word_cloud drag-and-drop-v2 done lti lti_consumer edx_sga recommender acid poll survey
    crowdsourcehinter""".split()
)
#: titles of types of block, for blocks without a useful name
_KINDS = {
    "openassessment": "an open response assessment",
    "word_cloud": "a word cloud",
    "poll": "a poll",
    "survey": "a survey",
    "drag-and-drop-v2": "a drag and drop exercise",
    "lti": "an external tool",
    "lti_consumer": "an external tool",
    "edx_sga": "an assignment that is handed in as a file",
    "done": "a box to tick when one is done",
    "recommender": "resources that learners recommend",
}


def needs_page(parts: Sequence[Block]) -> bool:
    """Whether a unit has content that is only on its page, such as the handout of a video."""
    return any(part.video is not None for part in parts) or has_unsaid(parts)


def has_unsaid(parts: Sequence[Block]) -> bool:
    """Whether a unit has a text or a file that is only on its page."""
    return any((_has_text(part) and not part.html and not part.denied) or is_untold_pdf(part) for part in parts)


def is_untold_pdf(part: Block) -> bool:
    """Whether this is a PDF without an address in the Blocks API, as since Verawood: only its page has it."""
    return part.type == "pdf" and not part.file_url


def _has_text(part: Block) -> bool:
    """Whether a block has a text on the unit's page."""
    return part.type not in _WITHOUT_TEXT


def unit_files(
    course: Course,
    item: Item,
    parts: Sequence[Block],
    *,
    html: str | CoursefsError,
    base_url: str,
    wanted: Wanted,
) -> list[File]:
    """The files of a unit: one page with all texts, videos with transcripts, PDFs, and the assets of the page.

    `html` is the unit's page, or the error of the request for it; "" when it was not needed.
    """
    unit = _Unit(course, item, base_url, wanted)
    if not isinstance(html, CoursefsError):
        shown = usage_keys(html)
        parts = [part for part in parts if not (part.is_drawn and shown and part.key not in shown)]
    for part in parts:
        unit.media(part)
    if isinstance(html, CoursefsError):
        unit.refused(html, parts)
    else:
        unit.texts(parts, html)
    return unit.files()


class _Unit:
    """Collects the files of one unit from its parts."""

    def __init__(self, course: Course, item: Item, base_url: str, wanted: Wanted) -> None:
        self._course = course
        self._item = item
        self._base_url = base_url
        self._wanted = wanted
        self._media: list[File] = []
        self._pages: list[File] = []
        self._assets: list[File] = []
        self._shown: dict[str, str] = {}  # key of a block -> its markup on the page
        self._titles: set[str] = set()

    def files(self) -> list[File]:
        """All files; when there is none, a page that says so."""
        found = {file.key: file for file in (*self._pages, *self._media, *self._assets)}
        if not found:
            reason = "This unit has no text, no video and no file; its content is on its web page only."
            link = page_file(self._course, self._item, "link", marker="unit", what="unit", reason=reason)
            found[link.key] = link
        return list(found.values())

    def media(self, part: Block) -> None:
        """Add the files of a block: a video with its transcripts, a PDF, a sound."""
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
        """Add the page if any block has a text; the blocks stay in the platform's order."""
        assets = Assets(self._course, self._item, self._base_url, raw=False)
        unrendered = Assets(self._course, self._item, self._base_url, raw=True)
        said = fragments(html, assets.links) if html else {}
        handouts = {part.key: said[part.key] for part in parts if part.video is not None and said.get(part.key)}
        if not any(map(_has_text, parts)) and not handouts:
            return
        known = not said or any(part.key in said for part in parts)
        bodies = [] if known else [text for text in said.values() if text]  # the page has other ids for its blocks
        has_text = bool(bodies)
        for part in parts:
            shown = self._shown.get(part.key, "")
            if known and part.key in handouts:
                shown += handouts[part.key]
                has_text = True
            elif known and not shown and _has_text(part):
                text = said.get(part.key) or (clean_html(part.html, unrendered.links) if part.html else "")
                shown = self._text(part, text, rendered=part.key in said)
                has_text = has_text or bool(shown)
            bodies.append(shown)
        if has_text:
            self._pages.append(page(self._course, self._item, "\n".join(body for body in bodies if body)))
            self._assets += [*assets.files(), *unrendered.files()]

    def refused(self, error: CoursefsError, parts: Sequence[Block]) -> None:
        """Add a link page in place of refused texts, unless the Blocks API gives all texts."""
        if not has_unsaid(parts):
            self.texts(parts, "")
            return
        is_closed = isinstance(error, (NotAllowed, Gone))
        reason = f"Not open to you: {error}." if is_closed else f"{error}. coursefs asks again later."
        marker = "locked" if is_closed else "unavailable"
        if isinstance(error, Unrenderable):
            reason, marker = f"The texts of this unit can be read on its web page only: {error}.", "unit"
        link = page_file(self._course, self._item, "link", marker=marker, what="unit", reason=reason)
        self._pages.append(link)

    def _text(self, part: Block, text: str, *, rendered: bool) -> str:
        name = escape(" ".join(plain(part.name).split()), quote=False)
        heading = f"<h2>{name}</h2>" if name and part.type not in _NAMELESS else ""
        if part.denied:
            return f"{heading}<p>{self._on_the_web(part, part.denied)}</p>"
        if text and part.type in _READABLE:
            return heading + text
        if rendered and part.type in _NAMELESS:  # only a style sheet or a script
            return ""
        if part.type in _NAMELESS:
            return f"<p>{self._on_the_web(part, 'This text is on its web page only.')}</p>"
        kind = _KINDS.get(part.type, f"a part of its own kind ({part.type.replace('_', ' ').replace('-', ' ')})")
        said = f"This is {kind}; it is on its web page only."
        return f"{heading}{'' if part.type in _FRAMES else text}<p>{self._on_the_web(part, said)}</p>"

    def _on_the_web(self, part: Block, text: str) -> str:
        where = link_target(part.url) or block_url(self._base_url, self._course.key, part.key)
        return f'<a href="{escape(where)}">{escape(text, quote=False)}</a>'

    def _video(self, part: Block, video: VideoData) -> None:
        title = self._title(part, "Video")
        profile = None if video.only_on_web else choice.profile(video, self._wanted.video)
        if profile is None:
            self._video_link(part, video, title)
            self._transcripts(part, video, title)
            return
        extension = choice.extension(choice.video_url(video, profile), profile)
        locator = {"what": "video", "block": part.key, "profile": profile}
        remote = Remote(f"video/{part.key}/{profile}{extension}", locator)
        size = choice.video_size(video, profile)
        self._add(part, "video", Kind.VIDEO, title, extension, remote, size=size)
        self._transcripts(part, video, title)

    def _transcripts(self, part: Block, video: VideoData, title: str) -> None:
        """Add the transcripts of a video, also of one without a file: they can be read and searched."""
        for language in languages(video.transcripts, self._wanted.subtitles):
            remote = Remote(
                f"transcript/{part.key}/{language}.srt", {"what": "transcript", "block": part.key, "language": language}
            )
            self._add(part, "transcript", Kind.SUBTITLE, title, f".{language}.srt", remote)

    def _video_link(self, part: Block, video: VideoData, title: str) -> None:
        """Add a link page for a video without a file: to YouTube, or to the course's web page."""
        elsewhere = link_target(choice.web_url(video))
        reason = "This video is on YouTube." if elsewhere else "This video can be watched on its web page only."
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
        """The title of a block's files: the same for all of them, and unique in the unit."""
        title = " ".join(plain(part.name).split()) or kind
        if title.casefold() in self._titles:
            title = f"{title} ({block_id(part.key)[-6:]})"
        self._titles.add(title.casefold())
        return title


def _link(file_key: str, text: str) -> str:
    return f'<p><a href="{beside_url(file_key)}">{escape(text, quote=False)}</a></p>'


@dataclass(frozen=True, slots=True)
class Spoken:
    """The languages of a video's transcripts; None: the server does not give them."""

    languages: frozenset[str] | None


def units_of(blocks: Blocks, items: Sequence[Item]) -> dict[str, Sequence[Block]]:
    """The parts of each item that is a unit and still exists."""
    there = ((item.key, blocks.blocks.get(item.details.get("block", ""))) for item in items if item.type_name == UNIT)
    return {key: parts(blocks, block) for key, block in there if block is not None}


def a_transcript(part: Block) -> str:
    """The address of one of a video's listed transcripts; "" when there is none."""
    return next(iter(part.video.transcripts.values()), "") if part.video is not None else ""


def with_spoken(part: Block, spoken: Spoken | CoursefsError | None) -> Block:
    """A video without those listed transcripts that do not exist; unchanged if the server does not give them."""
    if part.video is None or not isinstance(spoken, Spoken) or spoken.languages is None:
        return part
    there = {language: url for language, url in part.video.transcripts.items() if language in spoken.languages}
    return replace(part, video=replace(part.video, transcripts=there))


def with_pdf(part: Block, html: str) -> Block:
    """A PDF block with the address from its page, if it has none."""
    return replace(part, file_url=pdf_address(html, part.key)) if is_untold_pdf(part) else part


def url_of(block: Block, locator: Mapping[str, str]) -> str:
    """The URL for a locator; "" when the block has no such file (any more)."""
    match locator.get("what"):
        case "video" if block.video is not None:
            return choice.video_url(block.video, locator["profile"])
        case "transcript" if block.video is not None:
            return block.video.transcripts.get(locator["language"], "")
        case "pdf" | "audio":
            return block.file_url
        case _:
            return ""
