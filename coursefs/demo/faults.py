"""Simulated faults, and the switch for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace

import trio

#: routes that the platform removed in 2022
REMOVED = ("onDemandCourseMaterials.v1", "opencourse.v1")


@dataclass(frozen=True, slots=True)
class Faults:
    """The faults that are simulated now; none by default."""

    cdn_stall: int | None = None  # bytes of a body after which the media host stalls
    cdn_rate: float | None = None  # bytes per second and reply
    cdn_fail_next: tuple[int, ...] = ()  # statuses of the next replies of the media host
    refuse_sign_in: bool = False  # every cookie is refused
    confused_deputy: bool = False  # the API refuses requests that bring back its cookies without their header
    api_delay: float = 0.0  # seconds before every reply of the API
    api_down: bool = False  # the API host refuses connections, open ones are cut
    removed: tuple[str, ...] = REMOVED  # resources that answer with the web application's page
    broken: tuple[str, ...] = ()  # ids of items whose replies lack the content
    several: bool = False  # no fault: lectures and readings can be asked for several at once
    unknown_fields: tuple[str, ...] = ()  # fields and types that the GraphQL gateway no longer knows


class Switchboard:
    """Holds the faults of a platform and wakes tasks that wait for a change."""

    def __init__(self) -> None:
        self._current = Faults()
        self._changed = trio.Event()

    @property
    def current(self) -> Faults:
        """The faults that are simulated now."""
        return self._current

    def set(self, faults: Faults) -> None:
        """Replace the simulated faults."""
        self._current = faults
        self._changed.set()
        self._changed = trio.Event()

    def take_failure(self) -> int | None:
        """The status with which the media host must fail now; it is removed from the list."""
        first, *rest = self._current.cdn_fail_next or (None,)
        if first is not None:
            self.set(replace(self._current, cdn_fail_next=tuple(rest)))
        return first

    async def wait_until(self, holds: Callable[[Faults], bool]) -> None:
        """Return as soon as the faults fulfil this condition."""
        while not holds(self._current):
            await self._changed.wait()


def read_faults(current: Faults, values: Mapping[str, object]) -> Faults:
    """The faults after a request to the control port; fields that it does not name stay. Raises `ValueError`.

    `{"cdn_stall": true}` stalls after the headers, a number after that many bytes of the body; `null` and `false` end a
    fault.
    """
    known = {one.name for one in fields(Faults)}
    well = Faults()
    changes: dict[str, object] = {}
    for name, value in values.items():
        if name not in known:
            raise ValueError(f"unknown fault: {name}")
        if value is None or value is False:
            changes[name] = getattr(well, name)
        else:
            changes[name] = _read(name, value)
    return replace(current, **changes)  # type: ignore[arg-type]  # each value was read for its name


def _read(name: str, value: object) -> object:
    match name, value:
        case (("refuse_sign_in" | "confused_deputy" | "api_down" | "several"), True):
            return True
        case "cdn_stall", True:
            return 0
        case "cdn_stall", int() if not isinstance(value, bool) and value >= 0:
            return value
        case (("cdn_rate" | "api_delay"), (int() | float())) if not isinstance(value, bool) and value > 0:
            return float(value)
        case (("removed" | "broken" | "unknown_fields"), [*names]) if all(isinstance(one, str) for one in names):
            return tuple(names)
        case "cdn_fail_next", [*statuses] if all(isinstance(one, int) and 400 <= one <= 599 for one in statuses):
            return tuple(statuses)
        case _:
            raise ValueError(f"not a value of {name}")
