"""The builder: brings an index up to date with a catalogue and with what is cached, in small steps."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from coursefs.search.documents import SearchDocument, difference, documents
from coursefs.search.index import SearchIndex
from coursefs.search.texts import Sentence, sentences

log = logging.getLogger(__name__)

#: documents, and bytes of their texts, in one step
_DOCUMENTS, _BYTES = 100, 2**20

#: gets the contents (account and identity) that a step needs, and how many documents are done of how many; returns
#: their bytes, None for what is not cached any more
Step = Callable[[Sequence[tuple[str, str]], int, int], Sequence[bytes | None]]


def build(
    index: SearchIndex,
    catalogue: sqlite3.Connection,
    accounts: Collection[str],
    is_cached: Mapping[tuple[str, str], int],
    step: Step,
) -> int:
    """Remove from the index what is no longer there, add what is new, and return how many documents were added.

    `step` is called before each part, and may take its time.  Each part is one transaction.
    """
    gone, new = difference(index.known(), documents(catalogue, accounts, is_cached))
    for start in range(0, len(gone), _DOCUMENTS):
        step([], 0, len(new))
        index.change(gone[start : start + _DOCUMENTS], [])
    done = 0
    for batch in batches(new):
        wanted = [(one.account, one.identity) for one in batch if one.identity is not None]
        bodies = dict(zip(wanted, step(wanted, done, len(new)), strict=True))
        index.change([], list(_read(catalogue, batch, bodies)))
        done += len(batch)
    if index.is_untidy or done > _DOCUMENTS:
        step([], done, len(new))
        index.tidy()
    return done


def batches(new: Sequence[SearchDocument]) -> Iterator[Sequence[SearchDocument]]:
    """The documents in parts that are small enough (pure)."""
    batch: list[SearchDocument] = []
    size = 0
    for one in new:
        if batch and (len(batch) >= _DOCUMENTS or size + one.size > _BYTES):
            yield batch
            batch, size = [], 0
        batch.append(one)
        size += one.size
    if batch:
        yield batch


def _read(
    catalogue: sqlite3.Connection, batch: Sequence[SearchDocument], bodies: Mapping[tuple[str, str], bytes | None]
) -> Iterator[tuple[SearchDocument, Sequence[Sentence]]]:
    """The documents with their sentences; one whose text is gone is left out until the next time."""
    for one in batch:
        body: bytes | None = b""
        if one.identity is not None:
            body = bodies.get((one.account, one.identity))
        elif one.inode:
            row = catalogue.execute("SELECT page FROM node WHERE inode = ?", (one.inode,)).fetchone()
            body = None if row is None or row[0] is None else bytes(row[0])
        if body is not None:
            yield one, _sentences(one, body)


def _sentences(document: SearchDocument, body: bytes) -> Sequence[Sentence]:
    """The sentences of a text; of one that cannot be read, none: its title is found all the same."""
    try:
        return sentences(body, document.extension) if body else ()
    except Exception as error:  # of a platform's text, which may hold anything: it costs this document alone
        log.info("%s is not searched: %s", document.path, type(error).__name__)
        return ()
