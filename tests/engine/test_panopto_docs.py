"""What the documentation says of the library is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import trio

from coursefs.demo.panopto.platform import Panopto
from coursefs.demo.panopto.signing_in import USER_CLIENT
from coursefs.providers.panopto import PanoptoClient
from tests.engine.campus import folder, held, session

_DOCS = (Path(__file__).resolve().parents[2] / "docs" / "panopto.md").read_text()


async def test_the_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", _DOCS, re.DOTALL)
    biology = folder("Biology 101")
    server = Panopto(held([biology], [session("Lecture", biology)]))
    async with trio.open_nursery() as nursery:
        addresses = await nursery.start(server.serve)
        known = server.sign_ins.by_password()
        for placeholder, value in {
            '"https://campus.hosted.panopto.com"': addresses.server,
            '"id"': USER_CLIENT,
            '"secret"': known["client_secret"],
            '"me"': known["username"],
            '"…"': known["password"],
        }.items():
            assert example.count(placeholder) == 1
            example = example.replace(placeholder, repr(value))
        await trio.to_thread.run_sync(exec, compile(example, "docs/panopto.md", "exec"), {})
        nursery.cancel_scope.cancel()
    assert capsys.readouterr().out == "Biology 101 Lecture\n"


def test_every_method_that_asks_is_named() -> None:
    machinery = {"captions_at", "check", "download_at", "has_captions", "media_at", "routes", "token"}
    methods = {name for name in vars(PanoptoClient) if not name.startswith("_")} - machinery
    _, _, listed = _DOCS.rpartition("`PanoptoClient` reads, and changes nothing:")
    assert set(re.findall(r"`(\w+)`", listed)) == methods
