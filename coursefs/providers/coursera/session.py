"""The sign-in of an account while it is in use: a cookie that is refused may have been replaced meanwhile."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress

import trio

from coursefs.errors import CoursefsError

log = logging.getLogger(__name__)

Secrets = Mapping[str, str]


class Session:
    """Who is signed in, and by which cookie.

    `secrets` are `cauth`, and `expires` (seconds since 1970) and `user_id` where they are known.  `load` gives them as
    they are kept now, which `coursefs login` may have changed; it may block, and is called in a thread.
    """

    def __init__(self, secrets: Secrets, load: Callable[[], Secrets] | None = None) -> None:
        self._secrets = secrets
        self._load = load
        self._turn = trio.Lock()
        self._looks = 0
        #: whether the sign-in that is kept now is another user's
        self.is_taken_over = False

    @property
    def cauth(self) -> str:
        """The value of the cookie; "" where there is none."""
        return self._secrets.get("cauth", "")

    @property
    def user_id(self) -> str:
        """Whose sign-in it is; "" where that was never asked."""
        return self._secrets.get("user_id", "")

    def belongs_to(self, user_id: str) -> None:
        """Note whose sign-in it is, as the platform says."""
        self._secrets = {**self._secrets, "user_id": user_id}

    @property
    def expires(self) -> float | None:
        """When it ends, seconds since 1970, where that is known."""
        with suppress(KeyError, ValueError):
            return float(self._secrets["expires"])
        return None

    async def is_renewed(self, refused: str) -> bool:
        """Whether there is another cookie than the one that was refused; it is looked for where secrets are kept.

        Those who ask at the same time look once.  The cookie of another user is not taken: what is shown and cached
        is the first one's.
        """
        looks = self._looks
        async with self._turn:
            if self.cauth == refused and self._looks == looks and self._load is not None:
                try:
                    self._take(await trio.to_thread.run_sync(self._load, abandon_on_cancel=True))
                except CoursefsError as error:
                    log.info("no other sign-in was found: %s", error)
                self._looks += 1
        return self.cauth not in {"", refused}

    def _take(self, secrets: Secrets) -> None:
        self.is_taken_over = bool(self.user_id) and secrets.get("user_id") not in {None, self.user_id}
        if not self.is_taken_over and secrets.get("cauth", "") not in {"", self.cauth}:
            log.info("a new sign-in was found")
            self._secrets = {"user_id": self.user_id, **secrets}
