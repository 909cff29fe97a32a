"""What exists: names, inodes, the tree and its refreshes, sizes; persisted in SQLite."""

from coursefs.catalog.choice import Choice
from coursefs.catalog.fill import Fill, Pace
from coursefs.catalog.names import Layout
from coursefs.catalog.news import News
from coursefs.catalog.node import Node, Place
from coursefs.catalog.renewal import TreeAccount
from coursefs.catalog.sizes import Sizes
from coursefs.catalog.store import Store
from coursefs.catalog.tree import Ages, Tree
from coursefs.catalog.updating import updated

__all__ = [
    "Ages",
    "Choice",
    "Fill",
    "Layout",
    "News",
    "Node",
    "Pace",
    "Place",
    "Sizes",
    "Store",
    "Tree",
    "TreeAccount",
    "updated",
]
