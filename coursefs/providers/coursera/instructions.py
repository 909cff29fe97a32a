"""The instructions of assignments and discussions: their texts in the replies (pure).

Requesting them starts no attempt: these resources describe the task; others open a session.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

from coursefs.providers.coursera.naptime import Envelope
from coursefs.providers.kit.fields import Json, integer, record, rows, text


@dataclass(frozen=True, slots=True)
class Passage:
    """A part of instructions: a heading and CML; either may be ""."""

    title: str
    cml: str


#: in reading order, without empty passages
Instructions = tuple[Passage, ...]


def programming(envelope: Envelope) -> Instructions:
    """`onDemandProgrammingLearnerAssignments.v1`: the task, and the titles of its parts in the grader's numbering."""
    schema = record(record(_first(envelope), "submissionLearnerSchema"), "definition")
    parts = record(schema, "parts")
    listed = sorted((record(parts, one) for one in parts), key=lambda part: integer(part, "order") or 0)
    titles = [text(part, "title") for part in listed]
    entries = "".join(f"<li><text>{escape(title)}</text></li>" for title in titles if title)
    graded = Passage("Parts", f'<co-content><list bulletType="numbers">{entries}</list></co-content>')
    return _said([Passage("", _cml(schema, "assignmentInstructions"))], [graded] if entries else [])


def exercise(envelope: Envelope) -> Instructions:
    """`onDemandProgrammingImmediateInstructions.v1`."""
    return _said([Passage("", _cml(_first(envelope), "assignmentInstructions"))])


def peer_assignment(envelope: Envelope) -> Instructions:
    """`onDemandPeerAssignmentInstructions.v1`: introduction, sections, and the prompts of the submission."""
    told = record(_first(envelope), "instructions")
    sections = [Passage(text(section, "title"), _cml(section, "content")) for section in rows(told, "sections")]
    schema = record(next(iter(envelope.related("onDemandPeerSubmissionSchemas.v1")), {}), "submissionSchema")
    prompts = [Passage("", _cml(part, "prompt")) for part in rows(schema, "parts")]
    handed_in = [Passage("To be handed in", ""), *prompts] if any(prompt.cml for prompt in prompts) else []
    return _said([Passage("", _cml(told, "introduction"))], sections, handed_in)


def discussion(envelope: Envelope) -> Instructions:
    """`onDemandDiscussionPrompts.v1`: the question, which is a title, a text, or both."""
    # the resource's name has two spellings, and a reply may have both, one of them empty
    names = [name for name in envelope.linked if name.lower() == "ondemanddiscussionpromptquestions.v1"]
    content = record(next((row for name in names for row in envelope.related(name)), {}), "content")
    return _said(
        [Passage(text(content, "question"), ""), Passage("", _cml(content, "question"))],
        [Passage("", _cml(content, "details"))],
    )


def lab(envelope: Envelope) -> Instructions:
    """`onDemandWorkspaceLaunchers`: what is to be known before, and the instructions within the lab.

    No reply was recorded: a text is accepted in any form in which the platform gives texts elsewhere.
    """
    told = _first(envelope)
    passages = [Passage("", _any_text(told.get(name))) for name in ("description", "offlineInstructions")]
    parts = told.get("inLabInstructionsParts")
    for part in parts if isinstance(parts, list) else [parts]:
        title = text(part, "title") or text(part, "name") if isinstance(part, dict) else ""
        passages.append(Passage(title, _any_text(part)))
    unique = dict.fromkeys(passage for passage in passages if passage.cml)
    return _said(unique)


_TEXT_NAMES = ("value", "cmlValue", "html", "content", "instructions", "body", "text", "definition")


def _any_text(value: object, depth: int = 0) -> str:
    """The CML, HTML or plain text in a value; objects are searched for the names that hold texts elsewhere."""
    if isinstance(value, str):
        return value.strip() if "<" in value or not value.strip() else f"<text>{escape(value.strip())}</text>"
    if isinstance(value, dict) and depth < 6:
        return next(filter(None, (_any_text(value.get(name), depth + 1) for name in _TEXT_NAMES)), "")
    return ""


def _said(*some: Iterable[Passage]) -> Instructions:
    return tuple(passage for passages in some for passage in passages if passage.title or passage.cml)


def _first(envelope: Envelope) -> Json:
    return next(iter(envelope.elements), {})


def _cml(source: Json, name: str) -> str:
    """The CML of this field; "" when it holds another kind of text, or none."""
    return text(record(record(source, name), "definition"), "value")
