"""The catalogue: what exists. Tree, names, SQLite store, refresh by difference, sizes, background indexing.

How a title becomes a name in the tree:

1. `refresher` asks the provider for courses, an outline or files; `providers.checking` validates the reply.
2. `loss_guard` rejects a reply that would remove known content without proof.
3. `course_nodes`, `outline_nodes` and `file_nodes` make desired nodes of it; `names` decides each name once.
4. `difference` compares them with the stored nodes; new ones get an inode number from their stable id (`node`).
5. `store` writes the difference in one transaction; `tree` serves it, and the mount tells the kernel what changed.

`store` says which lock or transaction guards what.
"""

from coursefs.catalog.due_dates import DueDates
from coursefs.catalog.enrolments import SelectionRule
from coursefs.catalog.freshness import Ages
from coursefs.catalog.indexing import Indexer, IndexingDelays
from coursefs.catalog.names import Layout
from coursefs.catalog.news import News
from coursefs.catalog.node import Node, Place
from coursefs.catalog.packed_listing import PackedListing
from coursefs.catalog.refresher import TreeAccount
from coursefs.catalog.sizes import Sizes
from coursefs.catalog.store import Store
from coursefs.catalog.tree import Tree

__all__ = [
    "Ages",
    "DueDates",
    "Indexer",
    "IndexingDelays",
    "Layout",
    "News",
    "Node",
    "PackedListing",
    "Place",
    "SelectionRule",
    "Sizes",
    "Store",
    "Tree",
    "TreeAccount",
]
