"""The course page, the overview of all courses, their scripts, and playlists (pure).

    folder of a course/
      index.html            index_html        changes only when the course does
      playlist.m3u8         playlist
      index.files/
        page.js, page.css   assets            the same for every course
        progress.js         progress_js       what is done and due
        <any name>.js       cues_js           one for each subtitle that the page can show

`live.js` is served by `coursefs open` alone: it is for what a page can ask a web server, and no file.

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
from coursefs.pages.course_page.texts import anchor, key_of

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
    "anchor",
    "assets",
    "cues_js",
    "index_html",
    "key_of",
    "overview_html",
    "playlist",
    "progress_js",
]
