"""Questions to a person on a terminal: a line, a hidden line, a choice of several, yes or no.

Questions go to standard error, because standard output is for data.  Ctrl-C and Ctrl-D end a question with
`click.Abort` or `KeyboardInterrupt`, and leave the terminal as it was.
"""

from __future__ import annotations

import os
import re
import select
import shutil
import sys
import termios
import textwrap
from collections.abc import Sequence

import click

from coursefs.cli import output

#: seconds without more input after which a paste of several lines is complete
_PASTED_WITHIN = 0.4
#: bytes; more than a browser's whole store of cookies
_MOST = 8 * 2**20
#: keys that send several bytes, such as arrows, and the marks that a terminal puts around a paste
_SEQUENCES = re.compile(rb"\x1b(\[[0-9;?]*[A-Za-z~]|O[A-Z])")
_END_OF_INPUT = b"\x04"


def is_interactive() -> bool:
    """Whether a person can be asked: standard input and standard error are terminals."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def line(question: str, default: str = "") -> str:
    """A typed line without blanks at its ends; the default for an empty one."""
    typed: str = click.prompt(output.clean(question), default=default, show_default=bool(default), err=True)
    return typed.strip()


def yes(question: str, *, default: bool) -> bool:
    """The answer to a question that has only two."""
    return click.confirm(output.clean(question), default=default, err=True)


def choice(question: str, rows: Sequence[str], *, is_free: bool = False) -> int | str:
    """Which of these rows a person wants, as an index; with `is_free` a text that is no number is returned, too.

    An empty answer is the first row.
    """
    output.message(f"{question}:")
    for number, row in enumerate(rows, 1):
        _wrapped(f"{number:3}  ", row)
    while True:
        typed = line("Number, or address" if is_free else "Number", "1")
        if typed.isascii() and typed.isdecimal() and 1 <= int(typed[:9]) <= len(rows):
            return int(typed) - 1
        if is_free and typed and not typed.isdecimal():
            return typed
        output.message(f"type a number from 1 to {len(rows)}")


def hidden(prompt: str, *, is_paste: bool = False) -> str:
    """What a person types up to Enter, without an echo; with `is_paste` also further lines that are pasted with it.

    The terminal is switched to single characters meanwhile: its lines end after 4096 characters, and pasted cookies
    are longer.
    """
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    silent = termios.tcgetattr(descriptor)
    silent[3] &= ~(termios.ECHO | termios.ICANON)
    silent[6][termios.VMIN], silent[6][termios.VTIME] = 1, 0
    try:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, silent)
        # last, because what is typed before the echo is off would be seen
        click.echo(output.clean(f"{prompt} (hidden): "), nl=False, err=True)
        typed = _paste(descriptor) if is_paste else _line(descriptor)
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
        output.message("")
    return edited(typed).decode(sys.stdin.encoding or "utf-8", "replace")


def edited(typed: bytes) -> bytes:
    """Typed bytes as the terminal would have edited them: Backspace, Ctrl-U (pure)."""
    kept = bytearray()
    for byte in _SEQUENCES.sub(b"", typed):
        if byte in b"\x7f\x08":
            while kept and kept.pop() & 0xC0 == 0x80:  # the bytes of one character of UTF-8
                pass
        elif byte == 0x15:
            kept.clear()
        else:
            kept.append(byte)
    return bytes(kept)


def is_complete(pasted: bytes | bytearray) -> bool:
    """Whether a paste may end here: a line has ended, and a JSON that has begun has a closing bracket (pure)."""
    if not pasted.endswith((b"\n", b"\r")):
        return False
    text = pasted.lstrip(b"\xef\xbb\xbf \t\r\n")
    return not text.startswith((b"[", b"{")) or text.rstrip().endswith((b"]", b"}")) or pasted.endswith(b"\n\n")


def _line(descriptor: int) -> bytes:
    typed = bytearray()
    while len(typed) < _MOST:
        byte = os.read(descriptor, 1)  # no more, so that the next question gets the next line
        if byte in {b"", _END_OF_INPUT} and not typed:
            raise click.Abort
        if byte in {b"", _END_OF_INPUT, b"\n", b"\r"}:
            break
        typed += byte
    return bytes(typed)


def _paste(descriptor: int) -> bytes:
    typed = bytearray()
    while len(typed) < _MOST:
        some = os.read(descriptor, 1 << 16)
        if not some or _END_OF_INPUT in some:
            typed += some.partition(_END_OF_INPUT)[0]
            if not typed:
                raise click.Abort
            break
        typed += some
        if is_complete(typed) and not select.select([descriptor], [], [], _PASTED_WITHIN)[0]:
            break
    return bytes(typed)


def _wrapped(lead: str, text: str) -> None:
    width = min(shutil.get_terminal_size().columns, 100)
    for shown in textwrap.wrap(
        text, max(width - 1, 20), initial_indent=lead, subsequent_indent=" " * len(lead), break_on_hyphens=False
    ):
        output.message(shown)
