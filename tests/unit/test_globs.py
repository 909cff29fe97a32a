"""Globs: which names and paths a pattern fits, and that no pattern makes a comparison slow."""

from __future__ import annotations

import time
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursefs.bulk.globs import Filter, glob, is_glob
from coursefs.errors import UsageError


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        # a name, wherever it is
        ("*.mp4", "01 Start/01 Hello.mp4", True),
        ("*.mp4", "01 Hello.MP4", True),
        ("*.mp4", "01 Start/01 Hello.mp4.html", False),
        ("*.mp4", "lessons.mp4/notes.txt", True),
        ("01*", "02 More/01 Again/03 Read.html", True),
        ("01*", "02 More/03 Read.html", False),
        ("Hello", "01 Hello", False),
        ("??", "ab", True),
        ("??", "abc", False),
        ("*", "anything", True),
        ("", "anything", None),
        ("/", "anything", None),
        ("../x", "x", None),
        # a path from the top
        ("01*/**", "01 Start/01 Hello.mp4", True),
        ("01*/**", "01 Start/Deep/01 Hello.mp4", True),
        ("01*/**", "01 Start", False),
        ("01*/**", "02 More/01 Start/x", False),
        ("01*/*.mp4", "01 Start/Deep/01 Hello.mp4", False),
        ("01*/**/*.mp4", "01 Start/01 Hello.mp4", True),
        ("01*/**/*.mp4", "01 Start/Deep/Deeper/01 Hello.mp4", True),
        ("**/Slides/*", "Slides/a.pdf", True),
        ("**/Slides/*", "01/02/Slides/a.pdf", True),
        ("**/Slides/*", "01/02/Slides", False),
        ("**", "a/b", True),
        ("**/**/a", "a", True),
        ("a/**/b/**/c", "a/x/b/y/z/c", True),
        ("a/**/b/**/c", "a/x/y/z/c", False),
        ("/index.html", "index.html", True),
        ("/index.html", "01/index.html", False),
        ("./01*/x", "01 Start/x", True),
        ("a**", "abc", True),
        ("a**", "abc/d", True),
        # folders
        ("*.files/", "01 Read.files/plan.png", True),
        ("*.files/", "01 Read.files", False),
        ("01*/02*/", "01 a/02 b/c", True),
        ("01*/02*/", "01 a/02 b", False),
        # sets, and characters that mean themselves
        ("0[12]*", "02 x", True),
        ("0[!12]*", "02 x", False),
        ("0[^12]*", "03 x", True),
        ("0[3-5]*", "04 x", True),
        ("[]x]", "]", True),
        ("[a-c-]", "-", True),
        ("[b-a]", "a", False),
        ("[!b-a]", "a", True),
        ("[2024] Talk", "[2024] Talk", False),
        (r"\[2024] Talk", "[2024] Talk", True),
        ("[2024 Talk", "[2024 Talk", True),
        (r"\*", "*", True),
        (r"\*", "x", False),
        ("a\\", "a\\", True),
        ("[[]x", "[x", True),
        ("[&&~|]", "~", True),
        ("a.c", "abc", False),
        # letters are the same, however they are written
        ("GRÖSSE*", "größe", False),
        ("GRÖ*", "größe", True),
        ("gro\N{COMBINING DIAERESIS}*", "Gr\N{LATIN SMALL LETTER O WITH DIAERESIS}ße", True),
        ("*ö", "o\N{COMBINING DIAERESIS}", True),
        ("?", "\N{GRINNING FACE}", True),
    ],
)
def test_what_fits(pattern: str, path: str, fits: bool | None) -> None:
    if fits is None:
        with pytest.raises(UsageError, match="is not a pattern for files"):
            glob(pattern)
        return
    assert glob(pattern).fits(path.split("/"), is_folder=False) == fits


def test_a_pattern_for_folders_fits_the_folder_itself() -> None:
    assert glob("*.files/").fits(["a.files"], is_folder=True)
    assert not glob("*.files/").fits(["a.files"], is_folder=False)


@pytest.mark.parametrize(
    ("only", "excepted", "path", "takes"),
    [
        ([], [], "a", True),
        (["*.mp4", "*.pdf"], [], "x/a.pdf", True),
        (["*.mp4", "*.pdf"], [], "x/a.srt", False),
        (["*.mp4"], ["01*/**"], "01/a.mp4", False),
        (["*.mp4"], ["01*/**"], "02/a.mp4", True),
        ([], ["*.mp4"], "02/a.srt", True),
    ],
)
def test_what_is_excepted_wins(only: list[str], excepted: list[str], path: str, takes: bool) -> None:
    filtered = Filter(tuple(map(glob, only)), tuple(map(glob, excepted)))
    assert filtered.takes(path.split("/")) == takes


@pytest.mark.parametrize(
    ("only", "excepted", "folder", "enters"),
    [
        (["01*/**"], [], "01 a", True),
        (["01*/**"], [], "02 a", False),
        (["01*/**"], [], "01 a/b", True),
        (["*.mp4"], [], "02 a", True),
        (["01*/02*/x"], [], "01/03", False),
        (["01*"], [], "01 a/b", True),
        ([], ["01*"], "01 a", False),
        ([], ["01*/*"], "01 a", True),
        ([], ["*.files/"], "a.files", False),
    ],
)
def test_folders_in_which_nothing_can_fit_are_not_entered(
    only: list[str], excepted: list[str], folder: str, enters: bool
) -> None:
    filtered = Filter(tuple(map(glob, only)), tuple(map(glob, excepted)))
    assert filtered.enters(folder.split("/")) == enters


@pytest.mark.parametrize(
    ("text", "is_one"), [("a*", True), ("a?", True), ("[a]", True), ("a", False), ("a/b.c", False)]
)
def test_what_is_a_pattern(text: str, is_one: bool) -> None:
    assert is_glob(text) == is_one


NAMES = st.text(st.sampled_from("ab*?[]!-.\\c "), min_size=1, max_size=12).filter(lambda name: name not in {".", ".."})


@given(st.text(st.sampled_from("ab*?."), min_size=1, max_size=12), NAMES)
def test_one_name_is_compared_as_a_shell_does(pattern: str, name: str) -> None:
    if set(pattern) == {"."} or pattern == "**":
        return
    assert glob(f"/{pattern}").fits([name], is_folder=False) == fnmatchcase(name, pattern)


@given(NAMES, st.lists(NAMES, min_size=1, max_size=4))
def test_no_pattern_breaks_it(pattern: str, path: list[str]) -> None:
    one = glob(pattern)
    if one.fits(path, is_folder=False):
        assert all(one.may_fit_below(path[:depth]) for depth in range(len(path)))


@given(
    st.lists(st.sampled_from(["a", "b*", "**", "*"]), min_size=1, max_size=6),
    st.lists(st.sampled_from("abc"), max_size=6),
)
def test_a_path_is_compared_as_the_definition_says(pattern: list[str], path: list[str]) -> None:
    def fits(parts: list[str], names: list[str]) -> bool:
        if not parts:
            return not names
        if parts[0] == "**":
            if len(parts) == 1:
                return bool(names)
            return fits(parts[1:], names) or (bool(names) and fits(parts, names[1:]))
        return bool(names) and fnmatchcase(names[0], parts[0]) and fits(parts[1:], names[1:])

    parts = [part for part, before in zip(pattern, ["", *pattern], strict=False) if (part, before) != ("**", "**")]
    anchored = glob("/" + "/".join(pattern))
    expected = any(fits(parts, path[:depth]) for depth in range(1, len(path) + 1))
    assert anchored.fits(path, is_folder=False) == expected


@given(st.text(min_size=1, max_size=20).filter(lambda text: "/" not in text and "\0" not in text))
def test_every_name_fits_itself_when_its_characters_are_escaped(name: str) -> None:
    if name in {".", ".."}:
        return
    pattern = "".join(f"\\{char}" if char in "*?[\\" else char for char in name)
    assert glob(f"/{pattern}").fits([name], is_folder=False)


@pytest.mark.parametrize("pattern", ["*a" * 60 + "b", "a*" * 60 + "b", "**/" * 30 + "*x*" * 30, "[a-z]*" * 60])
def test_no_pattern_takes_long(pattern: str) -> None:
    one, long = glob(pattern), "a" * 255
    started = time.process_time()
    one.fits([long] * 12, is_folder=False)
    assert time.process_time() - started < 0.5, "it grows with the name, not with what could be tried"
