"""The sign-in of an account in use: its cookie, which is read again from the vault when it is refused."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress

from coursefs.base import threads
from coursefs.errors import CoursefsError
from coursefs.providers.kit.renewal import Renewal

log = logging.getLogger(__name__)

Secrets = Mapping[str, str]


class Session:
    """The cookie of an account and the id of its user.

    `secrets` are `cauth`, and, if known, `expires` (seconds since 1970) and `user_id`.  `load` reads the stored
    secrets, which `coursefs login` may have changed; it may block, and is called in a thread.
    """

    def __init__(self, secrets: Secrets, load: Callable[[], Secrets] | None = None) -> None:
        self._secrets = secrets
        self._load = load
        self._cauth: Renewal[str] = Renewal(self.cauth)
        #: whether the stored sign-in is now that of another user
        self.is_taken_over = False

    @property
    def cauth(self) -> str:
        """The value of the cookie; "" when there is none."""
        return self._secrets.get("cauth", "")

    @property
    def user_id(self) -> str:
        """The id of the user; "" when it is not known."""
        return self._secrets.get("user_id", "")

    def belongs_to(self, user_id: str) -> None:
        """Record the id of the user, from a reply of the platform."""
        self._secrets = {**self._secrets, "user_id": user_id}

    @property
    def expires(self) -> float | None:
        """The end of the sign-in, seconds since 1970; None when it is not known."""
        with suppress(KeyError, ValueError):
            return float(self._secrets["expires"])
        return None

    async def is_renewed(self, refused: str) -> bool:
        """Whether there is another cookie than the refused one; if not, the stored secrets are read for it.

        Concurrent calls read them once.  The cookie of another user is not used, because the tree and the cache belong
        to the first user.
        """
        return await self._cauth.other_than(refused, self._kept) not in {"", refused}

    async def _kept(self) -> str:
        if self._load is not None:
            try:
                self._take(await threads.run_sync(self._load, abandon_on_cancel=True))
            except CoursefsError as error:
                log.info("found no other sign-in: %s", error)
        return self.cauth

    def _take(self, secrets: Secrets) -> None:
        self.is_taken_over = bool(self.user_id) and secrets.get("user_id") not in {None, self.user_id}
        if not self.is_taken_over and secrets.get("cauth", "") not in {"", self.cauth}:
            log.info("a new sign-in was found")
            self._secrets = {"user_id": self.user_id, **secrets}
