"""The access token while a mount runs: renewed before it ends, by one task for all, and kept."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Mapping

import trio

from coursefs.errors import CoursefsError, NoAnswer, NotSignedIn
from coursefs.providers.base import Vault
from coursefs.providers.panopto.tokens import Tokens, kept

log = logging.getLogger(__name__)

#: seconds before its end at which a token is renewed
_MARGIN = 60.0
#: seconds that a renewal may take; it is not cancelled by who waits for it
_PATIENCE = 60.0


class Bearer:
    """Gives out the access token of one account.

    `ask(tokens)` renews them at the platform.  What it brings is saved in the `vault`, and before it is asked the
    vault is looked at: another process may have renewed the tokens, and a refresh token may be good for one use.
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
        self._tokens = kept(secrets)
        self._ask = ask
        self._vault = vault
        self._signed_out = signed_out  # message of `NotSignedIn`: what to do
        self._clock = clock
        self._refused: Tokens | None = None  # these cannot be renewed: the platform is not asked again
        self._turn = trio.Lock()

    async def token(self) -> str:
        """An access token that has not ended as far as is known.  Raises `NotSignedIn`, `NoAnswer` and the like."""
        tokens = self._tokens
        if tokens is not None and self._is_good(tokens):
            return tokens.access
        return await self._renewed(tokens)

    async def renew(self, refused: str) -> str:
        """Another access token than this one, which the platform has refused."""
        tokens = self._tokens
        if tokens is not None and tokens.access != refused:
            return tokens.access  # somebody was quicker
        return await self._renewed(tokens)

    async def _renewed(self, old: Tokens | None) -> str:
        async with self._turn:
            if self._tokens is not None and self._tokens is not old:
                return self._tokens.access
            # A refresh token may be used up by being asked with: what comes for it is to be kept, whoever waits.
            with trio.CancelScope(shield=True, deadline=trio.current_time() + _PATIENCE):
                self._tokens = await self._renew(old)
                return self._tokens.access
            raise NoAnswer("the sign-in could not be renewed in time")

    async def _renew(self, old: Tokens | None) -> Tokens:
        there = await self._saved()
        if there is not None and there != old and (old is None or there.access != old.access) and self._is_good(there):
            return there
        try:
            return await self._asked(there or old)
        except NotSignedIn:
            again = await self._saved()  # another process may have asked in the same moment, and have won
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
                await trio.to_thread.run_sync(save)
            except CoursefsError as error:
                log.warning("the renewed sign-in could not be kept: %s", error)
        return new

    async def _saved(self) -> Tokens | None:
        if self._vault is None:
            return None
        try:
            return kept(await trio.to_thread.run_sync(self._vault.load))
        except CoursefsError as error:
            log.info("the kept sign-in could not be read: %s", error)
            return None

    def _is_good(self, tokens: Tokens) -> bool:
        return bool(tokens.access) and tokens.expires - _MARGIN > self._clock()
