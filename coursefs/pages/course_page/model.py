"""What a course page and the overview of all courses are made from: frozen dataclasses without behaviour.

All texts are as the platform has them: the renderer cleans and escapes them. Paths are as on disk, with `/` between
folders, relative to the folder of the page (of the course, or the root of the mount); the renderer percent-encodes them
where they become links. Keys are stable: what a learner has watched is remembered by them, and links lead to them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from coursefs.model import Kind


@dataclass(frozen=True, slots=True)
class PageFile:
    """A file of an item."""

    key: str  # unique within the course
    path: str
    kind: Kind  # VIDEO, AUDIO, SUBTITLE, TRANSCRIPT, READING, ATTACHMENT, IMAGE or LINK
    mime_type: str = ""
    title: str = ""  # of an attachment ("Slides"), or what tells two videos apart; "" where the item's title is enough
    language: str | None = None  # of subtitles, transcripts and dubbed videos; a BCP 47 tag
    cues: str | None = None  # path of the script with the cues (`cues_js`) of a subtitle; None: there is none


@dataclass(frozen=True, slots=True)
class PageChapter:
    """A chapter of a video."""

    at: float  # seconds from its beginning
    title: str


@dataclass(frozen=True, slots=True)
class PageItem:
    """An item of the course: a lecture, a reading, a quiz."""

    key: str  # unique within the course
    title: str
    label: str = ""  # what it is, for a person: "Lecture", "Quiz"
    position: int | None = None  # the number before its name; None: it has none
    locked: str | None = None  # the reason why the learner may not see it, for a person; None: open
    url: str | None = None  # its web page on the platform
    duration: float | None = None  # seconds; None: not known
    files: tuple[PageFile, ...] = ()  # the main one of a kind first; no pictures of readings
    chapters: tuple[PageChapter, ...] = ()  # by time


@dataclass(frozen=True, slots=True)
class PageSection:
    """A module, a lesson or a folder, with what is in it."""

    key: str  # unique within the course
    title: str
    kind: Kind = Kind.FOLDER  # MODULE, LESSON or FOLDER
    position: int | None = None
    url: str | None = None
    sections: tuple[PageSection, ...] = ()
    items: tuple[PageItem, ...] = ()
    unlisted: int = 0  # of its items: their files are not known, for the platform would record that they are listed


@dataclass(frozen=True, slots=True)
class CoursePage:
    """A course, as its page shows it."""

    key: str  # unique over all accounts: what is remembered of its lectures is stored under it
    title: str
    url: str | None = None  # its web page on the platform
    sections: tuple[PageSection, ...] = ()
    items: tuple[PageItem, ...] = ()  # those that lie directly in the course
    language: str | None = None  # of its titles and lectures; a BCP 47 tag
    overview: str | None = None  # path of the overview of all courses ("../index.html"); None: no link to it
    playlist: str | None = None  # path of the playlist ("playlist.m3u8"); None: no link to it
    deadlines: str | None = None  # path of the calendar ("deadlines.ics"); None: no link to it
    is_partial: bool = False  # the files of some items are not known yet
    image: str | None = None  # URL of its picture: for media centres, a page loads nothing from elsewhere


@dataclass(frozen=True, slots=True)
class OverviewCourse:
    """A course, as the overview of all courses shows it."""

    key: str  # as `CoursePage.key`
    title: str
    path: str  # of its folder
    items: int | None = None  # how many it has; None: it was never listed
    account: str = ""  # what the learner calls the account; "" where there is only one


@dataclass(frozen=True, slots=True)
class CoursesOverview:
    """All courses of the mount, as the overview shows them."""

    title: str = "Courses"
    courses: tuple[OverviewCourse, ...] = ()
    deadlines: str | None = None  # path of the calendar of all courses; None: no link to it


@dataclass(frozen=True, slots=True)
class PageDeadline:
    """A due date."""

    title: str
    due_ns: int  # ns since 1970
    key: str | None = None  # of the item or section that is due; None: of neither
    course: str | None = None  # for the overview: the key of the course; None on the page of a course


@dataclass(frozen=True, slots=True)
class PageProgress:
    """What changes although the course does not: what is done, and what is due.

    For a course page `done` is by the key of an item or section, for the overview by the key of a course; 0 to 1. What
    is not in it is not known.
    """

    done: Mapping[str, float] = field(default_factory=dict)
    due: tuple[PageDeadline, ...] = ()  # by time
    course_done: float | None = None  # the completed fraction of the course of a course page
