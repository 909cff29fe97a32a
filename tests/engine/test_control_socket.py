"""The control socket: commands and their answers, and clients that do anything they like."""

from __future__ import annotations

import logging
import os
import resource
import socket as sockets
import sqlite3
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from coursefs.daemon import socket
from coursefs.errors import CoursefsError, NoAnswer, UsageError

Replies = AsyncGenerator[dict[str, Any], None]


def command(*replies: dict[str, Any], error: Exception | None = None) -> socket.Command:
    async def answer(_: Mapping[str, Any]) -> Replies:
        for reply in replies:
            yield reply
        if error is not None:
            raise error

    return answer


async def ask(path: Path, do: str = "status", **arguments: Any) -> list[socket.Reply]:
    return await trio.to_thread.run_sync(lambda: list(socket.ask(path, do, **arguments)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mount-1.sock"


async def test_replies_come_in_their_order_and_the_arguments_arrive(path: Path) -> None:
    async def double(wanted: Mapping[str, Any]) -> Replies:
        for number in wanted["numbers"]:
            yield {"is": 2 * number}

    async with socket.serving(path, {"double": double}):
        assert path.stat().st_mode & 0o777 == 0o600
        assert await ask(path, "double", numbers=[1, 2]) == [{"is": 2}, {"is": 4}]
        assert await trio.to_thread.run_sync(socket.owner, path) == os.getpid()
    assert not path.exists()
    assert socket.status(path) is None and socket.owner(path) is None


async def test_a_folder_that_is_deeper_than_an_address_is_long(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    async with socket.serving(folder / "s", {"status": command({"a": 1})}):
        assert await trio.to_thread.run_sync(socket.status, folder / "s") == {"a": 1}


async def test_the_socket_of_a_process_that_was_killed_is_replaced(path: Path) -> None:
    with sockets.socket(sockets.AF_UNIX) as killed:
        killed.bind(str(path))
    assert socket.status(path) is None
    async with socket.serving(path, {"status": command({"a": 1})}):
        assert await ask(path) == [{"a": 1}]


async def test_clients_that_go_away_do_not_end_it(path: Path) -> None:
    async with socket.serving(path, {"status": command({"a": "b" * 500_000})}):
        for request in (b"", b"{", b'{"do": "status"}\n'):
            stream = await trio.open_unix_socket(str(path))
            await stream.send_all(request)
            await trio.testing.wait_all_tasks_blocked()
            await stream.aclose()
            await trio.testing.wait_all_tasks_blocked()
        assert len(await ask(path)) == 1


@pytest.mark.parametrize("request_line", [b"[1]\n", b"\xff\n", b"[" * 500_000 + b"\n", b'{"do": ["status"]}\n', b"\n"])
async def test_what_is_no_request_is_told_so(path: Path, request_line: bytes) -> None:
    async with socket.serving(path, {"status": command({"a": 1})}):
        async with await trio.open_unix_socket(str(path)) as stream:
            await stream.send_all(request_line)
            assert b'"end": 2' in await stream.receive_some()
        assert await ask(path) == [{"a": 1}]


@pytest.mark.logs
@pytest.mark.parametrize(
    "error",
    [sqlite3.OperationalError("disk I/O error"), OSError(28, "No space left"), ExceptionGroup("", [KeyError("x")])],
)
async def test_a_command_that_fails_unexpectedly_is_answered_and_logged(
    path: Path, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    async with socket.serving(path, {"status": command({"a": 1}, error=error)}):
        for _ in range(2):
            with pytest.raises(CoursefsError, match="its log says why"):
                await ask(path)
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 2


@pytest.mark.logs
async def test_a_reply_that_is_no_json_is_a_failure_of_the_command(path: Path) -> None:
    async with socket.serving(path, {"status": command({"a": object()})}):
        with pytest.raises(CoursefsError, match="its log says why"):
            await ask(path)


async def test_a_failure_keeps_its_words_and_its_status(path: Path) -> None:
    async with socket.serving(path, {"update": command(error=UsageError("no such course"))}):
        with pytest.raises(CoursefsError, match="no such course") as caught:
            await ask(path, "update")
        assert caught.value.exit_status == 2
        with pytest.raises(CoursefsError, match="does not know that command"):
            await ask(path, "fetch")


@contextmanager
def no_more_files() -> Iterator[Callable[[], None]]:
    """No file can be opened until what is given is called."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)

    def allow() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)

    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, before[1]))
    try:
        yield allow
    finally:
        allow()


async def test_a_full_file_table_does_not_end_it(path: Path) -> None:
    async with socket.serving(path, {"status": command({"a": 1})}):
        with sockets.socket(sockets.AF_UNIX) as client, no_more_files() as allow:
            client.setblocking(False)
            client.connect(str(path))
            await trio.testing.wait_all_tasks_blocked(0.01)
            allow()
            client.send(b'{"do": "status"}\n')
            await trio.lowlevel.wait_readable(client)
            assert b'"reply": {"a": 1}' in client.recv(1000)


@pytest.fixture
def hanging(path: Path) -> Iterator[Path]:
    """A socket of a process that does not answer."""
    with sockets.socket(sockets.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(0)
        yield path


def test_a_process_that_does_not_answer_is_not_taken_for_none(hanging: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "_STATUS_WITHIN", 0.05)
    assert socket.processes(hanging.parent) == [(hanging, None)]
    assert socket.all_mounts(hanging.parent) == []
    with pytest.raises(NoAnswer):  # no more are let in
        socket.status(hanging)


def test_the_process_is_known_even_if_it_does_not_answer(hanging: Path) -> None:
    assert socket.owner(hanging) == os.getpid()
