"""Complete the bill of materials: add the interpreter and the libraries to the packages of Python.

usage: python scripts/packaging/sbom.py PACKAGES.json FOLDER      (CycloneDX JSON, to standard output)
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from urllib.parse import quote

from system_packages import system_packages


def main(packages: Path, folder: Path) -> None:
    """Write the whole list."""
    bill = json.loads(packages.read_text(encoding="utf-8"))
    for one in system_packages(folder):
        purl = f"pkg:deb/debian/{one.name}@{quote(one.version, safe='')}"
        bill["components"].append(
            {"bom-ref": purl, "name": one.name, "version": one.version, "type": "library", "purl": purl}
        )
    bill["components"].sort(key=lambda component: str(component["bom-ref"]))
    json.dump(bill, sys.stdout, indent=2, sort_keys=True)
    sys.stdout.write("\n")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(str(__doc__))
    main(Path(sys.argv[1]), Path(sys.argv[2]))
