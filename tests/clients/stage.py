"""Runs a program of others against the sample platforms, in namespaces of its own.

`python -m tests.clients.stage FOLDER COMMAND…`, started by `unshare --mount --net`: there is no network but this
machine's own, where www.coursera.org, demo.hosted.panopto.com and campus.example.edu are the sample platforms behind
TLS. The program is given nothing but names of hosts, by a bind mount over /etc/hosts, and a certificate authority, by
the environment. Some ask pypi.org whether there is a newer version of them: here it says that there is none. In the
arguments, `{cauth}` and the like stand for what the platforms say of themselves.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import trustme

COURSERA, LMS, INDEX = "www.coursera.org", "campus.example.edu", "pypi.org"
PANOPTO = "demo.hosted.panopto.com"
_UP = 0x41  # IFF_UP | IFF_RUNNING
_TIMEOUT = 60


def main(arguments: Sequence[str]) -> int:
    """Set the stage, run the command, and write the platforms' journal to `journal.json`."""
    folder = Path(arguments[0])
    _own_network(folder)
    bundle, server = _certificates(folder)
    courses = ["--courses", str(folder / "courses")]
    with subprocess.Popen(
        [sys.executable, "-m", "coursefs.demo", "--control", "--until-stdin-closes", *courses],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as demo:
        assert demo.stdin is not None and demo.stdout is not None
        ready = json.loads(demo.stdout.readline())
        told = _told(ready, folder)
        platforms = {COURSERA: told["coursera"], LMS: told["lms"], PANOPTO: told["panopto"]}
        _serve_tls(server, platforms | {INDEX: _index()})
        status = subprocess.run(
            [argument.format_map(told) for argument in arguments[1:]],
            cwd=folder,
            env=_environment(folder, bundle),
            stdin=subprocess.DEVNULL,
            timeout=_TIMEOUT,
            check=False,
        ).returncode
        requests = httpx.get(f"{ready['control']}/requests", trust_env=False).json()
        (folder / "journal.json").write_text(json.dumps(requests), encoding="utf-8")
        demo.stdin.close()
    return status


def _own_network(folder: Path) -> None:
    """Bring up the loopback device of this network namespace, and name the hosts in this mount namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sH14x", b"lo", _UP))  # SIOCSIFFLAGS
    hosts = folder / "hosts"
    hosts.write_text(f"127.0.0.1 localhost {COURSERA} {LMS} {PANOPTO} {INDEX}\n", encoding="ascii")
    subprocess.run(["mount", "--bind", str(hosts), "/etc/hosts"], check=True)


def _certificates(folder: Path) -> tuple[Path, ssl.SSLContext]:
    authority = trustme.CA()
    bundle = folder / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(COURSERA, LMS, PANOPTO, INDEX).configure_cert(context)
    return bundle, context


def _told(ready: dict[str, Any], folder: Path) -> dict[str, str]:
    """What a program may be told, by name; `cookies` is a file with the cookies of a browser that is signed in."""
    cauth = ready["accounts"]["coursera"]["secrets"]["cauth"]
    browser = httpx.post(f"{ready['panopto_controls']['panopto']}/sign-in", trust_env=False).json()
    cookies = folder / "cookies.txt"
    ends = int(time.time()) + 86_400
    lines = [f".coursera.org\tTRUE\t/\tTRUE\t{ends}\tCAUTH\t{cauth}"]
    lines += (f"{PANOPTO}\tFALSE\t/\tTRUE\t{ends}\t{name}\t{value}" for name, value in browser.items())
    cookies.write_text("\n".join(("# Netscape HTTP Cookie File", *lines, "")), encoding="ascii")
    lms = ready["logins"]["openedx"]
    return {
        "cauth": cauth,
        "cookies": str(cookies),
        "coursera": ready["accounts"]["coursera"]["settings"]["base_url"],
        "lms": lms["server"],
        "panopto": ready["panopto"]["server"],
        "service": lms["service"],
        "service_secret": lms["service_secret"],
    }


def _environment(folder: Path, bundle: Path) -> dict[str, str]:
    """The environment of the program: a home of its own, and the certificate authority."""
    ca = dict.fromkeys(("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE"), str(bundle))
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "COLUMNS": "200",
        "TMPDIR": str(folder),
        **ca,
    }


class _NothingNew(BaseHTTPRequestHandler):
    def do_GET(self) -> None:  # as the library calls it
        body = json.dumps({"info": {"version": "0"}, "releases": {"0": []}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _index() -> str:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _NothingNew)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def _serve_tls(context: ssl.SSLContext, upstream: dict[str, str]) -> None:
    """Take TLS connections on port 443, and pass them to the platform that the client names (SNI)."""
    names: dict[ssl.SSLObject | ssl.SSLSocket, str] = {}
    context.sni_callback = lambda link, name, _: names.__setitem__(link, name or "")
    listener = socket.create_server(("127.0.0.1", 443))

    def accept() -> None:
        while True:
            plain, _ = listener.accept()
            threading.Thread(target=connect, args=(plain,), daemon=True).start()

    def connect(plain: socket.socket) -> None:
        link = context.wrap_socket(plain, server_side=True)
        url = urlsplit(upstream[names.pop(link)])
        assert url.hostname and url.port
        platform = socket.create_connection((url.hostname, url.port))
        threading.Thread(target=_pass_on, args=(platform, link), daemon=True).start()
        _pass_on(link, platform)

    threading.Thread(target=accept, daemon=True).start()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65_536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # one of the two has ended


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
