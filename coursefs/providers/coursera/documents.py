"""The GraphQL operations that coursefs sends, as trees of fields from which their texts are made (pure).

The server refuses a whole document for one field or type that it no longer has, and names it.  `without` takes it out,
so that a change of the platform costs that part alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

QUERY_STATE, FEEDBACK, GRADING = "QueryState", "AssignmentFeedback", "AssignmentGradingStatus"
SEARCH = "Search"

_QUOTED = re.compile(r'["\'`]([A-Za-z_]\w{0,80})["\'`]')


@dataclass(frozen=True, slots=True)
class Field:
    """A field with its selection: `name`, or `alias: name`; with `... on Type` in place of it, a fragment."""

    name: str
    below: tuple[Field, ...] = ()

    @property
    def key(self) -> str:
        """The name that the server knows."""
        return self.name.removeprefix("... on ").rpartition(" ")[2].partition("(")[0]

    def text(self) -> str:
        """The text in a document."""
        return f"{self.name}{{{' '.join(one.text() for one in self.below)}}}" if self.below else self.name


@dataclass(frozen=True, slots=True)
class Document:
    """An operation: its name, the types of its variables, and its selection."""

    name: str
    variables: str  # "$courseId: ID!, $itemId: ID!"
    fields: tuple[Field, ...]

    def body(self, values: Mapping[str, object]) -> bytes:
        """The body of the request: a list of this one operation, as the web application sends it."""
        text = f"query {self.name}({self.variables}){{{' '.join(one.text() for one in self.fields)}}}"
        return json.dumps([{"operationName": self.name, "variables": values, "query": text}]).encode()

    def without(self, names: Iterable[str]) -> Document | None:
        """The document without the fields and types of these names; None when nothing or all of it would be left."""
        dropped = frozenset(names) - {"__typename"}
        left = _pruned(self.fields, dropped)
        return Document(self.name, self.variables, left) if left and left != self.fields else None


def refused_names(messages: Iterable[str]) -> frozenset[str]:
    """What the server's validation errors name: `Cannot query field "x" on type "T".`, `Unknown type "T".`

    Of a field only its own name counts, not that of the type that it was asked of.
    """
    found: set[str] = set()
    for message in messages:
        found.update(_QUOTED.findall(message)[:1])
    return frozenset(found)


def _pruned(fields: Sequence[Field], dropped: frozenset[str]) -> tuple[Field, ...]:
    found: list[Field] = []
    for one in fields:
        if one.key in dropped:
            continue
        below = _pruned(one.below, dropped)
        if below or not one.below:
            found.append(Field(one.name, below))
    return tuple(found)


def _of(name: str, *below: Field | str) -> Field:
    return Field(name, tuple(Field(one) if isinstance(one, str) else one for one in below))


def _on(type_name: str, *below: Field | str) -> Field:
    return _of(f"... on {type_name}", "__typename", *below)


def _content(name: str) -> Field:
    """A text, which is CML or HTML."""
    return _of(
        name, _on("CmlContent", "cmlValue", _of("htmlWithMetadata", "html")), _on("Submission_HtmlContent", "value")
    )


_SCORE = ("score", "maxScore")
_OPTION = ("optionId: id", _content("display"))
_GRADED_OPTION = ("correctlyAnswered", *_OPTION, _content("feedback"))
_BLANKS = _of(
    "multipleFillableBlanksResponse: response",
    _of("responses", _on("Submission_MultipleChoiceFillableBlankResponse", "responseId: id", "optionId")),
)
_RUBRIC = _of(
    "rubrics",
    _on("Submission_MultilineRubricFeedback", "input", *_SCORE, _content("prompt")),
    _on(
        "Submission_OptionsRubricFeedback",
        _content("prompt"),
        _of("options", "optionId: id", "points", "selected", _content("display")),
    ),
)
_AUTOMATIC = _of(
    "feedback",
    _on(
        "Submission_AutoGradedFeedback",
        "correctness",
        _content("feedback"),
        _of("autoGradedFeedbackOutcome: outcome", *_SCORE),
    ),
)
_BY_PEOPLE = _of(
    "feedback",
    _on("Submission_ManuallyGradedFeedback", _of("manuallyGradedFeedbackOutcome: outcome", *_SCORE), _RUBRIC),
)


@dataclass(frozen=True, slots=True)
class _Kind:
    """A type of question: the selection of its answer, and of its schema besides the prompt."""

    answer: Field | None
    schema: tuple[Field | str, ...] = ()
    graded_schema: tuple[Field | str, ...] | None = None  # None: as `schema`
    feedback: Field = _AUTOMATIC


#: by the name of the type without `Submission_` and `Question`
_KINDS: Mapping[str, _Kind] = {
    "MultipleChoice": _Kind(_of("multipleChoiceResponse: response", "chosen"), (_of("options", *_OPTION),)),
    "MultipleChoiceReflect": _Kind(
        _of("multipleChoiceReflectResponse: response", "chosen"), (_of("options", *_OPTION),)
    ),
    "Checkbox": _Kind(
        _of("checkboxResponse: response", "chosen"), (_of("options", *_OPTION),), (_of("options", *_GRADED_OPTION),)
    ),
    "CheckboxReflect": _Kind(
        _of("checkboxReflectResponse: response", "chosen"),
        (_of("options", *_OPTION),),
        (_of("options", *_GRADED_OPTION),),
    ),
    "MultipleFillableBlanks": _Kind(
        _BLANKS,
        (_of("fillableBlanks", "fillableBlankId: id", _of("answerOptions", *_OPTION)),),
        (
            _of(
                "fillableBlanks",
                "fillableBlankId: id",
                "isCorrect",
                _of("answerOptions", *_OPTION),
                _content("feedback"),
            ),
        ),
    ),
    "TextExactMatch": _Kind(_of("textExactMatchResponse: response", "answer"), (), (_of("correctAnswers", "answer"),)),
    "TextReflect": _Kind(_of("textReflectResponse: response", "answer")),
    "Numeric": _Kind(_of("numericResponse: response", "answer")),
    "Math": _Kind(_of("mathResponse: response", "answer")),
    "Regex": _Kind(_of("regexResponse: response", "answer")),
    "CodeExpression": _Kind(
        _of("codeExpressionResponse: response", _of("answer", "code")),
        ("codeLanguage", _of("starterCode", "code")),
    ),
    "PlainText": _Kind(_of("plainTextResponse: response", "plainText"), feedback=_BY_PEOPLE),
    "RichText": _Kind(_of("richTextResponse: response", _content("richText")), feedback=_BY_PEOPLE),
    "FileUpload": _Kind(_of("fileUploadResponse: response", "caption", "fileUrl", "title"), feedback=_BY_PEOPLE),
    "Url": _Kind(_of("urlResponse: response", "caption", "title", "url"), feedback=_BY_PEOPLE),
    "OffPlatform": _Kind(None, feedback=_BY_PEOPLE),
    "Widget": _Kind(_of("widgetResponse: response", "answer")),
}


def knows_part(type_name: str) -> bool:
    """Whether a part of a submission or of its feedback is of a known type."""
    name = type_name.removeprefix("Submission_")
    return name == "TextBlock" or name.removeprefix("Graded").removesuffix("Question") in _KINDS


def _parts(*, graded: bool) -> Field:
    fields: list[Field | str] = ["__typename"]
    for name, kind in _KINDS.items():
        schema = kind.graded_schema if graded and kind.graded_schema is not None else kind.schema
        own: list[Field | str] = ["partId: id", _of("questionSchema", _content("prompt"), *schema)]
        own += [kind.answer] if kind.answer is not None else []
        own += [kind.feedback] if graded else []
        fields.append(_on(f"Submission_{'Graded' if graded else ''}{name}Question", *own))
    fields.append(_on("Submission_TextBlock", "partId: id", "title", _content("body")))
    return _of("parts", *fields)


_FAILURE = _on("Submission_QueryStateFailure", _of("errors", "__typename"))
_OUTCOME = _of("outcome", "earnedGrade", "isPassed", "latePenaltyRatio", _of("gradeOverride", "original", "override"))
_ITEM = "$courseId: ID!, $itemId: ID!"


def _state(name: str, *fields: Field | str) -> Document:
    state = _of(
        "queryState(courseId: $courseId, itemId: $itemId)",
        "__typename",
        _FAILURE,
        _on("Submission_SubmissionState", *fields),
    )
    return Document(name, _ITEM, (_of("SubmissionState", state),))


#: by the name of the operation
DOCUMENTS: Mapping[str, Document] = {
    QUERY_STATE: _state(
        QUERY_STATE,
        "allowedAction",
        "manualGradingStatus",
        _of(
            "attempts",
            "attemptsMade",
            "attemptsAllowed",
            "attemptsRemaining",
            _of("inProgressAttempt", "id"),
            _of("lastSubmission", "id", "submittedAt", _of("submission", "id", _parts(graded=False))),
            _of("rateLimiterConfig", "attemptsRemainingIncreasesAt"),
        ),
        _OUTCOME,
    ),
    FEEDBACK: _state(
        FEEDBACK,
        _of(
            "feedback",
            _of("outcome", "latestScore", "highestScore", "maxScore"),
            _of("instructions", _content("overview")),
            _parts(graded=True),
        ),
    ),
    GRADING: _state(GRADING, "manualGradingStatus", _OUTCOME),
    SEARCH: Document(
        SEARCH,
        "$requests: [Search_Request!]!",
        (
            _of(
                "SearchResult",
                _of(
                    "search(requests: $requests)",
                    _of(
                        "elements",
                        "__typename",
                        _on(
                            "Search_ProductHit",
                            "id",
                            "name",
                            "url",
                            "partners",
                            "productType",
                            "productDifficultyLevel",
                            "productDuration",
                            "avgProductRating",
                            "numProductRatings",
                            "tagline",
                        ),
                    ),
                    _of("pagination", "cursor", "totalElements"),
                ),
            ),
        ),
    ),
}
