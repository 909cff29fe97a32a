"""From an account's enrolments to the directories of its courses (pure but for the store it reads)."""

from __future__ import annotations

from collections.abc import Sequence

from coursefs.catalog import names
from coursefs.catalog.inode import ROOT
from coursefs.catalog.node import Entry, Node, Place
from coursefs.catalog.refresh import Changes, difference
from coursefs.catalog.store import Store
from coursefs.model import Course, Kind


def account_directory(store: Store, account: str, folder: str | None) -> int:
    """Inode of the directory that an account's courses lie in: the root, or the folder that the settings name."""
    if folder is None:
        return ROOT
    node = store.find(Place(account), "")
    return store.new_inode(_folder(account, folder, folder)) if node is None else node.inode


def folder_changes(store: Store, account: str, folder: str | None, layout: names.Layout, now_ns: int) -> Changes:
    """How the root changes when the account's courses are to lie in this folder, or in the root itself."""
    present = store.of_place(Place(account), (Kind.ACCOUNT,))
    if folder is None:
        return Changes(gone=tuple(present))
    wish = names.Wish(f"{account}\x00", names.directory(layout, title=folder, slug="", position=None, kind=account))
    given = _decided(store, ROOT, [wish], present)
    entry = _folder(account, given[wish.key], wish.name)
    return difference(present, [entry], past=store.past([entry]), new_inode=store.new_inode, now_ns=now_ns)


def _folder(account: str, name: str, wanted: str) -> Entry:
    return Entry(Place(account), "", Kind.ACCOUNT, ROOT, name, wanted)


def course_changes(
    store: Store, account: str, directory: int, courses: Sequence[Course], layout: names.Layout, now_ns: int
) -> Changes:
    """How the directory changes when these are the account's courses; of them it shows what was chosen."""
    place = Place(account)
    present = store.of_place(place, (Kind.COURSE,))
    choice = store.enrolments.choice(account)
    shown = [course for course in courses if choice.shows(course)]
    wishes = {
        course.key: names.Wish(
            f"{account}\x00{course.key}",
            names.directory(layout, title=course.title, slug=course.slug, position=None, kind=Kind.COURSE.value),
            mark=course.mark or course.key,
        )
        for course in shown
    }
    given = _decided(store, directory, list(wishes.values()), present)
    entries = [
        Entry(
            place=place,
            key=course.key,
            kind=Kind.COURSE,
            parent=directory,
            name=given[wishes[course.key].key],
            wanted=wishes[course.key].name,
            url=course.url,
            modified_ns=course.enrolled_ns,
        )
        for course in {course.key: course for course in shown}.values()
    ]
    return difference(present, entries, past=store.past(entries), new_inode=store.new_inode, now_ns=now_ns)


def _decided(store: Store, directory: int, wishes: list[names.Wish], present: Sequence[Node]) -> dict[str, str]:
    """Names among siblings of several accounts, by `account NUL key`: those of others stay as they are."""
    mine = {node.inode for node in present}
    siblings = [node for node in store.children(directory) if node.inode not in mine]
    others = [names.Wish(_global(node), node.wanted) for node in siblings]
    shown = {_global(node): names.Shown(node.wanted, node.name) for node in siblings}
    shown |= {_global(node): names.Shown(node.wanted, node.name) for node in present if node.parent == directory}
    split = (wish.key.split("\x00", 1) for wish in wishes)
    gone = [node for account, key in split if (node := store.find(Place(account), key)) is not None and node.is_gone]
    past = {_global(node): names.Shown(node.wanted, node.name) for node in gone}
    return names.decide([*others, *wishes], shown, past)


def _global(node: Node) -> str:
    return f"{node.place.account}\x00{node.key}"
