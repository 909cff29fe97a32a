"""`coursefs login` on a terminal: which questions a platform's declaration makes, and what the answers become."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import EntryPoint

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursefs.cli import login_guide, terminal
from coursefs.cli.login import _chooses_no_way
from coursefs.cli.main import main
from coursefs.providers import registry
from coursefs.providers.platform import Option, SignedIn, SignInContext, Way, address_of, recognised
from coursefs.settings import account_keys
from coursefs.settings.config import AccountSettings, add_account, load
from coursefs.settings.credentials import Credentials
from coursefs.settings.paths import app_paths
from tests.unit.test_platform import PLATFORM, SECRET

BUILT_IN = [registry.platform(name) for name in ("coursera", "openedx", "panopto")]


# -- addresses


@pytest.mark.parametrize(
    ("typed", "name", "settings"),
    [
        ("https://www.coursera.org/learn/graphics/home/week/1", "coursera", {}),
        ("coursera.org", "coursera", {}),
        ("  https://learn.coursera.org/x \n", "coursera", {}),
        ("https://campus.hosted.panopto.com/Panopto/Pages/Viewer.aspx?id=1", "panopto",
         {"server": "https://campus.hosted.panopto.com"}),
        ("campus.cloud.panopto.eu", "panopto", {"server": "https://campus.cloud.panopto.eu"}),
        ("https://Video.Example.edu/Panopto/Pages/Home.aspx#folder", "panopto", {"server": "https://video.example.edu"}),
        ("https://lms.example.com/courses/course-v1:DemoX+1+2026/course/", "openedx",
         {"server": "https://lms.example.com"}),
        ("https://lms.example.com:8443/courses/DemoX/1/2013/info", "openedx",
         {"server": "https://lms.example.com:8443"}),
        ("https://apps.lms.example.com/learning/course/course-v1:DemoX+1+2026/home", "openedx",
         {"server": "https://lms.example.com"}),
        ("https://learning.edx.org/course/course-v1:DemoX+1+2026/home", "openedx",
         {"server": "https://courses.edx.org"}),
        ("http://campus.hosted.panopto.com/Panopto/", "panopto", {"server": "https://campus.hosted.panopto.com"}),
        ("http://127.0.0.1:80/Panopto/", "panopto", {"server": "http://127.0.0.1:80"}),
        ("www.edx.org/learn/optics", "openedx", {"server": "https://courses.edx.org"}),
    ],
)  # fmt: skip
def test_the_platform_and_the_server_of_a_pasted_address(typed: str, name: str, settings: Mapping[str, str]) -> None:
    address = address_of(typed)
    assert address is not None
    assert [(one.name, found) for one, found in recognised(address, BUILT_IN)] == [(name, settings)]


@pytest.mark.parametrize(
    "address",
    [
        "https://www.example.com/courses",
        "https://evilcoursera.org",
        "https://panopto.com.evil.example",
        "https://edx.org.x.y",
    ],
)
def test_other_addresses_are_of_no_platform(address: str) -> None:
    assert recognised(address, BUILT_IN) == []


@pytest.mark.parametrize(
    "text",
    ["", "word", "two words.com", "ftp://a.b", "https://", "https://a@b.c", "http://[::1", "a.b:port", "a.b\x07"],
)
def test_what_is_no_address(text: str) -> None:
    assert address_of(text) is None


@given(st.text())
def test_no_text_breaks_the_reading_of_an_address(text: str) -> None:
    for one in (text, f"https://{text}", f"https://a.b/{text}"):
        if (address := address_of(one)) is not None:
            recognised(address, BUILT_IN)


# -- names of accounts


def account(name: str, provider: str, server: str) -> AccountSettings:
    return AccountSettings(name, provider, None, {"server": server})


@pytest.mark.parametrize(
    ("known", "server", "name"),
    [
        ([], "https://campus.example.edu", "panopto"),
        ([account("panopto", "panopto", "https://a.example")], "https://a.example", "panopto"),
        ([account("uni", "panopto", "https://a.example")], "https://a.example", "uni"),
        ([account("panopto", "panopto", "https://a.example")], "https://campus.example.edu", "campus"),
        ([account("panopto", "panopto", "https://a.example")], "https://www.campus.example.edu:80", "campus"),
        ([account("panopto", "panopto", "https://a.example"), account("campus", "openedx", "https://x.example")],
         "https://campus.example.edu", "campus-2"),
        ([account("panopto", "panopto", "https://a.example")], "https://-\u00e9.example", "panopto-2"),
    ],
)  # fmt: skip
def test_another_server_is_another_account(known: Sequence[AccountSettings], server: str, name: str) -> None:
    accounts = {one.name: one for one in known}
    assert login_guide.account_for(registry.platform("panopto"), {"server": server}, accounts) == name


# -- what is asked


@dataclass
class Person:
    """Answers, by the question that they are for; and what was asked."""

    answers: dict[str, str | int | bool]
    asked: list[str] = field(default_factory=list)

    def answer(self, question: str, **_: object) -> str | int | bool:
        self.asked.append(question)
        return self.answers.pop(question)


async def by_code(context: SignInContext) -> SignedIn:
    assert (context.text("device"), context.text("user")) == ("phone", "ada")
    return SignedIn({"token": context.secret("code-stdin")})


CODE = Way(
    name="code", usage="--device NAME --code-stdin", needs=("device", "code-stdin"), sign_in=by_code,
    says="A code of your phone", asks=("device", "user", "code-stdin"),
    options=(
        Option(name="device", metavar="NAME", help="The device.", choices=("phone", "key"), offers=lambda _: ["phone"]),
        Option(name="user", metavar="U", help="The user"),
        Option(name="code-stdin", help="The code.", prompt="Code"),
    ),
)  # fmt: skip
KEY = replace(CODE, name="key", says="", options=(Option(name="key", metavar="FILE", help="A key. "),), needs=("key",),
              asks=(), usage="--key FILE")  # fmt: skip
#: a platform of others, of which the guide knows nothing
OTHER = replace(
    PLATFORM,
    title="Campus",
    sign_in_ways=(
        KEY,
        CODE,
        replace(KEY, name="unsaid", usage="", needs=("x",), options=(Option(name="x", help="X."),)),
    ),
    recognise=lambda address: {"server": "https://campus.example.edu"} if "campus" in address else None,
)


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> Iterator[Person]:
    one = Person({})
    points = [EntryPoint("campus", f"{__name__}:OTHER", account_keys.GROUP),
              EntryPoint("broken", "coursefs.no_such_module:PLATFORM", account_keys.GROUP)]  # fmt: skip

    def some(group: str, name: str | None = None) -> list[EntryPoint]:
        return [point for point in points if name in {None, point.name}]

    monkeypatch.setattr(registry, "entry_points", some)
    monkeypatch.setattr(account_keys, "entry_points", some)
    monkeypatch.setattr(terminal, "is_interactive", lambda: True)
    monkeypatch.setattr(terminal, "line", lambda question, default="": one.answer(question) or default)
    monkeypatch.setattr(terminal, "yes", one.answer)
    monkeypatch.setattr(terminal, "choice", lambda question, rows, *, is_free=False: one.answer(f"{question} {rows}"))
    monkeypatch.setattr(terminal, "hidden", one.answer)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    yield one
    assert one.answers == {}, one.asked


WAYS = "How do you want to sign in to Campus ['A code of your phone (phone)', 'A key. ']"


def test_a_platform_of_others_is_asked_for_by_what_it_declares(
    person: Person, capsys: pytest.CaptureFixture[str]
) -> None:
    person.answers = {
        "Which platform? Paste the address of one of your courses, or choose ['Campus']": "https://my.campus.example/c/1",
        WAYS: 0,
        "The user": "ada",
        "Code": SECRET,
        "Show your courses in ~/courses now?": False,
    }
    assert main(["login"]) == 0
    err = capsys.readouterr().err
    assert "Campus at https://campus.example.edu\n" in err
    assert err.endswith("next: coursefs mount ~/courses\n")
    assert SECRET not in err
    assert Credentials(app_paths()).load("campus")["token"] == SECRET
    assert load(app_paths().config_file).accounts["campus"].values == {"server": "https://campus.example.edu"}


def test_a_platform_by_name_asks_for_its_server_and_cleans_it(
    person: Person, capsys: pytest.CaptureFixture[str]
) -> None:
    question = login_guide._question(next(one for one in OTHER.options if one.setting == "server"))
    person.answers = {question: "http://campus.example.edu/some/page", WAYS: 0, "The user": "ada", "Code": SECRET}
    person.answers["Show your courses in ~/courses now?"] = False
    assert main(["login", "campus"]) == 0
    assert load(app_paths().config_file).accounts["campus"].values == {"server": "https://campus.example.edu"}


def test_a_known_account_is_signed_in_again_and_a_refusal_says_what_to_type(
    person: Person, capsys: pytest.CaptureFixture[str]
) -> None:
    values = {"provider": "campus", "server": "https://campus.example.edu"}
    add_account(app_paths().config_file, "uni", values)
    rows = ["uni, again (https://campus.example.edu)", "a new one, on another server"]
    person.answers = {f"Which account {rows}": 0, WAYS: 0, "The user": "ada", "Code": "wrong"}
    assert main(["login", "campus"]) == 3
    assert capsys.readouterr().err == (
        "coursefs: uni: the platform does not accept this sign-in; nothing was kept; to try again, type: coursefs login"
        " campus --server https://campus.example.edu --account uni\n"
    )


def test_an_address_of_no_known_platform_is_asked_for_once(person: Person) -> None:
    person.answers = {
        "Which platform is at https://unknown.example ['Campus']": 0,
        WAYS: 0,
        "The user": "ada",
        "Code": SECRET,
        "Show your courses in ~/courses now?": False,
    }
    assert main(["login", "http://unknown.example/some/page"]) == 0
    assert load(app_paths().config_file).accounts["campus"].values == {"server": "https://unknown.example"}


def test_a_value_that_the_usage_reads_from_standard_input_is_not_asked_for() -> None:
    option = Option(name="token", metavar="VALUE", help="A token.")
    offer = login_guide.Offer(replace(KEY, usage="--token -", options=(option,), needs=("token",)))
    assert login_guide._answer(option, offer, {}) == "-"


def test_what_the_command_line_says_is_not_asked(person: Person) -> None:
    person.answers = {WAYS: 0, "The user": "ada", "Code": SECRET, "Show your courses in ~/courses now?": False}
    assert main(["login", "https://my.campus.example/c/1", "--account", "mine"]) == 0
    assert load(app_paths().config_file).accounts["mine"].provider == "campus"


def test_a_way_that_was_chosen_asks_nothing(person: Person) -> None:
    person.answers = {"Code": SECRET}
    login = ["login", "campus", "--server", "campus.example.edu", "--device", "phone", "--user", "ada", "--code-stdin"]
    assert main(login) == 0


def test_an_account_of_another_platform_is_refused_before_anything_is_asked(
    person: Person, capsys: pytest.CaptureFixture[str]
) -> None:
    add_account(app_paths().config_file, "mine", {"provider": "moodle"})
    assert main(["login", "campus", "--account", "mine"]) == 2
    assert main(["login", "campus", "--account", "../x"]) == 2
    err = capsys.readouterr().err
    assert "mine is an account on moodle" in err and "is not an account name" in err


def test_an_address_of_another_server_does_not_take_the_account_of_the_first(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_account(app_paths().config_file, "campus", {"server": "https://first.example.edu"})
    person.answers = {"Code": SECRET}
    login = ["login", "https://my.campus.example/c/1", "--device", "phone", "--user", "ada", "--code-stdin"]
    assert main(login) == 0
    servers = {name: one.values["server"] for name, one in load(app_paths().config_file).accounts.items()}
    assert servers == {"campus": "https://first.example.edu", "campus-2": "https://campus.example.edu"}


@pytest.mark.parametrize(
    ("name", "given", "environment", "asks"),
    [
        ("coursera", [], [], True),
        ("coursera", [], ["cauth"], False),
        ("coursera", ["base-url"], [], True),
        ("coursera", ["cookies"], [], False),
        ("coursera", ["email"], [], False),
        ("openedx", ["server", "username"], [], True),
        ("openedx", ["server", "password-stdin"], [], False),
        ("panopto", ["server", "port"], [], True),
        ("panopto", ["server", "client-id"], [], False),
    ],
)
def test_when_a_way_has_to_be_asked_for(name: str, given: list[str], environment: list[str], asks: bool) -> None:
    assert _chooses_no_way(registry.platform(name), given, environment) is asks


def test_every_way_that_is_offered_says_what_it_is() -> None:
    for platform in BUILT_IN:
        rows = [one.row for one in login_guide.offers(platform, {})]
        assert rows and all(rows) and len(set(rows)) == len(rows)
        for way in platform.sign_in_ways:
            options = {one.name: one for one in (*platform.options, *way.options)}
            for name in way.asks or way.needs:
                assert login_guide._question(options[name])


# -- the terminal


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        (b"abc", b"abc"),
        (b"abx\x7fc", b"abc"),
        (b"\x7f\x08ab", b"ab"),
        ("a\u00e9\u20ac\x7f\x7fb".encode(), b"ab"),
        (b"wrong\x15right", b"right"),
        (b"\x1b[200~pasted\x1b[201~", b"pasted"),
        (b"a\x1b[D\x1bOAb", b"ab"),
    ],
)
def test_hidden_lines_are_edited_as_usual(typed: bytes, kept: bytes) -> None:
    assert terminal.edited(typed) == kept


@pytest.mark.parametrize(
    ("pasted", "complete"),
    [
        (b"a=b; c=d", False),
        (b"a=b; c=d\n", True),
        (b"[{\n", False),
        (b"\xef\xbb\xbf[{\n}]\n", True),
        (b'{"a": 1}\r', True),
        (b"{ no JSON\n\n", True),
    ],
)
def test_when_a_paste_is_complete(pasted: bytes, complete: bool) -> None:
    assert terminal.is_complete(pasted) is complete
