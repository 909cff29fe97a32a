"""Failed reads: which read repeats one, and gets only the rest of its time."""

from __future__ import annotations

from coursefs.content.failed_reads import FailedRead, FailedReads
from coursefs.errors import NoAnswer

FAILED = FailedRead(1000, 2000, began=10.0, ended=15.0, error=NoAnswer("no answer"))


def test_a_read_of_the_same_bytes_a_moment_later_repeats_the_failed_one() -> None:
    failed_reads = FailedReads()
    assert failed_reads.before(1000, 2000, 15.0) is None
    failed_reads.add(FAILED)
    assert failed_reads.before(1000, 1001, 15.1) is FAILED
    assert failed_reads.before(0, 5000, 15.9) is FAILED


def test_a_read_of_other_bytes_or_a_later_one_repeats_none() -> None:
    failed_reads = FailedReads()
    failed_reads.add(FAILED)
    assert failed_reads.before(2000, 3000, 15.1) is None
    assert failed_reads.before(0, 1000, 15.1) is None
    assert failed_reads.before(1000, 2000, 16.1) is None


def test_the_earliest_beginning_counts_and_old_failures_are_forgotten() -> None:
    failed_reads = FailedReads()
    failed_reads.add(FAILED)
    failed_reads.add(FailedRead(1500, 3000, began=12.0, ended=15.5, error=NoAnswer("no answer")))
    assert failed_reads.before(1600, 1700, 15.6) is FAILED
    failed_reads.add(FailedRead(0, 1, began=20.0, ended=21.0, error=NoAnswer("no answer")))
    assert len(failed_reads._failed) == 1
