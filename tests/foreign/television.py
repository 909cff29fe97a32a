"""A television in a network of its own, which has nothing but a loopback device: it finds a media server, and plays.

    unshare --net python -m tests.foreign.television FILM COMMAND…

starts the media server COMMAND there, asks the group of such servers (SSDP), goes through the folders of the one that
answers, and reads parts of a film; what it has seen is printed in JSON.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import httpx

_GROUP = ("239.255.255.250", 1900)
_KIND = "urn:schemas-upnp-org:device:MediaServer:1"
_QUESTION = f'M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: "ssdp:discover"\r\nMX: 1\r\nST: {_KIND}\r\n\r\n'
_LIMIT = 60.0
_DIDL = "{urn:schemas-upnp-org:metadata-1-0/DIDL-Lite/}"
_DC = "{http://purl.org/dc/elements/1.1/}"
_DIRECTORY_SERVICE = "urn:schemas-upnp-org:service:ContentDirectory:1"


def main(film: str, command: list[str]) -> None:
    """Print what is seen: the server's name, every title, and two parts of the film in hexadecimal."""
    for words in ("link set lo up multicast on", "route add 224.0.0.0/4 dev lo"):
        subprocess.run(["ip", *words.split()], check=True)
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, env={**os.environ, "RCLONE_CONFIG": ""}) as server:
        try:
            with httpx.Client(timeout=_LIMIT, trust_env=False) as client:
                print(json.dumps(_seen(client, _address(), film)))
        finally:
            server.terminate()


def _address() -> str:
    """The address of the description of the server that answers first."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as television:
        television.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        television.settimeout(1)
        end = time.monotonic() + _LIMIT
        while time.monotonic() < end:
            television.sendto(_QUESTION.encode(), _GROUP)  # not heard before the server has joined the group
            try:
                found = re.search(r"^location: *(\S+)", television.recv(4096).decode(), re.MULTILINE | re.IGNORECASE)
            except TimeoutError:
                continue
            if found is not None:
                return found[1]
    raise TimeoutError("no media server answers")


def _seen(client: httpx.Client, server: str, film: str) -> dict[str, object]:
    description = ET.fromstring(client.get(server).raise_for_status().content)
    services = {one.findtext("{*}serviceType"): one.findtext("{*}controlURL") for one in description.iter()}
    control = urljoin(server, services[_DIRECTORY_SERVICE] or "")
    address = _film(client, control, film.split("/"))
    size = int(client.head(address).headers["Content-Length"])
    return {
        "server": description.findtext(".//{*}friendlyName"),
        "titles": list(_titles(client, control)),
        "parts": [_part(client, address, start).hex() for start in (size - 5000, 1000)],
    }


def _part(client: httpx.Client, address: str, start: int) -> bytes:
    reply = client.get(address, headers={"Range": f"bytes={start}-{start + 999}"})
    assert reply.status_code == 206
    return reply.content


def _browse(client: httpx.Client, control: str, container: str) -> ET.Element:
    """What a folder of a media server has, in DIDL-Lite."""
    asked = (
        '<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
        f'<u:Browse xmlns:u="{_DIRECTORY_SERVICE}"><ObjectID>{container}</ObjectID>'
        "<BrowseFlag>BrowseDirectChildren</BrowseFlag><Filter>*</Filter><StartingIndex>0</StartingIndex>"
        "<RequestedCount>0</RequestedCount><SortCriteria></SortCriteria></u:Browse></s:Body></s:Envelope>"
    )
    headers = {"SOAPAction": f'"{_DIRECTORY_SERVICE}#Browse"', "Content-Type": 'text/xml; charset="utf-8"'}
    reply = client.post(control, content=asked, headers=headers)
    assert reply.status_code == 200, reply.text
    return ET.fromstring(ET.fromstring(reply.content).findtext(".//Result", ""))


def _film(client: httpx.Client, control: str, names: list[str]) -> str:
    """The address of a film, found folder by folder."""
    *folders, film = names
    container = "0"
    for name in folders:
        found = {one.findtext(f"{_DC}title"): one.attrib["id"] for one in _browse(client, control, container)}
        container = found[name]
    (address,) = (
        one.findtext(f"{_DIDL}res")
        for one in _browse(client, control, container)
        if one.findtext(f"{_DC}title") in {film, Path(film).stem}
    )
    assert address
    return address


def _titles(client: httpx.Client, control: str, container: str = "0") -> Iterator[str]:
    """The titles of everything that a media server has."""
    for one in _browse(client, control, container):
        yield one.findtext(f"{_DC}title", "")
        if one.tag == f"{_DIDL}container":
            yield from _titles(client, control, one.attrib["id"])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
