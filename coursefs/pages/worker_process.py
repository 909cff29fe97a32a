"""The child process of `coursefs.pages.worker`: makes one call under resource limits and writes its result.

Run as `python -m coursefs.pages.worker_process`; a module of its own for that reason. It writes nothing but the result,
and needs no home folder, no terminal and no writable place.
"""

from __future__ import annotations

import pickle
import resource
import sys


def main() -> None:
    """Make the call in standard input; write its result, or the reason of the failure."""
    # the pickle is from the parent process, so it is trusted, unlike the texts in it
    cpu, memory, most, function = pickle.load(sys.stdin.buffer)  # noqa: S301  # see above
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime) + cpu + 1
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 2))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        data = pickle.dumps((function(), ""))
        if len(data) > most:
            data = _failure("the page would be too long")
    except MemoryError:
        data = _failure("rendering the text takes too much memory")
    except Exception as error:  # only its type: the message may be as long as the text
        data = _failure(f"rendering the text failed ({type(error).__name__})")
    sys.stdout.buffer.write(data)
    sys.stdout.flush()


def _failure(reason: str) -> bytes:
    return pickle.dumps((None, reason))


if __name__ == "__main__":
    main()
