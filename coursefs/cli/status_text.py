"""The status of mounts in lines for a person (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from coursefs.cli import output

#: lines at most for what is read, what is fetched, and what went wrong
_MOST = 8
_DAY = 86400.0


def lines_of(mounts: Iterable[Mapping[str, Any]], now: float) -> list[str]:
    """What `coursefs status` says of these mounts; `now` in seconds since 1970."""
    return [output.clean(line) for mount in mounts for line in _lines(mount, now)]


def span(seconds: float) -> str:
    """A time for a person: "3 days", "2 h 5 min", "12 s"."""
    minutes, hours = int(seconds // 60), int(seconds // 3600)
    if hours >= 48:
        return f"{hours // 24} days"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min" if minutes else f"{int(seconds)} s"


def counted(count: int, word: str) -> str:
    """So many of something: "1 course", "2 courses"."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def _lines(mount: Mapping[str, Any], now: float) -> Iterator[str]:
    state = ("demo, " if mount["demo"] else "") + ("offline, " if mount["offline"] else "")
    yield f"{mount['mountpoint']}: {state}up for {span(now - mount['since'])}, process {mount['pid']}"
    for account in mount["accounts"]:
        yield f"  {_account(account, now)}"
        if gone := [route["name"] for route in account["routes"] if route["trouble"]]:
            yield f"    routes that the platform has removed: {', '.join(gone)}"
    catalogue, cache, fill = mount["catalogue"], mount["cache"], mount["fill"]
    yield f"  known: {catalogue['entries']} files and folders, {output.size(catalogue['bytes'])}"
    yield f"  cache: {output.size(cache['bytes'])} of {output.size(cache['max_size'])} in {cache['directory']}"
    if fill["total"] and fill["state"] != "done":
        pauses = "" if fill["state"] == "filling" else " (pauses)"
        yield f"  learning what nobody has looked at yet: {fill['done']} of {fill['total']} folders{pauses}"
    network = mount["network"]
    yield f"  network: {output.size(network['rate'])}/s, {output.size(network['received'])} since the start"
    yield from _section("reading", [_reading(one) for one in mount["reading"]])
    yield from _section("commands", [_transfer(one) for one in mount["transfers"]])
    yield from _section("fetching", [_fetching(one) for one in mount["fetching"]])
    waiting = ", ".join(f"{count} {word}" for word, count in mount["queue"].items() if count)
    if waiting:
        yield f"  waiting for their turn: {waiting}"
    for host in mount["hosts"]:
        if limits := _limits(host, now):
            yield f"  {host['host']}: {limits}"
    yield from _section("errors lately", [_error(one, now) for one in mount["errors"]])


def _account(account: Mapping[str, Any], now: float) -> str:
    expires = account["expires"]
    if not account["signed_in"]:
        sign_in = "not signed in"
    elif expires is None:
        sign_in = "signed in"
    else:
        left = f" ({span(expires - now)} left)" if expires - now < 7 * _DAY else ""
        sign_in = f"signed in until {output.day(expires)}{left}"
    trouble = f"; {account['trouble']}" if account["trouble"] else ""
    return f"{account['name']}: {counted(account['courses'], 'course')}, {sign_in}{trouble}"


def _section(title: str, lines: list[str]) -> Iterator[str]:
    if not lines:
        return
    yield f"  {title}:"
    yield from (f"    {line}" for line in lines[:_MOST])
    if len(lines) > _MOST:
        yield f"    and {len(lines) - _MOST} more"


def _reading(one: Mapping[str, Any]) -> str:
    size = max(one["size"], 1)
    return f"{one['path']}: at {one['offset'] / size:.0%}, {one['cached'] / size:.0%} of {output.size(size)} cached"


def _fetching(one: Mapping[str, Any]) -> str:
    done, total = one["received"] - one["start"], one["end"] - one["start"]
    return f"{one['path'] or one['content']}: {output.size(done)} of {output.size(total)} ({one['priority']})"


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
        parts.append(f"it wants a pause of {span(host['paused_until'] - now)}")
    if host["limited"]:
        parts.append(f"said {counted(host['limited'], 'time')} that it was asked too often")
    return ", ".join(parts)


def _error(one: Mapping[str, Any], now: float) -> str:
    times = f" ({one['count']} times)" if one["count"] > 1 else ""
    return f"{span(max(0.0, now - one['at']))} ago, {one['path']}: {one['message']}{times}"
