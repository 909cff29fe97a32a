"""What the floors of the house say to each other: immutable objects without behaviour.

A provider translates platform replies into these, the catalogue stores them and gives them names, the mount shows
them.  Keys are stable ids of the platform: a title, a position or a URL may change, a key does not.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field


class Kind(enum.StrEnum):
    """What something is, as `user.coursefs.kind` and `courses list --json` show it."""

    ROOT = "root"
    ACCOUNT = "account"
    COURSE = "course"
    MODULE = "module"
    LESSON = "lesson"
    FOLDER = "folder"
    VIDEO = "video"
    AUDIO = "audio"
    SUBTITLE = "subtitle"
    TRANSCRIPT = "transcript"
    ATTACHMENT = "attachment"
    IMAGE = "image"
    READING = "reading"
    LINK = "link"


class Placement(enum.Enum):
    """How the name of a file is made from its item's stem (`01 Introduction`) and its own title and extension."""

    MAIN = "main"  # stem + extension:                   01 Introduction.mp4, 01 Introduction.en.srt
    MARKED = "marked"  # stem + " (" + title + ")" + extension:  03 Module 1 Quiz (quiz).html
    ATTACHED = "attached"  # stem + " - " + title + extension:  01 Introduction - Slides.pdf
    BESIDE = "beside"  # stem + ".files/" + title + extension:  02 How this course works.files/diagram.png


@dataclass(frozen=True, slots=True)
class Course:
    """One course that an account is enrolled in."""

    key: str  # the platform's id, unique within the account
    slug: str
    title: str
    url: str | None = None  # web page of the course
    enrolled_ns: int | None = None  # time of enrolment, ns since 1970
    hidden: bool = False  # there is nothing to show: of a platform that was shut off, or the learner is not enrolled
    mark: str | None = None  # what tells it apart from one of the same title, its run; None: its key


@dataclass(frozen=True, slots=True)
class Item:
    """One step of a course: a lecture, a reading, a quiz.  It becomes one or more files in its section's directory."""

    key: str  # stable, unique within the course
    title: str
    slug: str
    position: int | None  # 1-based among all siblings on the platform; None where the platform has no order
    type_name: str  # the platform's own word: "lecture", "supplement", "staffGraded" …
    url: str | None = None  # web page of the item
    locked: str | None = None  # why the learner may not see it, for a person; None: open
    details: Mapping[str, str] = field(default_factory=dict)  # whatever the provider needs to find its files


@dataclass(frozen=True, slots=True)
class Section:
    """A directory of a course: a module, a lesson, a folder."""

    key: str  # stable, unique within the course
    kind: Kind
    title: str
    slug: str
    position: int | None  # as for Item
    url: str | None = None
    sections: tuple[Section, ...] = ()
    items: tuple[Item, ...] = ()


@dataclass(frozen=True, slots=True)
class Outline:
    """Everything that can be known of a course without asking for each of its items."""

    sections: tuple[Section, ...]
    items: tuple[Item, ...] = ()  # items that lie directly in the course's directory
    tag: str | None = None  # what the platform calls this state of it (an ETag)


@dataclass(frozen=True, slots=True)
class Remote:
    """Bytes that lie on the platform, named by ids only: a signed URL is never part of an identity.

    `identity` says which bytes these are (`video/<courseId>~<itemId>/720p.mp4`): equal identity within an account
    means the same content as far as the platform says, up to its version (ETag, Last-Modified, size).
    `locator` is what `Provider.source` needs to get a URL.
    """

    identity: str
    locator: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Page:
    """Bytes that coursefs writes itself: a complete HTML document.

    Where the page refers to files beside it, it says `coursefs-beside:<file key>` in place of a URL; the catalogue,
    which decides names, puts the relative link there (`coursefs.pages.beside`).
    """

    html: str


@dataclass(frozen=True, slots=True)
class File:
    """One file of an item, as the provider knows it: everything but its final name and inode."""

    key: str  # stable, unique within the course; the inode number is made of it
    kind: Kind
    placement: Placement
    title: str  # of an attachment or a marker; "" for MAIN
    extension: str  # with its dot: ".mp4", ".en.srt"
    mime_type: str
    body: Remote | Page
    url: str | None = None  # web page, shown as user.xdg.origin.url
    modified_ns: int | None = None  # where the platform says one
    size: int | None = None  # bytes of a `Remote`, where a listing says them; what its server says counts more


class Sketch(tuple[File, ...]):
    """The files of an item as far as a listing lets them be expected.

    A provider that was asked for many items at once may answer so; asked for a few it says what there is.
    """

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Source:
    """Where the bytes of a `Remote` can be had right now.

    `headers` are for that URL's host alone and are never sent to another one, redirects included.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    expires: float | None = None  # seconds since 1970; None: does not end
    once: bool = False  # for one GET, which brings everything from its first byte on; a HEAD does not use it up
    guarded: bool = False  # who is signed out gets a web page there, not a refusal


@dataclass(frozen=True, slots=True)
class Version:
    """Which bytes a `Remote` has at a moment, as far as the server says."""

    size: int  # bytes
    etag: str | None = None
    modified_ns: int | None = None  # Last-Modified, ns since 1970


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose account it is."""

    user_id: str
    name: str | None = None
    expires: float | None = None  # when the sign-in ends, seconds since 1970, where known


@dataclass(frozen=True, slots=True)
class Deadline:
    """Something of a course that is due."""

    title: str
    due_ns: int  # ns since 1970
    key: str | None = None  # of the item or the section, where it is one
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """How a learner stands in a course, as far as the platform says; None and () are what it does not say."""

    done: float | None = None  # part of the course that is completed, 0 to 1
    grade: float | None = None  # 0 to 1
    passed: bool | None = None
    starts_ns: int | None = None  # ns since 1970
    ends_ns: int | None = None
    deadlines: tuple[Deadline, ...] = ()  # by time
    instructors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """One way to ask a platform for something, and whether it is still there."""

    name: str  # what is asked for, and with which of the platform's resources: "video (onDemandLectureVideos.v1)"
    trouble: str | None = None  # what was wrong with it when it was used last; None: it answered, or was not needed yet


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of the platform's choice of files is wanted: `[layout]` of the settings."""

    subtitles: tuple[str, ...] = ("en",)  # languages in order; ("all",): every one
    video: int | None = None  # lines (720); None: the highest
