"""Search in titles, readings, transcripts and captions: an index of what is known and cached, and queries to it.

`texts` cuts files into sentences with times, `folding` makes words of them that the index compares, `index` is the
database, `documents` says which texts there are in a catalogue, and `builder` brings the index up to date with it, in
a child process (`process`).  `query` finds sentences.  Nothing here makes a request, and nothing reads the content
cache: the process that has the cache hands its texts over (`coursefs.library.search_indexing`).
"""

from coursefs.search.documents import MOST_BYTES
from coursefs.search.folding import terms
from coursefs.search.index import IndexMissing, forget, index_path
from coursefs.search.query import FoundText, find

__all__ = ["MOST_BYTES", "FoundText", "IndexMissing", "find", "forget", "index_path", "terms"]
