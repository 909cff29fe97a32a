"""Check of the shared cache: the key is there, the place answers, and this machine may put pieces there."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import trio

from coursefs.doctor.finding import Finding, Severity
from coursefs.errors import CoursefsError
from coursefs.settings.config import Cache
from coursefs.shared.keys import load_key
from coursefs.shared.opening import open_tier
from coursefs.shared.tier import Tier, TierFailed

_NAME = "shared cache"
#: seconds until a place that does not answer is given up
_PATIENCE = 3.0
#: the name of no piece: whether it is there is asked to get any answer
_NO_PIECE = "0" * 64


def shared_cache(cache: Cache, key_file: Path) -> Finding | None:
    """The finding; None where no shared cache is set.  Asks the place one question, and writes nothing."""
    if cache.shared is None:
        return None
    try:
        key = load_key(key_file)
    except CoursefsError as error:
        return Finding(_NAME, Severity.PROBLEM, str(error), "coursefs cache shared key")
    try:
        trio.run(_answers, open_tier(cache.shared, token=key.token, plain_http=cache.shared_plain_http))
    except CoursefsError as error:
        advice = f"sudo mkdir {shlex.quote(cache.shared)}   # or mount it" if cache.shared.startswith("/") else None
        return Finding(_NAME, Severity.PROBLEM, str(error), advice)
    fills = key.seed is not None
    if fills and cache.shared.startswith("/") and not os.access(cache.shared, os.W_OK | os.X_OK):
        advice = f"sudo chgrp $(id -gn) {shlex.quote(cache.shared)} && sudo chmod g+w {shlex.quote(cache.shared)}"
        return Finding(_NAME, Severity.PROBLEM, f"{cache.shared} is not writable for you", advice)
    return Finding(
        _NAME, Severity.OK, f"{cache.shared}, {'to take from and to fill' if fills else 'to take from only'}"
    )


async def _answers(tier: Tier) -> None:
    """Raises `CoursefsError` unless the place answers."""
    try:
        if tier.place.startswith("/") and not await trio.Path(tier.place).is_dir():
            raise TierFailed(f"{tier.place}: there is no such folder")
        with trio.fail_after(_PATIENCE):
            await tier.age(_NO_PIECE)
    except trio.TooSlowError:
        raise TierFailed(f"{tier.place}: does not answer") from None
    finally:
        await tier.aclose()
