"""What every test gets: a home of its own, recorded replies where they are, and no unexpected log lines."""

from __future__ import annotations

import logging
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

#: what the machine may have for its own programs
_NOT_FOR_TESTS = (
    *("COURSEFS_CONFIG", "COURSERA_CAUTH", "SSLKEYLOGFILE"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"),
    *(name for word in ("all", "http", "https", "no") for name in (f"{word}_proxy", f"{word}_proxy".upper())),
)

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # as a shell without job control starts what is in the background: commands would inherit it, and ignore Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)

_RECORDED = Path(__file__).resolve().parents[2] / "shared" / "recorded"


@pytest.fixture(scope="session")
def recorded() -> Path:
    """The folder of recorded platform replies; tests that need it are skipped where it is missing."""
    if not _RECORDED.is_dir():
        pytest.skip("the recorded platform replies are not on this machine")
    return _RECORDED


_INVENTED = Path(__file__).parent / "replies"


@pytest.fixture(
    scope="session", params=[folder for folder in (_INVENTED, _RECORDED) if folder.is_dir()], ids=lambda one: one.name
)
def platform_replies(request: pytest.FixtureRequest) -> Path:
    """A folder of platform replies: those of `tests/replies`, and then the recorded ones, where they are."""
    folder: Path = request.param
    return folder


@pytest.fixture(scope="session")
def real(platform_replies: Path) -> Path:
    """The replies of a real Open edX server, each with what was asked and its headers; invented, and then recorded."""
    return platform_replies / "openedx" / "real-teak"


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Settings, secrets, catalogue, cache and sockets of a test are its own; no desktop keyring is asked."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    for variable, place in {
        "XDG_CONFIG_HOME": ".config",
        "XDG_DATA_HOME": ".local/share",
        "XDG_STATE_HOME": ".local/state",
        "XDG_CACHE_HOME": ".cache",
        "XDG_RUNTIME_DIR": "run",
    }.items():
        (home / place).mkdir(parents=True, mode=0o700)
        monkeypatch.setenv(variable, str(home / place))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    for variable in _NOT_FOR_TESTS:
        monkeypatch.delenv(variable, raising=False)
    return home


@pytest.fixture(autouse=True)
def no_unexpected_log_lines(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """A warning or error that coursefs logs fails the test, unless the test expects it with `@pytest.mark.logs`."""
    yield
    if request.node.get_closest_marker("logs"):
        return
    lines = [
        record
        for phase in ("setup", "call")
        for record in caplog.get_records(phase)
        if record.levelno >= logging.WARNING and record.name.startswith("coursefs")
    ]
    assert not lines, "unexpected log lines: " + "; ".join(record.getMessage() for record in lines)


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """What a command of the test sets up for its log lines ends with the test."""
    logger = logging.getLogger("coursefs")
    handlers, propagate, levels = logger.handlers, logger.propagate, _levels()
    yield
    logger.handlers, logger.propagate = handlers, propagate
    for name, level in _levels().items():  # `cache verify` sets that of a package
        if level != levels.get(name, logging.NOTSET):
            logging.getLogger(name).setLevel(levels.get(name, logging.NOTSET))


def _levels() -> dict[str, int]:
    """The level of each logger of coursefs."""
    known = logging.root.manager.loggerDict.items()
    return {
        name: logger.level
        for name, logger in known
        if isinstance(logger, logging.Logger) and name.partition(".")[0] == "coursefs"
    }


@pytest.fixture
def another_uid() -> int:
    """A user who is not the one that runs the tests; files can be given to them, and processes run as them."""
    if os.geteuid() != 0:
        pytest.skip("only root can give files to another user")
    return 65534


def why_no_fuse(device: str = "/dev/fuse") -> str | None:
    """What this machine lacks for mounting a file system, None when it can."""
    try:
        os.close(os.open(device, os.O_RDWR))
    except OSError as error:
        return f"{device}: {error.strerror}"
    return None if shutil.which("fusermount3") else "fusermount3 is not installed"


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Tests marked `mount` are skipped where nothing can be mounted; with COURSEFS_REQUIRE_FUSE=1 they fail there."""
    if not item.get_closest_marker("mount"):
        return
    reason = why_no_fuse()
    if reason and os.environ.get("COURSEFS_REQUIRE_FUSE") == "1":
        pytest.fail(f"cannot mount: {reason}", pytrace=False)
    elif reason:
        pytest.skip(f"cannot mount: {reason}")
