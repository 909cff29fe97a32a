"""`coursefs login panopto`."""

from __future__ import annotations

import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from coursefs.cli import output
from coursefs.cli.options import Globals, pass_globals
from coursefs.cli.signing_in import sign_in, text_of, typed_line
from coursefs.config import AccountSettings, load
from coursefs.config_keys import account_name
from coursefs.credentials import Credentials
from coursefs.errors import CoursefsError, UsageError

if TYPE_CHECKING:
    from coursefs.providers.panopto.oauth import Client
    from coursefs.providers.panopto.sign_in import PanoptoSignIn

_PORT = 9127
#: where other programs for Panopto look for the credentials file
_USUAL = Path("~/.panopto_tokens")
#: seconds that somebody may take to sign in in the browser
_PATIENCE = 600.0


@click.command()
@click.option("--account", default="panopto", show_default=True, metavar="NAME", help="Name for this account.")
@click.option("--server", metavar="URL", help="Address of the server, such as https://campus.hosted.panopto.com.")
@click.option("--client-id", metavar="ID", help="The API client (User Settings, API Clients on the server).")
@click.option("--client-secret-stdin", is_flag=True, help="Read its secret from standard input.")
@click.option("--credentials", metavar="FILE", help=f"A JSON file with client_id and client_secret.  [{_USUAL}]")
@click.option("--username", metavar="U", help="Sign in with a password of Panopto's own.")
@click.option("--password-stdin", is_flag=True, help="Read it from standard input, after the client's secret.")
@click.option("--no-browser", is_flag=True, help="Print the address to open, and read the one it leads to.")
@click.option("--port", type=click.IntRange(1024, 65535), default=_PORT, show_default=True, help="Of the redirect URL.")
@pass_globals
def panopto(
    options: Globals,
    account: str,
    server: str | None,
    client_id: str | None,
    client_secret_stdin: bool,
    credentials: str | None,
    username: str | None,
    password_stdin: bool,
    no_browser: bool,
    port: int,
) -> None:
    """Sign in to a Panopto server, in your browser.

    It needs an API client, which you make on the server under User Settings, API Clients, Create a New API Client: type
    Server-side Web Application, CORS Origin URL https://localhost, Redirect URL http://localhost:9127/redirect.

    With --username the type is User Based Server Application, and the password one of Panopto's own.

    \b
    Example: coursefs login panopto --server https://campus.example.edu --client-id ID
    """
    if (username is None) == password_stdin:
        raise UsageError("--username and --password-stdin go together")
    if username is not None and no_browser:
        raise UsageError("either --username or --no-browser, not both")
    settings = load(options.places().config_file)
    known = settings.accounts.get(account_name(account))
    if known is not None and known.provider != "panopto":
        raise UsageError(f"{known.name} is an account on {known.provider}; give this one another name with --account")

    from coursefs.providers.panopto.settings import server as address  # noqa: PLC0415  # slow to import

    values = dict(known.values) if known else {}
    values["server"] = address(server if server is not None else values.get("server", ""))
    kept = Credentials(options.places()).load(account) if known else {}
    client = _client(client_id, credentials, client_secret_stdin, values.get("client_id", ""), kept)
    values["client_id"] = client.id
    password = typed_line("Password") if password_stdin else ""

    import trio  # noqa: PLC0415  # slow to import

    async def secrets() -> dict[str, str]:
        from coursefs.providers.panopto.sign_in import PanoptoSignIn  # noqa: PLC0415
        from coursefs.transport import Transport  # noqa: PLC0415

        async with Transport(read_timeout=settings.network.read_timeout) as transport:
            signing_in = PanoptoSignIn(transport, values["server"], client)
            if username is not None:
                return await signing_in.by_password(username, password)
            return await (_by_hand(signing_in, port) if no_browser else _in_browser(signing_in, port))

    own = AccountSettings(account, "panopto", values=values)
    new = trio.run(secrets)
    sign_in(options.places(), settings, own, new, keys=("server", "client_id"))


def _client(
    client_id: str | None, file: str | None, secret_on_stdin: bool, known_id: str, kept: dict[str, str]
) -> Client:
    """The API client: from the command line, from a credentials file, or the one that the account has."""
    from coursefs.providers.panopto.oauth import Client  # noqa: PLC0415  # slow to import
    from coursefs.providers.panopto.settings import client_id as one_word  # noqa: PLC0415
    from coursefs.providers.panopto.sign_in import client_of, client_secret  # noqa: PLC0415

    if client_id is not None and file is not None:
        raise UsageError("either --client-id or --credentials, not both")
    if client_id is None and file is None and not known_id:
        usual = _USUAL.expanduser()
        if not usual.is_file():
            raise UsageError("which API client? --client-id ID, or --credentials FILE")
        file = str(usual)
    if file is not None:
        if secret_on_stdin:
            raise UsageError("--client-secret-stdin goes with --client-id: the file has the secret")
        client = client_of(text_of(file))
        if Path(file).stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
            output.message(f"{file} can be read by other users of this machine: chmod 600 helps")
        return client
    chosen = one_word(client_id or known_id)
    if secret_on_stdin:
        return Client(chosen, client_secret(typed_line("Client secret")))
    return Client(chosen, kept.get("client_secret", "") if chosen == known_id else "")


async def _by_hand(signing_in: PanoptoSignIn, port: int) -> dict[str, str]:
    attempt = signing_in.attempt(port)
    output.message("open this address in a browser, on any machine, and sign in:")
    output.message(attempt.url)
    output.message("the browser then cannot open a page at localhost: copy the address of that page to here, and Enter")
    line = sys.stdin.readline(1 << 16)
    if not line.strip():
        raise UsageError("no address was given")
    return await signing_in.by_redirect(attempt, line)


async def _in_browser(signing_in: PanoptoSignIn, port: int) -> dict[str, str]:
    import webbrowser  # noqa: PLC0415

    import trio  # noqa: PLC0415

    from coursefs.providers.panopto.listener import listeners, redirected  # noqa: PLC0415

    sockets = await listeners(port)
    attempt = signing_in.attempt(port)
    opened = await trio.to_thread.run_sync(webbrowser.open, attempt.url)
    output.message(f"{'your browser opens' if opened else 'open'} this address; sign in there:")
    output.message(attempt.url)

    def accept(target: str) -> str:
        attempt.code(target)
        return target

    with trio.move_on_after(_PATIENCE):
        return await signing_in.by_redirect(attempt, await redirected(sockets, accept))
    raise CoursefsError(f"nobody signed in within {_PATIENCE / 60:.0f} minutes; try again, or with --no-browser")
