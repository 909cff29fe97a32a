"""The folders that `coursefs demo` shows, with the videos of the sample courses.

A module of its own because it is data.
"""

from __future__ import annotations

from pathlib import Path

from coursefs.demo.panopto.tree import Folder, Holdings, Playlist, Recording, holdings, made_guid

_ENGLISH, _GERMAN = 0, 4


def sample(courses: Path) -> Holdings:
    """A learner's view of a small university; `courses` is the folder of the sample courses."""
    sky, sound = courses / "reading-the-night-sky" / "media", courses / "sound-and-hearing" / "media"
    department = Folder(made_guid("department"), "Department of Physics", hidden=True)
    evenings = Folder(made_guid("evenings"), "Astronomy Evenings", department.id)
    spring = Folder(made_guid("spring"), "Spring 2024", evenings.id)
    seminar = Folder(made_guid("seminar"), "Seminar: Sound/Hearing", department.id)

    def recording(
        name: str,
        folder: Folder,
        start: str | None,
        film: Path | None,
        captions: dict[int, Path] | None = None,
        *,
        download: bool = True,
    ) -> Recording:
        session_id = made_guid("session", folder.name, name, start or "")
        seconds = 20.0 if start else 0.0
        return Recording(session_id, name, folder.id, start, seconds, film, captions=captions or {}, download=download)

    star = recording(
        "How far is a star?", spring, "2024-01-09T18:00:00Z", sky / "how-far-is-a-star.360p.mp4",
        {_ENGLISH: sky / "how-far-is-a-star.en.srt"},
    )  # fmt: skip
    turn = recording("Why the stars turn", spring, "2024-01-16T18:00:00Z", sky / "why-the-stars-turn.360p.mp4")
    decibel = recording(
        "Was ist ein Dezibel?", seminar, "2024-02-06T10:15:00Z", sound / "was-ist-ein-dezibel.360p.mp4",
        {_GERMAN: sound / "was-ist-ein-dezibel.de.srt"},
    )  # fmt: skip
    discussion = recording(
        "Discussion", seminar, "2024-02-06T11:30:00Z", sound / "was-ist-ein-dezibel.360p.mp4", download=False
    )
    sessions = [
        star,
        turn,
        recording("Questions", spring, "2024-01-16T19:00:00Z", sky / "why-the-stars-turn.360p.mp4"),
        recording("Questions", spring, "2024-01-16T19:30:00Z", sky / "how-far-is-a-star.360p.mp4"),
        recording("Guided tour of the dome", evenings, "2023-11-21T17:00:00Z", None),
        decibel,
        discussion,
    ]
    revision = Playlist(made_guid("playlist", "revision"), "Best of", evenings.id, (turn.id, star.id, decibel.id))
    return holdings([department, evenings, spring, seminar], sessions, [revision])
