"""A television that looks for media servers (SSDP), in a network of its own that has nothing but a loopback device.

    unshare --net python -m tests.foreign.ssdp COMMAND…

starts the media server COMMAND there, asks the group of such servers, and prints the address of the one that answers.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time

_GROUP = ("239.255.255.250", 1900)
_KIND = "urn:schemas-upnp-org:device:MediaServer:1"
_QUESTION = f'M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: "ssdp:discover"\r\nMX: 1\r\nST: {_KIND}\r\n\r\n'
_LIMIT = 60.0


def main(command: list[str]) -> None:
    """Print the address of the server's description."""
    for words in ("link set lo up multicast on", "route add 224.0.0.0/4 dev lo"):
        subprocess.run(["ip", *words.split()], check=True)
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, env={**os.environ, "RCLONE_CONFIG": ""}) as server:
        try:
            print(_address())
        finally:
            server.terminate()


def _address() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as television:
        television.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        television.settimeout(1)
        end = time.monotonic() + _LIMIT
        while time.monotonic() < end:
            television.sendto(_QUESTION.encode(), _GROUP)  # nobody hears it before the server has joined the group
            try:
                found = re.search(r"^location: *(\S+)", television.recv(4096).decode(), re.MULTILINE | re.IGNORECASE)
            except TimeoutError:
                continue
            if found is not None:
                return found[1]
    raise TimeoutError("no media server answers")


if __name__ == "__main__":
    main(sys.argv[1:])
