"""Where the courses of each account are: at the root of the tree, or in a folder of the account's own.

It is a module of its own because the rule has to be the same for every way of opening a library.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from coursefs.catalog import Place, Store
from coursefs.catalog.node import ROOT
from coursefs.errors import CoursefsError
from coursefs.library.settings import AccountSource
from coursefs.providers import registry


def account_folders(accounts: Sequence[AccountSource], store: Store) -> Mapping[str, str | None]:
    """The name of each account's folder, by account; None: its courses are at the root.

    What the settings say counts first (`folder`; "": the root).  Then an account stays where the catalogue has it, so
    that no path changes when another account comes or goes.  A new account has the root for itself, or a folder where
    there are others.
    """
    return {one.name: _folder(one, store, is_alone=len(accounts) == 1) for one in accounts}


def _folder(account: AccountSource, store: Store, *, is_alone: bool) -> str | None:
    if account.folder is not None:
        return account.folder or None
    has_own = has_folder(store, account.name)
    if has_own is None:
        has_own = not is_alone
    return _title(account.provider) if has_own else None


def has_folder(store: Store, account: str) -> bool | None:
    """Whether the catalogue has an account's courses in a folder of their own; None: it never had any of them."""
    folder = store.find(Place(account), "")
    if folder is not None and not folder.is_gone:
        return True
    parents = store.course_parents(account)
    if ROOT in parents:
        return False
    return True if parents or folder is not None else None


def _title(provider: str) -> str:
    """What a platform calls itself, as the name of a folder."""
    try:
        title = registry.platform(provider).title
    except CoursefsError:  # not installed: its provider was given, as in a test
        title = ""
    return title or provider[:1].upper() + provider[1:]
