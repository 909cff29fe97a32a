"""Due dates as an iCalendar file (RFC 5545), which every calendar program imports (pure).

The bytes depend on the due dates alone, so a file that was not changed is not changed for a backup either. What is
imported again replaces what was imported before: an entry has the same UID in each file in which it is, and DTSTAMP,
LAST-MODIFIED and SEQUENCE grow when it changes, by which programs recognize the newer one.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from coursefs.base.characters import legible, one_line
from coursefs.base.due_times import EARLIEST, LATEST, is_plausible
from coursefs.pages.cleaning import link_target

if TYPE_CHECKING:
    from icalendar import Event

_PRODUCT = "-//coursefs//due dates//EN"
_AHEAD = timedelta(days=1)
#: characters; a longer URL is left out, as calendar programs refuse the whole file for one
_LONGEST_URL = 2000


@dataclass(frozen=True, slots=True)
class CalendarEntry:
    """Something that is due, as a calendar shows it."""

    account: str
    course_key: str
    key: str | None  # of the section or item that is due; None: of neither
    course: str  # its title
    title: str
    due_ns: int  # ns since 1970
    changed_ns: int = 0  # when it became what it is
    url: str | None = None


def calendar(name: str, entries: Iterable[CalendarEntry]) -> bytes:
    """The calendar of these entries, each with an alarm a day ahead; an empty one when nothing is due.

    The standard asks for one entry at least, but programs import an empty calendar, and then nothing. Times that are no
    due dates are left out. `name` is shown as the calendar's name.
    """
    from icalendar import Calendar  # late: slow to import, and few commands need it

    found = Calendar()
    found.add("version", "2.0")
    found.add("prodid", _PRODUCT)
    found.add("calscale", "GREGORIAN")
    found.add("method", "PUBLISH")
    found.add("x-wr-calname", _line(name) or "Due")
    for event in _events(entries):
        found.add_component(event)
    return bytes(found.to_ical())


def _events(entries: Iterable[CalendarEntry]) -> Iterator[Event]:
    of_one_key: Counter[tuple[str, str, str]] = Counter()
    good = [one for one in entries if is_plausible(one.due_ns)]
    for one in sorted(good, key=lambda one: (one.due_ns, one.account, one.course_key, one.key or "", one.title)):
        identity = (one.account, one.course_key, f"key {one.key}" if one.key is not None else f"title {one.title}")
        yield _event(one, _uid(*identity, of_one_key[identity]))
        of_one_key[identity] += 1


def _uid(account: str, course: str, what: str, number: int) -> str:
    """An id that is the same on every machine; `number` tells apart several dates of one thing."""
    text = "\0".join((account, course, what, *([str(number)] if number else [])))
    return f"{hashlib.sha256(text.encode(errors='surrogatepass')).hexdigest()[:32]}@coursefs"


def _event(entry: CalendarEntry, uid: str) -> Event:
    from icalendar import Alarm, Event, vUri

    due, changed = _time(entry.due_ns), min(max(_time(entry.changed_ns), EARLIEST), LATEST)
    title, course = _line(entry.title) or "Due", _line(entry.course)
    event = Event()
    event.add("uid", uid)
    event.add("dtstamp", changed)
    event.add("last-modified", changed)
    event.add("sequence", int((changed - EARLIEST).total_seconds()) // 60)  # it must grow, and fit into 31 bits
    event.add("dtstart", due)
    event.add("summary", f"{course}: {title}" if course and course != title else title)
    event.add("transp", "TRANSPARENT")  # a due date keeps nobody busy
    url = link_target(entry.url)
    if url is not None and len(url) <= _LONGEST_URL and url.isprintable():
        event.add("url", vUri(url))
        event.add("description", url)  # not every program shows an URL
    alarm = Alarm()
    alarm.add("action", "DISPLAY")
    alarm.add("trigger", -_AHEAD)
    alarm.add("description", title)
    event.add_component(alarm)
    return event


def _time(ns: int) -> datetime:
    """A time in whole seconds; those that no calendar has become the nearest that `datetime` has."""
    seconds = min(max(ns // 10**9, 0), 253_402_300_799)
    return datetime.fromtimestamp(seconds, UTC)


def _line(text: str) -> str:
    return one_line(legible(text))
