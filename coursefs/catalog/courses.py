"""From an account's enrolments to the directories of its courses (pure but for the store it reads)."""

from __future__ import annotations

from collections.abc import Sequence

from coursefs.catalog import names
from coursefs.catalog.inode import ROOT
from coursefs.catalog.node import Entry, Node, Place
from coursefs.catalog.refresh import Changes, difference
from coursefs.catalog.store import Store
from coursefs.model import Course, Kind


def account_directory(store: Store, account: str, folder: str | None, layout: names.Layout, now_ns: int) -> int:
    """Inode of the directory that an account's courses lie in: the root, or the folder that the settings name.

    The folder is made, renamed or taken away as the settings say now.
    """
    place = Place(account)
    present = store.of_place(place, (Kind.ACCOUNT,))
    if folder is None:
        store.write(Changes(gone=tuple(present)))
        return ROOT
    wish = names.Wish(account, names.directory(layout, title=folder, slug="", position=None, kind=account))
    name = _decided(store.children(ROOT), [(f"{account}\x00", wish)], present)[f"{account}\x00"]
    entry = Entry(place, "", Kind.ACCOUNT, ROOT, name, wish.name)
    store.write(difference(present, [entry], past=store.past([entry]), new_inode=store.new_inode, now_ns=now_ns))
    return store.new_inode(entry) if (node := store.find(place, "")) is None else node.inode


def course_changes(
    store: Store, account: str, directory: int, courses: Sequence[Course], layout: names.Layout, now_ns: int
) -> Changes:
    """How the directory changes when these are the account's courses."""
    place = Place(account)
    present = store.of_place(place, (Kind.COURSE,))
    wishes = {
        course.key: names.Wish(
            course.key,
            names.directory(layout, title=course.title, slug=course.slug, position=None, kind=Kind.COURSE.value),
        )
        for course in courses
        if not course.hidden
    }
    siblings = store.children(directory)
    given = _decided(siblings, [(f"{account}\x00{key}", wish) for key, wish in wishes.items()], present)
    entries = [
        Entry(
            place=place,
            key=course.key,
            kind=Kind.COURSE,
            parent=directory,
            name=given[f"{account}\x00{course.key}"],
            wanted=wishes[course.key].name,
            url=course.url,
            modified_ns=course.enrolled_ns,
        )
        for course in courses
        if course.key in wishes
    ]
    return difference(present, entries, past=store.past(entries), new_inode=store.new_inode, now_ns=now_ns)


def _decided(siblings: Sequence[Node], wishes: list[tuple[str, names.Wish]], present: Sequence[Node]) -> dict[str, str]:
    """Names among siblings of several accounts, by `account NUL key`: those of others stay as they are."""
    mine = {(node.place, node.key) for node in present}
    shown = {_global(node): names.Shown(node.wanted, node.name) for node in (*siblings, *present)}
    others = [names.Wish(_global(node), node.wanted) for node in siblings if (node.place, node.key) not in mine]
    return names.decide([*others, *(names.Wish(key, wish.body, mark=wish.key) for key, wish in wishes)], shown)


def _global(node: Node) -> str:
    return f"{node.place.account}\x00{node.key}"
