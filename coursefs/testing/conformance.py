"""A conformance check of a platform against the protocol of `coursefs.providers.base`.

    async with Transport() as transport:
        provider = PLATFORM.create(Account("campus", settings, secrets), transport)
        checked = await check_provider(provider, transport)
    assert checked.contents

It makes the calls of a mount: outlines, then items together and one by one, then the first bytes of some files.  Each
fault is a sentence; one `Nonconforming` lists them all.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import trio

from coursefs.errors import BadReply, CoursefsError, UsageError
from coursefs.model import Course, File, Item, Outline, Page, ProvisionalFiles, Remote, Section
from coursefs.providers import checking
from coursefs.providers.base import FEW, Provider
from coursefs.providers.platform import PROTOCOL, Platform
from coursefs.transport import Transport
from coursefs.transport.body import body_of

T = TypeVar("T")

#: how many bytes of each content are read
_BYTES = 1024


class Nonconforming(AssertionError):
    """A list of the faults: what the platform does against the protocol."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


@dataclass(slots=True)
class Checked:
    """How much was checked.  A test should assert it: a check of an empty account finds no fault."""

    courses: int = 0
    sections: int = 0
    items: int = 0
    files: int = 0
    pages: int = 0
    contents: int = 0  # files whose first bytes were read
    errors: int = 0  # items that gave an error


@dataclass(slots=True)
class MemoryVault:
    """A vault that keeps the secrets in memory, as `coursefs.providers.base.Vault` describes it."""

    secrets: dict[str, str] = field(repr=False)

    def load(self) -> Mapping[str, str]:
        """The secrets as they are now."""
        return dict(self.secrets)

    def save(self, secrets: Mapping[str, str]) -> None:
        """Store these in place of the former ones."""
        self.secrets = dict(secrets)


def check_platform(platform: Platform) -> None:
    """Check the declarations of a platform, without a request.  Raises `Nonconforming`."""
    faults = []
    if platform.protocol != PROTOCOL:
        faults.append(f"it is made for version {platform.protocol} of the protocol; this is {PROTOCOL}")
    if not platform.summary or not platform.description or not platform.example.startswith("coursefs login "):
        faults.append("its summary, its description and an example of its command line belong to it")
    faults += [f"--{option.name} has no help" for option in platform.all_options() if not option.help]
    faults += [
        f"--{option.name}: a secret must not be on the command line: make it a flag that ends in -stdin"
        for option in platform.all_options()
        if option.prompt and (not option.is_flag or not option.name.endswith("-stdin"))
    ]
    for setting in platform.settings:
        try:
            setting.check(object())
        except UsageError:
            continue
        except Exception as error:
            faults.append(f"the check of the setting {setting.key} raises {type(error).__name__}, not UsageError")
        else:
            faults.append(f"the setting {setting.key} takes anything")
    faults += _of_recognise(platform)
    if faults:
        raise Nonconforming(faults)


#: addresses that no platform but a careless one recognises, and odd ones
_STRANGE = (
    "https://nowhere.invalid/",
    "https://nowhere.invalid/a/b?c=d#e",
    "http://[::1]:80/",
    "https://x.invalid:99999/",
)


def _of_recognise(platform: Platform) -> Iterator[str]:
    """The faults of `Platform.recognise`."""
    if platform.recognise is None:
        return
    for address in _STRANGE:
        try:
            found = platform.recognise(address)
        except Exception as error:
            yield f"recognise: {type(error).__name__} for {address}; it raises nothing"
        else:
            if found is not None:
                yield f"recognise: it takes {address} for one of its own: ask for a host or a path that only it has"


async def check_provider(
    provider: Provider, transport: Transport, *, courses: int = 3, items: int = FEW, contents: int = 5
) -> Checked:
    """Check the provider of an account: at most so many courses, items of each course, and contents of each course.

    It makes the provider's own requests, and GET requests for the first bytes of some files.  Raises `Nonconforming`,
    and an error of the provider that ends the check (`NotSignedIn`, `Unreachable` …).
    """
    check = _Check(provider, transport)
    await check.sign_in()
    for course in (await check.courses())[:courses]:
        await check.course(course, items, contents)
    if check.faults:
        raise Nonconforming(check.faults)
    return check.checked


class _Check:
    def __init__(self, provider: Provider, transport: Transport) -> None:
        self._provider = provider
        self._transport = transport
        self.faults: list[str] = []
        self.checked = Checked()

    def _fault(self, what: str) -> None:
        if what not in self.faults:
            self.faults.append(what)

    async def _asked(self, what: str, ask: Callable[[], Awaitable[T]]) -> T:
        """The result of a method.  It is first called once and cancelled at its first await."""
        with trio.CancelScope() as scope:
            scope.cancel()
            await self._told(what, ask)
        return await self._told(what, ask)

    async def _told(self, what: str, ask: Callable[[], Awaitable[T]]) -> T:
        try:
            return await ask()
        except CoursefsError:
            raise
        except Exception as error:
            kind = type(error).__name__
            raise Nonconforming([*self.faults, f"{what}: {kind} is no CoursefsError: {error}"]) from error

    def _read(self, what: str, read: Callable[[object], T], raw: object) -> T:
        """A result as the checks at the boundary return it."""
        try:
            return read(raw)
        except BadReply as error:
            raise Nonconforming([*self.faults, f"{what}: it cannot be used: {error}"]) from error

    async def sign_in(self) -> None:
        first = await self._asked("whoami", self._provider.whoami)
        if self._read("whoami", checking.identity, first) != first:
            self._fault("whoami: a value of a wrong type")
        if (await self._told("whoami", self._provider.whoami)).user_id != first.user_id:
            self._fault("whoami: another user_id at the second call")

    async def courses(self) -> list[Course]:
        raw = await self._asked("courses", self._provider.courses)
        good = self._read("courses", checking.courses, raw)
        if good != list(raw):
            self._fault("courses: a value of a wrong type, or a key that comes twice")
        again = self._read("courses", checking.courses, await self._told("courses", self._provider.courses))
        if [one.key for one in again] != [one.key for one in good]:
            self._fault("courses: other keys, or another order, at the second call")
        self.checked.courses = len(good)
        return [course for course in good if not course.hidden]

    async def course(self, course: Course, most_items: int, most_contents: int) -> None:
        raw = await self._asked("outline", lambda: self._provider.outline(course))
        if raw is None:
            self._fault("outline: None without a tag")
            return
        outline = self._read("outline", checking.outline, raw)
        assert outline is not None
        if outline != raw:
            self._fault("outline: a value of a wrong type, or a key that comes twice among the sections or the items")
        again = checking.outline(await self._told("outline", lambda: self._provider.outline(course)))
        every = list(_items(outline))
        if again is None or list(_items(again)) != every:
            self._fault("outline: other items at the second call: keys, positions and details are to stay the same")
        if outline.tag is not None:
            tagged = checking.outline(await self._told("outline", lambda: self._provider.outline(course, tag=raw.tag)))
            if tagged is not None and tagged != outline:
                self._fault("outline: another outline under the same tag")
        self.checked.sections += _sections(outline)
        self.checked.items += len(every)
        await self._files(course, every[:most_items], most_contents)
        if len(every) > FEW:
            replies = await self._told("files", lambda: self._provider.files(course, every))
            self._checked_files(replies, every)

    async def _files(self, course: Course, items: Sequence[Item], most_contents: int) -> None:
        if not items:
            return
        together: dict[str, Sequence[File] | CoursefsError] = {}
        for first in range(0, len(items), FEW):
            some = items[first : first + FEW]
            replies = await self._asked("files", lambda some=some: self._provider.files(course, some))  # type: ignore[misc]
            together |= self._checked_files(replies, some)
        if any(isinstance(answer, ProvisionalFiles) for answer in together.values()):
            self._fault(f"files: provisional ones where no more than {FEW} items were asked for")
        keys = [file.key for answer in together.values() if not isinstance(answer, CoursefsError) for file in answer]
        if len(keys) != len(set(keys)):
            self._fault("files: two items have a file of the same key")
        alone = await self._told("files", lambda: self._provider.files(course, items[:1]))
        single = self._checked_files(alone, items[:1])[items[0].key]
        if _keys(single) != _keys(together[items[0].key]):
            self._fault("files: an item that is asked for alone has other files than together with others")
        remotes: list[tuple[File, Remote]] = []
        for item in items:
            answer = together[item.key]
            if isinstance(answer, CoursefsError):
                self.checked.errors += 1
                continue
            if item.locked is not None and not any(isinstance(file.body, Page) for file in answer):
                self._fault("files: a locked item gives a page that says why")
            self.checked.files += len(answer)
            self.checked.pages += sum(isinstance(file.body, Page) for file in answer)
            remotes += [(file, file.body) for file in answer if isinstance(file.body, Remote)]
        for file, remote in remotes[:most_contents]:
            await self._content(course, file, remote)

    def _checked_files(self, raw: object, items: Sequence[Item]) -> dict[str, Sequence[File] | CoursefsError]:
        found = self._read("files", lambda raw: checking.files(raw, items), raw)
        assert isinstance(raw, Mapping)  # `checking.files` has accepted it
        for item in items:
            if item.key not in raw:
                self._fault("files: an item that was asked for is not among the answers")
                continue
            given, good = raw[item.key], found[item.key]
            if not isinstance(given, CoursefsError) and (isinstance(good, CoursefsError) or list(good) != list(given)):
                self._fault("files: a value of a wrong type, or a key that comes twice")
        return found

    async def _content(self, course: Course, file: File, remote: Remote) -> None:
        for fresh in (False, True):
            try:
                raw = await self._told("source", lambda fresh=fresh: self._provider.source(course, remote, fresh=fresh))  # type: ignore[misc]
            except CoursefsError:
                self.checked.errors += 1  # a refused file is allowed: the mount shows a page in its place
                return
            source = self._read("source", checking.source, raw)
            headers = {**source.headers} if source.once else {**source.headers, "Range": f"bytes=0-{_BYTES - 1}"}
            async with self._transport.stream(source.url, headers=headers) as response:
                if response.status_code not in {200, 206, 416}:
                    self._fault(f"source: the address of a {file.kind.value} answers HTTP {response.status_code}")
                    return
                kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
                if kind == "text/html" and file.mime_type != "text/html" and not source.guarded:
                    self._fault(f"source: a web page in place of a {file.kind.value}")
                async with body_of(response, decode=True) as body:
                    async for _ in body:
                        break
        self.checked.contents += 1


def _items(tree: Outline | Section) -> Iterator[Item]:
    yield from tree.items
    for section in tree.sections:
        yield from _items(section)


def _sections(tree: Outline | Section) -> int:
    return sum(1 + _sections(section) for section in tree.sections)


def _keys(answer: Sequence[File] | CoursefsError) -> object:
    return type(answer) if isinstance(answer, CoursefsError) else {file.key for file in answer}
