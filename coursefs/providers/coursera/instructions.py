"""What is to be done in an assignment or a discussion, as far as it is text (pure).

Reading it begins no attempt: these are the resources that say what the task is, not those that open a session.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

from coursefs.providers.coursera.naptime import Envelope
from coursefs.providers.fields import Json, integer, record, rows, text


@dataclass(frozen=True, slots=True)
class Passage:
    """A part of instructions: CML under a heading; either may be ""."""

    title: str
    cml: str


#: in the order in which they are to be read; what has no word in it is left out
Instructions = tuple[Passage, ...]


def programming(envelope: Envelope) -> Instructions:
    """`onDemandProgrammingLearnerAssignments.v1`: the task, and the titles of its parts as the grader counts them."""
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
    """`onDemandPeerAssignmentInstructions.v1`: introduction, sections, and the prompts for what is to be handed in."""
    told = record(_first(envelope), "instructions")
    sections = [Passage(text(section, "title"), _cml(section, "content")) for section in rows(told, "sections")]
    schema = record(next(iter(envelope.related("onDemandPeerSubmissionSchemas.v1")), {}), "submissionSchema")
    prompts = [Passage("", _cml(part, "prompt")) for part in rows(schema, "parts")]
    handed_in = [Passage("To be handed in", ""), *prompts] if any(prompt.cml for prompt in prompts) else []
    return _said([Passage("", _cml(told, "introduction"))], sections, handed_in)


def discussion(envelope: Envelope) -> Instructions:
    """`onDemandDiscussionPrompts.v1`: the question, which is a title, a text, or both."""
    # the name of the resource was met in two spellings
    names = {name.lower(): name for name in envelope.linked}
    name = names.get("ondemanddiscussionpromptquestions.v1", "")
    content = record(next(iter(envelope.related(name)), {}), "content")
    return _said(
        [Passage(text(content, "question"), ""), Passage("", _cml(content, "question"))],
        [Passage("", _cml(content, "details"))],
    )


def _said(*some: Iterable[Passage]) -> Instructions:
    return tuple(passage for passages in some for passage in passages if passage.title or passage.cml)


def _first(envelope: Envelope) -> Json:
    return next(iter(envelope.elements), {})


def _cml(source: Json, name: str) -> str:
    """The CML under this name; "" where there is another kind of text, or none."""
    return text(record(record(source, name), "definition"), "value")
