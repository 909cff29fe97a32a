"""The settings of a library, made of settings file, secrets, paths and mount options.

It is a module of its own because a mount and the commands without a mount share it.
"""

from __future__ import annotations

from coursefs.library import AccountSource, Ages, Layout, LibrarySettings, SharedSettings
from coursefs.model import Wanted
from coursefs.mount.options import MountOptions
from coursefs.settings.config import Settings
from coursefs.settings.credentials import AccountVault, Credentials
from coursefs.settings.paths import AppPaths


def library_settings(settings: Settings, app_paths: AppPaths, options: MountOptions | None = None) -> LibrarySettings:
    """The settings that this user's library is opened with; mount options override the settings file."""
    credentials = Credentials(app_paths)
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
        catalogue=app_paths.catalogue,
        cache=cache_dir or settings.cache.directory or app_paths.cache_dir,
        accounts=accounts,
        wanted=Wanted(
            settings.layout.subtitles,
            settings.layout.video,
            voices=settings.layout.voices,
            audio_description=settings.layout.audio_description,
            quizzes=settings.layout.quizzes,
            readings=settings.layout.readings,
            pictures=settings.layout.media_center,
        ),
        layout=Layout.MEDIA_CENTER if settings.layout.media_center else Layout(settings.layout.names),
        course_pages=settings.layout.course_pages,
        subtitle_formats=settings.layout.subtitle_formats,
        max_size=settings.cache.max_size if cache_size is None else cache_size,
        min_free=settings.cache.min_free,
        read_timeout=settings.network.read_timeout,
        streams=settings.network.streams,
        limit=settings.network.limit,
        offline=options.offline if options else False,
        ages=Ages(settings.refresh.courses, settings.refresh.outline, settings.refresh.files),
        shared=_shared(settings, app_paths),
        next=settings.prefetch.next,
        next_size=settings.prefetch.next_size,
    )


def _shared(settings: Settings, app_paths: AppPaths) -> SharedSettings | None:
    cache = settings.cache
    if cache.shared is None:
        return None
    return SharedSettings(cache.shared, app_paths.shared_key(cache.shared_key), cache.shared_plain_http, cache.min_free)
