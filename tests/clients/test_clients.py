"""Clients that others wrote get from the sample platforms what they get from the real ones.

They are the judges of `coursefs/demo`: it is written by those who wrote coursefs, and a wrong belief in both of them
would show in no other test. The clients run as they come from PyPI (`scripts/test` installs the extra `clients` into an
environment of its own); only names of hosts and a certificate authority are ours (`tests.clients.stage`).
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

from coursefs.demo.openedx.description import load
from coursefs.demo.panopto.sample import sample

pytestmark = pytest.mark.foreign

_ROOT = Path(__file__).parents[2]
_PROGRAMS = _ROOT / ".venv-clients" / "bin"
_COURSES = _ROOT / "coursefs" / "demo" / "courses"
#: dl_coursera asks for this course first, to see whether its cookies are still good
_SLUG = "learning-how-to-learn"
_SKY = "reading-the-night-sky"
_NAMESPACES = ["unshare", "--mount", "--net"]
_TIMEOUT = 120


@dataclass(frozen=True, slots=True)
class Stage:
    """A folder where a client runs."""

    folder: Path

    @property
    def media(self) -> Path:
        """The files that the sample Coursera serves."""
        return self.folder / "courses" / _SLUG / "media"

    def run(self, program: str, *arguments: str) -> str:
        """What a client says; it must end well."""
        if not (_PROGRAMS / program).exists():
            pytest.skip(f"{program} is not installed: scripts/test does that where PyPI can be reached")
        done = subprocess.run(
            [*_NAMESPACES, sys.executable, "-m", "tests.clients.stage", self.folder, _PROGRAMS / program, *arguments],
            cwd=_ROOT,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )
        assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
        return done.stdout

    def requests(self, port: str) -> list[dict[str, object]]:
        """The requests to the API or to the media host (`cdn`)."""
        journal = json.loads((self.folder / "journal.json").read_text(encoding="utf-8"))
        return [one for one in journal["requests"] if one["port"] == port]

    def found(self, suffix: str) -> dict[bytes, Path]:
        """The files that the client wrote, by their content."""
        files = (one for one in self.folder.rglob(f"*{suffix}") if self.folder / "courses" not in one.parents)
        return {one.read_bytes(): one for one in files}

    def served(self, suffix: str) -> set[bytes]:
        """The contents that the platform has under such names."""
        return {one.read_bytes() for one in self.media.glob(f"*{suffix}")}


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """A folder with two courses; the test is skipped where there are no namespaces."""
    tried = subprocess.run([*_NAMESPACES, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"namespaces of our own: {tried.stderr.strip()}")
    shutil.copytree(_COURSES / _SKY, tmp_path / "courses" / _SKY)  # Panopto's recordings are of this one
    course = tmp_path / "courses" / _SLUG
    shutil.copytree(_COURSES / "sound-and-hearing", course)
    description = (course / "course.toml").read_text(encoding="utf-8")
    renamed = description.replace('slug = "sound-and-hearing"', f'slug = "{_SLUG}"', 1)
    (course / "course.toml").write_text(renamed, encoding="utf-8")
    return Stage(tmp_path)


def test_a_client_of_coursera_gets_transcripts(stage: Stage) -> None:
    stage.run("coursera-transcripts", "--cookie", "{cauth}", "--slug", _SLUG, "--output", "out", "--format", "srt")
    assert set(stage.found(".srt")) == stage.served(".en.srt")
    assert _only_reads(stage.requests("api"))


def test_a_client_of_coursera_gets_videos_and_readings(stage: Stage) -> None:
    stage.run(
        *("coursera-exporter", "--cookie", "{cauth}", "--slug", _SLUG, "--output", "out"),
        *("--format", "srt", "--videos", "--readings", "--quality", "360"),
    )
    assert set(stage.found(".mp4")) == stage.served(".360p.mp4")
    assert set(stage.found(".srt")) == stage.served(".en.srt")
    readings = b"".join(stage.found(".md")).decode()
    assert "After this lesson" in readings
    # this client sends its cookie to the media host too, which takes no notice
    assert all(one["status"] in {200, 206} for one in stage.requests("cdn"))
    assert any("leak" in str(one["notes"]) for one in stage.requests("cdn"))
    assert _only_reads(stage.requests("api"))


def test_a_client_of_coursera_with_a_cookie_jar_gets_a_whole_course(stage: Stage) -> None:
    said = stage.run("dl_coursera", "--cookies", "{cookies}", "--outdir", "out", _SLUG)
    assert "Done :-)" in said
    assert len(stage.found(".mp4")) == 4
    for suffix in (".mp4", ".srt", ".pdf", ".m4a", ".png"):
        assert stage.found(suffix) and set(stage.found(suffix)) <= stage.served(suffix), suffix
    assert _only_reads(stage.requests("api"))


def test_a_client_of_panopto_gets_a_recording(stage: Stage) -> None:
    video = stage.folder / "courses" / _SKY / "media" / "how-far-is-a-star.360p.mp4"
    (recording,) = (
        one.id
        for one in sample(stage.folder / "courses").sessions.values()
        if one.video == video and one.name == "How far is a star?"
    )
    stage.run(
        *("yt-dlp", "--compat-options", "no-certifi", "--cookies", "{cookies}", "-o", "out/%(title)s.%(ext)s"),
        *("--write-subs", "--sub-langs", "all"),
        f"https://demo.hosted.panopto.com/Panopto/Pages/Viewer.aspx?id={recording}",
    )
    ((content, written),) = stage.found(".mp4").items()
    assert written.stem.startswith("How far is a star")
    assert content == video.read_bytes()
    (captions,) = stage.found(".srt")
    assert captions.decode().split() == video.with_name("how-far-is-a-star.en.srt").read_text().split()
    assert _only_reads(stage.requests("panopto"))
    assert all(one["notes"] == [] for one in stage.requests("panopto-cdn"))


@pytest.mark.parametrize("kind", ["bearer", "jwt"])
def test_a_client_of_open_edx_lists_the_courses(stage: Stage, kind: str) -> None:
    program = stage.folder / "list.py"
    program.write_text(
        "import sys\n"
        "from openedx_rest_api_client.client import OpenedxRESTAPIClient\n"
        "address, service, secret, kind = sys.argv[1:]\n"
        "client = OpenedxRESTAPIClient(address, service, secret, bearer=kind == 'bearer')\n"
        "print(*(course['id'] for course in client.list_all_courses()))\n",
        encoding="utf-8",
    )
    said = stage.run("python", str(program), "https://campus.example.edu", "{service}", "{service_secret}", kind)
    assert set(said.split()) == {course.id for course in load()}
    assert [one["path"] for one in stage.requests("lms") if one["method"] != "GET"] == ["/oauth2/access_token"]


@pytest.mark.parametrize(
    ("course", "said"),
    [
        ("course-v1:DemoX+MEAS101+2026", "'results'"),
        ("course-v1:Nobody+None+2026", "'status_code': 400"),
    ],
)
def test_a_client_of_open_edx_enrols(stage: Stage, course: str, said: str) -> None:
    program = stage.folder / "enrol.py"
    program.write_text(
        "import sys\n"
        "from openedx_rest_api_client.client import OpenedxRESTAPIClient\n"
        "address, service, secret, course = sys.argv[1:]\n"
        "client = OpenedxRESTAPIClient(address, service, secret)\n"
        "print(client.change_enrollment(['a@example.com', 'b@example.com'], [course], email_students=False))\n",
        encoding="utf-8",
    )
    reply = stage.run("python", str(program), "https://campus.example.edu", "{service}", "{service_secret}", course)
    assert said in reply
    if said == "'results'":
        assert "'identifier': 'b@example.com'" in reply and "'email_students': False" in reply


def _only_reads(requests: Iterable[dict[str, object]]) -> bool:
    return {one["method"] for one in requests} == {"GET"}
