"""The template engine of all pages: Jinja, imported when a page is first rendered.

A mount whose courses are all known renders none at its start, and starts earlier without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment


def environment() -> Environment:
    """The templates of `coursefs.pages`: everything is escaped, and a value that is missing is an error."""
    import jinja2  # late: see above

    return jinja2.Environment(
        loader=jinja2.PackageLoader("coursefs.pages"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
