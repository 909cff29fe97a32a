"""`coursefs login` on a terminal: asks for the platform, the way to sign in, and what that needs; says what is next.

All questions are made of what the platforms declare (`coursefs.providers.platform`); no platform is named here.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coursefs.cli import output, terminal
from coursefs.errors import UsageError
from coursefs.providers import registry
from coursefs.providers.platform import Option, Platform, Way, address_of, origin_of, recognised, with_https
from coursefs.settings.account_keys import server_of
from coursefs.settings.paths import expanded, socket_dirs

if TYPE_CHECKING:
    from coursefs.cli.output import Globals
    from coursefs.settings.config import AccountSettings

_MOUNTPOINT = "~/courses"


@dataclass(frozen=True, slots=True)
class Offer:
    """A way to sign in, and the values of its options that will do on this machine."""

    way: Way
    values: Mapping[str, Sequence[str]] = field(default_factory=dict)  # by option

    @property
    def row(self) -> str:
        """Its line in the list of ways."""
        found = [value for values in self.values.values() for value in values]
        return f"{says(self.way)} ({', '.join(found)})" if found else says(self.way)


def says(way: Way) -> str:
    """What the list of ways says of one: its own words, or the help of its first option (pure)."""
    first = next((one.help.rstrip(".") for one in way.options if one.name in way.needs), "")
    return way.says or first or way.usage


def offers(platform: Platform, settings: Mapping[str, str]) -> list[Offer]:
    """The ways to sign in that a person is asked about: those that will do on this machine first.  Blocking.

    A way that neither says what it is nor has a usage is not offered.
    """
    listed = []
    for way in platform.sign_in_ways:
        if not way.says and not way.usage:
            continue
        values = {one.name: one.offers(settings) for one in way.options if one.offers is not None}
        listed.append(Offer(way, values))
    return sorted(listed, key=lambda one: 0 if any(one.values.values()) else 2 if one.values else 1)


def account_for(platform: Platform, settings: Mapping[str, str], known: Mapping[str, AccountSettings]) -> str:
    """The name of the account that a sign-in with these settings is for (pure).

    One that has the same server is signed in again; with another server a new account is named after its host.
    """
    server = settings.get("server")
    own = [one for one in known.values() if one.provider == platform.name]
    if server is None:
        return own[0].name if len(own) == 1 else platform.name
    for account in own:
        if account.values.get("server") == server:
            return account.name
    if platform.name not in known:
        return platform.name
    host = server.partition("://")[2].partition("/")[0].partition(":")[0]
    words = [word for word in host.split(".") if word not in {"www", "lms", "courses", "learn", "apps"}]
    allowed = "".join(one for one in words[0] if one.isascii() and (one.isalnum() or one == "-")) if words else ""
    base = allowed.strip("-")[:50] or platform.name
    return next(name for name in chain([base], (f"{base}-{number}" for number in count(2))) if name not in known)


def known_account(platform: Platform, known: Mapping[str, AccountSettings]) -> str | None:
    """The account of this platform that is signed in again; None: a new one, asked for where there are some."""
    own = [one for one in known.values() if one.provider == platform.name]
    if not own or _server_option(platform) is None:
        return own[0].name if len(own) == 1 else None
    rows = [f"{one.name}, again{f' ({server})' if (server := server_of(one.values)) else ''}" for one in own]
    at = terminal.choice("Which account", [*rows, "a new one, on another server"])
    assert isinstance(at, int)
    return own[at].name if at < len(own) else None


def platform_and_settings(text: str = "") -> tuple[Platform, Mapping[str, str]]:
    """The platform to sign in to, and the settings that an address gives: of `text`, or asked for.

    Raises `UsageError` when no platform can be loaded.
    """
    platforms = registry.platforms()
    typed: int | str = text
    while True:
        if not typed:
            rows = [one.called for one in platforms]
            typed = terminal.choice(
                "Which platform? Paste the address of one of your courses, or choose", rows, is_free=True
            )
        if isinstance(typed, int):
            return platforms[typed], {}
        if (
            named := next((one for one in platforms if typed.lower() in {one.name, one.called.lower()}), None)
        ) is not None:
            return named, {}
        address = address_of(typed)
        if address is None:
            output.message(f"{typed}: not an address; it is something like https://campus.example.edu/course")
            typed = ""
            continue
        return _of_address(address, platforms)


def _of_address(address: str, platforms: Sequence[Platform]) -> tuple[Platform, Mapping[str, str]]:
    address = with_https(address)
    found = recognised(address, platforms)
    if len(found) == 1:
        platform, settings = found[0]
    else:
        some = [platform for platform, _ in found] or [one for one in platforms if _server_option(one) is not None]
        at = terminal.choice(f"Which platform is at {origin_of(address)}", [one.called for one in some])
        assert isinstance(at, int)
        platform = some[at]
        option = _server_option(platform)
        unknown = {} if option is None else {option.setting: origin_of(address)}
        settings = found[at][1] if found else unknown
    server = settings.get("server")
    output.message(f"{platform.called}{f' at {server}' if server else ''}")
    return platform, settings


def _server_option(platform: Platform) -> Option | None:
    """The option that a platform cannot do without: the address of its server."""
    return next((option for option in platform.options if option.setting and option.missing), None)


def missing_settings(platform: Platform, known: Mapping[str, str], given: Mapping[str, Any]) -> dict[str, str]:
    """The answers for settings that signing in cannot do without, by option: asked for where they are not known."""
    answers = {}
    for option in platform.options:
        if option.setting and option.missing and option.name not in given and option.setting not in known:
            answers[option.name] = _setting(platform, option)
    return answers


def _setting(platform: Platform, option: Option) -> str:
    while True:
        typed = terminal.line(_question(option))
        address = address_of(typed)
        if address is not None:
            found = recognised(address, [platform])
            typed = found[0][1].get(option.setting, typed) if found else with_https(address)
        try:
            check = option.parse or platform.setting(option.setting).check
            return check(typed)
        except UsageError as error:
            output.message(str(error))


def way_and_answers(
    platform: Platform, settings: Mapping[str, str], given: Mapping[str, Any]
) -> tuple[Way, Mapping[str, Any]]:
    """The way to sign in that a person chooses, and the values of its options, by name."""
    listed = offers(platform, settings)
    if len(listed) == 1:
        offer = listed[0]
    else:
        at = terminal.choice(f"How do you want to sign in to {platform.called}", [one.row for one in listed])
        assert isinstance(at, int)
        offer = listed[at]
    options = {option.name: option for option in (*platform.options, *offer.way.options)}
    answers: dict[str, Any] = {}
    for name in offer.way.asks or offer.way.needs:
        if name in given or _is_known(options[name], settings):
            continue
        answer = _answer(options[name], offer, settings)
        if answer:
            answers[name] = answer
    return offer.way, answers


def _is_known(option: Option, settings: Mapping[str, str]) -> bool:
    """Whether a way takes the value of an option from the account's settings where it is not given."""
    return not option.setting and option.name.replace("-", "_") in settings


def _answer(option: Option, offer: Offer, settings: Mapping[str, str]) -> str | bool:
    """The value of an option; "" and False: it is not given."""
    is_needed = option.name in offer.way.needs
    if option.is_flag:  # of a secret: the way itself reads it
        return is_needed or terminal.yes(f"{_question(option)}?", default=False)
    if option.on_enter and not option.question:
        return option.on_enter
    if f" --{option.name} - " in f" {offer.way.usage} ":  # the way itself reads it, hidden
        return "-"
    values = list(offer.values.get(option.name) or option.choices)
    if values:
        at = 0 if len(values) == 1 else terminal.choice(_question(option), values)
        assert isinstance(at, int)
        return values[at]
    known = settings.get(option.setting, "") if option.setting else ""
    while True:
        typed = terminal.line(_question(option), known) or option.on_enter
        if typed and option.metavar == "FILE" and typed != "-":
            typed = _file(typed)
            if not Path(typed).is_file():
                output.message(f"{typed}: there is no such file")
                continue
        if typed or not (is_needed or option.setting):
            return typed


def _file(typed: str) -> str:
    """A typed path; a terminal quotes the path of a file that is dropped on it."""
    return str(expanded(Path(typed.strip("'\"").replace("\\ ", " "))))


def _question(option: Option) -> str:
    return option.question or option.help.rstrip(".")


def command_again(options: Globals, platform: Platform, account: str, settings: Mapping[str, str]) -> str:
    """The command line that asks again for a sign-in to this account (pure)."""
    words = ["coursefs", *(["--config", str(options.config)] if options.config else []), "login", platform.name]
    for option in platform.options:
        value = settings.get(option.setting, "") if option.setting else ""
        if value and value != platform.setting(option.setting).default:
            words += [f"--{option.name}", value]
    if account != platform.name:
        words += ["--account", account]
    return shlex.join(words)


def offer_mount(options: Globals) -> None:
    """Offer to mount the courses where none is mounted, and say the next line to type."""
    from coursefs.daemon import socket  # slow to import

    running = socket.mount_of_user(socket_dirs())
    if running is not None:
        status = socket.status(running)
        if status is not None:
            output.message(f"your courses are in {status['mountpoint']}; next: ls {shlex.quote(status['mountpoint'])}")
        return
    path = expanded(Path(_MOUNTPOINT))
    if not _is_usable(path) or not terminal.yes(f"Show your courses in {_MOUNTPOINT} now?", default=True):
        output.message(f"next: coursefs mount {_MOUNTPOINT}")
        return
    from coursefs.cli.mount import mount

    mount.main([str(path)], standalone_mode=False, obj=options)
    output.message(f"next: ls {_MOUNTPOINT}")


def _is_usable(path: Path) -> bool:
    """Whether a folder can be mounted on, or can be made."""
    try:
        return not any(path.iterdir())
    except FileNotFoundError:
        return path.parent.is_dir()
    except OSError:
        return False
