"""What exists: names, inodes, the tree and its refreshes, sizes; persisted in SQLite."""

from coursefs.catalog.names import Layout
from coursefs.catalog.node import Node, Place
from coursefs.catalog.sizes import Sizes
from coursefs.catalog.store import Store
from coursefs.catalog.tree import Ages, Tree, TreeAccount

__all__ = ["Ages", "Layout", "Node", "Place", "Sizes", "Store", "Tree", "TreeAccount"]
