"""The archive of `coursefs report`: unknown fields in the replies of an update, with redacted examples.

It is for a bug report, because developers of coursefs cannot see a platform's replies to other accounts.
"""

from __future__ import annotations

import io
import json
import os
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from coursefs import __version__
from coursefs.errors import CoursefsError, leaf
from coursefs.library.library import open_library
from coursefs.library.settings import LibrarySettings
from coursefs.transport import Example, Surprise, Surprises, Transport

_README = """\
What coursefs {version} did not know of the replies of {providers}, for a bug report.

surprises.json lists each kind of surprise with how often it came; examples/ has one reply for each, of the same shape
and the same lengths, in which every letter was replaced by x and every digit by 0.  Names of fields and single words
that say of what kind something is stand as they came.  Read it before you send it.
"""


@dataclass(frozen=True, slots=True)
class Findings:
    """The surprises of an update."""

    providers: tuple[str, ...]
    surprises: tuple[Surprise, ...]
    examples: tuple[Example, ...]
    trouble: str | None  # the error of an account or a course


async def gather_surprises(settings: LibrarySettings, courses: Sequence[str]) -> Findings:
    """Refresh these courses, or all, as `update` does, and collect the surprises.  The catalogue is not changed.

    Raises `UsageError` for a text that names no course.
    """
    surprises = Surprises(keep_examples=True)
    trouble: CoursefsError | None = None
    transport = Transport(read_timeout=settings.read_timeout, offline=settings.offline, surprises=surprises)
    async with open_library(replace(settings, fill=False), transport, contents=False, read_only=True) as library:
        library.courses.select(courses)  # fail for a wrong name before any request
        try:
            async for _ in library.courses.update(courses):
                pass
        except CoursefsError as error:
            trouble = error
        except BaseExceptionGroup as group:
            error_inside = leaf(group)
            if not isinstance(error_inside, CoursefsError):
                raise
            trouble = error_inside
    providers = tuple(sorted({account.provider for account in settings.accounts}))
    return Findings(
        providers,
        tuple(surprises.found),
        tuple(surprises.examples),
        None if trouble is None else type(trouble).__name__,
    )


def report_entries(findings: Findings) -> Mapping[str, str]:
    """The files of the archive by their names (pure)."""
    listed = [
        {"provider": one.provider, "route": one.route, "what": one.what, "count": one.count}
        for one in findings.surprises
    ]
    found = {
        "README.txt": _README.format(version=__version__, providers=", ".join(findings.providers)),
        "surprises.json": json.dumps(
            {"version": __version__, "trouble": findings.trouble, "surprises": listed}, indent=1
        ),
    }
    for number, example in enumerate(findings.examples, 1):
        one = example.surprise
        head = (
            f"{one.provider}\n{one.route}\n{one.what}\nstatus {example.status}, {example.content_type or 'no type'}\n\n"
        )
        found[f"examples/{number:03d}.txt"] = head + example.body
    return found


def write_report(findings: Findings, path: Path) -> None:
    """Write the archive, completely or not at all.  Raises `CoursefsError` when this fails."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in report_entries(findings).items():
            archive.writestr(name, text)
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(buffer.getvalue())
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise CoursefsError(f"{path}: cannot be written: {error.strerror}") from None
