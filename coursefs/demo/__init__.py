"""Embedded sample platforms for `coursefs demo` and for tests, which use them over real sockets.

They are written from knowledge of the platforms, not from what coursefs sends: nothing here imports the rest of
coursefs, so that they can contradict it.
"""
