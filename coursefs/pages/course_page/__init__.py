"""The course page, the overview of all courses, their scripts, and playlists (pure).

    folder of a course/
      index.html            index_html        changes only when the course does
      playlist.m3u8         playlist
      index.files/
        page.js, page.css   ASSETS            the same for every course
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
]
