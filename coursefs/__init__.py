"""coursefs: your courses are a folder."""

__version__ = "0.2.0"
