"""Signed URLs: their form, their expiry and their validation."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from urllib.parse import urlencode

KEY_PAIR_ID = "APKADEMODEMODEMODEMO"
_DAY = 86_400


class Signer:
    """Signs for the media host and the subtitle proxy.

    `now` returns seconds since 1970. With `url_life` every URL is valid for so many seconds. Without it, as on the
    platform, media and subtitles are valid until 00:00 UTC of the day after tomorrow, attachments for 24 hours.
    """

    def __init__(self, now: Callable[[], float], url_life: int | None = None) -> None:
        self._now = now
        self._url_life = url_life
        self._key = secrets.token_bytes(32)

    def revoke(self) -> None:
        """Expire all URLs that were signed so far."""
        self._key = secrets.token_bytes(32)

    def media_expiry(self) -> int:
        """When a video or subtitle URL that is signed now expires, seconds since 1970."""
        if self._url_life is not None:
            return int(self._now() + self._url_life)
        return (int(self._now()) // _DAY + 2) * _DAY

    def asset_expiry(self) -> int:
        """When an attachment URL that is signed now expires, seconds since 1970."""
        return int(self._now() + (_DAY if self._url_life is None else self._url_life))

    def media_query(self, path: str, expires: int) -> str:
        """The signed query for a (decoded) path of the media host."""
        signature = _cloudfront(self._digest("media", path, str(expires)))
        return urlencode({"Expires": expires, "Signature": signature, "Key-Pair-Id": KEY_PAIR_ID})

    def media_query_holds(self, path: str, query: Mapping[str, str]) -> bool:
        """Whether a query is a valid signature for this path now."""
        expires = query.get("Expires", "")
        return (
            expires.isdecimal()
            and self._now() < int(expires)
            and query.get("Key-Pair-Id") == KEY_PAIR_ID
            and hmac.compare_digest(
                query.get("Signature", "").encode(), _cloudfront(self._digest("media", path, expires)).encode()
            )
        )

    def playlist_query(self, kind: str, asset: str) -> str:
        """The query of a playlist of this kind, for streaming; nothing here serves one."""
        expiry = str(self.media_expiry() * 1000)
        signature = _url_base64(self._digest(kind, asset, expiry))
        return urlencode({"expiry": expiry, "hmac": signature, "mediaCdn": "cloudfront"})

    def subtitle_query(self, asset: str, extension: str) -> str:
        """The signed query for one format of a subtitle; each format has its own HMAC."""
        expiry = str(self.media_expiry() * 1000)
        signature = _url_base64(self._digest("subtitle", asset, expiry, extension))
        return urlencode({"expiry": expiry, "hmac": signature, "fileExtension": extension})

    def subtitle_query_holds(self, asset: str, query: Mapping[str, str]) -> bool:
        """Whether a query is a valid signature for this subtitle now."""
        expiry = query.get("expiry", "")
        signature = _url_base64(self._digest("subtitle", asset, expiry, query.get("fileExtension", "")))
        return (
            expiry.isdecimal()
            and self._now() * 1000 < int(expiry)
            and hmac.compare_digest(query.get("hmac", "").encode(), signature.encode())
        )

    def _digest(self, *parts: str) -> bytes:
        return hmac.digest(self._key, "\n".join(parts).encode(), hashlib.sha256)


def _cloudfront(digest: bytes) -> str:
    """CloudFront's base64 alphabet, which is safe in URLs."""
    return base64.b64encode(digest).decode().translate(str.maketrans("+=/", "-_~"))


def _url_base64(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
