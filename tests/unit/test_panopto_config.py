"""The keys of an account on Panopto in the settings file."""

from __future__ import annotations

from pathlib import Path

import pytest

from coursefs.errors import UsageError
from coursefs.providers.panopto.settings import settings
from coursefs.settings.config import load


def test_what_the_file_says_is_what_the_provider_understands(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(
        '[accounts.panopto]\nserver = "campus.example"\nclient_id = "abc"\nskip_folders = ["Users", "A/B"]\n'
        'requests_per_minute = 40\ntimezone = "Europe/Berlin"\naudio = true\nslides = false\nfolder = "Campus"\n'
    )
    account = load(file).accounts["panopto"]
    own = settings(account.values)
    assert (account.provider, account.folder) == ("panopto", "Campus")
    assert (own.server, own.client_id, own.per_minute) == ("https://campus.example", "abc", 40)
    assert (str(own.zone), own.audio, own.slides) == ("Europe/Berlin", True, False)
    assert own.skips(("A", "B")) and own.skips(("users",)) and not own.skips(("B",))


@pytest.mark.parametrize(
    "line",
    [
        'server = "http://campus.example"',
        "server = 5",
        'skip_folders = "Users"',
        'skip_folders = ["a\\nb"]',
        "requests_per_minute = 0",
        "requests_per_minute = 101",
        "requests_per_minute = true",
        'requests_per_minute = "80"',
        'timezone = "Nowhere"',
        "timezone = 1",
        'audio = "yes"',
        "slides = 1",
        'base_url = "https://campus.example"',
        'client_secret = "abc"',
    ],
)
def test_a_key_that_makes_no_sense_is_named_with_its_line(line: str, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f"[accounts.panopto]\n{line}\n")
    with pytest.raises(UsageError, match=r"config\.toml:2: .*" + line.split(maxsplit=1)[0]):
        load(file)
