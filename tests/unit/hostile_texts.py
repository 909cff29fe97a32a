"""Texts that are made to take long, by name and size; and a process that renders them and says what each cost.

Run as `python -m tests.unit.hostile_texts READER SIZE [NAME]`: a line `CPU seconds, characters, name` for each.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from functools import partial

from coursefs.pages.cleaning import beside_url, link_target, plain, unescaped, with_links
from coursefs.pages.formulas import with_formulas
from coursefs.providers.coursera import cml
from coursefs.providers.openedx.assets import Links, asset
from coursefs.providers.openedx.markup import clean_html
from coursefs.providers.openedx.unit_page import fragments

#: a text of about n characters
TEXTS: dict[str, Callable[[int], str]] = {
    "long name": lambda n: "<" + "a" * n,
    "long name closed": lambda n: "<p " + "a" * n + ">x",
    "opens paren": lambda n: "\\(" * (n // 2),
    "opens bracket flagged": lambda n: '<p hasMath="true">' + "\\[" * (n // 2) + "</p>",
    "dollars": lambda n: "$$a" * (n // 3),
    "dollar esc": lambda n: "$$" + "\\$" * (n // 2),
    "flagged dollars": lambda n: '<p hasMath="true">' + "$a" * (n // 2) + "</p>",
    "nested a": lambda n: "<a>" * (n // 3),
    "nested a href blocks": lambda n: (
        "".join(f'<a href="https://x.example/{"y" * 60}{i}">' for i in range(n // 200)) + "<p>x</p>" * (n // 16)
    ),
    "nested b": lambda n: "<b>" * (n // 3) + "x",
    "nested b p": lambda n: "<b><p>" * (n // 6),
    "nested div": lambda n: "<div>" * (n // 5) + "x",
    "nested em closed": lambda n: "<em>" * (n // 9) + "</em>" * (n // 9),
    "textareas": lambda n: "<textarea></textarea>" * (n // 21),
    "inputs": lambda n: "<input>" * (n // 7),
    "labels nested": lambda n: "<label>" * (n // 7),
    "nested ul": lambda n: "<ul><li>" * (n // 8) + "x",
    "nested list": lambda n: "<list><li>" * (n // 10) + "x",
    "nested table": lambda n: "<table><tr><td>" * (n // 15) + "x",
    "table cells": lambda n: "<table><tr>" + "<td>" * (n // 4),
    "nested video": lambda n: "<video>" * (n // 7),
    "nested object": lambda n: "<object>" * (n // 8),
    "options": lambda n: "<select>" + "<option>x" * (n // 9),
    "nested option": lambda n: "<select>" + "<option><b>x" * (n // 12),
    "selects": lambda n: "<select><option>x</select>" * (n // 26),
    "entities": lambda n: "&amp;" * (n // 5),
    "big entity": lambda n: "&#" + "9" * n + ";",
    "many numeric": lambda n: ("&#" + "9" * 50 + ";") * (n // 53),
    "amps": lambda n: "&" * n,
    "attributes": lambda n: "<p " + "a=1 " * (n // 4) + ">x</p>",
    "attributes distinct": lambda n: "<p " + " ".join(f"a{i}=1" for i in range(n // 9)) + ">x</p>",
    "attributes touching": lambda n: "<p " + "".join(f'a{i}=""' for i in range(n // 9)) + ">x</p>",
    "attributes after equals": lambda n: "<p = " + " ".join(f"a{i}=1" for i in range(n // 9)) + ">x</p>",
    "lts": lambda n: "<" * n,
    "lt a": lambda n: "<a " * (n // 3),
    "lt a quote": lambda n: '<a "' * (n // 4),
    "comments open": lambda n: "<!--" * (n // 4),
    "comments": lambda n: "<!---->" * (n // 7),
    "cdata open": lambda n: "<![CDATA[" * (n // 9),
    "cdata": lambda n: "<![CDATA[]]>" * (n // 12),
    "doctypes": lambda n: "<!doctype html>" * (n // 15),
    "pis": lambda n: "<?x" * (n // 3),
    "nul": lambda n: "\0" * n,
    "surrogates": lambda n: "\ud800" * n,
    "bom": lambda n: "\ufeff" * n,
    "long line": lambda n: "x" * n,
    "newlines": lambda n: "\n" * n,
    "spaces attr": lambda n: "<a b" + " " * n + "c>",
    "nested code": lambda n: "<code>" * (n // 6) + "\n",
    "nested h1": lambda n: "<h1>" + "<b>" * 95 + "<i></i>" * (n // 7),
    "nested blockquote": lambda n: "<blockquote>" * (n // 12) + "x",
    "nested span": lambda n: "<span>" * (n // 6) + "x" + "</span>" * (n // 13),
    "nested sub text": lambda n: "<p>x<sub>" * (n // 9),
    "end tags": lambda n: "<b>" * 90 + "</a>" * (n // 4),
    "imgs": lambda n: '<img src="/static/a.png">' * (n // 25),
    "assets": lambda n: '<asset id="a1" name="x" />' * (n // 26),
    "br": lambda n: "<br>" * (n // 4),
    "scripts": lambda n: "<script></script>" * (n // 17),
    "tex scripts": lambda n: '<script type="math/tex">a</script>' * (n // 35),
    "formulas": lambda n: "$$a$$ " * (n // 6),
    "mathjax": lambda n: "[mathjax]" * (n // 9),
    "mathjaxinline": lambda n: "[mathjaxinline]" * (n // 15),
    "usage ids": lambda n: '<div class="xblock" data-usage-id="x">' * (n // 38),
    "usage flat": lambda n: '<div class="xblock" data-usage-id="x"></div>' * (n // 44),
    "nested form": lambda n: "<form><table>" * (n // 13),
    "nested svg": lambda n: "<svg><g>" * (n // 8),
    "nested math": lambda n: "<math><mi>" * (n // 10),
    "nested template": lambda n: "<template>" * (n // 10),
    "nested frameset": lambda n: "<frameset>" * (n // 10),
    "nested button": lambda n: "<button>" * (n // 8),
    "nested nobr": lambda n: "<nobr>" * (n // 6),
    "marks blocks": lambda n: '<a href="https://x.example/' + "y" * (n // 2) + '">' + "<p>x</p>" * (n // 16) + "</a>",
    "a link around lines": lambda n: "<a href='https://x.example/" + "y" * (n // 2) + "'>" + "<p>x</p>" * (n // 16),
    "everything": lambda n: "".join(make(n // 70) for name, make in TEXTS.items() if name != "everything"),
}


def links() -> Links:
    """Links of a text on a server of which nothing is asked."""
    base = "https://lms.example.com"
    find = partial(asset, base_url=base, course_key="course-v1:A+B+C", raw=True)
    return Links(base, find, lambda found: beside_url(found.id))


def _cml(text: str) -> str:
    found = {one.id: beside_url(one.id) for one in cml.assets(text)}
    cml.says_something(text)
    return cml.render(text, found, title="x", page_url="https://www.coursera.org/learn/x/")


READERS: dict[str, Callable[[str], object]] = {
    "cml": _cml,
    "openedx text": lambda text: clean_html(text, links(), problem=True),
    "openedx unit": lambda text: fragments(f'<div data-usage-id="a">{text}', links()),
    "words": lambda text: (with_formulas(text, flagged=True), unescaped(text), plain(text), link_target(text)),
    "page": lambda text: with_links(text, {"a": "b"}),
}


def main(reader: str, size: int, name: str | None = None) -> None:
    """Render the texts, one after another."""
    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
    for each in [name] if name else TEXTS:
        text = TEXTS[each](size)
        begun = time.process_time()
        READERS[reader](text)
        print(f"{time.process_time() - begun:.3f} {len(text)} {each}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
