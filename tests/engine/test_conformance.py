"""The platforms of coursefs keep the protocol, and the check of it finds what does not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from coursefs.demo.description import load_courses
from coursefs.demo.platform import Addresses
from coursefs.demo.platform import Platform as DemoCoursera
from coursefs.errors import CoursefsError
from coursefs.model import Course, File, Identity, Item, Outline, ProvisionalFiles, Source
from coursefs.providers import registry
from coursefs.providers.base import Account
from coursefs.providers.platform import Option
from coursefs.settings.account_keys import Setting
from coursefs.testing import MemoryVault, Nonconforming, check_platform, check_provider
from coursefs.transport import Transport
from tests.engine.campus import campus, folder, held, session
from tests.engine.fakes import FakeProvider, lecture, reading, section, video
from tests.engine.openedx_world import lms

DEMO = Path(__file__).parents[2] / "coursefs" / "demo" / "courses"


@pytest.mark.parametrize("name", ["coursera", "openedx", "panopto"])
def test_what_our_platforms_declare(name: str) -> None:
    check_platform(registry.platform(name))


async def test_coursera_keeps_the_protocol() -> None:
    platform = DemoCoursera(load_courses(DEMO))
    async with trio.open_nursery() as nursery, Transport() as transport:
        addresses: Addresses = await nursery.start(platform.serve)
        account = Account("coursera", {"base_url": addresses.api}, {"cauth": addresses.cauth})
        checked = await check_provider(registry.platform("coursera").create(account, transport), transport)
        nursery.cancel_scope.cancel()
    assert checked.courses > 1 and checked.contents and checked.pages


async def test_openedx_keeps_the_protocol() -> None:
    async with lms() as server:
        vault = MemoryVault(server.learner())
        provider = server.provider(vault.load(), vault=vault)  # type: ignore[arg-type]  # a vault is a vault
        checked = await check_provider(provider, server.transport)
    assert checked.courses and checked.contents and checked.pages


async def test_panopto_keeps_the_protocol() -> None:
    top = folder("Biology")
    clip = min(DEMO.rglob("*.mp4"))
    async with campus(held([top], [session(f"Lecture {number}", top, clip) for number in range(3)])) as world:
        checked = await check_provider(world.provider(), world.transport)
    assert checked.courses == 1 and checked.items == 3 and checked.contents == 3


# --- what is wrong is found


COURSE = Course("c1", "graphics", "Graphics")
HELLO, AGAIN = lecture("a", "Hello", 1), lecture("b", "Again", 2)


class Campus(FakeProvider):
    """Keeps the protocol, until a test changes that."""

    def __init__(self) -> None:
        super().__init__([COURSE], {"c1": Outline((section("m", "Start", 1, HELLO, AGAIN),))})
        self.contents = {HELLO.key: [video(HELLO), *reading(HELLO, "<p>text")]}
        self.urls = {f"{item.key}/video": "https://cdn.example/video" for item in (HELLO, AGAIN)}


async def check(provider: Any, answer: Callable[[httpx.Request], httpx.Response] | None = None) -> Any:
    given = answer or (lambda _: httpx.Response(206, content=b"bytes", headers={"Content-Type": "video/mp4"}))
    async with Transport(http_transport=httpx.MockTransport(given)) as transport:
        return await check_provider(provider, transport)


async def test_a_provider_that_keeps_it() -> None:
    checked = await check(Campus())
    assert (checked.courses, checked.sections, checked.items, checked.files, checked.pages, checked.contents) == (
        1, 1, 2, 3, 1, 2,
    )  # fmt: skip


def returning(value: Any) -> Callable[..., Any]:
    async def answer(*_: object, **__: object) -> Any:
        await trio.lowlevel.checkpoint()
        return value

    return answer


def outline_of(*items: Item) -> Any:
    return returning(Outline((section("m", "Start", 1, *items),)))


def changing(*values: Any) -> Callable[..., Any]:
    some = iter(values * 10)

    async def answer(*_: object, **__: object) -> Any:
        await trio.lowlevel.checkpoint()
        return next(some)

    return answer


@pytest.mark.parametrize(
    ("method", "instead", "fault"),
    [
        ("whoami", returning(Identity(7)), "whoami: it cannot be used"),  # type: ignore[arg-type]
        ("whoami", changing(Identity("a"), Identity("b")), "another user_id"),
        ("courses", returning([COURSE, COURSE]), "courses: a value of a wrong type, or a key that comes twice"),
        ("courses", returning([replace(COURSE, title=7)]), "courses: a value"),  # type: ignore[arg-type]
        ("outline", returning(None), "outline: None without a tag"),
        ("outline", outline_of(HELLO, replace(AGAIN, key=HELLO.key)), "outline: a value of a wrong type, or a key"),
        ("outline", outline_of(HELLO, replace(AGAIN, details={"n": 1})), "outline: a value"),  # type: ignore[dict-item]
        ("outline", changing(*(Outline((), (replace(HELLO, details={"at": str(n)}),)) for n in (1, 2))),
         "outline: other items at the second call"),
        ("files", returning({}), "files: an item that was asked for is not among the answers"),
        ("files", returning({HELLO.key: ProvisionalFiles([video(HELLO)]), AGAIN.key: []}),
         "files: provisional ones where no more"),
        ("files", returning({HELLO.key: [video(HELLO)], AGAIN.key: [video(HELLO)]}), "files: a value"),
        ("files", returning({HELLO.key: [video(HELLO)] * 2, AGAIN.key: []}), "files: a value"),
        ("courses", returning(1), "courses: it cannot be used"),
        ("files", returning(None), "files: it cannot be used"),
        ("source", returning(Source("https://x\r\n")), "source: it cannot be used"),
    ],
)  # fmt: skip
async def test_what_the_protocol_does_not_allow(method: str, instead: Any, fault: str) -> None:
    provider = Campus()
    setattr(provider, method, instead)
    with pytest.raises(Nonconforming, match=fault):
        await check(provider)


async def test_a_locked_item_needs_a_page() -> None:
    provider = Campus()
    provider.outlines["c1"] = Outline((section("m", "Start", 1, HELLO, replace(AGAIN, locked="not paid")),))
    with pytest.raises(Nonconforming, match="a locked item gives a page"):
        await check(provider)


async def test_files_that_depend_on_what_they_are_asked_for_with() -> None:
    class Moody(Campus):
        async def files(self, course: Course, items: Sequence[Item]) -> Mapping[str, Sequence[File] | CoursefsError]:
            return {item.key: [video(item)] if len(items) > 1 else reading(item, "<p>") for item in items}

    with pytest.raises(Nonconforming, match="asked for alone has other files"):
        await check(Moody())


async def test_errors_that_are_none_of_ours() -> None:
    provider = Campus()

    async def broken(*_: object, **__: object) -> Source:
        raise KeyError("id")

    provider.source = broken  # type: ignore[method-assign]
    with pytest.raises(Nonconforming, match="source: KeyError is no CoursefsError"):
        await check(provider)


@pytest.mark.parametrize(
    ("reply", "fault"),
    [
        (httpx.Response(403), "answers HTTP 403"),
        (httpx.Response(200, html="<p>sign in"), "a web page in place of a video"),
    ],
)
async def test_an_address_that_gives_no_bytes(reply: httpx.Response, fault: str) -> None:
    with pytest.raises(Nonconforming, match=fault):
        await check(Campus(), lambda _: httpx.Response(reply.status_code, headers=reply.headers, content=reply.content))


def test_what_a_platform_must_not_declare() -> None:
    panopto = registry.platform("panopto")

    def anything(value: object) -> str:
        return str(value)

    def breaks(value: object) -> Any:
        raise KeyError(value)

    wrong = replace(
        panopto,
        protocol=7,
        summary="",
        settings=(*panopto.settings, Setting("any", anything, ""), Setting("odd", breaks, "")),
        options=(*panopto.options, Option(name="token", metavar="T", help="", prompt="Token")),
        recognise=lambda address: {"server": address},
    )
    with pytest.raises(Nonconforming) as caught:
        check_platform(wrong)
    with pytest.raises(Nonconforming, match="recognise: KeyError"):
        check_platform(replace(panopto, recognise=breaks))
    for part in (
        "version 7",
        "its summary",
        "--token has no help",
        "--token: a secret",
        "any takes",
        "odd raises",
        "takes https://nowhere.invalid/",
    ):
        assert part in str(caught.value)


def test_a_vault_in_memory() -> None:
    vault = MemoryVault({"token": "a"})
    vault.save({**vault.load(), "token": "b"})
    assert vault.load() == {"token": "b"} and "b" not in repr(vault).partition("(")[2]
