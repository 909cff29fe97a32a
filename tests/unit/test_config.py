"""The settings file: what it may say, how it complains, and how it is changed."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest
import tomlkit
from hypothesis import given
from hypothesis import strategies as st

from coursefs.errors import CoursefsError, UsageError
from coursefs.settings.config import Cache, LayoutSettings, Network, Settings, add_account, load, remove_account
from coursefs.settings.strict_toml import line_of

CONTRACT = """\
# config.toml — every key optional
[cache]
max_size = "20GiB"          # content cache; the least recently read goes first, pinned files never
min_free = "2GiB"           # leave this much of the disk free
[network]
read_timeout = "60s"        # after this a read fails with an error instead of hanging
streams = 6                 # at most so many connections for one file
[layout]
names = "title"
subtitles = ["en"]
video = "highest"
[accounts.coursera]
provider = "coursera"
base_url = "https://www.coursera.org"
[accounts.campus]
provider = "panopto"
server = "https://campus.example.edu"
client_id = "…"
skip_folders = ["Users"]
requests_per_minute = 80
[accounts.edx]
provider = "openedx"
server = "https://lms.example.com"
folder = "edX"              # put this account's courses into a sub-directory of the mount; default: none
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def test_the_example_of_the_contract(file: Path) -> None:
    file.write_text(CONTRACT)
    settings = load(file)
    assert (settings.cache, settings.network, settings.layout) == (Cache(), Network(), LayoutSettings())
    assert list(settings.accounts) == ["coursera", "campus", "edx"]
    assert settings.accounts["coursera"].values == {"base_url": "https://www.coursera.org"}
    assert settings.accounts["campus"].values == {
        "server": "https://campus.example.edu",
        "client_id": "…",
        "skip_folders": "Users",
        "requests_per_minute": "80",
    }
    assert (settings.accounts["edx"].provider, settings.accounts["edx"].folder) == ("openedx", "edX")


def test_what_an_account_on_coursera_may_say(file: Path) -> None:
    file.write_text(
        '[accounts.coursera]\nrequests_per_second = 0.5\nsubtitle_formats = ["vtt", "txt"]\nduplicates = true\n'
    )
    assert load(file).accounts["coursera"].values == {
        "requests_per_second": "0.5",
        "subtitle_formats": "vtt\ntxt",
        "duplicates": "true",
    }


@pytest.mark.parametrize(
    "line",
    [
        "requests_per_second = 0",
        'requests_per_second = "2"',
        "requests_per_second = true",
        'subtitle_formats = ["pdf"]',
        'subtitle_formats = "srt"',
        "subtitle_formats = [1]",
        'duplicates = "yes"',
        "duplicates = 1",
    ],
)
def test_what_an_account_on_coursera_may_not_say(line: str, file: Path) -> None:
    file.write_text(f"[accounts.coursera]\n{line}\n")
    with pytest.raises(UsageError, match=f"accounts.coursera.{line.partition(' ')[0]}"):
        load(file)


@pytest.mark.parametrize("text", ["", "\n", "# nothing\n", "[cache]\n[accounts]\n"])
def test_every_key_is_optional(text: str, file: Path) -> None:
    file.write_text(text)
    assert load(file) == Settings()


def test_no_file_means_the_defaults(file: Path) -> None:
    assert load(file) == Settings()
    assert load(file.parent / "no such folder" / "config.toml") == Settings()


def test_values(file: Path, own_home: Path) -> None:
    file.write_text(
        """
        [cache]
        max_size = 1_000_000
        min_free = 0
        dir = "~/cache"
        [network]
        read_timeout = "2m"
        streams = 1
        [layout]
        names = "slug"
        subtitles = ["de", "zh-CN"]
        video = "720p"
        [accounts.coursera]
        base_url = "http://127.0.0.1:8080/"
        """
    )
    settings = load(file)
    assert settings.cache == Cache(1_000_000, 0, own_home / "cache")
    assert settings.network == Network(120.0, 1)
    assert settings.layout == LayoutSettings("slug", ("de", "zh-CN"), 720)
    assert settings.accounts["coursera"].provider == "coursera"  # the account's own name
    assert settings.accounts["coursera"].values == {"base_url": "http://127.0.0.1:8080"}


def test_all_subtitles(file: Path) -> None:
    file.write_text('layout.subtitles = "all"')
    assert load(file).layout.subtitles == ("all",)


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("\n\n[cache]\nmax_sise = 1\n", 4, "unknown key cache.max_sise (did you mean max_size?)"),
        ("[cahce]\n", 1, "unknown key cahce (did you mean cache?)"),
        ("zebra = 1", 1, "unknown key zebra"),
        ("[accounts.coursera]\nserver = 'https://x.org'", 2, "unknown key accounts.coursera.server"),
        ("# c\n[accounts.coursera]\n\nproviders = 'x'", 4, "(did you mean provider?)"),
        ("cache = 3", 1, "cache is a table, not a single value"),
        ("accounts = []", 1, "accounts is a table"),
        ("[accounts]\ncoursera = 1", 2, "accounts.coursera is a table"),
        ("[cache]\nmin_free = 0\nmax_size = '20Gb!'", 3, 'cache.max_size: "20Gb!" is not a size, such as "20GiB"'),
        ("[cache]\nmax_size = 0", 2, "cache.max_size: expected a size above zero"),
        ("[cache]\ndir = 'cache'", 2, "cache.dir: expected a path"),
        ("[cache]\ndir = '~nobody-of-this-name/x'", 2, "cache.dir: expected a path"),
        ("[cache]\ndir = 3", 2, "cache.dir: expected a path"),
        ("[network]\nread_timeout = 'soon'", 2, 'network.read_timeout: "soon" is not a duration'),
        ("[network]\nread_timeout = nan", 2, "network.read_timeout"),
        ("[network]\nstreams = 0", 2, "network.streams: expected a number from 1 to"),
        ("[network]\nstreams = true", 2, "network.streams"),
        ("[network]\nstreams = '6'", 2, "network.streams"),
        ("[layout]\nnames = 'Title'", 2, 'layout.names: expected "title" or "slug"'),
        ("[layout]\nnames = ['title']", 2, "layout.names"),
        ("[layout]\nsubtitles = 'en'", 2, "layout.subtitles"),
        ("[layout]\nsubtitles = []", 2, "layout.subtitles"),
        ("[layout]\nsubtitles = [\n  'en',\n  '../x',\n]", 2, "layout.subtitles"),
        ("[layout]\nvideo = 720", 2, 'layout.video: expected "highest" or'),
        ("[layout]\nvideo = 'best'", 2, "layout.video"),
        ("layout.video = 'best'", 1, "layout.video"),
        ("\nlayout = { names = 'title', video = 'best' }", 2, "layout.video"),
        ("[accounts.coursera]\nbase_url = 'http://www.coursera.org'", 2, "www.coursera.org: plain http://"),
        ("[accounts.campus]\nprovider='panopto'\nserver = 'http://campus.example.edu'", 3, "plain http://"),
        ("[accounts.coursera]\nbase_url = 'www.coursera.org'", 2, "accounts.coursera.base_url: not an http(s) address"),
        ("[accounts.coursera]\nbase_url = 1", 2, "accounts.coursera.base_url"),
        ("[accounts.a]\nprovider = 1", 2, "accounts.a.provider"),
        ("[accounts.a]\nprovider = 'x'\nsince = 2026-01-01", 3, "accounts.a.since: expected a text, a number or"),
        ("[accounts.'../x']\n", 1, '"../x" is not an account name'),
        ("[accounts.coursera]\nfolder = 'a/b'", 2, "accounts.coursera.folder"),
        ("[accounts.coursera]\nfolder = '..'", 2, "accounts.coursera.folder"),
        ("[cache]\nmax_size 3\n", 2, "Expected '=' after a key"),
        ("a = 1\nb = '''\n", 2, ""),
        ("[cache]\n\n[cache]\n", 3, "Cannot declare"),
    ],
)
def test_complaints_name_file_line_and_key(text: str, line: int, reason: str, file: Path) -> None:
    file.write_text(text)
    with pytest.raises(UsageError) as caught:
        load(file)
    assert str(caught.value).startswith(f"{file}:{line}: ")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(file: Path) -> None:
    file.write_bytes(b"# \xff\n")
    with pytest.raises(UsageError, match="not a text in UTF-8"):
        load(file)
    with pytest.raises(UsageError, match="Is a directory"):
        load(file.parent)


_texts = st.text(st.characters(codec="utf-8"), max_size=8)


@given(st.dictionaries(_texts, _texts | st.integers(-9, 9), min_size=1, max_size=8), st.data())
def test_the_line_of_any_key_in_any_document(entries: dict[str, str | int], data: st.DataObject) -> None:
    text, begins = "[section]\n", {}
    for key, value in entries.items():
        text += "".join(data.draw(st.lists(st.sampled_from(["\n", "# remark\n", "  \n"]), max_size=2)))
        begins[key] = text.count("\n") + 1
        written = tomlkit.item(value).as_string()
        if data.draw(st.booleans()):
            written = f"[\n  {written},\n]"  # an entry of several lines
        name = tomlkit.key([key, "x"]).as_string().removesuffix(".x")
        text += f"{name} = {written}\n"
    sought = data.draw(st.sampled_from(sorted(entries)))
    assert line_of(text, ("section", sought)) == begins[sought]


# --- changing it


def test_an_account_is_added_to_nothing(tmp_path: Path) -> None:
    file = tmp_path / "new" / "config.toml"
    add_account(file, "coursera", {"provider": "coursera", "base_url": "https://www.coursera.org"})
    assert file.read_text() == '[accounts.coursera]\nprovider = "coursera"\nbase_url = "https://www.coursera.org"\n'
    assert load(file).accounts["coursera"].provider == "coursera"
    assert list(file.parent.iterdir()) == [file]
    assert file.stat().st_mode & 0o777 == 0o600


def test_comments_order_and_other_keys_survive(file: Path) -> None:
    file.write_text(CONTRACT)
    moved = CONTRACT.replace("https://www.coursera.org", "https://example.org")
    add_account(file, "coursera", {"provider": "coursera", "base_url": "https://example.org"})
    assert file.read_text() == moved
    add_account(file, "second", {"provider": "coursera"})
    assert file.read_text().startswith(moved)
    assert list(load(file).accounts) == ["coursera", "campus", "edx", "second"]
    assert remove_account(file, "second")
    assert remove_account(file, "coursera")
    assert not remove_account(file, "coursera")
    assert list(load(file).accounts) == ["campus", "edx"]
    assert "# at most so many connections" in file.read_text()


WAYS = {
    "dotted": 'accounts.a.provider = "coursera"\naccounts.b.provider = "coursera"\n[cache]\nmin_free = 0\n',
    "inline": 'accounts = { a = { provider = "coursera" }, b = { provider = "coursera" } }\n[cache]\nmin_free = 0\n',
    "half inline": '[accounts]\na = { provider = "coursera" }\n[accounts.b]\nprovider = "coursera"\n[cache]\n',
    "scattered": '[accounts.a]\nprovider = "coursera"\n[cache]\nmin_free = 0\n[accounts.b]\nprovider = "coursera"\n',
    "quoted": '["accounts"."a"]\nprovider = "coursera"\n[accounts.\'b\']\nprovider = "x"\n[network]\nstreams = 2\n',
    "windows": '[accounts.a]\r\nprovider = "coursera"\r\n[accounts.b]\r\nprovider = "x"\r\n[cache]\r\nmin_free = 0\r\n',
}


@pytest.mark.parametrize("change", ["add", "a", "b"])
@pytest.mark.parametrize("way", WAYS)
def test_whatever_way_accounts_are_written_a_change_is_right_or_refused(way: str, change: str, file: Path) -> None:
    """The editing library is not trusted: either the file says exactly what it should, or it is as it was."""
    before = WAYS[way].encode()
    file.write_bytes(before)
    wanted = tomllib.loads(before.decode())
    try:
        if change == "add":
            wanted["accounts"]["c"] = {"provider": "coursera"}
            add_account(file, "c", {"provider": "coursera"})
        else:
            del wanted["accounts"][change]
            assert remove_account(file, change)
    except CoursefsError as error:
        assert "please do so" in str(error)
        assert file.read_bytes() == before
    else:
        assert tomllib.loads(file.read_bytes().decode()) == wanted
        assert (b"\r\n" in file.read_bytes()) == (way == "windows")


def test_an_account_that_is_already_there_as_wanted_is_no_reason_to_write(file: Path) -> None:
    file.write_text('[accounts.a]\nprovider = "coursera"\n')
    before = file.stat()
    add_account(file, "a", {"provider": "coursera"})
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_link_stays_a_link_and_permissions_stay(tmp_path: Path) -> None:
    real = tmp_path / "dotfiles" / "coursefs.toml"
    real.parent.mkdir()
    real.write_text("# mine\n")
    real.chmod(0o640)
    link = tmp_path / "config.toml"
    link.symlink_to(real)
    add_account(link, "a", {"provider": "coursera"})
    assert link.is_symlink()
    assert real.read_text().startswith("# mine\n")
    assert "accounts.a" in real.read_text()
    assert real.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("name", ["", "..", ".hidden", "a/b", "a b", "ä", "x" * 65, "a\n", "-rf"])
def test_names_that_are_no_names(name: str, file: Path) -> None:
    with pytest.raises(UsageError, match="is not an account name"):
        add_account(file, name, {"provider": "coursera"})
    assert not file.exists()


def test_a_wrong_file_is_left_to_its_owner(file: Path) -> None:
    file.write_text("[cache]\nmax_sise = 1\n")
    with pytest.raises(UsageError, match="max_sise"):
        add_account(file, "a", {"provider": "coursera"})
    assert file.read_text() == "[cache]\nmax_sise = 1\n"


def test_values_that_are_wrong_are_not_written(file: Path) -> None:
    with pytest.raises(UsageError, match="plain http"):
        add_account(file, "a", {"provider": "coursera", "base_url": "http://example.org"})
    assert not file.exists()


def test_half_a_file_is_never_seen(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("# mine\n")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CoursefsError, match="No space left on device"):
        add_account(file, "a", {"provider": "coursera"})
    assert file.read_text() == "# mine\n"
    assert list(file.parent.iterdir()) == [file]


def test_other_voices_are_wished_by_language(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[layout]\nvoices = ["es", "pt-BR"]\naudio_description = true')
    assert (load(file).layout.voices, load(file).layout.audio_description) == (("es", "pt-BR"), True)
    file.write_text("layout.voices = []")
    assert load(file).layout == LayoutSettings()
    file.write_text("layout.voices = 'es'")
    with pytest.raises(UsageError, match=r"layout.voices: expected \"all\" or a list of languages"):
        load(file)


def test_quizzes_are_asked_for_on_wish_alone(tmp_path: Path) -> None:
    assert LayoutSettings().quizzes is False
    file = tmp_path / "config.toml"
    file.write_text("layout.quizzes = true")
    assert load(file).layout.quizzes is True
    file.write_text('layout.quizzes = "yes"')
    with pytest.raises(UsageError, match=r"layout.quizzes: expected true or false"):
        load(file)


@pytest.mark.parametrize(
    ("written", "formats"),
    [('["html"]', ("html",)), ('["html", "md"]', ("html", "md")), ('["md", "html"]', ("html", "md"))],
)
def test_the_formats_of_readings(tmp_path: Path, written: str, formats: tuple[str, ...]) -> None:
    assert LayoutSettings().readings == ("html",)
    file = tmp_path / "config.toml"
    file.write_text(f"[layout]\nreadings = {written}\n")
    assert load(file).layout.readings == formats


@pytest.mark.parametrize("written", ['"md"', '["md"]', "[]", '["html", "pdf"]', '["html", "html"]', "1", "[1]", "[[]]"])
def test_other_formats_of_readings_are_an_error_in_one_line(tmp_path: Path, written: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f"[layout]\nreadings = {written}\n")
    with pytest.raises(UsageError, match=r'config.toml:2: .*layout.readings.*expected \["html"\] or \["html", "md"\]'):
        load(file)


def test_a_media_centre_has_names_of_its_own(tmp_path: Path) -> None:
    assert LayoutSettings().media_center is False
    file = tmp_path / "config.toml"
    file.write_text("layout.media_center = true")
    assert load(file).layout.media_center is True
    for written, line, wrong in (
        ('[layout]\nmedia_center = "yes"', 2, "expected true or false"),
        ('[layout]\nnames = "slug"\nmedia_center = true', 3, 'expected names = "title" beside it'),
    ):
        file.write_text(written)
        with pytest.raises(UsageError, match=f"config.toml:{line}: layout.media_center: {wrong}"):
            load(file)
