"""From settings, secrets and places to what a library is opened with."""

from __future__ import annotations

from coursefs.catalog import Ages, Layout
from coursefs.config import Settings
from coursefs.credentials import AccountVault, Credentials
from coursefs.library import AccountSource, LibrarySettings
from coursefs.model import Wanted
from coursefs.mount.options import MountOptions
from coursefs.places import Places


def library_settings(settings: Settings, places: Places, options: MountOptions | None = None) -> LibrarySettings:
    """What the library of this user is opened with; mount options come before the settings file."""
    credentials = Credentials(places)
    accounts = [
        AccountSource(
            one.name,
            one.provider,
            one.values,
            credentials.load(one.name),
            one.folder,
            AccountVault(credentials, one.name),
        )
        for one in settings.accounts.values()
    ]
    cache_dir = options.cache_dir if options else None
    cache_size = options.cache_size if options else None
    return LibrarySettings(
        catalogue=places.state_dir / "catalogue.sqlite",
        cache=cache_dir or settings.cache.directory or places.cache_dir,
        accounts=accounts,
        wanted=Wanted(settings.layout.subtitles, settings.layout.video),
        layout=Layout(settings.layout.names),
        max_size=settings.cache.max_size if cache_size is None else cache_size,
        min_free=settings.cache.min_free,
        read_timeout=settings.network.read_timeout,
        streams=settings.network.streams,
        offline=options.offline if options else False,
        ages=Ages(settings.refresh.courses, settings.refresh.outline, settings.refresh.files),
    )
