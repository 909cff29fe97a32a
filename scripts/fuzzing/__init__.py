"""Parsers under a fuzzer that follows their branches: see docs/reliability.md."""
