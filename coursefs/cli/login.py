"""`coursefs login`: sign in to a platform.

There is one command for each installed platform, made of what it declares: options, help, and the ways to sign in.
What a way brings is tried, and kept when the platform accepts it.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import click

from coursefs.cli import terminal
from coursefs.cli.lazy import LazyGroup
from coursefs.cli.login_context import Context, accepted, keep
from coursefs.cli.output import Globals
from coursefs.errors import CoursefsError, UsageError
from coursefs.settings.config import load
from coursefs.settings.config_keys import account_name
from coursefs.settings.credentials import Credentials

if TYPE_CHECKING:
    from coursefs.providers.platform import Option, Platform, Way
    from coursefs.settings.account_keys import TextCheck
    from coursefs.settings.config import AccountSettings


class _Platforms(LazyGroup):
    """A command for each platform, made when it is called."""

    noun = "platform"

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        from coursefs.providers import registry  # slow to import

        return registry.names()

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        from coursefs.providers import registry  # as above

        if (made := self.commands.get(cmd_name)) is not None:  # by the writer of man pages, in its own words
            return made
        if cmd_name in self.list_commands(ctx):
            return command_of(registry.platform(cmd_name))
        by_address = ctx.meta.setdefault(__name__, {})  # it is asked for twice, and a person must not be
        if cmd_name not in by_address:
            by_address[cmd_name] = _command_of_address(cmd_name)
        made = by_address[cmd_name]
        assert made is None or isinstance(made, click.Command)
        return made

    def summary(self, name: str) -> str:
        """What the help says of a platform, without a full stop."""
        from coursefs.providers import registry  # as above

        try:
            return registry.platform(name).summary.rstrip(".")
        except CoursefsError as error:  # the help of the others is given all the same
            return str(error)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, f"{self.summary(name)}.") for name in self.list_commands(ctx)])


def _command_of_address(text: str) -> click.Command | None:
    """`coursefs login URL`, with the address of a server, a course or a recording; None for another text."""
    from coursefs.providers import registry  # as above
    from coursefs.providers.platform import address_of, either, origin_of, recognised

    address = address_of(text)
    if address is None:
        return None
    found = recognised(address, registry.platforms())
    if len(found) == 1:
        return command_of(*found[0])
    if terminal.is_interactive():
        from coursefs.cli.login_guide import platform_and_settings

        return command_of(*platform_and_settings(text))
    names = [platform.name for platform, _ in found] or [platform.name for platform in registry.platforms()]
    raise UsageError(
        f"which platform is at {origin_of(address)}? say it: coursefs login PLATFORM --server {origin_of(address)},"
        f" with {either(names)} for PLATFORM"
    )


@click.command(cls=_Platforms, entries={}, invoke_without_command=True, subcommand_metavar="[PLATFORM | URL] [ARGS]...")
@click.pass_context
def login(ctx: click.Context) -> None:
    """Sign in to a platform.

    On a terminal it asks for what the command line does not say.  In place of the platform's name, the address of a
    course does, too.

    \b
    Example: coursefs login
             coursefs login https://campus.hosted.panopto.com
             coursefs login coursera --cauth -
    """
    if ctx.invoked_subcommand is not None:
        return
    if not terminal.is_interactive():
        from coursefs.providers import registry  # as above
        from coursefs.providers.platform import either

        platforms = registry.platforms()
        names = either([platform.name for platform in platforms])
        raise UsageError(f"which platform? {names}; for example: {platforms[0].example}")
    from coursefs.cli.login_guide import platform_and_settings

    options = ctx.find_object(Globals)
    assert options is not None
    platform, preset = platform_and_settings()
    _ask_and_log_in(options, platform, preset, None, {})


def command_of(platform: Platform, preset: Mapping[str, str] | None = None) -> click.Command:
    """`coursefs login NAME` for a platform; `preset`: settings that an address in place of the name gives."""

    @click.pass_context
    def callback(ctx: click.Context, /, **given: Any) -> None:
        options = ctx.find_object(Globals)
        assert options is not None
        _log_in(options, platform, preset or {}, **given)

    account = click.Option(
        ["--account"],
        show_default=platform.name,
        metavar="NAME",
        help=f"Name for this account.  [default: {platform.name}]",
    )
    return click.Command(
        platform.name,
        params=[account, *(_option_of(option) for option in platform.all_options())],
        help=f"{platform.description}\n\n\b\nExample: {platform.example}",
        callback=callback,
    )


def _option_of(option: Option) -> click.Option:
    name = [f"--{option.name}", option.name.replace("-", "_")]
    if option.is_flag:
        return click.Option(name, is_flag=True, help=option.help)
    kind: click.ParamType[Any] | None = None
    if option.choices:
        kind = click.Choice(option.choices)
    elif option.numbers:
        kind = click.IntRange(*option.numbers)
    return click.Option(
        name, type=kind, metavar=option.metavar or None, default=option.default, help=option.help,
        show_default=option.default is not None,
    )  # fmt: skip


def _log_in(
    options: Globals, platform: Platform, preset: Mapping[str, str], account: str | None, **values: Any
) -> None:
    from coursefs.providers.platform import chosen

    given = {name.replace("_", "-"): value for name, value in values.items() if not (value is None or value is False)}
    environment = {
        option.name: os.environ[option.environment]
        for option in platform.all_options()
        if option.environment and option.environment in os.environ
    }
    if _chooses_no_way(platform, given, environment) and terminal.is_interactive():
        _ask_and_log_in(options, platform, preset, account, given)
        return
    if account is None and preset:  # of an address: perhaps of another server than that of the usual account
        from coursefs.cli.login_guide import account_for

        account = account_for(platform, preset, load(options.app_paths().config_file).accounts)
    attempt = _Attempt(options, platform, preset, account or platform.name)
    merged = attempt.merged(given)
    attempt.carry_out(chosen(platform, given, environment), merged, environment | given)


def _chooses_no_way(platform: Platform, given: Collection[str], environment: Collection[str]) -> bool:
    """Whether the command line says at most which account and server is meant, and not how to sign in (pure)."""
    general = {option.name for option in platform.all_options() if option.setting or option.default is not None}
    by_environment = any(way.needs and set(way.needs) <= set(environment) for way in platform.sign_in_ways)
    return set(given) <= general and not by_environment


def _ask_and_log_in(
    options: Globals, platform: Platform, preset: Mapping[str, str], account: str | None, given: Mapping[str, Any]
) -> None:
    """Ask a person on the terminal for what the command line does not say, sign in, and say how to go on."""
    from coursefs.cli import login_guide

    accounts = load(options.app_paths().config_file).accounts
    if account is None and not preset and not given:
        account = login_guide.known_account(platform, accounts)
    known = None if account is None else _own_account(accounts, platform, account)
    answers: dict[str, Any] = {
        **login_guide.missing_settings(platform, {**(known.values if known else {}), **preset}, given)
    }
    if account is None:
        account = login_guide.account_for(
            platform, _merged(platform, {}, _given(platform, preset, {**given, **answers})), accounts
        )
    attempt = _Attempt(options, platform, preset, account)
    merged = attempt.merged({**given, **answers})
    way, more = login_guide.way_and_answers(platform, merged, given)
    answers |= more
    try:
        attempt.carry_out(way, attempt.merged({**given, **answers}), {**_defaults(way), **given, **answers})
    except CoursefsError as error:
        if "coursefs login" in str(error):
            raise
        again = login_guide.command_again(options, platform, account, merged)
        raise type(error)(f"{error}; to try again, type: {again}") from None
    login_guide.offer_mount(options)


def _defaults(way: Way) -> dict[str, Any]:
    return {option.name: option.default for option in way.options if option.default is not None}


class _Attempt:
    """One attempt to sign in to an account of a platform."""

    def __init__(self, options: Globals, platform: Platform, preset: Mapping[str, str], account: str) -> None:
        """`preset`: settings of the account that the command line gives as an address."""
        self._app_paths = options.app_paths()
        self._settings = load(self._app_paths.config_file)
        self._platform = platform
        self._preset = preset
        self._account = account
        self._known = _own_account(self._settings.accounts, platform, account)

    def merged(self, given: Mapping[str, Any]) -> dict[str, str]:
        """The settings of the account: those that it has, and what the command line says."""
        known = self._known.values if self._known else {}
        return _merged(self._platform, known, _given(self._platform, self._preset, given))

    def carry_out(self, way: Way, settings: Mapping[str, str], given: Mapping[str, Any]) -> None:
        """Try a way to sign in, and keep what the platform accepts."""
        import trio  # slow to import

        credentials = Credentials(self._app_paths)
        context = Context(
            self._platform,
            self._account,
            settings,
            given,
            self._settings.network.read_timeout,
            credentials if self._known else None,
        )
        keep(self._app_paths, credentials, self._platform, self._account, trio.run(accepted, way, context))


def _own_account(accounts: Mapping[str, AccountSettings], platform: Platform, account: str) -> AccountSettings | None:
    """The settings of an account; None: it is new.  Raises `UsageError` when it is one of another platform."""
    known = accounts.get(account_name(account))
    if known is not None and known.provider != platform.name:
        raise UsageError(f"{account} is an account on {known.provider}; give this one another name with --account")
    return known


def _given(platform: Platform, preset: Mapping[str, str], given: Mapping[str, Any]) -> dict[str, Any]:
    """The options of the command line, and those that an address in place of the platform's name stands for (pure)."""
    return {one.name: preset[one.setting] for one in platform.all_options() if one.setting in preset} | dict(given)


def _merged(platform: Platform, known: Mapping[str, str], given: Mapping[str, Any]) -> dict[str, str]:
    """The settings of the account: those that it has, and what the command line says."""
    merged = dict(known)
    for option in platform.all_options():
        if not option.setting:
            continue
        setting = platform.setting(option.setting)
        if value := given.get(option.name):
            merged[setting.key] = option.parse(value) if option.parse else _checked(option, setting.check, value)
        elif setting.key not in merged and setting.default is not None:
            merged[setting.key] = setting.default
        if setting.key not in merged and option.missing:
            raise UsageError(option.missing)
    return merged


def _checked(option: Option, check: TextCheck, value: str) -> str:
    try:
        return check(value)
    except UsageError as error:
        raise UsageError(f"--{option.name}: {error}") from None
