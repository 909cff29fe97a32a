"""Values that no well-meaning platform sends, made by hypothesis out of good ones."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import strategies

#: in place of any value
_ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 2**31, 2**63, 2**70, -(2**70), 1.5, -0.0, 1e308, float("inf"), float("nan")),
    *("", " ", "x", "\0", "\ud800", "\u202e", "../..", "//", "http://[", "https://x.example:99999/", "9" * 5000),
    *("0" * 20, "1e400", "-1", "\u0663", "9999-12-31T23:59:59Z", "0000-00-00", "2024-02-30T25:61:61+99:99", "P1D"),
    *("javascript:alert(1)", "block-v1:x", "course-v1:", "<p>", "a" * 100_000),
    *([], {}, [[]], [None], [{}], {"": None}, {"id": {}}, [1, "a", None, {}], [[[[[[[[[[]]]]]]]]]]),
)


def mutated(tree: Any, source: random.Random, chance: float) -> Any:
    """The tree with some of its parts replaced, dropped, doubled or under another name."""
    if source.random() < chance:
        return source.choice(_ODD)
    if isinstance(tree, dict):
        kept = {key: mutated(value, source, chance) for key, value in tree.items() if source.random() > chance / 2}
        if kept and source.random() < chance:
            kept[source.choice(list(kept))] = source.choice(list(kept.values()))
        return kept
    if isinstance(tree, list):
        kept_rows = [mutated(value, source, chance) for value in tree if source.random() > chance / 2]
        return kept_rows + kept_rows[:1] if source.random() < chance else kept_rows
    if isinstance(tree, str) and source.random() < chance:
        at = source.randrange(len(tree) + 1)
        return tree[:at] + source.choice(["\0", "\ud800", "/", "\n", "&", "%", "@", ":", "?"]) + tree[at:]
    return tree


#: how to change a tree: a source of random numbers that hypothesis can shrink, and how much of it changes
changes = strategies.tuples(
    strategies.randoms(use_true_random=False, note_method_calls=False), strategies.sampled_from([0.002, 0.02, 0.1, 0.4])
)
