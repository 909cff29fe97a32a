"""The access token of an account in use: renewed before it expires, with single flight, and stored in the vault."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from coursefs.base import threads
from coursefs.errors import CoursefsError, NotSignedIn
from coursefs.providers.base import Vault
from coursefs.providers.kit.renewal import Renewal
from coursefs.providers.panopto.tokens import Tokens, kept

log = logging.getLogger(__name__)

#: seconds before its expiry from which a token is renewed
_MARGIN = 60.0
#: seconds that a renewal may take; until then it is shielded from cancellation
_PATIENCE = 60.0


class Bearer:
    """The access token of one account, renewed when needed.

    `ask(tokens)` renews the tokens at the platform; the new ones are stored in the `vault`.  The vault is read before
    each renewal, because another process may have renewed them, and a refresh token may be valid for one use only.
    """

    def __init__(
        self,
        secrets: Mapping[str, str],
        ask: Callable[[Tokens], Awaitable[Tokens]],
        *,
        vault: Vault | None,
        signed_out: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._tokens: Renewal[Tokens] = Renewal(
            kept(secrets), within=_PATIENCE, late="the sign-in could not be renewed in time"
        )
        self._ask = ask
        self._vault = vault
        self._signed_out = signed_out  # message of `NotSignedIn`: what to do
        self._clock = clock
        self._refused: Tokens | None = None  # tokens that the platform refused to renew: no second request

    async def token(self) -> str:
        """An access token that has not expired.  Raises `NotSignedIn`, and the errors of a request."""
        tokens = self._tokens.value
        if tokens is not None and self._is_good(tokens):
            return tokens.access
        return (await self._tokens.other_than(tokens, partial(self._renew, tokens))).access

    async def renew(self, refused: str) -> str:
        """A new access token in place of this one, which the platform has refused."""
        tokens = self._tokens.value
        if tokens is not None and tokens.access != refused:
            return tokens.access  # another task has renewed it
        # a request may use up the refresh token: its reply must be stored, so `other_than` shields it
        return (await self._tokens.other_than(tokens, partial(self._renew, tokens))).access

    async def _renew(self, old: Tokens | None) -> Tokens:
        there = await self._saved()
        if there is not None and there != old and (old is None or there.access != old.access) and self._is_good(there):
            return there
        try:
            return await self._asked(there or old)
        except NotSignedIn:
            again = await self._saved()  # another process may have used the refresh token first
            if again is None or again == there or not again.access:
                raise
            return again if self._is_good(again) else await self._asked(again)

    async def _asked(self, tokens: Tokens | None) -> Tokens:
        if tokens is None or tokens == self._refused:
            raise NotSignedIn(self._signed_out)
        try:
            new = await self._ask(tokens)
        except NotSignedIn as error:
            self._refused = tokens
            raise NotSignedIn(f"{error}; {self._signed_out}") from None
        if self._vault is not None:
            vault = self._vault

            def save() -> None:
                vault.save({**vault.load(), **new.secrets()})

            try:
                await threads.run_sync(save)
            except CoursefsError as error:
                log.warning("the renewed sign-in could not be kept: %s", error)
        return new

    async def _saved(self) -> Tokens | None:
        if self._vault is None:
            return None
        try:
            return kept(await threads.run_sync(self._vault.load))
        except CoursefsError as error:
            log.info("the kept sign-in could not be read: %s", error)
            return None

    def _is_good(self, tokens: Tokens) -> bool:
        return bool(tokens.access) and tokens.expires - _MARGIN > self._clock()
