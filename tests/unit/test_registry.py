"""Platforms are found by name, and Coursera is one of them."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from coursefs.errors import CoursefsError, UsageError
from coursefs.providers import registry
from coursefs.providers.base import Account
from coursefs.providers.coursera.platform import PLATFORM
from coursefs.settings.account_keys import GROUP
from coursefs.transport import Transport


def test_coursera_is_found() -> None:
    assert "coursera" in registry.names()
    assert registry.platform("coursera") is PLATFORM


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"unknown provider 'corsera'; known: .*coursera"):
        registry.platform("corsera")


def test_a_broken_platform_is_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = EntryPoint("broken", "coursefs.no_such_module:provider", GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda **_: [broken])
    with pytest.raises(CoursefsError, match="broken cannot be loaded"):
        registry.platform("broken")


@pytest.mark.parametrize(
    "settings",
    [
        {"base_url": "http://www.coursera.org"},
        {"base_url": "www.coursera.org"},
        {"base_url": "https://www.coursera.org/?q=1"},
        {"base_url": "https://me:secret@www.coursera.org"},
        {"requests_per_second": "0"},
        {"requests_per_second": "nan"},
        {"requests_per_second": "many"},
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, str]) -> None:
    with pytest.raises(UsageError) as caught:
        PLATFORM.create(Account("coursera", settings, {"cauth": "abc"}), Transport())
    assert "secret" not in str(caught.value)
