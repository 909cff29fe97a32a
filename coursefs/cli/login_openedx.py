"""`coursefs login openedx`."""

from __future__ import annotations

import re
import time
from urllib.parse import urlsplit

import click

from coursefs.cli.options import Globals, pass_globals
from coursefs.cli.signing_in import sign_in, text_of, typed
from coursefs.config import AccountSettings, Settings, load
from coursefs.config_keys import account_name
from coursefs.config_keys import server as address_of
from coursefs.errors import UsageError

_LINE_END = re.compile(r"\r?\n")  # a password may hold any other character


@click.command()
@click.option("--server", metavar="URL", help="Address of the school's Open edX, such as https://lms.example.com.")
@click.option("--client-id", metavar="ID", help="The id of an application that the school has made.")
@click.option("--account", default="openedx", show_default=True, metavar="NAME", help="Name for this account.")
@click.option("--username", metavar="U", help="User name or e-mail address.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--client-secret-stdin", is_flag=True, help="Read the application's secret from standard input.")
@click.option("--cookies", metavar="FILE", help="A cookies.txt that a browser add-on has exported.")
@pass_globals
def openedx(
    options: Globals,
    server: str | None,
    client_id: str | None,
    account: str,
    username: str | None,
    password_stdin: bool,
    client_secret_stdin: bool,
    cookies: str | None,
) -> None:
    """Sign in to a school's Open edX.

    With --username and --password-stdin as yourself: with --client-id by tokens, which renew themselves, without it by
    a session of some weeks.  With --client-id and --client-secret-stdin as the user that this application belongs to.
    With --cookies as whoever the browser is signed in as; that is the way where the school has a sign-in of its own.
    The password itself is not kept.  What is kept is tried at once, and kept only when the platform accepts it.

    \b
    Example: coursefs login openedx --server https://lms.example.com --username ada --password-stdin
    """
    settings = load(options.places().config_file)
    values = _values(settings, account_name(account), server, client_id, username)
    name, application = values.get("username"), values.get("client_id", "")
    if cookies is not None and (password_stdin or client_secret_stdin):
        raise UsageError("either --cookies or --password-stdin and --client-secret-stdin, not both")
    if client_secret_stdin and not application:
        raise UsageError("--client-secret-stdin needs --client-id")
    if password_stdin and not name:
        raise UsageError("--password-stdin needs --username")
    if cookies is not None:
        from coursefs.providers.openedx.cookies import secrets_from_cookies  # noqa: PLC0415  # slow to import

        host = urlsplit(values["server"]).hostname or ""
        secrets = secrets_from_cookies(text_of(cookies), host=host, now=time.time())
    elif password_stdin:
        wanted = ["Client secret", "Password"] if client_secret_stdin else ["Password"]
        *first, password = _typed(wanted)
        secrets = _by_password(settings, values, name or "", password, first[0] if first else "")
    elif client_secret_stdin:
        secrets = {"client_secret": _typed(["Client secret"])[0]}
    else:
        raise UsageError(
            "how to sign in? with --username U --password-stdin, --client-id ID --client-secret-stdin or --cookies FILE"
        )
    sign_in(options.places(), settings, AccountSettings(account, "openedx", values=values), secrets)


def _values(
    settings: Settings, account: str, server: str | None, client_id: str | None, username: str | None
) -> dict[str, str]:
    """The account's settings: those that it has, and what the command line says."""
    known = settings.accounts.get(account)
    if known is not None and known.provider != "openedx":
        raise UsageError(f"{account} is an account on {known.provider}; give this one another name with --account")
    values = dict(known.values) if known else {}
    given = {"server": address_of(server) if server else None, "client_id": client_id, "username": username}
    values |= {key: value for key, value in given.items() if value}
    if "server" not in values:
        raise UsageError("--server is missing: the address of the school's Open edX")
    return values


def _typed(wanted: list[str]) -> list[str]:
    """As many secrets as are wanted from standard input, each a line of its own."""
    lines = _LINE_END.split(typed(wanted[0]))
    if len(wanted) == 2 and len(lines) == 1:  # on a terminal each is asked for by itself
        lines += _LINE_END.split(typed(wanted[1]))[:1]
    if len(lines) < len(wanted) or not all(lines[: len(wanted)]):
        raise UsageError(f"standard input holds no {wanted[min(len(lines), len(wanted) - 1)].lower()}")
    return lines[: len(wanted)]


def _by_password(settings: Settings, values: dict[str, str], name: str, password: str, secret: str) -> dict[str, str]:
    import trio  # noqa: PLC0415  # slow to import

    from coursefs.providers.openedx.sign_in import secrets_from_password  # noqa: PLC0415
    from coursefs.transport import Transport  # noqa: PLC0415

    async def ask() -> dict[str, str]:
        async with Transport(read_timeout=settings.network.read_timeout) as transport:
            return await secrets_from_password(
                transport,
                values["server"],
                username=name,
                password=password,
                client_id=values.get("client_id", ""),
                client_secret=secret,
                token_type=values.get("token_type", "jwt"),
            )

    return trio.run(ask)
