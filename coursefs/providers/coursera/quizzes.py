"""Quizzes that were taken: the replies of the gateway as typed objects (pure).

`QueryState` has the last submission, `AssignmentFeedback` what was right and what was said to it,
`AssignmentGradingStatus` the grade.  Nothing was recorded, so every field may be missing: ids of one question agree
only in what follows the last `~`, the feedback may be null for a while, and a question may be of a kind that is not
known here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from coursefs.providers.kit.fields import Json, identifier, integer, record, rows, text


@dataclass(frozen=True, slots=True)
class AnswerOption:
    """An option of a question; texts are CML or HTML."""

    text: str
    chosen: bool
    right: bool | None  # whether it was right to choose it, or not to; None: not said
    feedback: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its answer, or a text between questions (`is_text`)."""

    prompt: str  # CML or HTML
    title: str = ""
    is_text: bool = False
    options: tuple[AnswerOption, ...] = ()
    blanks: tuple[tuple[AnswerOption, ...], ...] = ()  # the options of each blank
    answers: tuple[str, ...] = ()  # plain texts
    written: str = ""  # an answer that is CML or HTML
    expected: tuple[str, ...] = ()  # plain texts
    is_known: bool = True  # False: of a kind whose answer cannot be read here
    type_name: str = ""
    correctness: str = ""  # CORRECT, INCORRECT, PARTIALLY_CORRECT …
    score: float | None = None
    most: float | None = None
    feedback: str = ""  # CML or HTML
    rubrics: tuple[tuple[str, tuple[str, ...]], ...] = ()  # prompt, and what was selected or written: CML or HTML


@dataclass(frozen=True, slots=True)
class Quiz:
    """The state of a quiz for its learner."""

    state: str  # taken, in progress, untaken, refused
    reason: str = ""  # the platform's code of a refusal
    submitted: str = ""  # time of the last submission, as the platform writes it
    attempts_left: int | None = None
    next_attempt: str = ""  # time from which another attempt is allowed, if none is now
    grade: float | None = None  # 0 to 1
    passed: bool | None = None
    score: float | None = None
    most: float | None = None
    grading: str = ""  # of a grading by people: its status
    overview: str = ""  # instructions, CML or HTML
    questions: tuple[Question, ...] = ()
    has_feedback: bool = False


def state_of(data: Json) -> Json:
    """The state in the reply of an operation."""
    return record(record(data, "SubmissionState"), "queryState")


def is_taken(state: Json) -> bool:
    """Whether something was handed in, and no further attempt is in progress."""
    return bool(_submission(state)) and not _in_progress(state)


def lacks_grade(state: Json) -> bool:
    """Whether a state says nothing of the grade."""
    return not record(state, "outcome") and not text(state, "manualGradingStatus")


def quiz(state: Json, feedback_state: Json, grading_state: Json) -> Quiz:
    """The quiz in the states of the three operations; those that were not asked for are empty."""
    if _in_progress(state):
        return Quiz("in progress")
    if text(state, "__typename").endswith("Failure") or "attempts" not in state:
        codes = (text(one, "errorCode") or text(one, "__typename") for one in rows(state, "errors"))
        return Quiz("refused", reason=next(filter(None, codes), ""))
    attempts = record(state, "attempts")
    later = text(record(attempts, "rateLimiterConfig"), "attemptsRemainingIncreasesAt")
    if not _submission(state):
        return Quiz("untaken")
    feedback = record(feedback_state, "feedback")
    outcome = record(state, "outcome") or record(grading_state, "outcome")
    overall = record(feedback, "outcome")
    override = record(outcome, "gradeOverride")
    passed = outcome.get("isPassed")
    return Quiz(
        "taken",
        submitted=text(record(attempts, "lastSubmission"), "submittedAt"),
        attempts_left=integer(attempts, "attemptsRemaining"),
        next_attempt=later if state.get("allowedAction") is None else "",
        grade=_number(override, "override") if override else _number(outcome, "earnedGrade"),
        passed=passed if isinstance(passed, bool) else None,
        score=_number(overall, "latestScore"),
        most=_number(overall, "maxScore"),
        grading=text(state, "manualGradingStatus") or text(grading_state, "manualGradingStatus"),
        overview=content(record(feedback, "instructions"), "overview")
        or content(record(_submission(state), "instructions"), "overview"),
        questions=_questions(_submission(state), feedback),
        has_feedback=bool(feedback),
    )


def content(source: Json, name: str) -> str:
    """A text of the platform, CML or HTML; a plain one is taken as it is."""
    said = record(source, name)
    rendered = record(said, "htmlWithMetadata")
    return text(said, "cmlValue") or text(said, "value") or text(rendered, "html") or text(source, name)


def _in_progress(state: Json) -> bool:
    return bool(record(record(state, "attempts"), "inProgressAttempt")) or (
        text(state, "allowedAction") == "RESUME_DRAFT"
    )


def _submission(state: Json) -> Json:
    last = record(record(state, "attempts"), "lastSubmission")
    return record(last, "submission") or last


def _questions(submission: Json, feedback: Json) -> tuple[Question, ...]:
    """The questions in the order of the submission; those that only the feedback has come last."""
    said = {_part_id(row): row for row in rows(feedback, "parts")}
    handed_in = {_part_id(row): row for row in rows(submission, "parts")}
    ids = [*handed_in, *(one for one in said if one not in handed_in)]
    return tuple(_question(handed_in.get(one, {}), said.get(one, {})) for one in ids)


def _part_id(row: Json) -> str:
    """What the ids of one question have in common in both replies."""
    return (identifier(row, "partId") or identifier(row, "id")).rpartition("~")[2]


def _question(handed_in: Json, graded: Json) -> Question:
    type_name = text(handed_in, "__typename") or text(graded, "__typename")
    if "body" in handed_in or "body" in graded:
        of_text = handed_in if "body" in handed_in else graded
        return Question(content(of_text, "body"), title=text(of_text, "title"), is_text=True, type_name=type_name)
    schema = {**record(handed_in, "questionSchema"), **record(graded, "questionSchema")}
    response = _response(handed_in) or _response(graded)
    feedback = record(graded, "feedback")
    outcome = record(feedback, "autoGradedFeedbackOutcome") or record(feedback, "manuallyGradedFeedbackOutcome")
    outcome = outcome or record(feedback, "outcome")
    correctness = text(feedback, "correctness")
    answers, written = _answers(response)
    options = _options(rows(schema, "options"), _chosen(response), correctness)
    blanks = _blanks(rows(schema, "fillableBlanks"), response)
    return Question(
        prompt=content(schema, "prompt"),
        options=options,
        blanks=blanks,
        answers=answers,
        written=written,
        expected=tuple(one for row in rows(schema, "correctAnswers") if (one := text(row, "answer"))),
        is_known=bool(options or blanks or answers or written or (not response and _has_response(handed_in, graded))),
        type_name=type_name,
        correctness=correctness,
        score=_number(outcome, "score"),
        most=_number(outcome, "maxScore"),
        feedback=content(feedback, "feedback"),
        rubrics=tuple(_rubric(row) for row in rows(feedback, "rubrics")),
    )


def _has_response(*parts: Json) -> bool:
    """Whether a part has a place for an answer, also an empty one."""
    return any(key == "response" or key.endswith("Response") for part in parts for key in part)


def _response(part: Json) -> Json:
    """The answer in a part: each kind has it under a name of its own, `multipleChoiceResponse`."""
    found = (record(part, key) for key in part if key == "response" or key.endswith("Response"))
    return next(filter(None, found), {})


def _chosen(response: Json) -> frozenset[str]:
    """The ids of the chosen options: one id, or a list of them."""
    chosen = response.get("chosen")
    several = chosen if isinstance(chosen, list) else [chosen]
    return frozenset(str(one) for one in several if isinstance(one, (str, int)) and not isinstance(one, bool))


def _options(listed: tuple[Json, ...], chosen: frozenset[str], correctness: str) -> tuple[AnswerOption, ...]:
    found: list[AnswerOption] = []
    for row in listed:
        key = text(row, "optionId") or text(row, "id")
        is_chosen = bool(key) and key in chosen
        right = row.get("correctlyAnswered")
        if not isinstance(right, bool):  # of a single choice only the whole answer is judged
            single = is_chosen and len(chosen) == 1
            right = {"CORRECT": True, "INCORRECT": False}.get(correctness) if single else None
        found.append(AnswerOption(content(row, "display"), is_chosen, right, content(row, "feedback")))
    return tuple(found)


def _blanks(listed: tuple[Json, ...], response: Json) -> tuple[tuple[AnswerOption, ...], ...]:
    chosen: Mapping[str, str] = {
        (text(row, "responseId") or text(row, "id")).rpartition("~")[2]: text(row, "optionId")
        for row in rows(response, "responses")
    }
    found: list[tuple[AnswerOption, ...]] = []
    for row in listed:
        key = (text(row, "fillableBlankId") or text(row, "id")).rpartition("~")[2]
        own = frozenset(filter(None, [chosen.get(key, "")]))
        right = row.get("isCorrect")
        correctness = {True: "CORRECT", False: "INCORRECT"}.get(right, "") if isinstance(right, bool) else ""
        found.append(_options(rows(row, "answerOptions"), own, correctness))
    return tuple(found)


def _answers(response: Json) -> tuple[tuple[str, ...], str]:
    """The answers of a response that are plain texts, and the one that is CML or HTML."""
    code = text(record(response, "answer"), "code")
    said = [text(response, name) for name in ("answer", "plainText", "title", "caption", "url", "fileUrl")]
    number = response.get("answer")
    if isinstance(number, float):
        said.append(f"{number:g}")
    plain = tuple(dict.fromkeys(one for one in (code, *said) if one))
    return plain, content(response, "richText")


def _rubric(row: Json) -> tuple[str, tuple[str, ...]]:
    selected = [content(one, "display") for one in rows(row, "options") if one.get("selected") is True]
    selected += [content(row, "input"), content(row, "richTextInput")]
    return content(row, "prompt"), tuple(filter(None, selected))


def _number(source: Json, name: str) -> float | None:
    value = source.get(name)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
