"""The course page, the overview of all courses, their scripts, and playlists (pure).

    folder of a course/
      index.html            index_html        changes only when the course does
      playlist.m3u8         playlist
      index.files/
        page.js, page.css   assets            the same for every course
        progress.js         progress_js       what is done and due
        <any name>.js       cues_js           one for each subtitle that the page can show

Page and scripts work from `file:`, where a browser neither fetches files nor shows subtitles of a `<track>`: so all
data are markup or classic scripts, which it loads.
"""

from coursefs.pages.course_page.model import (
    CoursePage,
    CoursesOverview,
    OverviewCourse,
    PageChapter,
    PageDeadline,
    PageFile,
    PageItem,
    PageProgress,
    PageSection,
)
from coursefs.pages.course_page.playlists import playlist
from coursefs.pages.course_page.rendering import assets, index_html, overview_html
from coursefs.pages.course_page.scripts import cues_js, progress_js

__all__ = [
    "CoursePage",
    "CoursesOverview",
    "OverviewCourse",
    "PageChapter",
    "PageDeadline",
    "PageFile",
    "PageItem",
    "PageProgress",
    "PageSection",
    "assets",
    "cues_js",
    "index_html",
    "overview_html",
    "playlist",
    "progress_js",
]
