"""The languages of captions: Panopto numbers them (`ContentLanguage` of its API description) (pure)."""

from __future__ import annotations

TAGS = (
    "en", "en-GB", "es-MX", "es", "de", "fr", "nl", "th", "zh-Hans", "zh-Hant", "ko", "ja", "ru", "pt", "pl", "en-AU",
    "da", "fi", "hu", "no", "sv", "it", "cy", "ca", "gl", "eu", "ar", "hi", "fr-CA", "he", "vi",
)  # fmt: skip


def tag(number: int) -> str:
    """What a language is called in the name of a file; `x-31` for a number that is not known yet."""
    return TAGS[number] if 0 <= number < len(TAGS) else f"x-{number}"
