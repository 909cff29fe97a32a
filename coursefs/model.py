"""The data types passed between layers: frozen dataclasses without behaviour.

A provider translates platform replies into these, the catalogue stores them and decides their names, the mount shows
them. Keys are stable ids of the platform: a title, a position or a URL may change, a key does not.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

#: bytes that the kernel is told to read ahead of a program (where the mount is root's; else its default counts).  The
#: mount sets it, and the planner of the content engine must not take what it brings for reads of the program.
KERNEL_READ_AHEAD = 512 * 2**10


class Kind(enum.StrEnum):
    """The kind of a node, as `user.coursefs.kind` and `courses list --json` show it."""

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
    PAGE = "page"  # the course page, and what goes with it


class Placement(enum.Enum):
    """How a file's name is made from its item's stem (`01 Introduction`) and its own title and extension."""

    MAIN = "main"  # stem + extension:                   01 Introduction.mp4, 01 Introduction.en.srt
    MARKED = "marked"  # stem + " (" + title + ")" + extension:  03 Module 1 Quiz (quiz).html
    ATTACHED = "attached"  # stem + " - " + title + extension:  01 Introduction - Slides.pdf
    BESIDE = "beside"  # stem + ".files/" + title + extension:  02 How this course works.files/diagram.png


@dataclass(frozen=True, slots=True)
class About:
    """What a public catalogue says of a course; "", None and () mean that it does not."""

    level: str = ""  # "beginner"
    length: str = ""  # "one to four weeks"
    rating: float | None = None  # 0 to 5
    ratings: int | None = None  # how many there are
    partners: tuple[str, ...] = ()  # universities and companies
    description: str = ""
    image_url: str | None = None


@dataclass(frozen=True, slots=True)
class Course:
    """A course of an account."""

    key: str  # the platform's id, unique within the account
    slug: str
    title: str
    url: str | None = None  # web page of the course
    enrolled_ns: int | None = None  # time of enrolment, ns since 1970
    hidden: bool = False  # not shown: it is on a platform that was shut down, or the learner is not enrolled
    mark: str | None = None  # suffix if another course has the same title (its run); None: the key
    image: str | None = None  # URL of its picture, which needs no sign-in
    about: About | None = field(default=None, compare=False)  # of a search; not stored


#: in `Item.details`: fetching the item's files is recorded on the platform, as opening its page is
LEAVES_TRACES = "traces"


@dataclass(frozen=True, slots=True)
class Item:
    """An item of a course: a lecture, a reading, a quiz. It becomes one or more files in its section's directory."""

    key: str  # stable, unique within the course
    title: str
    slug: str
    position: int | None  # 1-based among all siblings on the platform; None where the platform has no order
    type_name: str  # the platform's own term: "lecture", "supplement", "staffGraded" …
    url: str | None = None  # web page of the item
    locked: str | None = None  # the reason why the learner may not see it, for a person; None: open
    details: Mapping[str, str] = field(default_factory=dict)  # what the provider needs to find its files
    duration: float | None = None  # seconds: of a recording; of any other item as the platform estimates; None: unknown


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
    """The structure of a course, as one request lists it, without the files of its items."""

    sections: tuple[Section, ...]
    items: tuple[Item, ...] = ()  # items that lie directly in the course's directory
    tag: str | None = None  # version tag of the outline (an ETag), for a conditional request


#: in `Remote.locator`: the bytes are the learner's own (a submission, own notes); they never enter a shared cache
PERSONAL = "personal"


@dataclass(frozen=True, slots=True)
class Remote:
    """Bytes on the platform, named by ids only: a signed URL is never part of an identity.

    `identity` names the bytes (`video/<courseId>~<itemId>/720p.mp4`): equal identity within an account means the same
    content up to its version (ETag, Last-Modified, size). `locator` is what `Provider.source` needs to get a URL.
    """

    identity: str
    locator: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Page:
    """Bytes that coursefs writes itself: a complete HTML document.

    Links to files beside the page have the URL `coursefs-beside:<file key>`; the catalogue decides names and puts the
    relative link there (`coursefs.pages.cleaning`).
    """

    html: str


@dataclass(frozen=True, slots=True)
class File:
    """One file of an item, as the provider describes it: everything but its final name and its inode."""

    key: str  # stable, unique within the course; the inode number is a hash of it
    kind: Kind
    placement: Placement
    title: str  # of an attachment or a marker; "" for MAIN
    extension: str  # with its dot: ".mp4", ".en.srt"
    mime_type: str
    body: Remote | Page
    url: str | None = None  # web page, shown as user.xdg.origin.url
    modified_ns: int | None = None  # ns since 1970; None: the platform gives no date
    size: int | None = None  # bytes of a `Remote` if a listing gives them; the size that its server gives replaces it


class ProvisionalFiles(tuple[File, ...]):
    """Provisional files: the files of an item as a listing predicts them, before the item itself was asked for.

    A provider that is asked for many items at once may return these; asked for at most `providers.base.FEW` items, it
    returns the final ones.
    """

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Source:
    """A URL from which the bytes of a `Remote` can be fetched now.

    `headers` are for that URL's host alone and are never sent to another one, redirects included.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    expires: float | None = None  # seconds since 1970; None: does not expire
    once: bool = False  # valid for one GET, which returns the whole content; a HEAD does not use it up
    guarded: bool = False  # without a valid sign-in the server returns a web page (200), not an error


@dataclass(frozen=True, slots=True)
class Version:
    """The version of a `Remote`, as its server gives it."""

    size: int  # bytes
    etag: str | None = None
    modified_ns: int | None = None  # Last-Modified, ns since 1970


@dataclass(frozen=True, slots=True)
class Identity:
    """The user that an account is signed in as."""

    user_id: str
    name: str | None = None
    expires: float | None = None  # when the sign-in expires, seconds since 1970; None: not known


@dataclass(frozen=True, slots=True)
class Deadline:
    """A due date of a course."""

    title: str
    due_ns: int  # ns since 1970
    key: str | None = None  # of the item or section that is due; None: of neither
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """A learner's progress in a course; None and () mean that the platform does not give it."""

    done: float | None = None  # completed fraction of the course, 0 to 1
    grade: float | None = None  # 0 to 1
    passed: bool | None = None
    starts_ns: int | None = None  # ns since 1970
    ends_ns: int | None = None
    deadlines: tuple[Deadline, ...] = ()  # by time
    instructors: tuple[str, ...] = ()
    about: About | None = None  # the course, as the public catalogue shows it


@dataclass(frozen=True, slots=True)
class CourseProgress:
    """How much of a course is done; `parts` by the key of a section or item, 0 to 1."""

    done: float | None = None  # of the whole course
    parts: Mapping[str, float] = field(default_factory=dict)
    lists_items: bool = False  # an item that is not in `parts` is not done


@dataclass(frozen=True, slots=True)
class RouteState:
    """One API route of a platform, and whether it still works."""

    name: str  # the purpose and the platform's resource: "video (onDemandLectureVideos.v1)"
    trouble: str | None = None  # the error of its last use; None: it worked, or was not used yet


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which variants of files the user wants (`[layout]` of the settings)."""

    subtitles: tuple[str, ...] = ("en",)  # languages in order of preference; ("all",): all of them
    video: int | None = None  # lines (720); None: the highest
    voices: tuple[str, ...] = ()  # languages of dubbed lectures that are shown besides; ("all",): all of them
    audio_description: bool = False  # also the videos with a spoken description of what is seen
    quizzes: bool = False  # own answers and feedback of quizzes that were taken, as pages
    readings: tuple[str, ...] = ("html",)  # their formats; with "md" there is Markdown beside each page
    #: pictures of courses, where they cost a request; no file depends on it, so fingerprints of settings do without it
    pictures: bool = field(default=False, repr=False)
