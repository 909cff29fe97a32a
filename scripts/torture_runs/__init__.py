"""The real program on a real mount against everything that can go wrong: see docs/reliability.md."""
