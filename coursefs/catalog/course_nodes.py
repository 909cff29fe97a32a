"""Course nodes: the changes of the root or an account's folder when its course list changes.

Pure, but for the store that it reads.
"""

from __future__ import annotations

from collections.abc import Sequence

from coursefs.catalog import names
from coursefs.catalog.difference import Changes, difference
from coursefs.catalog.node import ROOT, DesiredNode, Node, Place
from coursefs.catalog.store import Store
from coursefs.model import Course, Kind


def account_directory(store: Store, account: str, folder: str | None) -> int:
    """The inode of the directory that contains an account's courses: the root, or the account's folder."""
    if folder is None:
        return ROOT
    node = store.find(Place(account), "")
    return store.new_inode(_folder(account, folder, folder)) if node is None else node.inode


def folder_changes(store: Store, account: str, folder: str | None, layout: names.Layout, now_ns: int) -> Changes:
    """The changes of the root when the account's courses belong into this folder; None: into the root."""
    present = store.of_place(Place(account), (Kind.ACCOUNT,))
    if folder is None:
        return Changes(gone=tuple(present))
    desired_name = names.DesiredName(
        f"{account}\x00", names.directory(layout, title=folder, slug="", position=None, kind=account), mark=account
    )
    given = _decide_names(store, ROOT, [desired_name], present)
    node = _folder(account, given[desired_name.key], desired_name.name)
    return difference(
        present, [node], former_nodes=store.former_nodes([node]), new_inode=store.new_inode, now_ns=now_ns
    )


def _folder(account: str, name: str, wanted: str) -> DesiredNode:
    return DesiredNode(Place(account), "", Kind.ACCOUNT, ROOT, name, wanted)


def course_changes(
    store: Store, account: str, directory: int, courses: Sequence[Course], layout: names.Layout, now_ns: int
) -> Changes:
    """The changes of the directory when these are the account's courses; only selected ones are shown."""
    place = Place(account)
    present = store.of_place(place, (Kind.COURSE,))
    rule = store.enrolments.selection_rule(account)
    shown = [course for course in courses if rule.shows(course)]
    desired = {
        course.key: names.DesiredName(
            f"{account}\x00{course.key}",
            names.directory(layout, title=course.title, slug=course.slug, position=None, kind=Kind.COURSE.value),
            mark=course.mark or course.key,
        )
        for course in shown
    }
    given = _decide_names(store, directory, list(desired.values()), present)
    desired_nodes = [
        DesiredNode(
            place=place,
            key=course.key,
            kind=Kind.COURSE,
            parent=directory,
            name=given[desired[course.key].key],
            wanted=desired[course.key].name,
            url=course.url,
            modified_ns=course.enrolled_ns,
        )
        for course in {course.key: course for course in shown}.values()
    ]
    return difference(
        present, desired_nodes, former_nodes=store.former_nodes(desired_nodes), new_inode=store.new_inode, now_ns=now_ns
    )


def _decide_names(
    store: Store, directory: int, desired: list[names.DesiredName], present: Sequence[Node]
) -> dict[str, str]:
    """Names by `account NUL key`, among siblings of several accounts; the siblings keep theirs."""
    own_inodes = {node.inode for node in present}
    siblings = [node for node in store.children(directory) if node.inode not in own_inodes]
    others = [names.DesiredName(_account_key(node), node.wanted) for node in siblings]
    shown = {_account_key(node): names.DecidedName(node.wanted, node.name) for node in siblings}
    shown |= {
        _account_key(node): names.DecidedName(node.wanted, node.name) for node in present if node.parent == directory
    }
    split = (desired_name.key.split("\x00", 1) for desired_name in desired)
    gone = [node for account, key in split if (node := store.find(Place(account), key)) is not None and node.is_gone]
    former_nodes = {_account_key(node): names.DecidedName(node.wanted, node.name) for node in gone}
    return names.decide([*others, *desired], shown, former_nodes)


def _account_key(node: Node) -> str:
    return f"{node.place.account}\x00{node.key}"
