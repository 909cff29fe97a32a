"""The GraphQL gateway of the API host: quizzes that were taken, and the search in the catalogue.

It knows the names that living clients ask for, and refuses any other as the platform does: 400 with the names in
question.  Whatever could change something is refused and noted in the journal; nothing ever begins.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from coursefs.demo.catalogue import PARTNERS, Catalogue
from coursefs.demo.description import Course, Item, Question
from coursefs.demo.faults import Switchboard
from coursefs.demo.journal import Entry, Journal
from coursefs.demo.media import made_id
from coursefs.demo.naptime import Element, Refusal, not_authorized

#: operations of the web application that change nothing
_QUIZ_OPERATIONS = ("QueryState", "AssignmentFeedback", "AssignmentGradingStatus")
_WORD = re.compile(r"[A-Za-z_]\w*")
_TYPES = re.compile(r"\.\.\.\s*on\s+(\w+)")

_QUESTIONS = """MultipleChoice MultipleChoiceReflect Checkbox CheckboxReflect MultipleFillableBlanks TextExactMatch
TextReflect Numeric Math Regex CodeExpression PlainText RichText FileUpload Url OffPlatform Widget""".split()
#: what the clients of 2026 ask for
_KNOWN = frozenset(
    """query on ID Search_Request courseId itemId requests __typename id QueryState AssignmentFeedback
    AssignmentGradingStatus Search SubmissionState queryState allowedAction manualGradingStatus warnings attempts
    attemptsMade attemptsAllowed attemptsRemaining inProgressAttempt lastSubmission submittedAt submission parts
    rateLimiterConfig attemptsRemainingIncreasesAt outcome earnedGrade isPassed latePenaltyRatio gradeOverride original
    override feedback instructions overview reviewCriteria latestScore highestScore maxScore score errors errorCode
    partId questionSchema prompt options optionId display correctlyAnswered fillableBlanks fillableBlankId
    answerOptions isCorrect responses responseId correctAnswers answer code codeLanguage starterCode plainText richText
    caption fileUrl title url chosen correctness rubrics input points selected body cmlValue dtdId htmlWithMetadata html
    value autoGradedFeedbackOutcome manuallyGradedFeedbackOutcome response CmlContent Submission_HtmlContent
    Submission_QueryStateFailure Submission_SubmissionState Submission_AutoGradedFeedback
    Submission_ManuallyGradedFeedback Submission_MultilineRubricFeedback Submission_OptionsRubricFeedback
    Submission_MultipleChoiceFillableBlankResponse Submission_TextBlock SearchResult search elements Search_ProductHit
    name partners productType productDifficultyLevel productDuration avgProductRating numProductRatings tagline
    pagination cursor totalElements""".split()
) | {
    word
    for one in _QUESTIONS
    for word in (
        f"Submission_{one}Question",
        f"Submission_Graded{one}Question",
        f"{one[0].lower()}{one[1:]}Response",
    )
}


class GraphQL:
    """Answers `POST /graphql-gateway?opname=…`."""

    def __init__(
        self, courses: Sequence[Course], catalogue: Catalogue, switchboard: Switchboard, journal: Journal
    ) -> None:
        self._journal = journal
        self._items = {(course.id, item.id): item for course in courses for _, _, item in course.items()}
        self._catalogue = catalogue
        self._switchboard = switchboard

    async def answer(self, request: Request, *, signed_in: bool) -> Response:
        """The reply to a request of any kind."""
        entry: Entry = request.scope["coursefs.entry"]
        body = await request.body()
        if request.method != "POST":
            raise Refusal(405, {"msg": "Routing error"})
        operations = _operations(body)
        if re.search(rb"mutation|subscription", body, re.IGNORECASE) or not operations:
            entry.notes.append("mutation")
            self._journal.mutations += 1
            raise Refusal(400, {"errors": [{"message": "Nothing is begun here"}]})
        names = [str(one.get("operationName")) for one in operations]
        if not set(names) <= {*_QUIZ_OPERATIONS, "Search"} or names[:1] != [request.query_params.get("opname")]:
            self._journal.mutations += 1
            raise Refusal(400, {"errors": [{"message": "Unknown operation"}]})
        entry.notes.remove("write")
        entry.operation = ",".join(names)
        if "gateway" in self._switchboard.current.removed:
            raise Refusal(404, {"message": "", "statusCode": 404})
        token = request.cookies.get("CSRF3-Token", "")
        if not re.fullmatch(r"\d{10}\.\w{20}", token) or request.headers.get("x-csrf3-token") != token:
            raise Refusal(403, {"errorCode": "csrf.invalid", "message": "CSRF token missing", "details": None})
        if set(names) != {"Search"} and not signed_in:
            raise not_authorized()
        replies = [self._reply(one) for one in operations]
        status = 400 if any("data" not in one for one in replies) else 200
        # a client must take one object for a list of one
        whole: object = replies[0] if names == ["AssignmentFeedback"] and status == 200 else replies
        response = Response(json.dumps(whole), status, media_type="application/json")
        del response.headers["content-length"]
        return response

    def _reply(self, operation: Mapping[str, Any]) -> Mapping[str, object]:
        document, name = str(operation.get("query")), str(operation.get("operationName"))
        if errors := self._validated(document):
            return {"errors": errors}
        variables = operation.get("variables") or {}
        if name == "Search":
            return {"data": {"SearchResult": {"search": [self._found(one) for one in variables["requests"]]}}}
        item = self._items.get((str(variables.get("courseId")), str(variables.get("itemId"))))
        return {"data": {"SubmissionState": {"queryState": state(name, item)}}}

    def _validated(self, document: str) -> list[Element]:
        """The errors of a document: it is refused as a whole."""
        unknown = frozenset(self._switchboard.current.unknown_fields)
        types = frozenset(_TYPES.findall(document))
        errors: list[Element] = []
        for word in dict.fromkeys(_WORD.findall(document)):
            if word in _KNOWN and word not in unknown:
                continue
            said = f'Unknown type "{word}".' if word in types else f'Cannot query field "{word}" on type "Some_Type".'
            errors.append(
                {
                    "message": said,
                    "locations": [{"line": 1, "column": 1}],
                    "extensions": {"code": "GRAPHQL_VALIDATION_FAILED"},
                }
            )
        return errors

    def _found(self, request: Mapping[str, Any]) -> Element:
        """One page of hits.  Besides courses there are programmes and lessons, which are no courses."""
        words = str(request.get("query", "")).casefold().split()
        hits = [hit for hit in self._hits() if all(word in str(hit["name"]).casefold() for word in words)]
        first, limit = int(request.get("cursor") or 0), int(request.get("limit") or 10)
        end = first + limit
        cursor = str(end) if end < len(hits) else None
        return {"elements": hits[first:end], "pagination": {"cursor": cursor, "totalElements": len(hits)}}

    def _hits(self) -> list[Element]:
        hits: list[Element] = [{"__typename": "Search_ArticleHit", "name": "What is hearing? An article"}]
        for course in self._catalogue.offered():
            slug, key = str(course["slug"]), str(course["id"])
            hits.append(
                {
                    "__typename": "Search_ProductHit",
                    "id": f"course~{key}",
                    "name": course["name"],
                    "url": f"/learn/{slug}",
                    "partners": [one["name"] for one in PARTNERS],
                    "productType": "COURSE",
                    "productDifficultyLevel": "BEGINNER",
                    "productDuration": "ONE_TO_FOUR_WEEKS",
                    "avgProductRating": 4.7432,
                    "numProductRatings": 1234,
                    "tagline": None,
                }
            )
        special: Element = {
            "__typename": "Search_ProductHit",
            "id": "s12n~x",
            "name": "Seeing and Hearing",
            "url": "/specializations/seeing-and-hearing",
            "partners": None,
            "productType": "SPECIALIZATION",
        }
        return [*hits, special]


def _operations(body: bytes) -> list[Mapping[str, Any]]:
    try:
        said = json.loads(body)
    except ValueError:
        return []
    return [one for one in (said if isinstance(said, list) else [said]) if isinstance(one, dict)]


def state(name: str, item: Item | None) -> Element:
    """`queryState` of an item for an operation (pure)."""
    if item is None or item.attempt is None or item.locked is not None:
        errors = [{"__typename": "Submission_NoOpenDraftError", "errorCode": "NO_OPEN_DRAFT"}]
        return {"__typename": "Submission_QueryStateFailure", "errors": errors}
    attempt = item.attempt
    found: dict[str, object] = {"__typename": "Submission_SubmissionState"}
    is_taken = attempt.state == "taken"
    outcome = {"earnedGrade": attempt.grade, "isPassed": attempt.grade >= 0.8, "gradeOverride": None}
    if name == "AssignmentFeedback":
        given = is_taken and not attempt.awaits_feedback
        return found | {"feedback": _feedback(item) if given else None}
    if name == "AssignmentGradingStatus":
        return found | {"manualGradingStatus": None, "outcome": outcome if is_taken else None}
    parts = [_part(item, number, one, graded=False) for number, one in enumerate(attempt.questions)]
    submission = {"id": "s~1", "parts": parts, "instructions": None}
    return found | {
        "allowedAction": {"untaken": "START_NEW_ATTEMPT", "in progress": "RESUME_DRAFT"}.get(attempt.state),
        "manualGradingStatus": None,
        "attempts": {
            "attemptsMade": int(is_taken),
            "attemptsAllowed": 3,
            "attemptsRemaining": 3 - int(is_taken),
            "inProgressAttempt": {"id": "attempt~1"} if attempt.state == "in progress" else None,
            "lastSubmission": (
                {"id": "l~1", "submittedAt": "2026-09-03T10:20:30.000Z", "submission": submission} if is_taken else None
            ),
            "rateLimiterConfig": {"attemptsRemainingIncreasesAt": "2026-09-04T10:20:30Z"} if is_taken else None,
        },
        # the grade of one that waits is in another operation
        "outcome": outcome if is_taken and not attempt.awaits_feedback else None,
    }


def _feedback(item: Item) -> Element:
    assert item.attempt is not None
    questions = item.attempt.questions
    # not in the order of the submission
    parts = [_part(item, number, one, graded=True) for number, one in reversed(list(enumerate(questions)))]
    most = len(questions)
    score = round(item.attempt.grade * most)
    return {
        "id": "f~1",
        "outcome": {"latestScore": score, "highestScore": score, "maxScore": most},
        "instructions": {"overview": {"__typename": "CmlContent", "cmlValue": "<co-content><text>Read first.</text>"}},
        "parts": parts,
    }


def _part(item: Item, number: int, question: Question, *, graded: bool) -> Element:
    key = made_id("question", item.id, str(number))
    ids = [made_id("option", key, one) for one in question.options]
    options = [
        {
            "optionId": one,
            "display": {"__typename": "CmlContent", "cmlValue": f"<co-content><text>{text}</text></co-content>"},
            **({"correctlyAnswered": (text in question.chosen) == (text in question.correct)} if graded else {}),
        }
        for one, text in zip(ids, question.options, strict=True)
    ]
    if question.type in ("MultipleChoice", "MultipleChoiceReflect"):
        for option in options:
            option.pop("correctlyAnswered", None)
    chosen = [one for one, text in zip(ids, question.options, strict=True) if text in question.chosen]
    name = f"{question.type[0].lower()}{question.type[1:]}Response"
    response: dict[str, object] = {"answer": question.answer}
    if question.options:
        response = {"chosen": chosen if question.type.startswith("Checkbox") else next(iter(chosen), None)}
    part: dict[str, object] = {
        "__typename": f"Submission_{'Graded' if graded else ''}{question.type}Question",
        "partId": f"{'feedback~7' if graded else 'draft~3'}~{key}",
        "questionSchema": {
            "prompt": {"__typename": "Submission_HtmlContent", "value": f"<p>{question.prompt}</p>"},
            **({"options": options} if options else {}),
        },
    }
    if question.type in _QUESTIONS:
        part[name] = response
    if graded:
        right = set(question.chosen) == set(question.correct) if options else question.answer in question.correct
        part["feedback"] = {
            "__typename": "Submission_AutoGradedFeedback",
            "correctness": "CORRECT" if right else "INCORRECT",
            "feedback": {"__typename": "Submission_HtmlContent", "value": question.feedback},
            "autoGradedFeedbackOutcome": {"score": int(right), "maxScore": 1},
        }
        if not question.feedback:
            part["feedback"] = None
    return part
