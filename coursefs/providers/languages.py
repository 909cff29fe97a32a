"""Which of the languages that a platform has are shown (pure)."""

from __future__ import annotations

from collections.abc import Collection, Sequence


def languages(available: Collection[str], wanted: Sequence[str]) -> tuple[str, ...]:
    """Those of the wanted languages that exist, in the wanted order; all of them, sorted, for "all".

    A language that does not exist itself is served by a regional form of it or the form it regionalises (`pt` by
    `pt-BR`, `en-GB` by `en`).  Where nothing fits: English, which most lectures are spoken in, else the first one.
    """
    existing = sorted(available)
    if "all" in wanted:
        return tuple(existing)
    found: list[str] = []
    for language in wanted:
        same = [one for one in existing if one.casefold() == language.casefold()]
        related = [one for one in existing if _primary(one) == _primary(language)]
        found += (same or related)[:1]
    if not found:
        found = [*(one for one in existing if _primary(one) == "en"), *existing][:1]
    return tuple(dict.fromkeys(found))


def _primary(language: str) -> str:
    return language.partition("-")[0].casefold()
