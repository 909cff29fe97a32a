"""`python -m coursefs.demo`: the sample platform as a process of its own.

Prints one line of JSON with its addresses when it is ready, then serves until SIGTERM or SIGINT, or until standard
input closes: so it never outlives the process that started it.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import trio

from coursefs.demo.description import load_courses
from coursefs.demo.naptime import DEFAULT_LIMIT
from coursefs.demo.openedx.platform import LmsAddresses, LmsPlatform
from coursefs.demo.panopto.platform import Panopto, PanoptoAddresses
from coursefs.demo.panopto.sample import sample
from coursefs.demo.panopto.signing_in import WEB_CLIENT
from coursefs.demo.platform import Addresses, Platform


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve the demo's courses."""
    options = _parser().parse_args(arguments)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: _end())
    platform = Platform(
        load_courses(options.courses),
        port=options.port,
        cdn_port=options.cdn_port,
        control=options.control,
        url_life=options.url_life,
        memberships_page=options.memberships_page,
        captcha=not options.no_captcha,
    )
    held, journal = sample(options.courses), platform.journal
    panopto = Panopto(held, journal=journal, control=options.control)
    closed = Panopto(held, journal=journal, control=options.control, offers_clients=False, port="panopto-closed")
    trio.run(_serve, platform, panopto, closed, options.token_life, options.until_stdin_closes)


async def _serve(
    platform: Platform, panopto: Panopto, closed: Panopto, token_life: int, until_stdin_closes: bool
) -> None:
    async with trio.open_nursery() as nursery:
        addresses: Addresses = await nursery.start(platform.serve)
        campus: PanoptoAddresses = await nursery.start(panopto.serve)
        elsewhere: PanoptoAddresses = await nursery.start(closed.serve)
        lms = LmsPlatform(journal=platform.journal, switchboard=platform.switchboard, token_life=token_life)
        lms_addresses: LmsAddresses = await nursery.start(lms.serve)
        ready = {
            "accounts": {
                "coursera": {
                    "provider": "coursera",
                    "settings": {"base_url": addresses.api},
                    "secrets": {"cauth": addresses.cauth},
                },
                "openedx": lms.account(lms_addresses),
                "panopto": {
                    "provider": "panopto",
                    "settings": {"server": campus.server, "client_id": WEB_CLIENT},
                    "secrets": panopto.sign_ins.grant(WEB_CLIENT),
                    "folder": "Panopto",
                },
            },
            "panopto": {"server": campus.server, "cdn": campus.cdn, **panopto.sign_ins.by_password()},
            # a server whose users may not make API clients; both have browsers' cookies at their control ports
            "panopto_closed": {"server": elsewhere.server, "cdn": elsewhere.cdn},
            "panopto_controls": {"panopto": campus.control, "panopto_closed": elsewhere.control},
            "cdn": addresses.cdn,
            "control": addresses.control,
            "logins": {"openedx": lms.login(lms_addresses)} if addresses.control else {},
        }
        sys.stdout.write(json.dumps(ready) + "\n")
        sys.stdout.flush()
        if until_stdin_closes:
            await trio.to_thread.run_sync(sys.stdin.buffer.read, abandon_on_cancel=True)
            _end()


def _end() -> None:
    """Exit at once: there is no state on disk, and no slow client may delay the exit."""
    os._exit(0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m coursefs.demo", description="A sample platform on 127.0.0.1.")
    parser.add_argument("--port", type=int, default=0, help="port of the API host (default: any)")
    parser.add_argument("--cdn-port", type=int, default=0, help="port of the media host (default: any)")
    parser.add_argument("--control", action="store_true", help="open a port that shows requests and makes faults")
    parser.add_argument("--url-life", type=int, metavar="SECONDS", help="how long signed URLs live")
    parser.add_argument("--memberships-page", type=int, metavar="N", default=DEFAULT_LIMIT, help="largest page")
    parser.add_argument("--no-captcha", action="store_true", help="a password is enough to sign in, as before 2019")
    parser.add_argument("--token-life", type=int, metavar="SECONDS", default=3600, help="how long tokens live")
    parser.add_argument("--until-stdin-closes", action="store_true", help="end when standard input closes")
    parser.add_argument(
        "--courses", type=Path, metavar="FOLDER", default=Path(__file__).parent / "courses", help="courses to serve"
    )
    return parser


if __name__ == "__main__":
    main()
