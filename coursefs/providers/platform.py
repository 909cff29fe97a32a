"""The declaration of a platform: its name, account settings, ways to sign in, and the factory of its providers.

A package provides one `Platform` object under the entry-point group `coursefs.providers`.  The commands, the settings
file, the help and `doctor` take everything about the platform from it.  Importing it must be quick, because every
command reads the settings file: import clients and parsers inside the functions that need them.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeAlias
from urllib.parse import urlsplit

from coursefs.errors import UsageError
from coursefs.providers.base import Account, Provider
from coursefs.settings.account_keys import Setting

if TYPE_CHECKING:
    from coursefs.transport import Transport

#: creates the provider of an account; all its requests go through this transport
Create: TypeAlias = "Callable[[Account, Transport], Provider]"
#: the values of an option that will do on this machine, such as browsers with a session, from the account's settings;
#: it may block and must raise nothing
Offers: TypeAlias = "Callable[[Mapping[str, str]], Sequence[str]]"
#: version of this protocol: it changes only when platforms written for the former version would stop working
PROTOCOL = 1
#: options that every `coursefs login NAME` has
_RESERVED = frozenset({"account", "help"})
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """An option of `coursefs login NAME`: `name` without its dashes.

    An option with a `metavar`, `choices` or `numbers` takes a value; any other is a flag.  A secret is a flag too: its
    value is one line of standard input, typed without an echo on a terminal.
    """

    name: str
    help: str
    metavar: str = ""
    choices: tuple[str, ...] = ()
    numbers: tuple[int, int] | None = None  # the least and the most
    default: int | None = None  # of a number
    environment: str = ""  # variable that gives it when the command line chooses no way to sign in
    prompt: str = ""  # of a secret: the prompt on a terminal, such as "Password"
    no_line: str = ""  # message when standard input has no such line; "": the usual one
    setting: str = ""  # the key of the account's settings that its value becomes
    parse: Callable[[str], str] | None = None  # for a setting; None: the setting's own check
    missing: str = ""  # of a setting that signing in needs: the message when it is not set
    question: str = ""  # how `coursefs login` asks for it on a terminal; "": its help
    on_enter: str = ""  # the value for an empty answer; without a question, the value that is taken without asking
    offers: Offers | None = None

    @property
    def is_flag(self) -> bool:
        """Whether it takes no value."""
        return not (self.metavar or self.choices or self.numbers)


class SignInContext(Protocol):
    """The interface of a way to sign in to the command line, the terminal and the network."""

    @property
    def account(self) -> str:
        """The name of the account."""

    @property
    def settings(self) -> Mapping[str, str]:
        """The account's settings, with those of the command line over them."""

    def has(self, option: str) -> bool:
        """Whether an option is on the command line, or, when no way was chosen, its environment variable is set."""

    def text(self, option: str) -> str | None:
        """The value of an option; None when it was not given."""

    def number(self, option: str) -> int:
        """The value of an option that takes a number."""

    def secret(self, option: str) -> str:
        """Read a secret: the next line of standard input.  Lines are read in the order of these calls.

        Raises `UsageError` when standard input has no such line.
        """

    def everything_typed(self, what: str) -> str:
        """Read all of standard input as a secret; on a terminal what is pasted, without an echo."""

    def line(self) -> str:
        """Read a line of standard input that is no secret; "" at the end of input."""

    def file(self, path: str) -> str:
        """The text of a file that the user named, in UTF-8 or UTF-16; `-` is standard input, read as a secret.

        Raises `UsageError` when it cannot be read.
        """

    def say(self, line: str) -> None:
        """Write a line to standard error."""

    def kept(self) -> Mapping[str, str]:
        """The stored secrets of this account; empty when there are none."""

    def transport(self) -> AbstractAsyncContextManager[Transport]:
        """A transport, for requests to the platform."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The result of a way to sign in.  It is stored only after `Provider.whoami` has accepted it."""

    secrets: Mapping[str, str] = field(repr=False)  # stored, and passed to the provider; `expires`: seconds since 1970
    settings: Mapping[str, str] = field(default_factory=dict)  # settings of the account that the sign-in found out
    endless: str = ""  # message when the end of the sign-in is not known


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A way to sign in.

    It is chosen when the options of `needs` are given.  `sign_in` may make requests.  It raises `UsageError` for
    invalid values, and `NotSignedIn` when the platform refuses the sign-in.
    """

    name: str
    usage: str  # its options in messages: "--username U --password-stdin"; "": messages do not name it
    options: tuple[Option, ...]
    needs: tuple[str, ...]  # names of options; the first belongs to this way alone
    sign_in: Callable[[SignInContext], Awaitable[SignedIn]]
    says: str = ""  # what it is, for `coursefs login` on a terminal; "": the help of the first option of `needs`
    asks: tuple[str, ...] = ()  # names of options to ask for on a terminal, in order; (): those of `needs`


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """The complete declaration of a platform.  Raises `ValueError` when it contradicts itself."""

    protocol: int  # the version of `PROTOCOL` that it was written for
    name: str  # as in `coursefs login NAME`, and the name of its entry point
    summary: str  # one line, for the list of platforms
    description: str  # what `coursefs login NAME --help` says first
    example: str  # a command line
    settings: tuple[Setting, ...]
    sign_in_ways: tuple[Way, ...]
    create: Create  # makes no request; raises `UsageError` for wrong settings
    options: tuple[Option, ...] = ()  # those of every way
    title: str = ""  # its own name, as people write it: the folder of its courses where there are several accounts
    choose: Callable[[Collection[str]], Way] | None = None  # from the names of the options given; None: `chosen`
    label: str = ""  # its name in sentences, such as "Open edX"; "": the title, or the name
    #: the settings of an account that has this page, such as `{"server": …}`; None: the address is of another platform.
    #: The address begins with https:// or http://.  It makes no request and raises nothing.
    recognise: Callable[[str], Mapping[str, str] | None] | None = None

    def __post_init__(self) -> None:
        names: dict[str, Option] = {}
        keys = {setting.key for setting in self.settings}
        for option in self._all():
            if not _NAME.fullmatch(option.name):
                raise ValueError(f"no option can be called --{option.name}")
            if names.setdefault(option.name, option) != option:
                raise ValueError(f"two options are called --{option.name}")
            if option.setting and option.setting not in keys:
                raise ValueError(f"--{option.name} is for a setting that is not declared: {option.setting}")
        if reserved := _RESERVED & names.keys():
            raise ValueError(f"every login has --{min(reserved)}")
        if not self.sign_in_ways:
            raise ValueError("it has no way to sign in")
        for way in self.sign_in_ways:
            if unknown := set(way.needs) - {option.name for option in (*self.options, *way.options)}:
                raise ValueError(f"{way.name} needs --{min(unknown)}, which it does not have")
            if unknown := set(way.asks) - {option.name for option in (*self.options, *way.options)}:
                raise ValueError(f"{way.name} asks for --{min(unknown)}, which it does not have")

    def all_options(self) -> tuple[Option, ...]:
        """Every option once, in the order of the help."""
        return tuple({option.name: option for option in self._all()}.values())

    @property
    def called(self) -> str:
        """Its name for people."""
        return self.label or self.title or self.name

    def setting(self, key: str) -> Setting:
        """The declared setting of this key."""
        return next(setting for setting in self.settings if setting.key == key)

    def _all(self) -> Iterator[Option]:
        yield from self.options
        for way in self.sign_in_ways:
            yield from way.options


def chosen(platform: Platform, given: Collection[str], environment: Collection[str] = ()) -> Way:
    """The way to sign in that the command line chooses (pure).

    `given` are the names of the options on the command line, `environment` of those whose variable is set.  Raises
    `UsageError` when they choose none.
    """
    if platform.choose is not None:
        return platform.choose(given)
    begun = [way for way in platform.sign_in_ways if way.needs and way.needs[0] in given]
    if len(begun) > 1:
        ways = [f"--{way.needs[0]}" for way in platform.sign_in_ways if way.needs]
        raise UsageError(f"give only one way to sign in: {either(ways)}")
    for way in platform.sign_in_ways:
        if 0 < len(set(way.needs) & set(given)) < len(way.needs):
            raise UsageError(f"{' and '.join(f'--{name}' for name in way.needs)} belong together")
    if begun:
        return begun[0]
    for way in platform.sign_in_ways:
        if not way.needs or set(way.needs) <= set(environment):
            return way
    raise how(platform)


def address_of(text: str) -> str | None:
    """A pasted text as an address with its scheme; None when it is none (pure)."""
    text = text.strip()
    if not text or any(character.isspace() for character in text) or not text.isprintable():
        return None
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or "@" in parts.netloc or not ("." in host or host == "localhost"):
        return None
    return parts.geturl()


def origin_of(address: str) -> str:
    """An address without its path (pure): `https://lms.example.com`."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.lower()}"


def with_https(address: str) -> str:
    """A pasted address with https:// in place of http://, unless it is of this machine (pure)."""
    parts = urlsplit(address)
    host = parts.hostname or ""
    is_here = host in {"localhost", "::1"} or host.startswith("127.")
    return address if is_here else parts._replace(scheme="https").geturl()


def recognised(address: str, platforms: Iterable[Platform]) -> list[tuple[Platform, Mapping[str, str]]]:
    """The platforms that an address may belong to, each with the settings that it gives an account (pure)."""
    address = with_https(address)
    found = []
    for platform in platforms:
        settings = None if platform.recognise is None else platform.recognise(address)
        if settings is not None:
            found.append((platform, settings))
    return found


def how(platform: Platform) -> UsageError:
    """The error for a command line that chooses no way to sign in; its message lists the ways."""
    variables = [option.environment for option in platform.all_options() if option.environment]
    ways = [way.usage for way in platform.sign_in_ways if way.usage]
    listed = either([*ways, *(f"{name} in the environment" for name in variables)])
    return UsageError(f"no way to sign in given; use {listed}; for example: {platform.example}")


def either(words: list[str]) -> str:
    """`a, b or c`."""
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else last
