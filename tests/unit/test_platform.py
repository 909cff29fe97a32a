"""A platform of others: what it declares is all that the command line and the settings file need."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint

import pytest

from coursefs.cli.main import main
from coursefs.errors import CoursefsError, NotSignedIn, UsageError
from coursefs.model import Identity
from coursefs.providers import registry
from coursefs.providers.base import Account
from coursefs.providers.platform import Option, Platform, SignedIn, SignInContext, Way, chosen
from coursefs.settings import account_keys
from coursefs.settings.account_keys import Setting, server, switch, word
from coursefs.settings.config import load
from coursefs.settings.credentials import Credentials
from coursefs.settings.paths import app_paths
from coursefs.transport import Transport

SECRET = "t0ken"


@dataclass
class Campus:
    """A provider that knows one token."""

    account: Account

    async def whoami(self) -> Identity:
        if self.account.secrets["token"] != SECRET:
            raise NotSignedIn("refused")
        return Identity("7", "Ada")


def create(account: Account, transport: Transport) -> Campus:
    return Campus(account)


async def by_token(context: SignInContext) -> SignedIn:
    return SignedIn({"token": context.secret("token-stdin")})


async def by_file(context: SignInContext) -> SignedIn:
    return SignedIn({"token": context.file(context.text("file") or "")}, {"language": "en"})


TOKEN = Way(
    name="token", usage="--token-stdin", needs=("token-stdin",), sign_in=by_token,
    options=(Option(name="token-stdin", help="Read the token from standard input.", prompt="Token"),),
)  # fmt: skip
FILE = Way(
    name="file", usage="--file FILE", needs=("file",), sign_in=by_file,
    options=(Option(name="file", metavar="FILE", help="A file with the token.", environment="CAMPUS_FILE"),),
)  # fmt: skip
BOTH = Way(
    name="both", usage="", needs=("user", "code"), sign_in=by_token,
    options=(Option(name="user", metavar="U", help=""), Option(name="code", metavar="C", help="")),
)  # fmt: skip
PLATFORM = Platform(
    protocol=1,
    name="campus",
    summary="Sign in to a Campus server.",
    description="Sign in to a Campus server, by its token.",
    example="coursefs login campus --server URL --token-stdin",
    settings=(Setting("server", server, "Its address.", is_shown=False),
              Setting("shown", switch, "Whether it is shown."),
              Setting("language", word, "Of its pages.")),
    options=(
        Option(name="server", metavar="URL", help="Address.", setting="server", missing="--server is missing"),
    ),
    sign_in_ways=(TOKEN, FILE, BOTH),
    create=create,  # type: ignore[arg-type]  # of a provider, only `whoami` is asked here
)  # fmt: skip


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[EntryPoint]]:
    """The entry points that are there."""
    points = [
        EntryPoint("campus", f"{__name__}:PLATFORM", account_keys.GROUP),
        EntryPoint("broken", "coursefs.no_such_module:PLATFORM", account_keys.GROUP),
        EntryPoint("old", f"{__name__}:create", account_keys.GROUP),
        EntryPoint("later", f"{__name__}:LATER", account_keys.GROUP),
    ]

    def some(group: str, name: str | None = None) -> list[EntryPoint]:
        return [one for one in points if name in {None, one.name}]

    monkeypatch.setattr(registry, "entry_points", some)
    monkeypatch.setattr(account_keys, "entry_points", some)
    yield points


LATER = replace(PLATFORM, name="later", protocol=2)
LOGIN = ["login", "campus", "--server", "campus.example.edu"]


def test_sign_in_to_a_platform_of_others(
    installed: list[EntryPoint], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{SECRET}\n"))
    assert main([*LOGIN, "--token-stdin"]) == 0
    assert capsys.readouterr().err.startswith("campus: signed in as Ada; kept in ")
    assert Credentials(app_paths()).load("campus") == {"token": SECRET, "user_id": "7"}
    assert load(app_paths().config_file).accounts["campus"].values == {"server": "https://campus.example.edu"}
    assert main(["accounts"]) == 0
    assert "https://campus.example.edu" in capsys.readouterr().out


def test_what_comes_out_of_the_sign_in_belongs_to_the_settings(
    installed: list[EntryPoint], tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path_factory.mktemp("token") / "token"
    file.write_text(SECRET)
    monkeypatch.setenv("CAMPUS_FILE", str(file))
    assert main(LOGIN) == 0
    assert load(app_paths().config_file).accounts["campus"].values["language"] == "en"


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ([*LOGIN], 2, "no way to sign in given; use --token-stdin, --file FILE or CAMPUS_FILE in the environment"),
        ([*LOGIN, "--token-stdin"], 2, "token: this line is missing on standard input"),
        ([*LOGIN, "--token-stdin", "--file", "x"], 2, "give only one way to sign in: --token-stdin, --file or --user"),
        ([*LOGIN, "--user", "x"], 2, "--user and --code belong together"),
        (["login", "campus", "--token-stdin"], 2, "--server is missing"),
        (["login", "campus", "--server", "http://campus.example.edu", "--token-stdin"], 2, "use https://"),
        ([*LOGIN, "--nonsense"], 2, "No such option"),
        (["login", "broken"], 1, "the provider broken cannot be loaded"),
        (["login", "old"], 1, "is no platform of that name"),
        (["login", "later"], 1, "version 2 of the protocol, and this coursefs has version 1"),
        (["login", "nowhere"], 2, "no such platform: nowhere"),
    ],
)
def test_what_is_refused(
    arguments: list[str],
    status: int,
    said: str,
    installed: list[EntryPoint],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert main(arguments) == status
    assert said in capsys.readouterr().err
    assert not app_paths().config_file.exists()


def test_the_help_lists_every_platform_whether_it_works_or_not(
    installed: list[EntryPoint], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["login", "--help"]) == 0
    out = capsys.readouterr().out
    assert "campus  Sign in to a Campus server." in out and "broken  the provider broken cannot be" in out
    assert main(["login", "campus", "--help"]) == 0
    out = capsys.readouterr().out
    assert "by its token" in out and "--token-stdin" in out and "[default: campus]" in out


def test_the_settings_file_knows_the_keys_of_a_platform_of_others(installed: list[EntryPoint]) -> None:
    file = app_paths().config_file
    file.parent.mkdir(parents=True)
    file.write_text('[accounts.campus]\nserver = "campus.example.edu"\nshown = true\n')
    assert load(file).accounts["campus"].values == {"server": "https://campus.example.edu", "shown": "true"}
    file.write_text('[accounts.campus]\nserver = "campus.example.edu"\nshow = true\n')
    with pytest.raises(UsageError, match=r"config\.toml:3: unknown key accounts\.campus\.show \(did you mean shown"):
        load(file)
    file.write_text('[accounts.campus]\nprovider = "broken"\nanything = 1\n')
    assert load(file).accounts["campus"].values == {"anything": "1"}


def test_only_what_is_shown_has_courses_asked_for_anew(installed: list[EntryPoint]) -> None:
    values = {"server": "https://campus.example.edu", "language": "en"}
    assert account_keys.shown("campus", values) == {"language": "en"}
    assert account_keys.shown("nowhere", values) == values


@pytest.mark.parametrize(
    ("name", "hidden"),
    [
        ("coursera", {"base_url", "requests_per_second"}),
        ("openedx", {"server", "client_id"}),
        ("panopto", {"server", "client_id", "requests_per_minute"}),
    ],
)
def test_where_and_how_a_platform_is_asked_shows_no_other_files(name: str, hidden: set[str]) -> None:
    assert {setting.key for setting in registry.platform(name).settings if not setting.is_shown} == hidden


def test_the_way_is_told_by_the_options(installed: list[EntryPoint]) -> None:
    assert chosen(PLATFORM, {"token-stdin"}, {"file"}) is TOKEN
    assert chosen(PLATFORM, {"user", "code"}) is BOTH
    assert chosen(PLATFORM, {"server"}, {"file"}) is FILE


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sign_in_ways": ()}, "no way to sign in"),
        ({"sign_in_ways": (replace(TOKEN, needs=("other",)),)}, "needs --other"),
        ({"options": (Option(name="account", metavar="A", help=""),)}, "every login has --account"),
        ({"options": (Option(name="token-stdin", help="another"),)}, "two options are called --token-stdin"),
        ({"options": (Option(name="two_words", help="x"),)}, "no option can be called --two_words"),
        ({"settings": ()}, "a setting that is not declared: server"),
    ],
)
def test_a_platform_must_fit_together(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        replace(PLATFORM, **changes)  # type: ignore[arg-type]


def test_an_unknown_platform_is_answered_with_the_known_ones(installed: list[EntryPoint]) -> None:
    with pytest.raises(UsageError, match="known: broken, campus, later, old"):
        registry.platform("x")
    with pytest.raises(CoursefsError, match="cannot be loaded"):
        registry.platform("broken")


def test_what_the_settings_file_needs_of_a_platform_is_quick_to_import() -> None:
    names = ("coursera", "openedx", "panopto")
    code = (
        f"import sys, {', '.join(f'coursefs.providers.{name}.platform' for name in names)}\n"
        "assert not {'httpx', 'trio', 'lxml', 'authlib'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
