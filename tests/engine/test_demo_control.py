"""The control port, and the platform as a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from coursefs.demo.faults import Faults, read_faults
from tests.engine.small_platform import small_platform, write_course


async def test_requests_are_shown_without_their_queries(tmp_path: Path) -> None:
    async with small_platform(tmp_path, control=True) as world:
        requests = f"{world.addresses.control}/requests"
        await world.anyone.delete(requests)
        url = await world.video_url()
        await world.anyone.get(url, headers={"Range": "bytes=5-9"})
        api, cdn = (await world.anyone.get(requests)).json()["requests"]
        assert (api["port"], api["status"], api["range"], api["done"]) == ("api", 200, None, True)
        assert cdn == {
            "port": "cdn",
            "method": "GET",
            "path": httpx.URL(url).path,
            "range": "bytes=5-9",
            "status": 206,
            "bytes": 5,
            "done": True,
            "open": cdn["open"],  # ends when the platform has looked after its reply
            "notes": [],
            "operation": None,
        }
        await world.anyone.delete(requests)
        assert (await world.anyone.get(requests)).json() == {"requests": [], "mutations": 0}


async def test_faults_are_set_shown_and_cleared(tmp_path: Path) -> None:
    async with small_platform(tmp_path, control=True) as world:
        faults = f"{world.addresses.control}/faults"
        url = await world.video_url()
        shown = (await world.anyone.post(faults, json={"refuse_sign_in": True, "cdn_fail_next": [503]})).json()
        assert (shown["refuse_sign_in"], shown["cdn_fail_next"]) == (True, [503])
        assert (await world.api.get("/api/adminUserPermissions.v1?q=my")).status_code == 403
        await world.anyone.post(faults, json={"refuse_sign_in": False})
        assert (await world.api.get("/api/adminUserPermissions.v1?q=my")).status_code == 200
        assert (await world.anyone.get(url)).status_code == 503
        await world.anyone.post(faults, json={"api_down": True})
        with pytest.raises(httpx.TransportError):
            await world.video_url()
        await world.anyone.delete(faults)
        assert (await world.anyone.get(url)).status_code == 200
        await world.anyone.post(faults, json={"expire_urls": True})
        assert (await world.anyone.get(url)).status_code == 403
        assert (await world.anyone.get(await world.video_url())).status_code == 200


async def test_a_wrong_fault_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    async with small_platform(tmp_path, control=True) as world:
        faults = f"{world.addresses.control}/faults"
        before = (await world.anyone.get(faults)).json()
        for body in ("{", "[1]", '{"nonsense": 1}', '{"api_down": true, "cdn_rate": -1}'):
            assert (await world.anyone.post(faults, content=body)).status_code == 400, body
        assert (await world.anyone.get(faults)).json() == before


@pytest.mark.parametrize(
    ("values", "faults"),
    [
        ({"cdn_stall": True}, Faults(cdn_stall=0)),
        ({"cdn_stall": 10}, Faults(cdn_stall=10)),
        ({"cdn_stall": False}, Faults()),
        ({"cdn_rate": 1000}, Faults(cdn_rate=1000.0)),
        ({"api_delay": 0.5}, Faults(api_delay=0.5)),
        ({"cdn_fail_next": [503, 403]}, Faults(cdn_fail_next=(503, 403))),
        ({"api_down": True, "refuse_sign_in": True}, Faults(api_down=True, refuse_sign_in=True)),
    ],
)
def test_faults_are_read(values: dict[str, object], faults: Faults) -> None:
    assert read_faults(Faults(), values) == faults
    assert read_faults(faults, dict.fromkeys(values)) == Faults()


@pytest.mark.parametrize(
    "values",
    [{"cdn_stall": -1}, {"cdn_rate": True}, {"api_down": 1}, {"cdn_fail_next": [200]}, {"cdn_fail_next": 503}],
)
def test_values_that_make_no_sense_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(values))):
        read_faults(Faults(), values)


@contextmanager
def running(folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen[bytes], dict[str, Any]]]:
    """The platform as a process, and what it says of itself."""
    write_course(folder / "small")
    command = [sys.executable, "-m", "coursefs.demo", "--courses", str(folder), *options]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        assert process.stdout is not None
        try:
            yield process, json.loads(process.stdout.readline())
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_process_serves_until_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    with running(tmp_path) as (process, ready):
        assert ready["control"] is None
        coursera = ready["accounts"]["coursera"]
        base_url, cauth = coursera["settings"]["base_url"], coursera["secrets"]["cauth"]
        headers = {"Cookie": f"CAUTH={cauth}", "Accept": "application/json"}
        reply = httpx.get(f"{base_url}/api/adminUserPermissions.v1?q=my", headers=headers, trust_env=False)
        assert reply.json()["elements"] == [{"id": 1000001}]
        process.send_signal(number)
        out, errors = process.communicate(timeout=10)
        assert (process.returncode, out, errors) == (0, b"", b"")


def test_a_process_ends_with_its_standard_input(tmp_path: Path) -> None:
    with running(tmp_path, "--control", "--until-stdin-closes") as (process, ready):
        assert ready["control"].startswith("http://127.0.0.1:")
        out, errors = process.communicate(timeout=10)
        assert (process.returncode, out, errors) == (0, b"", b"")
