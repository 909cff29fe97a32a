"""The library: the facade over catalogue, contents and providers, and the only part that the layers above use.

`open_library` opens a `Library`, which has `Files`, a `FileCache` and `Courses`.  The other names here are the types
that their methods take and return, and the functions that commands call without a mount.
"""

from coursefs.catalog import Ages, IndexingDelays, Layout, News, Node, PackedListing
from coursefs.catalog.names import is_probe
from coursefs.catalog.node import ROOT
from coursefs.content import CacheFull, CacheUse, Cleared, Fetching, Maintenance, Progress, Verified, open_cache
from coursefs.content.scheduler import Priority
from coursefs.library.accounts import Factories, provider_of
from coursefs.library.course_selection import Chosen
from coursefs.library.courses import Courses
from coursefs.library.due_list import Due, DueList, stored_due
from coursefs.library.file_cache import FileCache, UnpinnedQuota
from coursefs.library.files import Files
from coursefs.library.handle import Handle
from coursefs.library.library import Library, open_library
from coursefs.library.listing import Listed, SearchHit
from coursefs.library.live_pages import CachedItem, LivePages, PageHit, PageHits
from coursefs.library.next_lecture import FetchedAhead
from coursefs.library.search_indexing import SearchProgress
from coursefs.library.search_texts import FoundText, IndexMissing, forget_index, require_terms, search_texts
from coursefs.library.settings import AccountSource, Applied, LibrarySettings, SharedSettings, require_accounts
from coursefs.library.shared import SharedStatus
from coursefs.library.status import AccountStatus, LibraryStatus, OpenFileStatus, Reads
from coursefs.library.stored_tree import Known, StoredTree, Totals, stored_tree
from coursefs.library.surprise_report import Findings, gather_surprises, report_entries, write_report
from coursefs.library.walk import Found, Outdated, Unavailable
from coursefs.library.without_mount import choose, forget_account, list_all, opened_by, search
from coursefs.providers.base import Advises, HasRoutes, Provider

__all__ = [
    "ROOT",
    "AccountSource",
    "AccountStatus",
    "Advises",
    "Ages",
    "Applied",
    "CacheFull",
    "CacheUse",
    "CachedItem",
    "Chosen",
    "Cleared",
    "Courses",
    "Due",
    "DueList",
    "Factories",
    "FetchedAhead",
    "Fetching",
    "FileCache",
    "Files",
    "Findings",
    "Found",
    "FoundText",
    "Handle",
    "HasRoutes",
    "IndexMissing",
    "IndexingDelays",
    "Known",
    "Layout",
    "Library",
    "LibrarySettings",
    "LibraryStatus",
    "Listed",
    "LivePages",
    "Maintenance",
    "News",
    "Node",
    "OpenFileStatus",
    "Outdated",
    "PackedListing",
    "PageHit",
    "PageHits",
    "Priority",
    "Progress",
    "Provider",
    "Reads",
    "SearchHit",
    "SearchProgress",
    "SharedSettings",
    "SharedStatus",
    "StoredTree",
    "Totals",
    "Unavailable",
    "UnpinnedQuota",
    "Verified",
    "choose",
    "forget_account",
    "forget_index",
    "gather_surprises",
    "is_probe",
    "list_all",
    "open_cache",
    "open_library",
    "opened_by",
    "provider_of",
    "report_entries",
    "require_accounts",
    "require_terms",
    "search",
    "search_texts",
    "stored_due",
    "stored_tree",
    "write_report",
]
