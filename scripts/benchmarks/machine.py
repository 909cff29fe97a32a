"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from importlib.metadata import version
from pathlib import Path

from benchmarks.tools import rclone


def describe() -> dict[str, str | int | float]:
    """Processor, memory, kernel and versions; how busy the machine was in the last minute."""
    processor = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    memory = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text(encoding="ascii"))
    said = subprocess.run([rclone(), "version"], capture_output=True, text=True, check=True).stdout
    return {
        "processor": processor[1] if processor else platform.machine(),
        "cores": os.cpu_count() or 0,
        "memory_gib": round(int(memory[1]) / 2**20) if memory else 0,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "pyfuse3": version("pyfuse3"),
        "coursefs": version("coursefs"),
        "rclone": said.splitlines()[0].removeprefix("rclone v"),
        "load_before": round(os.getloadavg()[0], 2),
    }
