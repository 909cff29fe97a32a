"""Variables that desktops, conda and others leave behind: none of them ends a command that does not need it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from coursefs.cli.main import main
from coursefs.doctor.finding import Finding, Severity
from coursefs.doctor.machine import environment
from coursefs.transport.proxies import proxies_from
from coursefs.transport.trust import trust_from

LEFT_BEHIND = [
    ("ALL_PROXY", "socks://127.0.0.1:7891/"),
    ("all_proxy", "socks5h://localhost:1"),
    ("HTTPS_PROXY", "foo"),
    ("HTTPS_PROXY", "socks4://s3cret@x:1"),
    ("https_proxy", "http://[::1"),
    ("http_proxy", ""),
    ("http_proxy", "://"),
    ("NO_PROXY", "::1"),
    ("no_proxy", "[::1],*., 10.0.0.0/8,,"),
    ("SSL_CERT_FILE", "/nowhere"),
    ("SSL_CERT_DIR", "/nowhere"),
    ("REQUESTS_CA_BUNDLE", "/nowhere"),
    ("CURL_CA_BUNDLE", "/dev/null"),
    ("SSLKEYLOGFILE", "/nowhere/keys"),
    ("SSLKEYLOGFILE", "/"),
]


@pytest.mark.parametrize(("variable", "value"), LEFT_BEHIND)
@pytest.mark.parametrize("command", ["accounts --json", "doctor --json", "status --json", "cache info", "update"])
def test_no_variable_ends_a_command_that_does_not_need_it(
    variable: str, value: str, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    without, _ = main(command.split()), capsys.readouterr()
    monkeypatch.setenv(variable, value)
    status = main(command.split())
    said = capsys.readouterr()
    assert "defect" not in said.err and "Traceback" not in said.err
    assert "s3cret" not in said.out + said.err
    if not command.startswith("doctor"):
        assert status == without


@pytest.mark.parametrize(
    ("variable", "value", "check", "state"),
    [
        ("HTTPS_PROXY", "socks4://s3cret@x:1", "proxy", "problem"),
        ("ALL_PROXY", "http://[::1", "proxy", "problem"),
        ("SSL_CERT_FILE", "/nowhere", "environment", "note"),
        ("REQUESTS_CA_BUNDLE", "/dev/null", "environment", "note"),
        ("SSLKEYLOGFILE", "/nowhere/keys", "environment", "note"),
    ],
)
def test_the_doctor_says_what_cannot_be_used(
    variable: str,
    value: str,
    check: str,
    state: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(variable, value)
    main(["doctor", "--json"])
    checks = json.loads(capsys.readouterr().out)["checks"]
    (found,) = [one for one in checks if one["check"] == check and one["state"] == state]
    assert found["message"].startswith(f"{variable}: ")
    assert "s3cret" not in found["message"]
    assert found["advice"] == f"unset {variable}"


def test_the_doctor_says_what_is_used(tmp_path: Path) -> None:
    found = list(environment(proxies_from({"ALL_PROXY": "socks://me:secret@127.0.0.1:7891"}), trust_from({})))
    assert found[0] == Finding("proxy", Severity.OK, "127.0.0.1:7891 (ALL_PROXY) is used")
    assert found[1].message.startswith("those in /")
    assert next(environment(proxies_from({}), trust_from({}))) == Finding("proxy", Severity.OK, "none is used")
