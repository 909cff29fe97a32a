"""Which tier a value of `cache.shared` opens, and which values are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from coursefs.errors import UsageError
from coursefs.shared.discovery import DiscoveredTier
from coursefs.shared.folder import FolderTier
from coursefs.shared.objects import ObjectTier
from coursefs.shared.opening import open_tier
from coursefs.shared.web import WebTier


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("/srv/courses", FolderTier),
        ("https://cache.example.org/pieces", WebTier),
        ("http://127.0.0.1:8765", WebTier),
        ("http://localhost:8765", WebTier),
        ("http://[::1]:8765", WebTier),
        ("s3://bucket/prefix", ObjectTier),
    ],
)
async def test_a_place_opens_its_tier(place: str, kind: type) -> None:
    tier = open_tier(place, token="secretsecret")
    try:
        assert isinstance(tier, kind)
        assert tier.place == place
    finally:
        await tier.aclose()


@pytest.mark.parametrize("host", ["192.168.1.5:8765", "localhost.example.org", "127.example.org", "127.0.0.1.nip.io"])
async def test_plain_http_to_another_machine_needs_a_setting(host: str) -> None:
    """A name that only begins as those of this machine is another machine's."""
    with pytest.raises(UsageError, match=r"has no TLS: use https://, or, .* set cache\.shared_plain_http = true"):
        open_tier(f"http://{host}")
    await open_tier(f"http://{host}", plain_http=True).aclose()


async def test_discovery_needs_the_same_setting() -> None:
    with pytest.raises(UsageError, match=r"set cache\.shared_plain_http = true"):
        open_tier("dns-sd")
    assert isinstance(open_tier("dns-sd", plain_http=True), DiscoveredTier)


def test_a_folder_is_opened_without_a_look_at_it() -> None:
    """It may be a network disk that hangs."""
    assert isinstance(open_tier(str(Path("/nowhere/at/all"))), FolderTier)
