"""Everything else that is parsed: whatever was written there, a `CoursefsError` of one line leaves it, or a result."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from coursefs.content import range_response
from coursefs.errors import CoursefsError
from coursefs.mount import mountinfo, options
from coursefs.providers.coursera import sign_in as coursera
from coursefs.providers.kit.cookies import cookies_of
from coursefs.providers.openedx import cookies as openedx
from coursefs.providers.openedx import oauth
from coursefs.settings import config, units
from coursefs.settings.credentials import Credentials
from coursefs.settings.paths import app_paths
from coursefs.transport.backoff import retry_after_seconds

_lines = st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), max_size=60)
_fuzzed = settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
_NAMES = ["content-range", "content-length", "content-type", "content-encoding", "retry-after", "etag"]
_NAMES += ["last-modified", "accept-ranges"]
_headers = st.dictionaries(
    st.sampled_from(_NAMES),
    st.one_of(
        _lines,
        st.from_regex(r"bytes (\d{0,25}|\*)-?\d{0,25}/(\d{0,25}|\*)", fullmatch=True),
        st.from_regex(r"[-+]?\d{1,400}(\.\d+)?(e\d+)?", fullmatch=True),
        st.from_regex(r"[A-Z][a-z]{2}, \d{1,9} [A-Z][a-z]{2} \d{1,12} \d{1,9}:\d{1,9}:\d{1,9} \S{0,9}", fullmatch=True),
    ),
)


def one_line_or_a_result(read: Callable[[], object]) -> None:
    try:
        read()
    except CoursefsError as error:
        assert "\n" not in str(error)


@_fuzzed
@given(st.sampled_from([200, 206, 301, 304, 401, 403, 404, 416, 429, 503, 999]), _headers, st.booleans())
@example(429, {"retry-after": "Fri, 31 Dec 99999999999 23:59:59 GMT"}, True)
@example(429, {"retry-after": "Fri, 31 Dec 9999 23:59:59 -2359"}, True)
@example(206, {"content-range": "bytes 0-" + "9" * 18 + "/" + "9" * 18}, False)
@example(200, {"last-modified": "Fri, 31 Dec 9999 23:59:59 -2359"}, False)
def test_heads_of_answers(status: int, headers: dict[str, str], html: bool) -> None:
    try:
        found = range_response.check(status, headers, "x.example", html=html, now=1e9)
    except (CoursefsError, range_response.UrlRefused, range_response.Retry) as error:
        after = error.after if isinstance(error, range_response.Retry) else None
        assert after is None or 0 <= after < float("inf")
        return
    if isinstance(found, range_response.Part):
        assert 0 <= found.start <= found.end <= (found.total if found.total is not None else found.end)
    elif found.length is not None:
        assert found.length >= 0
    version = range_response.version_of(headers, 5)
    assert "\n" not in str(range_response.condition(version))
    range_response.honours_ranges(headers)


@_fuzzed
@given(st.one_of(_lines, st.from_regex(r"[-+]?\d{1,400}(\.\d+)?", fullmatch=True)))
@example("Fri, 31 Dec 99999999999 23:59:59 GMT")
@example("Fri, 31 Dec 9999 23:59:59 -2359")
@example("1e400")
def test_retry_after(value: str) -> None:
    after = retry_after_seconds(value, 1e9)
    assert after is None or 0 <= after < float("inf")


_word = st.from_regex(r"[^ \t\n\\]{1,12}(\\[0-7]{3})?", fullmatch=True)  # what the kernel leaves as it is
_info = st.builds(
    lambda numbers, words, optional, rest: " ".join([*numbers, *words, *optional, "-", *rest]).encode(
        "utf-8", "ignore"
    ),
    st.just(["36", "35", "98:0"]),
    st.lists(_word, min_size=3, max_size=3),
    st.lists(_word, max_size=3),
    st.lists(_word, min_size=3, max_size=3),
)


@_fuzzed
@given(st.lists(_info, max_size=5))
@example([b"36 35 98:0 / /a\rb rw - ext4 x rw"])
def test_the_kernels_list_of_mounts(lines: list[bytes]) -> None:
    assert len(mountinfo.parse(b"\n".join(lines))) == len(lines)  # a sign that ends a line elsewhere is none here


_KEYS = [
    "cache",
    "network",
    "refresh",
    "layout",
    "metrics",
    "accounts",
    "max_size",
    "dir",
    "read_timeout",
    "names",
    "x",
]
_toml = st.recursive(
    st.one_of(
        st.integers(-(2**70), 2**70),
        st.floats(),
        st.booleans(),
        _lines,
        st.sampled_from(["1GiB", "-5s", "9" * 400 + "GB", "1e400s", "~nobody-here/x", "http://x", "\0"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.one_of(st.sampled_from(_KEYS), _lines), inner)
    ),
    max_leaves=12,
)


@_fuzzed
@given(st.dictionaries(st.one_of(st.sampled_from(_KEYS), _lines), _toml, max_size=5))
def test_settings_of_any_values(tmp_path: Path, document: dict[str, Any]) -> None:
    import tomlkit

    path = tmp_path / "config.toml"
    try:
        path.write_text(tomlkit.dumps(document), encoding="utf-8")
    except (ValueError, TypeError, tomlkit.exceptions.TOMLKitError):
        return  # nothing that can be written down
    one_line_or_a_result(lambda: config.load(path))


@_fuzzed
@given(st.one_of(st.binary(max_size=200), st.text(max_size=100).map(lambda text: text.encode("utf-8", "replace"))))
@example(b"a = " + b"[" * 5000)
@example(b"a = {" + b"a={" * 3000)
@example(b"a." * 500 + b"a = 1")
@example(b"a = 9999-99-99")
@example(b"a = " + b"9" * 5000)
def test_settings_of_any_bytes(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(text)
    one_line_or_a_result(lambda: config.load(path))


@_fuzzed
@given(
    st.lists(st.one_of(_lines, st.from_regex(r"(uid|gid|umask|cache_dir|cache_size|offline)=.{0,30}", fullmatch=True)))
)
@example(["cache_dir=~nobody-here"])
@example(["uid=" + "9" * 5000])
@example(["cache_size=" + "9" * 5000])
@example(["cache_dir=a\0b"])
def test_mount_options(texts: list[str]) -> None:
    def read() -> None:
        found = options.parse(texts)
        assert options.parse([options.as_text(found)]) == found

    one_line_or_a_result(read)


@_fuzzed
@given(
    st.one_of(_lines, st.integers(), st.floats(), st.none(), st.from_regex(r"\d{1,400}[a-zA-Z]{0,3}", fullmatch=True))
)
def test_sizes_and_times(value: object) -> None:
    one_line_or_a_result(lambda: units.parse_size(value))
    one_line_or_a_result(lambda: units.parse_duration(value))


_cookie_files = st.one_of(
    _lines,
    st.lists(
        st.lists(st.one_of(_lines, st.just("CAUTH"), st.just("9" * 400)), min_size=5, max_size=8).map("\t".join)
    ).map("\n".join),
    st.recursive(
        st.one_of(_lines, st.integers(), st.floats(), st.booleans(), st.none()),
        lambda inner: st.one_of(
            st.lists(inner), st.dictionaries(st.sampled_from(["name", "value", "domain", "cookies"]), inner)
        ),
    ).map(json.dumps),
)


@_fuzzed
@given(_cookie_files)
@example("[" * 100_000)
@example("CAUTH=" + "x" * 100_000)
def test_files_of_cookies(text: str) -> None:
    one_line_or_a_result(lambda: cookies_of(text))
    one_line_or_a_result(lambda: coursera.secrets_from_cookies(text, now=1e9))
    one_line_or_a_result(lambda: openedx.secrets_from_cookies(text, host="x.example", now=1e9))
    one_line_or_a_result(lambda: openedx.set_cookies([text]))
    one_line_or_a_result(lambda: coursera.secrets_from_cauth(text))


@_fuzzed
@given(st.dictionaries(st.sampled_from(["access_token", "refresh_token", "expires_at", "token_type", "x"]), _lines))
def test_secrets_as_they_were_kept(secrets: dict[str, str]) -> None:
    one_line_or_a_result(lambda: oauth.kept_token(secrets))


@_fuzzed
@given(
    st.one_of(
        st.binary(max_size=100), st.recursive(st.text(max_size=5), st.lists).map(lambda tree: json.dumps(tree).encode())
    )
)
@example(b"\xff\xfe")
@example(b"9" * 5000)
def test_the_file_of_secrets(own_home: Path, text: bytes) -> None:
    credentials = Credentials(app_paths())
    credentials.save("me", {"cauth": "x"})
    (path,) = (own_home / ".local/share/coursefs/credentials").iterdir()
    path.write_bytes(text)
    one_line_or_a_result(lambda: credentials.load("me"))


def test_the_file_of_secrets_in_any_depth(own_home: Path) -> None:
    credentials = Credentials(app_paths())
    credentials.save("me", {"cauth": "x"})
    (path,) = (own_home / ".local/share/coursefs/credentials").iterdir()
    path.write_bytes(b"[" * 100_000)
    one_line_or_a_result(lambda: credentials.load("me"))


@pytest.mark.parametrize(
    ("name", "make", "read"),
    [
        ("cookies", lambda size: "\t".join(["x"] * size), lambda text: _quietly(cookies_of, text)),
        ("cookies as lines", lambda size: "a\tTRUE\tc\tTRUE\te\tf\tg\n" * (size // 20), cookies_of),
        ("a header", lambda size: "a=b; " * (size // 5), cookies_of),
        ("a header of blanks", lambda size: "cookie:" + " " * size, lambda text: _quietly(cookies_of, text)),
        ("lines of blanks", lambda size: (" " * 99 + "\n") * (size // 100), lambda text: _quietly(cookies_of, text)),
        ("a name", lambda size: "a" * size, lambda text: _quietly(cookies_of, text)),
        ("JSON", lambda size: json.dumps([{"name": "a", "value": "b"}] * (size // 30)), cookies_of),
        ("deep JSON", lambda size: "[" * size, lambda text: _quietly(cookies_of, text)),
        (
            "a long number",
            lambda size: f'[{{"name": "a", "value": "b", "expires": {"9" * size}}}]',
            lambda text: _quietly(cookies_of, text),
        ),
        ("options", lambda size: ["uid=1," * (size // 6)], options.parse),
        ("escaped options", lambda size: ["cache_dir=/" + r"\," * (size // 2)], options.parse),
        ("mounts", lambda size: b"36 35 98:0 / /a\\040b rw - ext4 x rw\n" * (size // 37), mountinfo.parse),
        ("a pause", lambda size: "9" * size, lambda text: retry_after_seconds(text, 1.0)),
        ("a size", lambda size: " " * size + "1", lambda text: _quietly(units.parse_size, text)),
    ],
)
def test_time_grows_with_the_size_alone(name: str, make: Callable[[int], Any], read: Callable[[Any], object]) -> None:
    def seconds(size: int) -> float:
        value = make(size)
        begun = time.thread_time()
        read(value)
        return time.thread_time() - begun

    small = max(min(seconds(30_000) for _ in range(3)), 0.002)
    assert min(seconds(240_000) for _ in range(3)) < 40 * small, name  # eight times the size: 64 times if quadratic


def _quietly(read: Callable[[Any], object], value: object) -> None:
    one_line_or_a_result(lambda: read(value))
