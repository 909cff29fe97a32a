"""The loss guard: a reply that removes known content is believed only with proof.

Platforms answer "locked", "gone" and "empty" for many reasons that have nothing to do with the content: an expired
session, a login portal in front of every route, a cache that is being rebuilt. Before such a reply replaces known
content, two conditions must hold:

1. the sign-in has just been proved alive by an independent request (`Provider.whoami`), and belongs to the same user;
2. not everything gets that reply: another item of the course still has content of the same kind when it is fetched
   *afterwards*; in an outline or a course list, something known remains.

Until then the known content stays, the status gives the reason, and the refresh is repeated.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from coursefs.base.crash_messages import log_unforeseen
from coursefs.catalog.node import Node, Place, StoredItem
from coursefs.catalog.store import Store
from coursefs.errors import BadReply, CoursefsError, Gone, NotAllowed, NotSignedIn
from coursefs.model import Course, File, Item, Kind, Outline, ProvisionalFiles, Section
from coursefs.providers.base import Provider

log = logging.getLogger(__name__)

#: kinds of files that count as content; link pages are what replaces lost content
CONTENT = frozenset({Kind.VIDEO, Kind.AUDIO, Kind.READING, Kind.ATTACHMENT})
#: seconds for which a sign-in counts as proved alive, so that an update with many losses makes few proofs
_PROOF_LASTS = 30.0
#: control samples: other items that are fetched before a reply counts as one that everything gets
_CONTROLS = 3
#: ns after which an outline or course list is believed although nothing known is left in it: a course may have been
#: imported again with other ids. An empty one is never believed
_BELIEVED_AFTER = 24 * 3600 * 10**9


#: the platform's type of an item, and the kind of content that it has lost
Loss = tuple[str, Kind]


def kinds_lost(known: Collection[Kind], files: Sequence[File]) -> frozenset[Kind]:
    """The kinds of content that an item had and that its new files lack (pure)."""
    return frozenset(known) & CONTENT - {file.kind for file in files}


@dataclass(frozen=True, slots=True)
class OutlineLoss:
    """The open items that a new outline removes: how many with fetched files, and whether it is all of them."""

    looked_at: int
    is_all: bool


def outline_loss(before: Iterable[StoredItem], outline: Outline) -> OutlineLoss:
    """The loss of an outline compared with the stored items (pure)."""
    now_open = {item.key for item in _items(outline) if item.locked is None}
    was_open = [stored for stored in before if stored.item.locked is None]
    lost = [stored for stored in was_open if stored.item.key not in now_open]
    return OutlineLoss(sum(stored.fetched_ns is not None for stored in lost), len(lost) == len(was_open))


def _items(level: Outline | Section) -> Iterator[Item]:
    yield from level.items
    for section in level.sections:
        yield from _items(section)


class LossGuard:
    """Decides for `Refresher` whether a loss is believed. Methods raise `NotSignedIn` if the sign-in has expired."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._proved: dict[str, tuple[Provider, float]] = {}  # account -> its provider, monotonic s

    def forget(self, account: str) -> None:
        """Discard the proof of an account's sign-in."""
        self._proved.pop(account, None)

    async def courses(self, account: str, provider: Provider, courses: Sequence[Course]) -> None:
        """Return if a new course list can be believed. Raises `BadReply` if it cannot, or not yet."""
        added = {one.key for one in self._store.enrolments.added(account)}  # the platform need not list these
        known = {one.key for one in self._store.enrolments.courses(account) if not one.hidden} - added
        lost = known - {one.key for one in courses if not one.hidden}
        if not lost:
            return
        await self.prove(account, provider)
        if lost == known and not self._is_old_doubt(Place(account)):
            raise BadReply(f"{account}: the platform lists none of the known courses; they are kept")

    async def outline(self, account: str, provider: Provider, place: Place, outline: Outline, name: str) -> None:
        """Return if a new outline can be believed. Raises `BadReply` if it cannot, or not yet."""
        loss = outline_loss(self._store.items.of_course(place), outline)
        if not loss.looked_at:
            return
        await self.prove(account, provider)
        if loss.is_all and not self._is_old_doubt(place):
            raise BadReply(f"{name}: the platform lists none of its open items; they are kept")

    async def files(
        self,
        account: str,
        provider: Provider,
        course: Course,
        stored_items: Sequence[StoredItem],
        replies: Mapping[str, Sequence[File] | CoursefsError],
    ) -> Mapping[str, CoursefsError]:
        """The items whose new files cannot be believed, by key, with the reason."""
        lost: dict[str, frozenset[Loss]] = {}
        for stored in stored_items:
            reply = replies.get(stored.item.key)
            if stored.item.locked is not None or reply is None or isinstance(reply, (CoursefsError, ProvisionalFiles)):
                continue  # the outline already said that it is locked; errors and provisional files remove nothing
            if kinds := kinds_lost(self._known(stored), reply):
                lost[stored.item.key] = frozenset((stored.item.type_name, kind) for kind in kinds)
        if not lost:
            return {}
        await self.prove(account, provider)
        every = frozenset[Loss]().union(*lost.values())
        doubted = {
            loss for loss in every if not await self._is_served_elsewhere(provider, course, loss, stored_items, lost)
        }
        reason = "the platform no longer shows its content, nor other content of the course; the old files are kept"
        return {key: BadReply(reason) for key, losses in lost.items() if losses & doubted}

    def _known(self, stored: StoredItem) -> set[Kind]:
        """The kinds of content that an item shows with a known size."""
        return {node.kind for node in self._store.children(stored.directory) if _is_content(node, stored.item.key)}

    async def _is_served_elsewhere(
        self, provider: Provider, course: Course, loss: Loss, stored_items: Sequence[StoredItem], lost: Collection[str]
    ) -> bool:
        """Whether another item of the same type still has this kind of content, fetched now.

        Items of other types prove nothing: another service of the platform may serve them.
        """
        type_name, kind = loss
        asked_with = {stored.item.key for stored in stored_items}
        controls = [
            stored
            for stored in self._store.items.of_course(stored_items[0].place)
            if stored.error is None
            and stored.item.locked is None
            and stored.item.type_name == type_name
            and stored.item.key not in lost
            and (stored.fetched_ns is None or kind in self._known(stored))
        ]
        controls.sort(key=lambda stored: (stored.fetched_ns is None, stored.item.key not in asked_with))
        for control in controls[:_CONTROLS]:
            try:
                replies = await provider.files(course, [control.item])
            except (NotAllowed, Gone, BadReply) as error:
                if isinstance(error, NotSignedIn):
                    raise
                continue
            reply = replies.get(control.item.key, ())
            if not isinstance(reply, CoursefsError) and kind in {file.kind for file in reply}:
                return True
        return False

    async def prove(self, account: str, provider: Provider) -> None:
        """Return if the sign-in is alive and belongs to the known user. Raises what `Provider.whoami` raises."""
        proved_by, at = self._proved.get(account, (None, float("-inf")))
        if proved_by is provider and time.monotonic() - at < _PROOF_LASTS:
            return
        self.forget(account)
        try:
            identity = await provider.whoami()
        except CoursefsError:
            raise
        except Exception as error:
            log_unforeseen(log, f"asking who is signed in to {account}", error)
            raise BadReply(f"{account}: cannot check the sign-in; the old files are kept") from error
        user = self._store.user_of(account)
        if user is not None and identity.user_id != user:
            raise BadReply(f"{account}: the sign-in is another user's; the old files are kept")
        self._proved[account] = (provider, time.monotonic())

    def _is_old_doubt(self, place: Place) -> bool:
        """Whether replies for this place have been doubted for a day, without a good one in between."""
        now = time.time_ns()
        return now - self._store.fetch_log.doubted_since(place, now) >= _BELIEVED_AFTER


def _is_content(node: Node, item: str) -> bool:
    is_known = node.size is not None  # a file that was only listed is no loss
    return node.item == item and node.kind in CONTENT and is_known and not node.is_notice
