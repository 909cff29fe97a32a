"""Coursera: on-demand courses, read with the learner's own sign-in."""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import urlsplit

from coursefs.errors import UsageError
from coursefs.providers.base import Account, Provider
from coursefs.providers.coursera.choice import choice_of
from coursefs.providers.coursera.client import BASE_URL, CourseraClient
from coursefs.providers.coursera.provider import CourseraProvider
from coursefs.providers.coursera.session import Session
from coursefs.transport import Bucket, Transport, require_safe_url

__all__ = ["CourseraClient", "provider"]

#: requests a second, and how many at once after a rest, where the settings say nothing
_RATE = 10.0
_BURST = 30


def provider(account: Account, transport: Transport) -> Provider:
    """Coursera for this account (entry point).  No request is made.

    Settings: `base_url`, `requests_per_second`, and those of `coursefs.providers.coursera.choice.choice_of`.  Secrets:
    `cauth`, and `expires` (seconds since 1970) and `user_id` where they are known; when the cookie is refused, the
    account's vault is looked into for another one.  Raises `UsageError` for settings that make no sense; a missing
    sign-in shows with the first request.
    """
    base_url = _base_url(account.settings.get("base_url", BASE_URL))
    client = CourseraClient(
        transport,
        session=Session(account.secrets, account.vault.load if account.vault else None),
        base_url=base_url,
        account=account.name,
        bucket=Bucket(_rate(account.settings.get("requests_per_second")), _BURST),
    )
    return CourseraProvider(client, base_url, choice=choice_of(account.settings, account.wanted))


def _base_url(value: str) -> str:
    require_safe_url(value)
    parts = urlsplit(value)
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise UsageError("base_url: an address such as https://www.coursera.org is meant")
    return value.rstrip("/")


def _rate(value: str | None) -> float:
    if value is None:
        return _RATE
    with suppress(ValueError):
        rate = float(value)
        if 0.01 <= rate <= 1000:
            return rate
    raise UsageError("requests_per_second: a number from 0.01 to 1000 is meant")
