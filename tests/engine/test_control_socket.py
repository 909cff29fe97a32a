"""The control socket: commands and their answers, and clients that do anything they like."""

from __future__ import annotations

import logging
import os
import resource
import signal
import socket as sockets
import sqlite3
import warnings
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from coursefs.daemon import socket, socket_server
from coursefs.errors import CoursefsError, NoAnswer, UsageError

Replies = AsyncGenerator[dict[str, Any], None]


def command(*replies: dict[str, Any], error: Exception | None = None) -> socket_server.Command:
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

    async with socket_server.serving(path, {"double": double}):
        assert path.stat().st_mode & 0o777 == 0o600
        assert await ask(path, "double", numbers=[1, 2]) == [{"is": 2}, {"is": 4}]
        assert await trio.to_thread.run_sync(socket.owner, path) == os.getpid()
    assert not path.exists()
    assert socket.status(path) is None and socket.owner(path) is None


def as_user(user: int, work: Callable[[int], None]) -> tuple[int, int]:
    """Run `work` as another user in a child process, which writes to the descriptor that it is given.

    Returns the process and the other end of that pipe.  A fork, as the user may not reach the interpreter's files.
    """
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the child makes system calls alone, no use of threads
        pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)
            work(writing)
        finally:
            os._exit(0)
    os.close(writing)
    return pid, reading


def rest_of(pid: int, reading: int) -> bytes:
    """What a child still writes until it ends."""
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read()
    os.waitpid(pid, 0)
    return said


@contextmanager
def open_folder(path: Path) -> Iterator[str]:
    """A name of the folder by which other users reach it, whatever the folders above allow."""
    descriptor = os.open(path, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


@pytest.mark.logs
@pytest.mark.parametrize("request_line", ['{"do": "status"}', "GET /metrics HTTP/1.1"])
async def test_another_user_who_gets_to_the_socket_is_not_answered(
    path: Path, another_uid: int, request_line: str, caplog: pytest.LogCaptureFixture
) -> None:
    path.parent.chmod(0o777)  # as if the folder did not keep others out
    asked = []

    async def status(_: Mapping[str, Any]) -> Replies:
        asked.append(True)
        yield {"secret": 1}

    async with socket_server.serving(path, {"status": status}):
        path.chmod(0o777)
        with open_folder(path.parent) as folder:

            def ask_and_tell(writing: int) -> None:
                with sockets.socket(sockets.AF_UNIX) as asking:
                    asking.connect(f"{folder}/{path.name}")
                    with suppress(BrokenPipeError):  # the answer may be there, and the other end closed, before
                        asking.sendall(f"{request_line}\n".encode())
                    os.write(writing, asking.recv(65536))

            child = as_user(another_uid, ask_and_tell)
            said = await trio.to_thread.run_sync(rest_of, *child)
        assert b"this mount belongs to another user" in said and b"secret" not in said
        assert await ask(path) == [{"secret": 1}], "its owner is answered"
    assert len(asked) == 1
    assert "another user's request" in caplog.text


def test_a_socket_of_another_user_is_not_asked(tmp_path: Path, another_uid: int) -> None:
    tmp_path.chmod(0o777)
    path = socket.path_for(tmp_path, Path("/courses"))
    with open_folder(tmp_path) as folder:

        def listen(writing: int) -> None:
            with sockets.socket(sockets.AF_UNIX) as bound:
                bound.bind(f"{folder}/{path.name}")
                os.chmod(f"{folder}/{path.name}", 0o777)
                bound.listen()
                os.write(writing, b"listens\n")
                while True:
                    with bound.accept()[0] as asked, suppress(OSError):  # who goes away was warned
                        os.write(writing, asked.recv(65536))
                        asked.sendall(b'{"reply": {"demo": false}}\n{"end": 0, "message": ""}\n')

        pid, reading = as_user(another_uid, listen)
        try:
            assert os.read(reading, 100) == b"listens\n"
            assert socket.status(path) is None
            assert socket.owner(path) is None
            assert socket.find([tmp_path], Path("/courses")) is None
            assert socket.mount_of_user([tmp_path]) is None
            with pytest.raises(ConnectionError, match="belongs to another user"):
                list(socket.ask(path, "reload", secret="s3cret"))
        finally:
            os.kill(pid, signal.SIGKILL)
            heard = rest_of(pid, reading)
        assert heard == b""


async def test_a_mount_is_asked_by_whichever_of_its_sockets_is_left(tmp_path: Path) -> None:
    session, state = tmp_path / "session", tmp_path / "state"
    session.mkdir()
    state.mkdir()
    mountpoint = Path("/courses")
    folders = [session, state]
    async with socket_server.serving_in(folders, mountpoint, {"status": command({"demo": False})}):

        def found() -> tuple[Path | None, int]:
            return socket.find(folders, mountpoint), len(socket.processes(folders))

        assert await trio.to_thread.run_sync(found) == (socket.path_for(session, mountpoint), 1)
        socket.path_for(session, mountpoint).unlink()  # the session has ended
        session.rmdir()
        assert await trio.to_thread.run_sync(found) == (socket.path_for(state, mountpoint), 1)
        assert await trio.to_thread.run_sync(socket.mount_of_user, folders) == socket.path_for(state, mountpoint)
    assert list(state.iterdir()) == []


async def test_one_folder_that_cannot_have_a_socket_is_passed_over(tmp_path: Path) -> None:
    mountpoint = Path("/courses")
    async with socket_server.serving_in([tmp_path / "missing", tmp_path], mountpoint, {"status": command({"a": 1})}):
        assert await ask(socket.path_for(tmp_path, mountpoint)) == [{"a": 1}]
    with pytest.raises(CoursefsError, match="control socket cannot be made"):
        async with socket_server.serving_in([tmp_path / "missing"], mountpoint, {}):
            raise AssertionError


async def test_the_socket_of_a_mount_that_came_later_is_left_alone(path: Path) -> None:
    async with socket_server.serving(path, {"status": command({"a": 1})}):
        path.unlink()
        with sockets.socket(sockets.AF_UNIX) as later:
            later.bind(str(path))
    assert path.exists()


async def test_a_folder_that_is_deeper_than_an_address_is_long(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    async with socket_server.serving(folder / "s", {"status": command({"a": 1})}):
        assert await trio.to_thread.run_sync(socket.status, folder / "s") == {"a": 1}


async def test_the_socket_of_a_process_that_was_killed_is_replaced(path: Path) -> None:
    with sockets.socket(sockets.AF_UNIX) as killed:
        killed.bind(str(path))
    assert socket.status(path) is None
    async with socket_server.serving(path, {"status": command({"a": 1})}):
        assert await ask(path) == [{"a": 1}]


async def test_clients_that_go_away_do_not_end_it(path: Path) -> None:
    async with socket_server.serving(path, {"status": command({"a": "b" * 500_000})}):
        for request in (b"", b"{", b'{"do": "status"}\n'):
            stream = await trio.open_unix_socket(str(path))
            await stream.send_all(request)
            await trio.testing.wait_all_tasks_blocked()
            await stream.aclose()
            await trio.testing.wait_all_tasks_blocked()
        assert len(await ask(path)) == 1


@pytest.mark.parametrize("request_line", [b"[1]\n", b"\xff\n", b"[" * 500_000 + b"\n", b'{"do": ["status"]}\n', b"\n"])
async def test_what_is_no_request_is_told_so(path: Path, request_line: bytes) -> None:
    async with socket_server.serving(path, {"status": command({"a": 1})}):
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
    async with socket_server.serving(path, {"status": command({"a": 1}, error=error)}):
        for _ in range(2):
            with pytest.raises(CoursefsError, match="see its log"):
                await ask(path)
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 2


@pytest.mark.logs
async def test_a_reply_that_is_no_json_is_a_failure_of_the_command(path: Path) -> None:
    async with socket_server.serving(path, {"status": command({"a": object()})}):
        with pytest.raises(CoursefsError, match="see its log"):
            await ask(path)


async def test_a_failure_keeps_its_words_and_its_status(path: Path) -> None:
    async with socket_server.serving(path, {"update": command(error=UsageError("no such course"))}):
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
    async with socket_server.serving(path, {"status": command({"a": 1})}):
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
    assert socket.processes([hanging.parent]) == [(hanging, None)]
    assert socket.all_mounts([hanging.parent]) == []
    with pytest.raises(NoAnswer):  # no more are let in
        socket.status(hanging)


def test_the_process_is_known_even_if_it_does_not_answer(hanging: Path) -> None:
    assert socket.owner(hanging) == os.getpid()
