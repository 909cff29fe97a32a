"""Values that no well-meaning platform sends: texts that parsers choke on, names that shells and terminals obey."""

from __future__ import annotations

import random
from collections.abc import Callable

#: in place of the text of a page; each is quadratic, endless or too deep for some parser
TEXTS: tuple[Callable[[], str], ...] = (
    lambda: "<" + "a" * 120_000,
    lambda: "<co-content><text>" + "<" + "a" * 120_000 + "</text></co-content>",
    lambda: r"\(" * 1_500_000,
    lambda: "<co-content><text>" + r"\(" * 1_500_000 + "</text></co-content>",
    lambda: "<a>" * 46_000,
    lambda: "<co-content>" + "<list><li>" * 30_000,
    lambda: "<co-content><text>" + "&lt;a&gt;" * 30_000 + "</text></co-content>",
    lambda: "<textarea>" * 40_000,
    lambda: "&#" + "9" * 5_000 + ";",
    lambda: "<co-content><text>&#" + "9" * 5_000 + ";</text></co-content>",
    lambda: "<co-content><text>" + "$$" * 200_000 + "</text></co-content>",
    lambda: "<co-content><text>$$" + "{" * 20_000 + "$$</text></co-content>",
    lambda: "<co-content><text>$$" + r"\frac" * 5_000 + "$$</text></co-content>",
    lambda: "<!DOCTYPE x [" + "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12)) + "]>&e11;",
    lambda: "<co-content>" + "<text " + 'a="b" ' * 60_000 + "/></co-content>",
    lambda: "<!--" * 100_000,
    lambda: "<![CDATA[" * 50_000,
    lambda: "\0" * 100_000,
    lambda: "\u202e" * 100_000 + "<script>alert(1)</script>",
    lambda: "<co-content><asset id='" + "x" * 1_000_000 + "'/></co-content>",
    lambda: "<table>" * 20_000,
    lambda: "<co-content><code>" + "`" * 500_000 + "</code></co-content>",
)

#: in place of a title
NAMES = (
    *("-rf", "--checkpoint=1", "--checkpoint-action=exec=touch x", "-", "--", "..", ".", "...", "/", "../../../x"),
    *(
        "",
        " ",
        "\t",
        "\n",
        "a\nb",
        "a\0b",
        "\x1b]0;x\x07",
        "\x1b[31m",
        "\u202eexe.fdp",
        "a\u200bb",
        "\ufeffx",
        "a\u00adb",
    ),
    *(
        "\U000e0041x",
        "\ufffex",
        "\ufdd0",
        "x" * 5000,
        "\u00e9" * 300,
        "e\u0301" * 200,
        "$(touch x)",
        "`touch x`",
        "x;touch x",
    ),
    *(
        '"',
        "'",
        "\\",
        "*",
        "?",
        "%s%s%n",
        "CON",
        "x.",
        "x ",
        ".hidden",
        "\u2024\u2024",
        "\u2044etc",
        "\U0001f600" * 100,
    ),
    *(
        "\ud800",
        "\udcff",
        "<b>x</b>",
        "&amp;",
        "a\rb",
        "a\u2028b",
        "\u0430dmin",
        "\u3164",
        "\u115f",
        "\u180e",
        "\u2800",
    ),
)


def text(source: random.Random) -> str:
    """A hostile text."""
    return source.choice(TEXTS)()


def name(source: random.Random) -> str:
    """A hostile title."""
    return source.choice(NAMES)


def value(source: random.Random) -> object:
    """A value of any type but the one that is expected."""
    return source.choice(
        [
            None,
            True,
            False,
            0,
            -1,
            2**63,
            2**70,
            1.5,
            -0.0,
            "",
            "x",
            [],
            {},
            [[]],
            [None],
            {"": None},
            "9" * 400,
            [1, "a"],
        ]
    )


def changed(tree: object, source: random.Random, chance: float) -> object:
    """A JSON value with some of its parts replaced, dropped or doubled."""
    if source.random() < chance:
        return value(source)
    if isinstance(tree, dict):
        return {key: changed(one, source, chance) for key, one in tree.items() if source.random() > chance / 2}
    if isinstance(tree, list):
        parts = [changed(one, source, chance) for one in tree if source.random() > chance / 2]
        return parts + parts[:1] if parts and source.random() < chance else parts
    return tree


def with_texts(tree: object, source: random.Random, chance: float) -> object:
    """The same JSON value with hostile texts in its pages."""
    if isinstance(tree, dict):
        return {
            key: text(source)
            if isinstance(one, str) and "<co-content" in one and source.random() < chance
            else with_texts(one, source, chance)
            for key, one in tree.items()
        }
    return [with_texts(one, source, chance) for one in tree] if isinstance(tree, list) else tree


def with_names(tree: object, source: random.Random, chance: float) -> object:
    """The same JSON value with hostile names for its courses, modules, lessons and items."""
    if isinstance(tree, dict):
        return {
            key: name(source)
            if key in ("name", "title") and isinstance(one, str) and source.random() < chance
            else with_names(one, source, chance)
            for key, one in tree.items()
        }
    return [with_names(one, source, chance) for one in tree] if isinstance(tree, list) else tree
