"""Panopto: recorded lectures in folders, read with the sign-in of one of its users."""

from __future__ import annotations

from coursefs.providers.base import Account, Provider
from coursefs.providers.panopto.client import PanoptoClient
from coursefs.providers.panopto.limits import Limits
from coursefs.providers.panopto.oauth import Client
from coursefs.providers.panopto.provider import PanoptoProvider
from coursefs.providers.panopto.settings import settings
from coursefs.transport import Transport

__all__ = ["Client", "Limits", "PanoptoClient", "provider"]


def provider(account: Account, transport: Transport) -> Provider:
    """Panopto for this account (entry point).  No request is made.

    Settings: see `coursefs.providers.panopto.settings`.  Secrets: the tokens that `login` kept, and the
    `client_secret` where the API client has one.  Raises `UsageError` for settings that make no sense; a missing
    sign-in shows with the first request.
    """
    own = settings(account.settings)
    limits = transport.shared(("panopto", own.server, own.client_id), lambda: Limits(own.per_minute))
    client = PanoptoClient(
        transport,
        own.server,
        Client(own.client_id, account.secrets.get("client_secret", "")),
        account.secrets,
        account=account.name,
        limits=limits,
        vault=account.vault,
    )
    return PanoptoProvider(client, own, wanted=account.wanted, media=limits.media)
