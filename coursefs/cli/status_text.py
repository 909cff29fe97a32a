"""The status of mounts as text for a person (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from coursefs.cli import output

#: maximum lines for reads, for transfers and for problems
_MOST = 8
_DAY = 86400.0
#: columns before a line of a section
_INDENT = 4
#: words for the priorities of `status --json`
_PRIORITIES = {"read": "playing", "ahead": "prefetch", "background": "download"}
_QUEUED = {"read": ("read", "reads"), "ahead": ("prefetch", "prefetches"), "background": ("download", "downloads")}


@dataclass(frozen=True, slots=True)
class View:
    """How the status is shown: at which moment, how wide, and whether with what developers want to know."""

    now: float  # seconds since 1970
    width: int | None = None  # columns that a line may have; None: as many as it needs
    verbose: bool = False

    def line(self, indent: int, before: str, name: str, after: str = "") -> str:
        """An indented line whose name is shortened where the line is too narrow; numbers stay."""
        width = None if self.width is None else self.width - indent
        return " " * indent + output.fitted(output.clean(before), output.clean(name), output.clean(after), width)


def lines_of(mounts: Iterable[Mapping[str, Any]], view: View) -> list[str]:
    """The lines that `coursefs status` prints about these mounts."""
    return [output.clean(line) for mount in mounts for line in _lines(mount, view)]


def span(seconds: float) -> str:
    """A duration for a person: "3 days", "2 h 5 min", "12 s"."""
    minutes, hours = int(seconds // 60), int(seconds // 3600)
    if hours >= 48:
        return f"{hours // 24} days"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min" if minutes else f"{int(seconds)} s"


def counted(count: int, word: str, many: str | None = None) -> str:
    """A number with its noun: "1 course", "2 courses"; `many`: the plural, where it has no plain s."""
    return f"{count} {word}" if count == 1 else f"{count} {many or f'{word}s'}"


def _lines(mount: Mapping[str, Any], view: View) -> Iterator[str]:
    now = view.now
    state = ("demo, " if mount["demo"] else "") + ("offline, " if mount["offline"] else "")
    up = f": {state}up for {span(now - mount['since'])}, process {mount['pid']}"
    yield view.line(0, "", mount["mountpoint"], up)
    for account in mount["accounts"]:
        yield f"  {_account(account, now)}"
        gone = [route["name"] for route in account["routes"] if route["trouble"]]
        if gone and view.verbose:
            yield f"    routes that the platform has removed: {', '.join(gone)}"
    catalogue, cache, fill = mount["catalogue"], mount["cache"], mount["fill"]
    yield f"  catalogue: {counted(catalogue['entries'], 'entry', 'entries')}, {output.size(catalogue['bytes'])}"
    cached = f"cache: {output.size(cache['bytes'])} of {output.size(cache['max_size'])} in "
    yield view.line(2, cached, cache["directory"])
    if (shared := mount.get("shared")) is not None:  # an older mount does not have it
        taken, put = output.size(shared["taken_bytes"]), output.size(shared["put_bytes"])
        trouble = f"; left alone at the moment: {shared['trouble']}" if shared["trouble"] else ""
        yield view.line(2, "shared cache: ", shared["place"], f": {taken} taken, {put} put{trouble}")
    if fill["total"] and fill["state"] != "done":
        yield f"  indexing in the background: {fill['done']} of {fill['total']} folders{_pause(fill)}"
    network = mount["network"]
    yield f"  network: {output.size(network['rate'])}/s, {output.size(network['received'])} since the start"
    ahead = mount.get("fetched_ahead")  # an older mount does not have it
    if ahead and ahead["files"]:
        before = f"fetched ahead: {counted(ahead['files'], 'file')}, {output.size(ahead['bytes'])}; the last one for "
        yield view.line(2, before, ahead["lecture"] or "a lecture")
    yield from _section("reading", [_reading(one, view) for one in mount["reading"]])
    yield from _section("commands", [_transfer(one) for one in mount["transfers"]])
    yield from _section("fetching", [_fetching(one, view) for one in mount["fetching"]])
    queued = ", ".join(counted(count, *_QUEUED[word]) for word, count in mount["queue"].items() if count)
    if queued:
        yield f"  queued: {queued}"
    for host in mount["hosts"]:
        if limits := _limits(host, now):
            yield view.line(2, "", host["host"], f": {limits}")
    new = [f"{one['provider']}, {one['route']}: {one['what']}" for one in mount.get("surprises", ())]
    yield from _section("unknown parts of platform replies (coursefs report collects them)", new)
    yield from _section("recent errors", [_error(one, view) for one in mount["errors"]])


def _account(account: Mapping[str, Any], now: float) -> str:
    expires = account["expires"]
    if not account["signed_in"]:
        sign_in = "not signed in"
    elif expires is None:
        sign_in = "signed in"
    else:
        left = f" ({span(expires - now)} left)" if expires - now < 7 * _DAY else ""
        sign_in = f"signed in until {output.day(expires)}{left}"
    name = account["name"]
    trouble = f"; {account['trouble'].removeprefix(f'{name}: ')}" if account["trouble"] else ""
    return f"{name}: {counted(account['courses'], 'course')}, {sign_in}{trouble}"


def _section(title: str, lines: list[str]) -> Iterator[str]:
    if not lines:
        return
    yield f"  {title}:"
    yield from (f"{' ' * _INDENT}{line}" for line in lines[:_MOST])
    if len(lines) > _MOST:
        yield f"{' ' * _INDENT}and {len(lines) - _MOST} more"


def _pause(fill: Mapping[str, Any]) -> str:
    if fill["state"] == "waiting":
        return " (tries again later)"
    return " (paused while you read)" if fill.get("paused") else ""  # an older mount does not say it


def _reading(one: Mapping[str, Any], view: View) -> str:
    size = max(one["size"], 1)
    after = f": at {one['offset'] / size:.0%}, {one['cached'] / size:.0%} of {output.size(size)} cached"
    return view.line(_INDENT, "", one["path"], after).lstrip()


def _fetching(one: Mapping[str, Any], view: View) -> str:
    done, total = one["received"] - one["start"], one["end"] - one["start"]
    after = f": {output.size(done)} of {output.size(total)} ({_PRIORITIES[one['priority']]})"
    return view.line(_INDENT, "", one["path"] or one["content"], after).lstrip()


def _transfer(one: Mapping[str, Any]) -> str:
    more = " so far" if one["is_looking"] else ""
    failed = f", {one['failed']} failed" if one["failed"] else ""
    files = f"{one['done']} of {counted(one['files'], 'file')}{more}{failed}"
    return f"{one['command']}: {files}, {output.size(one['received'])} of {output.size(one['bytes'])}"


def _limits(host: Mapping[str, Any], now: float) -> str:
    parts = []
    if host["waiting"]:
        parts.append(f"{counted(host['waiting'], 'request')} waiting")
    if host["paused_until"] is not None and host["paused_until"] > now:
        parts.append(f"asked for a pause, {span(host['paused_until'] - now)} left")
    if host["limited"]:
        parts.append(f"limited the rate {counted(host['limited'], 'time')}")
    return ", ".join(parts)


def _error(one: Mapping[str, Any], view: View) -> str:
    times = f" ({one['count']} times)" if one["count"] > 1 else ""
    ago = f"{span(max(0.0, view.now - one['at']))} ago{times}, "
    return view.line(_INDENT, ago, one["path"], f": {one['message']}").lstrip()
