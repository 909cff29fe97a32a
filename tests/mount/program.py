"""The program that the tests of mounts run: that of this folder, or an artefact of a release."""

from __future__ import annotations

import os
import sys

#: the command line; COURSEFS_PROGRAM names the launcher of a self-contained folder (scripts/test-artefacts)
PROGRAM = [os.environ["COURSEFS_PROGRAM"]] if os.environ.get("COURSEFS_PROGRAM") else [sys.executable, "-m", "coursefs"]
