"""A quiz that was taken as the passages of a page (pure).

The passages are CML, so that formulas, pictures and whatever else a question holds are rendered as those of a reading.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from html import escape

from coursefs.errors import CoursefsError
from coursefs.model import Course, File, Item
from coursefs.providers.coursera import item_types
from coursefs.providers.coursera.instructions import Instructions, Passage
from coursefs.providers.coursera.quizzes import AnswerOption, Question, Quiz
from coursefs.providers.kit.files import page_file

_SAID = {"CORRECT": "Right", "INCORRECT": "Wrong", "PARTIALLY_CORRECT": "Partly right"}


def passages(quiz: Quiz) -> Instructions:
    """The page of a quiz that was taken: its score, then each question with the answer and what was said to it."""
    found = [Passage("", _lines(_summary(quiz)))]
    if quiz.overview:
        found.append(Passage("Instructions", quiz.overview))
    number = 0
    for one in quiz.questions:
        if one.is_text:
            found.append(Passage(one.title, one.prompt))
            continue
        number += 1
        found += _question(f"Question {number}", one)
    return tuple(found)


def link(course: Course, item: Item, quiz: Quiz) -> File:
    """The link page of a quiz that was not taken, is in progress, or is refused."""
    word = item_types.word(item.type_name)
    reason = {
        "in progress": "An attempt is in progress; it goes on on the web page.",
        "untaken": "You have not taken this yet; it is taken on its web page.",
    }.get(quiz.state, f"The platform keeps this back here{f' ({quiz.reason})' if _is_code(quiz.reason) else ''}.")
    return page_file(course, item, "link", marker=word, what=word, reason=reason)


def refused(course: Course, item: Item, error: CoursefsError) -> File:
    """The link page of a quiz whose state the platform does not give."""
    word = item_types.word(item.type_name)
    reason = f"This step is on its web page; your answers cannot be shown here. {error}."
    return page_file(course, item, "link", marker=word, what=word, reason=reason)


def _is_code(reason: str) -> bool:
    return bool(reason) and reason.isascii() and reason.replace("_", "").isalnum() and len(reason) <= 80


def _summary(quiz: Quiz) -> Iterator[str]:
    points = ""
    if quiz.score is not None and quiz.most:
        points = f"{quiz.score:g} of {quiz.most:g} points"
    grade = f"{100 * quiz.grade:.4g} %" if quiz.grade is not None and 0 <= quiz.grade <= 1 else ""
    if points or grade:
        yield f"Score: {', '.join(filter(None, (grade, points)))}"
    if quiz.passed is not None:
        yield "Passed" if quiz.passed else "Not passed"
    if quiz.submitted:
        yield f"Handed in: {_time(quiz.submitted)}"
    if _is_code(quiz.grading):
        yield f"Grading: {quiz.grading.replace('_', ' ').lower()}"
    if not quiz.has_feedback:
        yield "The platform gives no feedback to it (yet)."
    if quiz.attempts_left is not None:
        yield f"Attempts left: {quiz.attempts_left}"
    if quiz.next_attempt:
        yield f"The next attempt is allowed from {_time(quiz.next_attempt)} on."


def _time(said: str) -> str:
    try:
        return f"{datetime.fromisoformat(said):%Y-%m-%d %H:%M}"
    except ValueError:
        return said[:40]


def _question(title: str, one: Question) -> Iterator[Passage]:
    yield Passage(title, one.prompt or _lines(["The platform did not send this question."]))
    if one.options:
        yield Passage("", _choices(one.options))
    for number, options in enumerate(one.blanks, 1):
        yield Passage("", _lines([f"Blank {number}:"]) + _choices(options))
    if one.answers:
        yield Passage("", _labelled("Your answer", "".join(map(_plain, one.answers))))
    if one.written:
        yield Passage("", _labelled("Your answer", one.written))
    if not one.is_known:
        yield Passage("", _lines(["Your answer to this kind of question is shown on the web page only."]))
    elif not (one.options or one.blanks or one.answers or one.written):
        yield Passage("", _lines(["You gave no answer."]))
    verdict = _verdict(one)
    if verdict:
        yield Passage("", _lines([verdict]))
    if one.expected:
        yield Passage("", _labelled("Right answer", "".join(map(_plain, one.expected))))
    if one.feedback:
        yield Passage("", _labelled("Feedback", one.feedback))
    for prompt, selected in one.rubrics:
        yield Passage("", f'{_labelled("Rubric", prompt)}<list bulletType="bullets">{_items(selected)}</list>')


def _verdict(one: Question) -> str:
    said = _SAID.get(one.correctness, "")
    points = f"{one.score:g} of {one.most:g} points" if one.score is not None and one.most is not None else ""
    return ", ".join(filter(None, (said, points)))


def _choices(options: tuple[AnswerOption, ...]) -> str:
    items: list[str] = []
    for one in options:
        marks = ["your answer"] if one.chosen else []
        if one.right is not None and one.chosen:
            marks.append("right" if one.right else "wrong")
        elif one.right is False:
            marks.append("this was to be chosen, too")
        mark = f"<text><strong>{'☒' if one.chosen else '☐'} {escape(', '.join(marks))}</strong></text>"
        items.append(f"<li>{mark}{one.text}{_labelled('Feedback', one.feedback) if one.feedback else ''}</li>")
    return f'<list bulletType="bullets">{"".join(items)}</list>'


def _items(texts: tuple[str, ...]) -> str:
    return "".join(f"<li>{one}</li>" for one in texts)


def _labelled(label: str, content: str) -> str:
    return f"<text><strong>{escape(label)}:</strong></text>{content}"


def _plain(said: str) -> str:
    if "\n" in said.strip():
        return f'<code language="plain_text">{escape(said)}</code>'
    return f"<text>{escape(said)}</text>"


def _lines(said: Iterator[str] | list[str]) -> str:
    return "".join(f"<text>{escape(one)}</text>" for one in said)
