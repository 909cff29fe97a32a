"""The example of the documentation does what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import trio

from coursefs.providers.openedx import OpenEdxClient
from tests.engine.openedx_world import lms

_DOCS = Path(__file__).resolve().parents[2] / "docs" / "openedx.md"


async def test_the_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", _DOCS.read_text(), re.DOTALL)
    async with lms() as world:
        for placeholder, value in {
            "https://lms.example.com": world.addresses.lms,
            "my-client-id": "demo-service",
            "my-client-secret": world.platform.accounts.service_secret,
        }.items():
            assert placeholder in example
            example = example.replace(placeholder, value)
        await trio.to_thread.run_sync(exec, compile(example, str(_DOCS), "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert "course-v1:DemoX+MEAS101+2026 How Far, How Loud?" in lines
    assert "course-v1:DemoX+MEAS102+2099 True" in lines
    assert "How far is a star? ['desktop_mp4', 'mobile_low']" in lines


def test_every_method_is_in_the_table() -> None:
    methods = {name for name in dir(OpenEdxClient) if not name.startswith("_")} - {"routes"}
    table = set(re.findall(r"`(\w+)\(", "\n".join(line for line in _DOCS.read_text().splitlines() if line[:1] == "|")))
    assert table == methods
