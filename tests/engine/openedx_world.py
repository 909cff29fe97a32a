"""A sample server of Open edX on real sockets, and those who speak to it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import trio

from coursefs.demo.openedx.accounts import APP, SERVICE
from coursefs.demo.openedx.description import Course
from coursefs.demo.openedx.platform import LmsAddresses, LmsPlatform
from coursefs.demo.openedx.site import Site
from coursefs.model import Wanted
from coursefs.providers.base import Account
from coursefs.providers.openedx.platform import PLATFORM
from coursefs.providers.openedx.provider import OpenEdxProvider
from coursefs.transport import Transport


@dataclass
class MemoryVault:
    """A vault whose content a test can see and change."""

    kept: dict[str, str] = field(default_factory=dict)
    saves: int = 0

    def load(self) -> Mapping[str, str]:
        return dict(self.kept)

    def save(self, secrets: Mapping[str, str]) -> None:
        self.saves += 1
        self.kept = dict(secrets)


@dataclass
class Clock:
    """A clock that a test moves."""

    time: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.time


@dataclass
class Lms:
    """A server that answers, and a transport to it."""

    platform: LmsPlatform
    addresses: LmsAddresses
    transport: Transport

    def learner(self, **form: str) -> dict[str, str]:
        """The secrets of the learner, signed in with a password."""
        user = {"username": "learner", "password": self.platform.accounts.passwords["learner"]}
        given = {"grant_type": "password", "client_id": APP, "token_type": "jwt", **user, **form}
        token: Mapping[str, Any] = self.platform.accounts.grant(given)
        return {
            "access_token": token["access_token"],
            "token_kind": token["token_type"],
            "refresh_token": token["refresh_token"],
            "access_expires": str(self.platform.accounts.now() + token["expires_in"]),
            "user_id": "learner",
        }

    def provider(
        self,
        secrets: Mapping[str, str],
        *,
        vault: MemoryVault | None = None,
        wanted: Wanted | None = None,
        transport: Transport | None = None,
        **settings: str,
    ) -> OpenEdxProvider:
        """A provider with these secrets."""
        values = {"server": self.addresses.lms, "client_id": APP if "access_token" in secrets else SERVICE, **settings}
        account = Account("edx", values, secrets, wanted or Wanted(), vault)
        made = PLATFORM.create(account, transport or self.transport)
        assert isinstance(made, OpenEdxProvider)
        return made

    def asked(self, path: str = "") -> list[str]:
        """The paths that were asked for so far and begin so, in order."""
        return [entry.path for entry in self.platform.journal.entries if entry.path.startswith(path)]

    @property
    def leaks(self) -> list[str]:
        """Requests that told the media host a secret."""
        return [entry.path for entry in self.platform.journal.entries if "leak" in entry.notes]


@asynccontextmanager
async def lms(
    *,
    courses: tuple[Course, ...] | None = None,
    gone: tuple[str, ...] = (),
    now: Callable[[], float] = time.time,
    site: Site | None = None,
) -> AsyncIterator[Lms]:
    """A server as long as the context lasts."""
    site = site or Site()
    site.gone.update(gone)
    platform = LmsPlatform(courses, site=site, now=now)
    async with trio.open_nursery() as nursery, Transport() as transport:
        addresses: LmsAddresses = await nursery.start(platform.serve)
        yield Lms(platform, addresses, transport)
        nursery.cancel_scope.cancel()
