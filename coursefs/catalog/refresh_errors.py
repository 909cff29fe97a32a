"""Refresh errors: the last failure of each place, and the items whose new files are doubted.

They are kept in memory only. A failure delays the next background refresh, and `coursefs status` shows it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from coursefs.catalog.node import Place, StoredItem
from coursefs.errors import (
    BadReply,
    CaptivePortal,
    CoursefsError,
    NoAnswer,
    NotSignedIn,
    Unreachable,
    without_variables,
)

#: monotonic seconds, and the error
_Failure = tuple[float, CoursefsError]
#: failures of a whole account: the success of any of its requests shows that they are over
_OF_THE_ACCOUNT = (NotSignedIn, Unreachable, NoAnswer)
#: seconds between two requests for a place while a captive portal answers
_PORTAL = 3.0


class RefreshErrors:
    """The failures of all accounts since their last success."""

    def __init__(self) -> None:
        self._errors: dict[Place, _Failure] = {}
        self._doubts: dict[Place, dict[str, _Failure]] = {}  # by item key
        self._signed_out: set[str] = set()  # accounts
        #: called when the sign-in of an account has ended, with the error, and when it is accepted again, with None
        self.on_sign_in: Callable[[str, NotSignedIn | None], None] = lambda *_: None

    def remember(self, place: Place, error: CoursefsError) -> CoursefsError:
        """Record a failure, and return it to be raised. An expired sign-in is recorded for the account too."""
        failure = (time.monotonic(), without_variables(error))
        self._errors[place] = failure
        if isinstance(error, NotSignedIn):
            self._errors[replace(place, course="")] = failure
            self.sign_in_ended(place.account, error)
        return error

    def sign_in_ended(self, account: str, error: NotSignedIn) -> None:
        """Record that a sign-in is not accepted; no place has failed."""
        if account not in self._signed_out:
            self._signed_out.add(account)
            self.on_sign_in(account, error)

    def succeeded(self, place: Place) -> None:
        """Record a success: it proves the sign-in and the network.

        A list of courses clears all failures of its account.
        """
        self._errors.pop(place, None)
        self._errors = {
            known: failure
            for known, failure in self._errors.items()
            if known.account != place.account or (place.course and not isinstance(failure[1], _OF_THE_ACCOUNT))
        }
        if place.account in self._signed_out:
            self._signed_out.discard(place.account)
            self.on_sign_in(place.account, None)

    def forget(self, account: str) -> None:
        """Forget everything of an account that is no longer shown, or is another user's now."""
        self.clear(account)
        self._signed_out.discard(account)
        self._doubts = {place: known for place, known in self._doubts.items() if place.account != account}

    def clear(self, account: str | None = None) -> None:
        """Forget the failures of one account, or of all."""
        self._errors = {
            place: failure
            for place, failure in self._errors.items()
            if account is not None and place.account != account
        }

    def error(self, place: Place) -> CoursefsError | None:
        """The failure of the last refresh of a place; None if it succeeded."""
        return self._errors.get(place, (0.0, None))[1]

    def failed_lately(self, place: Place, within: float) -> bool:
        """Whether a refresh of a place failed in the last `within` seconds."""
        return self.pause(place, within) > 0

    def pause(self, place: Place, within: float) -> float:
        """Seconds until a place is refreshed in the background again, `within` seconds after it failed; 0: now.

        After a captive portal less: people sign in to it at once, and until then no platform is asked.
        """
        at, error = self._errors.get(place, (float("-inf"), None))
        return max(0.0, at + (min(within, _PORTAL) if isinstance(error, CaptivePortal) else within) - time.monotonic())

    def of_account(self, account: str) -> CoursefsError | None:
        """The latest failure or doubt of an account; None if there is none."""
        errors = [failure for place, failure in self._errors.items() if place.account == account]
        for place, known in self._doubts.items():
            doubt = self.doubt(place)
            if place.account == account and doubt is not None:
                errors.append((max(at for at, _ in known.values()), doubt))
        return max(errors, key=lambda failure: failure[0])[1] if errors else None

    # -- doubts of the loss guard ----------------------------------------------------------------------------------

    def note_doubts(self, place: Place, fetched: Sequence[StoredItem], doubted: Mapping[str, CoursefsError]) -> None:
        """Record which of the fetched items are doubted; the others no longer are."""
        known = self._doubts.setdefault(place, {})
        for stored in fetched:
            known.pop(stored.item.key, None)
        known.update({key: (time.monotonic(), error) for key, error in doubted.items()})
        if not known:
            del self._doubts[place]

    def doubt(self, place: Place) -> CoursefsError | None:
        """Why old content of a course is still shown although the platform no longer lists it; None if none is."""
        known = self._doubts.get(place)
        if not known:
            return None
        reason = "the platform no longer shows the content of {} of its items; the old files are kept"
        return BadReply(reason.format(len(known)))
