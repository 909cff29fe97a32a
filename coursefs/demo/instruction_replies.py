"""Replies with the instructions of assignments and discussions; none of these requests begins an attempt."""

from __future__ import annotations

from html import escape

from coursefs.demo.catalogue import USER_ID
from coursefs.demo.description import Instructions, Item
from coursefs.demo.item_replies import ItemReplies
from coursefs.demo.media import made_id
from coursefs.demo.naptime import Answer, Element, Query, not_authorized, not_found, split_compound


class InstructionReplies:
    """Replies with instructions. Those whose id contains a learner are for that learner alone."""

    def __init__(self, contents: ItemReplies) -> None:
        self._contents = contents

    def programming(self, key: str, _query: Query) -> Answer:
        """`onDemandProgrammingLearnerAssignments.v1/{courseId}~{itemId}`."""
        course_id, item = self._contents.open_item(key, "gradedProgramming", "ungradedProgramming")
        told = _told(item)
        parts = {
            made_id("part", item.id, title)[:5]: {"title": title, "order": order, "maxScore": 1}
            for order, title in enumerate(told.tasks)
        }
        scattered = dict(sorted(parts.items()))
        definition = {"assignmentInstructions": _cml(told.cml), "parts": scattered}
        schema = {"typeName": "multipart", "definition": definition}
        return Answer([_of_item(course_id, item) | {"submissionLearnerSchema": schema}], paging=None)

    def exercise(self, key: str, _query: Query) -> Answer:
        """`onDemandProgrammingImmediateInstructions.v1/{courseId}~{itemId}`."""
        course_id, item = self._contents.open_item(key, "programming")
        return Answer([_of_item(course_id, item) | {"assignmentInstructions": _cml(_told(item).cml, dtd="")}])

    def peer_assignment(self, query: Query) -> Answer:
        """`onDemandPeerAssignmentInstructions.v1/?q=latest&userId=&courseId=&itemId=`."""
        _require_self(query.required("userId"))
        course_id, item_id = query.required("courseId"), query.required("itemId")
        _, item = self._contents.open_item(f"{course_id}~{item_id}", "phasedPeer")
        told = _told(item)
        key = f"{USER_ID}~{course_id}~{item.id}~{made_id('peer', item.id)}@13"
        sections = [{"typeId": "unknown", "title": "Review criteria", "content": _cml(_PEERS)}]
        prompts = [
            {
                "id": made_id("prompt", item.id, task),
                "details": {"typeName": "fileUpload", "definition": {"required": False}},
                "prompt": _cml(f"<co-content><text>{escape(task)}</text></co-content>"),
            }
            for task in told.tasks
        ]
        lists: dict[str, tuple[str, list[Element]]] = {
            "submissionSchemas": (
                "onDemandPeerSubmissionSchemas.v1",
                [{"id": key, "submissionSchema": {"parts": prompts}}],
            ),
            "gradingMetadata": (
                "onDemandPeerAssignmentGradingMetadata.v1",
                [{"id": key, "requiredAuthoredReviewCount": 3, "isMentorGraded": False}],
            ),
            "reviewSchemas": ("onDemandPeerReviewSchemas.v1", []),
        }
        element = {"id": key, "instructions": {"introduction": _cml(told.cml), "sections": sections}}
        return Answer([element], dict(lists[name] for name in lists if name in query.includes))

    def discussion(self, key: str, query: Query) -> Answer:
        """`onDemandDiscussionPrompts.v1/{userId}~{courseId}~{itemId}`."""
        user_id, _, rest = key.partition("~")
        if len(split_compound(key)) != 3:
            raise not_found()
        _require_self(user_id)
        course_id, item = self._contents.open_item(rest, "discussionPrompt")
        question_id = f"{USER_ID}~{course_id}~{made_id('question', item.id)}"
        told = _told(item)
        text = _cml(told.cml, dtd="discussion/1")
        linked = {"onDemandDiscussionPromptQuestions.v1": [{"id": question_id, "content": {"question": text}}]}
        if told.tasks:  # as other clients have met it: another spelling, and a title beside the text
            content = {"question": told.tasks[0], "details": text}
            linked = {"ondemandDiscussionPromptQuestions.v1": [{"id": question_id, "content": content}]}
        return Answer([{"id": key}], linked if "question" in query.includes else None)

    def lab(self, key: str, _query: Query) -> Answer:
        """`onDemandWorkspaceLaunchers.v2/{userId}~{courseId}~{itemId}`."""
        user_id, _, rest = key.partition("~")
        if len(split_compound(key)) != 3:
            raise not_found()
        _require_self(user_id)
        course_id, item = self._contents.open_item(rest, "ungradedLab", "workspace", "authoringWorkspace")
        told = _told(item)
        element = _of_item(course_id, item) | {
            "id": key,
            "description": None,
            "offlineInstructions": _cml(told.cml),
            "inLabInstructionsParts": [{"title": title, "content": f"Step {title}"} for title in told.tasks],
            "isFileBrowserEnabled": True,
        }
        return Answer([element])


_PEERS = "<co-content><text>Would you know from it alone what was meant?</text></co-content>"


def _require_self(user_id: str) -> None:
    if user_id != str(USER_ID):
        raise not_authorized()


def _told(item: Item) -> Instructions:
    if item.instructions is None:
        raise not_found()
    return item.instructions


def _cml(value: str, *, dtd: str = "assess/1") -> Element:
    return {"typeName": "cml", "definition": {"dtdId": dtd, "value": value}}


def _of_item(course_id: str, item: Item) -> dict[str, object]:
    return {"id": f"{course_id}~{item.id}", "itemId": item.id, "courseId": course_id}
