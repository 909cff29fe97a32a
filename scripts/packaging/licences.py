"""List the licences of everything in the self-contained folder: a table, and the texts beside it.

usage: python scripts/packaging/licences.py FOLDER

It writes FOLDER/licences/: LICENCES.txt, the texts that packages bring along, and Debian's copyright files of the
libraries and of the interpreter.  It fails where a package names no licence.
"""

from __future__ import annotations

import email
import shutil
import sys
from email.message import Message
from pathlib import Path

from system_packages import SystemPackage, system_packages

_TEXTS = ("LICENSE*", "LICENCE*", "COPYING*", "NOTICE*", "AUTHORS*")


def main(folder: Path) -> None:
    """Write the table and the texts; ends the program if a package names no licence."""
    to = folder / "licences"
    to.mkdir()
    rows = [_package(metadata, to) for metadata in sorted(folder.rglob("*.dist-info/METADATA"))]
    rows += [_system_package(one, to) for one in system_packages(folder)]
    unknown = [name for name, _, licence in rows if not licence]
    if unknown:
        raise SystemExit(f"no licence is known of {', '.join(unknown)}")
    text = "".join(f"{name:<24} {version:<24} {licence}\n" for name, version, licence in rows)
    (to / "LICENCES.txt").write_text(f"What this folder holds, and its licences.\n\n{text}", encoding="utf-8")


def _package(metadata: Path, to: Path) -> tuple[str, str, str]:
    told = email.message_from_string(metadata.read_text(encoding="utf-8"))
    name, version = str(told["Name"]), str(told["Version"])
    for pattern in _TEXTS:
        for file in sorted(metadata.parent.rglob(pattern)):
            (to / name).mkdir(exist_ok=True)
            shutil.copy(file, to / name / file.name)
    return name, version, _licence(told)


def _licence(told: Message) -> str:
    """The licence as SPDX expression, else as the classifiers say it, else the first line of the old field."""
    classifiers = [one.rpartition(" :: ")[2] for one in told.get_all("Classifier", []) if one.startswith("License ::")]
    old = str(told.get("License") or "").strip().splitlines()
    return str(told.get("License-Expression") or "; ".join(classifiers) or (old[0] if old else ""))


def _system_package(package: SystemPackage, to: Path) -> tuple[str, str, str]:
    (to / package.name).mkdir(exist_ok=True)
    shutil.copy(package.copyright, to / package.name / "copyright")
    return package.name, package.version, f"see {package.name}/copyright"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(str(__doc__))
    main(Path(sys.argv[1]))
