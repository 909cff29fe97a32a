"""Machines that share a cache: each with a cache of its own, all on one server and one tier."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import trio
import trio.testing

from coursefs.base.supervisor import Tasks
from coursefs.content import Content, Contents
from coursefs.content.open_file import OpenFile
from coursefs.content.range_request import BufferPool, RangeRequest
from coursefs.content.scheduler import Priority, QueuedRequest
from coursefs.content.sharing import Sharing
from coursefs.errors import CoursefsError
from coursefs.model import PERSONAL, Remote, Source, Version
from coursefs.shared import SharedCache, SharedFile, SharedKey
from coursefs.shared.folder import FolderTier
from coursefs.shared.keys import parse_key
from coursefs.shared.shared_cache import LEASE
from tests.engine.content_bench import CONTENT, MIB, Bench, bench, noise, read_as_mount, settled, until
from tests.engine.content_server import Request

BODY = noise(5 * MIB + 12345)
KEY = SharedKey.generated()
PLATFORM = "openedx https://lms.example.com"
FILE = SharedFile(PLATFORM, CONTENT.remote.identity, len(BODY), 'etag "one"')


def sharing(folder: Path, key: SharedKey = KEY) -> Callable[[Tasks], Sharing]:
    return lambda tasks: Sharing(SharedCache(FolderTier(folder), key, tasks), lambda _: PLATFORM)


@pytest.fixture(autouse=True)
def _tier(tmp_path: Path) -> None:
    (tmp_path / "tier").mkdir()


def machine(it: Bench, tmp_path: Path, number: int, key: SharedKey = KEY) -> Contents:
    return it.contents(tmp_path / f"cache-{number}", sharing=sharing(tmp_path / "tier", key))


def from_platform(it: Bench) -> int:
    """Bytes that the server was asked for, but for probes of a byte."""
    spans = [span or (0, len(it.server.body)) for span in it.server.ranges]
    return sum(min(end, len(it.server.body)) - start for start, end in spans if end - start > 1)


def stored(tmp_path: Path) -> list[Path]:
    """The pieces in the tier, and claims that were left."""
    return sorted(path for path in (tmp_path / "tier").rglob("*") if path.is_file())


async def filled(it: Bench, tmp_path: Path) -> None:
    async with machine(it, tmp_path, 40) as contents:
        assert await it.read_all(contents) == BODY
        await settled(contents)
    it.server.requests.clear()


async def test_the_second_machine_asks_the_platform_for_no_byte_but_the_probe(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as it:
        await filled(it, tmp_path)
        assert [path.name.count(".") for path in stored(tmp_path)] == [0] * 6  # every piece, and no claim
        async with machine(it, tmp_path, 1) as contents:
            assert await it.read_all(contents) == BODY
            assert from_platform(it) == 0
            assert len(it.server.requests) == 1
            assert contents.shared is not None
            assert contents.shared.use.taken_bytes == len(BODY)
            assert contents.cached_bytes(CONTENT) == len(BODY)  # it is in the machine's own cache as well


async def test_forty_machines_that_begin_at_once_ask_the_platform_once(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as it:

        async def study(number: int) -> None:
            async with machine(it, tmp_path, number) as contents:
                assert await it.read_all(contents, step=MIB) == BODY
                await settled(contents)

        async with trio.open_nursery() as nursery:
            for number in range(40):
                nursery.start_soon(study, number)
        assert from_platform(it) <= 1.05 * len(BODY)
    assert [path.name.count(".") for path in stored(tmp_path)] == [0] * 6


@pytest.mark.parametrize("start", [0, 3 * MIB // 2, len(BODY) - 100])
async def test_a_read_in_the_middle_of_a_piece_shares_all_of_it(tmp_path: Path, start: int) -> None:
    """Others wait for the whole piece, so what is before the read is fetched as well, in the background."""
    async with bench(tmp_path, BODY) as it:
        async with machine(it, tmp_path, 0) as contents:
            reader = contents.open(CONTENT, await contents.probe(CONTENT))
            assert await read_as_mount(reader, start, 100) == BODY[start : start + 100]
            await settled(contents)
            reader.close()
            await settled(contents)
        it.server.requests.clear()
        async with machine(it, tmp_path, 1) as contents:
            reader = contents.open(CONTENT, await contents.probe(CONTENT))
            assert await read_as_mount(reader, start, 100) == BODY[start : start + 100]
            reader.close()
            assert contents.shared is not None
            assert contents.shared.use.taken_pieces >= 1
    assert not [path for path in stored(tmp_path) if "." in path.name]


async def test_the_rest_of_a_claimed_piece_is_fetched_while_its_beginning_comes(tmp_path: Path) -> None:
    """All other machines wait for it, so it does not wait for what this one reads first."""
    async with bench(tmp_path, BODY) as it:

        async def hold(request: Request) -> None:
            """The beginning comes only after the rest was requested."""
            if request.range and request.range[0] == 0 and request.range[1] > 1:
                await until(lambda: any(span and span[1] == MIB for span in it.server.ranges))
            await it.server.serve(request)

        it.server.always = hold
        async with machine(it, tmp_path, 0) as contents:
            reader = contents.open(CONTENT, await contents.probe(CONTENT))
            assert await read_as_mount(reader, 0, 100) == BODY[:100]
            await settled(contents)
            reader.close()
        assert from_platform(it) == MIB


async def test_the_rest_of_a_piece_costs_no_further_url(tmp_path: Path) -> None:
    """A URL for a single use brings everything behind the read, also what is not asked for."""
    async with bench(tmp_path, BODY) as it:
        it.source = Source(it.server.url, once=True)
        async with machine(it, tmp_path, 0) as contents:
            reader = contents.open(CONTENT, await contents.probe(CONTENT))
            it.server.requests.clear()
            assert await read_as_mount(reader, 0, 100) == BODY[:100]
            await settled(contents)
            reader.close()
        assert len(it.server.requests) == 1
    assert [path.name.count(".") for path in stored(tmp_path)] == [0] * 6


async def test_a_reader_that_leaves_before_anything_has_come_costs_nothing(tmp_path: Path) -> None:
    """Nor does it keep the claim: another machine fetches the piece."""
    async with bench(tmp_path, BODY) as it:

        async def stall(request: Request) -> None:
            if request.range and request.range[1] > 1:
                await trio.sleep_forever()
            await it.server.serve(request)

        it.server.always = stall
        async with machine(it, tmp_path, 0) as contents:
            reader = contents.open(CONTENT, await contents.probe(CONTENT))
            async with trio.open_nursery() as nursery:
                nursery.start_soon(read_as_mount, reader, 0, 100)
                await it.server.asked(3)  # the probe, the read, and the rest of its piece
                nursery.cancel_scope.cancel()
            reader.close()
            with trio.fail_after(3):  # before the requests fail: they are cancelled
                await settled(contents)
        assert stored(tmp_path) == []


async def test_each_piece_is_put_as_soon_as_it_has_come(tmp_path: Path) -> None:
    """One request brings several, and others wait for the first of them."""
    put_early: list[int] = []
    async with bench(tmp_path, BODY) as it:

        async def pause(request: Request) -> None:
            start, end = request.range or (0, len(BODY))
            if put_early or end - start < 2 * MIB:
                await it.server.serve(request)
                return
            head = f'HTTP/1.1 206 X\r\nContent-Length: {end - start}\r\nETag: "one"\r\n'
            head += f"Content-Range: bytes {start}-{end - 1}/{len(BODY)}\r\n\r\n"
            await request.stream.send_all(head.encode() + BODY[start : start + MIB + 1000])
            name = FILE.piece(start).name
            await until(lambda: [path for path in stored(tmp_path) if path.name == name])
            put_early.append(start)
            await request.stream.send_all(BODY[start + MIB + 1000 : end])

        it.server.always = pause
        async with machine(it, tmp_path, 0) as contents:
            await contents.prefetch(CONTENT)
            await settled(contents)
        begun = [span[0] for span in it.server.ranges if span]
    assert put_early and put_early[0] + MIB + 1000 not in begun  # it was not given up and made again
    assert [path.name.count(".") for path in stored(tmp_path)] == [0] * 6


async def test_what_has_come_of_a_claimed_piece_is_not_fetched_again(tmp_path: Path) -> None:
    """The reader leaves as soon as it has its bytes."""
    came = 200_000
    async with bench(tmp_path, BODY) as it:

        async def stall(request: Request) -> None:
            if request.range and request.range[0] == 0 and request.range[1] > 1:
                start, end = request.range
                head = f'HTTP/1.1 206 X\r\nContent-Length: {end - start}\r\nETag: "one"\r\n'
                head += f"Content-Range: bytes {start}-{end - 1}/{len(BODY)}\r\n\r\n"
                await request.stream.send_all(head.encode() + BODY[:came])
                await trio.sleep_forever()
            await it.server.serve(request)

        it.server.always = stall
        async with machine(it, tmp_path, 0) as contents:
            reader = contents.open(CONTENT, await contents.probe(CONTENT))
            assert await read_as_mount(reader, 0, came) == BODY[:came]
            reader.close()
            await settled(contents)
            assert [path.read_bytes() != b"" for path in stored(tmp_path)] == [True]
        assert len([span for span in it.server.ranges if span and span[0] == 0]) == 2  # the probe, and the read


# -- who may have what -------------------------------------------------------------------------------------------------


async def test_nothing_in_the_tier_says_what_it_is_or_can_be_read(tmp_path: Path) -> None:
    text = b"Only for the enrolled. " * 50_000
    async with bench(tmp_path, text) as it:
        async with machine(it, tmp_path, 0) as contents:
            assert await it.read_all(contents) == text
            await settled(contents)
        kept = b"".join(path.name.encode() + path.read_bytes() for path in stored(tmp_path))
    assert len(kept) > len(text)
    for secret in (b"enrolled", CONTENT.remote.identity.encode(), it.server.url.encode(), b"lms.example.com", KEY.seed):
        assert secret is not None
        assert secret not in kept


async def test_another_version_has_other_pieces(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as it:
        await filled(it, tmp_path)
        it.server.body = BODY[::-1]
        it.server.headers["ETag"] = '"two"'
        async with machine(it, tmp_path, 1) as contents:
            assert await it.read_all(contents) == BODY[::-1]
        assert from_platform(it) == len(BODY)


@pytest.mark.parametrize("why", ["personal", "another platform", "no validator", "small", "not confirmed today"])
async def test_what_is_not_shared(tmp_path: Path, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    content, platform, body = CONTENT, PLATFORM, BODY
    if why == "personal":
        content = Content("campus", Remote("own.pdf", {PERSONAL: "1"}), CONTENT.course)
    if why == "small":
        body = BODY[: 64 * 2**10 - 1]
    async with bench(tmp_path, body) as it:
        if why == "no validator":
            del it.server.headers["ETag"]

        async def read(number: int, platform: str | None) -> int:
            def made(tasks: Tasks) -> Sharing:
                return Sharing(SharedCache(FolderTier(tmp_path / "tier"), KEY, tasks), lambda _: platform)

            async with it.contents(tmp_path / f"cache-{number}", sharing=made) as contents:
                if number and why == "not confirmed today":
                    await contents.probe(content)
                    monkeypatch.setattr(contents, "checked_ns", lambda _: 0)
                assert await it.read_all(contents, content) == body
                await settled(contents)
                assert contents.shared is not None
                return contents.shared.use.taken_pieces

        await read(0, platform)
        it.server.requests.clear()
        taken = await read(1, None if why == "another platform" else platform)
        assert taken == 0
        assert from_platform(it) >= len(body) - 1


# -- a tier that lies, fails or dies -----------------------------------------------------------------------------------


def _exchange(paths: list[Path]) -> None:
    for one, other in zip(paths, [*paths[1:], paths[0]], strict=True):
        one.with_suffix(".new").write_bytes(other.read_bytes())
    for one in paths:
        one.with_suffix(".new").replace(one)


def _flip(paths: list[Path]) -> None:
    for number, path in enumerate(paths):
        data = bytearray(path.read_bytes())
        data[(number * 7919) % len(data)] ^= 1
        path.write_bytes(data)


def _cut(paths: list[Path]) -> None:
    for path in paths:
        os.truncate(path, path.stat().st_size // 2)


def _empty(paths: list[Path]) -> None:
    for path in paths:
        path.write_bytes(b"")


def _grow(paths: list[Path]) -> None:
    for path in paths:
        with path.open("ab") as file:
            file.write(bytes(2**20))


@pytest.mark.logs
@pytest.mark.parametrize("damage", [_exchange, _flip, _cut, _empty, _grow])
async def test_pieces_that_are_not_what_they_promise_are_not_used(
    tmp_path: Path, damage: Callable[[list[Path]], None], caplog: pytest.LogCaptureFixture
) -> None:
    async with bench(tmp_path, BODY) as it:
        await filled(it, tmp_path)
        damage(stored(tmp_path))
        async with machine(it, tmp_path, 1) as contents:
            assert await it.read_all(contents) == BODY
            assert contents.shared is not None
            assert contents.shared.use.bad_pieces >= 3
            assert contents.shared.use.taken_pieces == 0
            assert "piece" in contents.shared.trouble
        assert from_platform(it) == len(BODY)
    assert "is not used" in caplog.text


@pytest.mark.logs
async def test_what_an_unknown_machine_has_put_is_not_believed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Also with the right names and in the right form: this machine can see the file as well, and lies about it."""
    async with bench(tmp_path, BODY[::-1]) as it:
        async with machine(it, tmp_path, 0, SharedKey.generated()) as contents:
            assert await it.read_all(contents) == BODY[::-1]
            await settled(contents)
        it.server.body = BODY
        async with machine(it, tmp_path, 1) as contents:
            assert await it.read_all(contents) == BODY
    assert "not signed" in caplog.text


async def test_a_machine_that_may_only_read_takes_and_never_puts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bench(tmp_path, BODY) as it:
        reader = parse_key(KEY.reader.lines().splitlines(), "key")
        async with machine(it, tmp_path, 0, reader) as contents:
            with monkeypatch.context() as patched:
                patched.setattr(OpenFile, "cached", None)  # nothing is read again that cannot be put
                assert await it.read_all(contents) == BODY
                await settled(contents)
        assert stored(tmp_path) == []
        await filled(it, tmp_path)
        async with machine(it, tmp_path, 1, reader) as contents:
            assert await it.read_all(contents) == BODY
        assert from_platform(it) == 0


async def test_pieces_that_go_while_they_are_read_are_fetched_from_the_platform(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as it:
        await filled(it, tmp_path)
        gone = stored(tmp_path)[::2]
        for path in gone:
            path.unlink()
        async with machine(it, tmp_path, 1) as contents:
            assert await it.read_all(contents) == BODY
            await settled(contents)
        assert (len(gone) - 1) * MIB < from_platform(it) <= len(gone) * MIB  # these pieces, and no byte more
    assert len(stored(tmp_path)) == 6


async def test_the_platform_is_asked_for_what_is_missing_alone(tmp_path: Path) -> None:
    """A request that is longer than a piece, of which every second one is there."""
    async with bench(tmp_path, BODY) as it:
        await filled(it, tmp_path)
        missing = [FILE.piece(number * MIB) for number in (0, 2, 4)]
        for piece in missing:
            (tmp_path / "tier" / piece.name[:2] / piece.name).unlink()
        async with machine(it, tmp_path, 1) as contents:
            await contents.prefetch(CONTENT)
            assert contents.cached_bytes(CONTENT) == len(BODY)
        assert from_platform(it) == sum(piece.size for piece in missing)


async def test_a_request_that_skips_a_piece_holds_nothing_of_it() -> None:
    saved: list[int] = []

    async def save(start: int, data: memoryview, *_: object, **__: object) -> None:
        saved.append(start)

    request = RangeRequest(0, 3 * MIB, QueuedRequest(None, Priority.READ, 0, 3 * MIB), save, BufferPool())
    await request.add(0, b"0" * 100)
    request.skip(MIB)
    assert request.in_memory == (MIB, MIB)
    await request.add(MIB, b"1" * 100)
    assert (request.in_memory, request.copy(MIB, MIB + 100)) == ((MIB, MIB + 100), b"1" * 100)
    await request.flush()
    assert saved == [MIB]


@pytest.mark.logs
async def test_pieces_reach_a_reader_whose_own_cache_keeps_nothing(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as it:
        await filled(it, tmp_path)
        made = sharing(tmp_path / "tier")
        async with it.contents(tmp_path / "full", max_size=1, sharing=made) as contents:
            assert await it.read_all(contents) == BODY
            assert contents.shared is not None
            assert contents.shared.use.taken_pieces >= 6
        assert from_platform(it) == 0


@pytest.mark.logs
async def test_a_full_disk_of_the_tier_stops_no_reader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with bench(tmp_path, BODY) as it:
        await filled(it, tmp_path)
        for path in stored(tmp_path)[3:]:
            path.unlink()

        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr("coursefs.shared.folder._write", full)
        async with machine(it, tmp_path, 1) as contents:
            assert await it.read_all(contents) == BODY
            await settled(contents)
            assert contents.shared is not None
            assert contents.shared.use.taken_pieces == 3
            assert "No space left" in contents.shared.trouble
    assert "No space left" in caplog.text


async def test_a_claimant_that_dies_is_followed_by_another(tmp_path: Path) -> None:
    """Its claims stay behind, and are worth nothing after the lease."""
    async with bench(tmp_path, BODY) as it:
        stuck = trio.Event()

        async def silent(request: Request) -> bool:
            if request.range in {(0, 1), (0, 2)}:
                await it.server.serve(request)
                return False
            stuck.set()
            await trio.sleep_forever()
            return True

        it.server.always = silent
        async with trio.open_nursery() as nursery:

            async def die() -> None:
                contents = machine(it, tmp_path, 0)
                async with contents:
                    assert contents.shared is not None

                    async def nothing(*_: object) -> None:
                        """What a killed process does."""

                    contents.shared.release = nothing  # type: ignore[method-assign, assignment]
                    contents.shared.aclose = nothing  # type: ignore[method-assign]
                    await it.read_all(contents)

            nursery.start_soon(die)
            await stuck.wait()
            nursery.cancel_scope.cancel()
        left = stored(tmp_path)
        assert left
        assert all(path.name.endswith(".claim") for path in left)
        it.server.always = None
        it.server.requests.clear()
        began = trio.current_time()
        async with machine(it, tmp_path, 1) as contents:
            assert await it.read_all(contents) == BODY
            await settled(contents)
        assert trio.current_time() - began < LEASE + 4
        assert from_platform(it) <= 1.05 * len(BODY)
    assert [path.name.count(".") for path in stored(tmp_path)] == [0] * 6


async def test_an_error_of_the_platform_leaves_no_claim(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as it:
        async with machine(it, tmp_path, 0) as contents:
            reader = contents.open(CONTENT, await contents.probe(CONTENT))

            async def broken(request: Request) -> None:
                await request.send(404, {}, b"")

            it.server.always = broken
            with pytest.raises(CoursefsError, match="no longer there"):
                await read_as_mount(reader, 0, 1000)
            reader.close()
            await settled(contents)
        assert stored(tmp_path) == []


async def test_a_known_version_is_confirmed_by_a_byte_before_a_piece_is_taken(tmp_path: Path) -> None:
    """A machine that knows the course since long, and has nothing of it in its cache."""
    async with bench(tmp_path, BODY) as it:
        await filled(it, tmp_path)
        async with machine(it, tmp_path, 1) as contents:
            reader = contents.open(CONTENT, Version(len(BODY), '"one"'))
            assert await read_as_mount(reader, 0, 1000) == BODY[:1000]
            reader.close()
            assert from_platform(it) == 0
            assert len(it.server.requests) == 1


async def test_a_download_that_keeps_nothing_shares_what_it_brings(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as it:
        async with machine(it, tmp_path, 0) as contents:
            version = await contents.probe(CONTENT)
            async with contents.passing(CONTENT, version):
                assert await it.read_all(contents) == BODY
            assert contents.cached_bytes(CONTENT) == 0
        assert len(stored(tmp_path)) == 6
