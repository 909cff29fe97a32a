"""Quizzes that were taken: replies of every kind as a page, and documents without what the platform lacks."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursefs.model import Course, Item, Page
from coursefs.providers.coursera import quiz_pages, quizzes
from coursefs.providers.coursera.documents import DOCUMENTS, FEEDBACK, QUERY_STATE, knows_part, refused_names
from coursefs.providers.coursera.text_files import instruction_files

COURSE = Course("c", "course", "Course")
ITEM = Item("item/q", "Quiz", "quiz", 1, "staffGraded", "https://x.example/q", details={"item_id": "q"})


def html_of(text: str) -> dict[str, Any]:
    return {"__typename": "Submission_HtmlContent", "value": text}


def cml(text: str) -> dict[str, Any]:
    return {"cmlValue": f"<co-content><text>{text}</text></co-content>", "htmlWithMetadata": {"html": "<p>other</p>"}}


def part(key: str, kind: str, schema: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    prompt = {"prompt": cml(f"Prompt of {key}")}
    return {"__typename": kind, "partId": f"draft~{key}", "questionSchema": prompt | (schema or {}), **more}


def options(*texts: str) -> dict[str, Any]:
    return {"options": [{"optionId": one, "display": cml(one)} for one in texts]}


def state(*parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    last = {"submittedAt": "2026-09-03T10:20:30.000Z", "submission": {"parts": list(parts)}}
    return {"allowedAction": None, "attempts": {"lastSubmission": last}, **more}


def feedback(*parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"feedback": {"parts": list(parts), **more}}


def page(*states: dict[str, Any]) -> str:
    quiz = quizzes.quiz(*(*states, {}, {})[:3])
    assert quiz.state == "taken"
    (file,) = instruction_files(COURSE, ITEM, quiz_pages.passages(quiz), {})
    assert isinstance(file.body, Page)
    return file.body.html


def graded(key: str, correctness: str = "CORRECT", **more: Any) -> dict[str, Any]:
    said = {"correctness": correctness, "autoGradedFeedbackOutcome": {"score": 1, "maxScore": 2}, **more}
    return {"partId": f"feedback~9~{key}", "feedback": said}


def test_parts_are_joined_by_what_follows_the_last_tilde() -> None:
    one = part(
        "k", "Submission_MultipleChoiceQuestion", options("red", "blue"), multipleChoiceResponse={"chosen": "red"}
    )
    text = page(state(one), feedback(graded("k", "INCORRECT", feedback=html_of("<p>Look <b>again</b>.</p>"))))
    assert text.count("Prompt of k") == 1
    assert "☒ your answer, wrong" in text and "red" in text and "☐ " in text and "blue" in text
    assert "Wrong, 1 of 2 points" in text and "Look <b>again</b>." in text


def test_a_checkbox_says_what_was_right_of_each_option() -> None:
    schema = {
        "options": [
            {"optionId": "a", "display": cml("A"), "correctlyAnswered": True},
            {"optionId": "b", "display": cml("B"), "correctlyAnswered": False, "feedback": cml("B is far")},
            {"optionId": "c", "display": cml("C"), "correctlyAnswered": False},
        ]
    }
    answer = {"chosen": ["a", "b"]}
    one = part("k", "Submission_GradedCheckboxQuestion", schema, checkboxResponse=answer, **graded("k"))
    text = page(state(part("k", "Submission_CheckboxQuestion", options("a", "b", "c"), checkboxResponse=answer)),
                feedback(one))  # fmt: skip
    assert "☒ your answer, right" in text and "☒ your answer, wrong" in text and "B is far" in text
    assert "☐ this was to be chosen, too" in text


@pytest.mark.parametrize(
    ("name", "response", "shown"),
    [
        ("Numeric", {"answer": "3.5"}, "3.5"),
        ("Numeric", {"answer": 3.5}, "3.5"),
        ("Math", {"answer": "x^2 < 3"}, "x^2 &lt; 3"),
        ("Regex", {"answer": "a.*"}, "a.*"),
        ("TextExactMatch", {"answer": "word"}, "word"),
        ("TextReflect", {"answer": "I think"}, "I think"),
        ("PlainText", {"plainText": "My <own> words"}, "My &lt;own&gt; words"),
        ("RichText", {"richText": cml("rich words")}, "rich words"),
        ("CodeExpression", {"answer": {"code": "print(1)\nprint(2)"}}, "print(1)\nprint(2)"),
        ("FileUpload", {"title": "Essay", "fileUrl": "https://x.example/e.pdf", "caption": ""}, "Essay"),
        ("Url", {"url": "https://x.example/u"}, "https://x.example/u"),
        ("Widget", {"answer": "w"}, "w"),
    ],
)
def test_every_kind_of_answer(name: str, response: dict[str, Any], shown: str) -> None:
    key = f"{name[0].lower()}{name[1:]}Response"
    one = part("k", f"Submission_{name}Question", {"starterCode": {"code": "x"}}, **{key: response})
    assert knows_part(one["__typename"])
    text = page(state(one))
    assert "Your answer:" in text and shown in text and "no feedback to it (yet)" in text


def test_blanks_have_their_options() -> None:
    blanks = [{"fillableBlankId": "q~1", "isCorrect": False, "answerOptions": options("cat", "dog")["options"]}]
    one = part(
        "k",
        "Submission_MultipleFillableBlanksQuestion",
        {"fillableBlanks": blanks},
        multipleFillableBlanksResponse={"responses": [{"responseId": "r~1", "optionId": "dog"}]},
    )
    text = page(state(one))
    assert "Blank 1:" in text and "☒ your answer, wrong" in text


def test_a_kind_that_is_not_known_costs_its_answer_alone() -> None:
    known = part("a", "Submission_NumericQuestion", numericResponse={"answer": "7"})
    text = page(state(part("b", "Submission_HologramQuestion", hologram={"x": 1}), known))
    assert "Prompt of b" in text and "shown on the web page only" in text
    assert "Question 2" in text and ">7<" in text
    assert not knows_part("Submission_HologramQuestion")


def test_texts_between_questions_have_no_number() -> None:
    block = {"__typename": "Submission_TextBlock", "partId": "t", "title": "Part One", "body": cml("Between")}
    text = page(state(block, part("a", "Submission_NumericQuestion", numericResponse=None)))
    assert "Part One" in text and "Between" in text and "Question 1" in text and "Question 2" not in text
    assert "You gave no answer." in text


def test_the_score_and_what_comes_next() -> None:
    said = state(outcome={"earnedGrade": 0.8, "isPassed": True, "gradeOverride": None})
    said["attempts"] |= {
        "attemptsRemaining": 0,
        "rateLimiterConfig": {"attemptsRemainingIncreasesAt": "2026-09-04T10:20:30Z"},
    }
    text = page(said, feedback(outcome={"latestScore": 8, "maxScore": 10}, instructions={"overview": cml("Do it")}))
    for one in ("Score: 80 %, 8 of 10 points", "Passed", "Handed in: 2026-09-03 10:20", "Attempts left: 0",
                "from 2026-09-04 10:20 on", "Do it"):  # fmt: skip
        assert one in text


def test_a_grade_that_people_gave_and_one_in_another_operation() -> None:
    rubric = {"prompt": cml("Clear?"), "options": [{"display": cml("yes"), "selected": True}, {"display": cml("no")}]}
    one = part("a", "Submission_PlainTextQuestion", plainTextResponse={"plainText": "x"})
    text = page(
        state(one, outcome=None),
        feedback({"partId": "a", "feedback": {"manuallyGradedFeedbackOutcome": {"score": 3, "maxScore": 4},
                                              "rubrics": [rubric]}}),
        {"outcome": {"earnedGrade": 0.75, "isPassed": False}, "manualGradingStatus": "GRADED"},
    )  # fmt: skip
    assert "3 of 4 points" in text and "Clear?" in text and ">yes<" in text and ">no<" not in text
    assert "75 %" in text and "Not passed" in text and "Grading: graded" in text


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, "refused"),
        ({"__typename": "Submission_QueryStateFailure", "errors": [{"errorCode": "IP_NOT_ALLOWED"}]}, "refused"),
        ({"allowedAction": "START_NEW_ATTEMPT", "attempts": {"lastSubmission": None}}, "untaken"),
        ({"allowedAction": None, "attempts": {}}, "untaken"),
        ({"allowedAction": "RESUME_DRAFT", "attempts": {"lastSubmission": {"submission": {"id": "x"}}}}, "in progress"),
        (
            {"attempts": {"inProgressAttempt": {"id": "x"}, "lastSubmission": {"submission": {"id": "x"}}}},
            "in progress",
        ),
    ],
)
def test_what_was_not_taken_is_a_link(said: dict[str, Any], expected: str) -> None:
    quiz = quizzes.quiz(said, {}, {})
    assert quiz.state == expected and quiz.questions == ()
    assert quizzes.is_taken(said) is False
    body = quiz_pages.link(COURSE, ITEM, quiz).body
    assert isinstance(body, Page) and "https://x.example/q" in body.html
    assert ("IP_NOT_ALLOWED" in body.html) is ("errors" in said)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                "attempts lastSubmission submission parts partId questionSchema options optionId chosen feedback "
                "outcome multipleChoiceResponse fillableBlanks responses rubrics prompt display cmlValue body "
                "answer".split()
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=30,
)


@given(
    st.dictionaries(st.sampled_from(["attempts", "outcome", "errors"]), _JSON),
    st.dictionaries(st.just("feedback"), _JSON),
)
def test_any_reply_gives_a_quiz(said: dict[str, Any], graded_state: dict[str, Any]) -> None:
    for one in (said, {"attempts": {"lastSubmission": {"submission": said}}}):
        quiz_pages.passages(quizzes.quiz(one, graded_state, {}))


def test_what_the_server_does_not_know_is_left_out_and_nothing_else() -> None:
    errors = [
        'Cannot query field "starterCode" on type "Submission_CodeExpressionQuestionSchema".',
        'Unknown type "Submission_WidgetQuestion".',
    ]
    document = DOCUMENTS[QUERY_STATE]
    shorter = document.without(refused_names(errors))
    assert shorter is not None
    before, after = (json.loads(one.body({}))[0]["query"] for one in (document, shorter))
    assert "starterCode" in before and "starterCode" not in after and "codeExpressionResponse" in after
    assert "on Submission_WidgetQuestion" in before and "on Submission_WidgetQuestion" not in after
    assert after.count("{") == after.count("}") and "{}" not in after
    assert shorter.without(refused_names(errors)) is None  # nothing is left to leave out
    assert document.without(["SubmissionState"]) is None
    assert document.without(["nothing"]) is None


def test_both_documents_ask_for_every_kind_of_part() -> None:
    for name in (QUERY_STATE, FEEDBACK):
        query = json.loads(DOCUMENTS[name].body({}))[0]["query"]
        assert query.count("... on Submission_") > 18
        assert "mutation" not in query.lower()
