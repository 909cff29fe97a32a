"""Whose certificates are accepted, for replies and for files, and what a person is told of one that is not."""

from __future__ import annotations

import datetime
import os
import ssl
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest
import trio
import trustme

from coursefs.base import threads
from coursefs.errors import Unreachable
from coursefs.transport import Transport
from coursefs.transport.reasons import reason_of
from coursefs.transport.trust import Authorities, Trust, trust_from
from tests.engine.web import Authority, reply, server_context, web


async def refusal(tls: ssl.SSLContext | None, host: str = "localhost") -> str:
    """What is said when a server with these settings is asked."""
    async with web(lambda *_: reply(b"ok"), tls) as there, Transport(read_timeout=5.0) as transport:
        url = there.url("/f?sig=secret", host).replace("http:", "https:")
        with pytest.raises(Unreachable) as caught:
            async with transport.stream(url):
                pass
    said = str(caught.value)
    assert "secret" not in said and "\n" not in said
    assert said.startswith(f"cannot reach {host}: ")
    return said


async def test_an_authority_that_the_environment_names_is_trusted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tls = Authority(monkeypatch, tmp_path).server()
    async with (
        web(lambda *_: reply(b"ok"), tls) as there,
        Transport(read_timeout=5.0) as transport,
        transport.stream(there.url()) as response,
    ):
        assert b"".join([part async for part in response.aiter_raw()]) == b"ok"


async def test_a_refused_certificate_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ours = Authority(monkeypatch, tmp_path)
    now = datetime.datetime.now(datetime.UTC)
    ended = now - datetime.timedelta(days=1)
    assert "its certificate has expired; check the clock of this machine" in await refusal(ours.server(not_after=ended))
    assert "its certificate is for another host" in await refusal(ours.server("other.org"))
    assert "its certificate is for another address" in await refusal(ours.server(), "127.0.0.1")
    unknown = await refusal(server_context(trustme.CA()))
    assert "its certificate is from an unknown authority; if it is trustworthy, install" in unknown
    assert "SSL_CERT_FILE" in unknown


def self_signed() -> ssl.SSLContext:
    """A server whose certificate is that of an authority, as on many a box."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with authority.cert_pem.tempfile() as cert, authority.private_key_pem.tempfile() as key:
        context.load_cert_chain(cert, key)
    return context


async def test_what_else_keeps_a_connection_from_being_made_is_named() -> None:
    assert "its certificate is self-signed" in await refusal(self_signed())
    assert "it does not speak TLS on this port" in await refusal(None)
    assert "no such host" in await refusal(None, "nothing.invalid")
    async with Transport(read_timeout=5.0) as transport:
        with pytest.raises(Unreachable, match=r"^cannot reach 127\.0\.0\.1: it refuses the connection$"):
            async with transport.stream("https://127.0.0.1:1/"):
                pass


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"", "closed the connection during the TLS handshake|reset the connection"),
        (bytes.fromhex("15030100020246"), "speaks no version of TLS that is still safe"),  # alert: protocol_version
        (bytes.fromhex("15030300020228"), "no secure connection: .*handshake failure"),
    ],
)
async def test_a_server_that_will_not_be_spoken_to_is_named(said: bytes, reason: str) -> None:
    async def refuse(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.receive_some()
            await stream.send_all(said)

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, refuse, 0)
        url = f"https://localhost:{listeners[0].socket.getsockname()[1]}/"
        async with Transport(read_timeout=5.0) as transport:
            with pytest.raises(Unreachable, match=reason):
                async with transport.stream(url):
                    pass
        nursery.cancel_scope.cancel()


def test_reasons_are_found_however_deep_they_lie() -> None:
    def nested() -> BaseException:
        try:
            try:
                raise OSError(113, "No route to host")
            except OSError as error:
                raise ExceptionGroup("all attempts failed", [error]) from None
        except ExceptionGroup:
            try:
                raise RuntimeError("what httpx says")
            except RuntimeError as error:
                return error

    assert reason_of(nested()) == "no route to it; is there a network?"
    assert reason_of(ValueError("nothing of the kind")) is None
    round_about = ValueError()
    round_about.__cause__ = round_about
    assert reason_of(round_about) is None


def test_the_systems_authorities_are_trusted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As curl does: what a system's administrator has put into the store is accepted."""
    campus = tmp_path / "store.pem"
    trustme.CA().cert_pem.write_to_path(str(campus))
    paths = ssl.get_default_verify_paths()._replace(openssl_cafile=str(campus))
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)
    found = trust_from({})
    assert (found.source, found.passed_over) == (str(campus), ())
    assert found.context.cert_store_stats()["x509_ca"] == 1
    assert found.context.check_hostname and found.context.verify_mode is ssl.CERT_REQUIRED


def test_a_machine_without_authorities_has_those_that_came_along(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    paths = ssl.get_default_verify_paths()._replace(openssl_cafile="", openssl_capath=str(tmp_path))
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)
    monkeypatch.setattr("coursefs.transport.trust._STORES", ())
    assert trust_from({}).context.cert_store_stats()["x509_ca"] > 50


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
@pytest.mark.parametrize("value", ["/nowhere", "", "/dev/null", "\0", "FOLDER", "FIFO", "TEXT"])
def test_a_variable_that_names_no_authorities_is_passed_over(variable: str, value: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "FIFO")
    (tmp_path / "TEXT").write_text("no certificate\n")
    (tmp_path / "FOLDER").mkdir()
    path = str(tmp_path / value) if value.isalpha() else value
    found = trust_from({variable: path})
    assert found.source == trust_from({}).source
    said = (f"{variable}: no certificates can be read there; it is ignored",)
    assert found.passed_over == (said if value else ())


def test_the_first_variable_that_can_be_used_counts(tmp_path: Path) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    found = trust_from({"SSL_CERT_FILE": "/nowhere", "REQUESTS_CA_BUNDLE": f"{tmp_path}/ca.pem"})
    assert found.source == f"{tmp_path}/ca.pem (REQUESTS_CA_BUNDLE)"
    assert len(found.passed_over) == 1


@pytest.mark.parametrize("name", ["none/x", "FIFO", "."])
def test_a_log_of_keys_that_cannot_be_written_is_passed_over(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "FIFO")
    found = trust_from({"SSLKEYLOGFILE": str(tmp_path / name)})
    assert found.passed_over == ("SSLKEYLOGFILE: cannot be written to; it is ignored",)
    assert found.context.keylog_filename is None


def test_a_log_of_keys_is_its_owners_alone(tmp_path: Path) -> None:
    found = trust_from({"SSLKEYLOGFILE": str(tmp_path / "keys")})
    assert found.context.keylog_filename == str(tmp_path / "keys")
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("has_threads", [True, False])
async def test_the_authorities_are_read_once_for_all_connections(
    has_threads: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readers = []

    def read(environ: Mapping[str, str]) -> Trust:
        readers.append(threading.current_thread() is threading.main_thread())
        return trust_from(environ)

    async def refuse(_: object) -> Trust:
        raise threads.NoThread

    async def connect() -> None:
        contexts.append(await authorities.context())

    if not has_threads:
        monkeypatch.setattr(threads, "run_sync", refuse)
    monkeypatch.setattr("coursefs.transport.trust.trust_from", read)
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    authorities = Authorities({"SSL_CERT_FILE": f"{tmp_path}/ca.pem"})
    contexts: list[ssl.SSLContext] = []
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(connect)
    assert readers == [not has_threads]
    assert {context.cert_store_stats()["x509_ca"] for context in contexts} == {1}
    assert (await authorities.trust()).source == f"{tmp_path}/ca.pem (SSL_CERT_FILE)"
