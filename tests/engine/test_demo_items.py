"""What the sample platform says of items that are no lectures, and of those that it keeps back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from coursefs.demo.faults import REMOVED
from tests.engine.small_platform import COURSE, DESCRIPTION, SLIDES, VIDEO, World, small_platform

TASKS = f"""
[[modules.lessons]]
id = "les03"
slug = "tasks"
name = "Tasks"
choose_one = [["pro01", "pee01"]]
[[modules.lessons.items]]
id = "gra01"
slug = "graded"
name = "Graded"
type = "gradedProgramming"
instructions = "readings/how.cml"
tasks = ["First", "Second"]
[[modules.lessons.items]]
id = "pro01"
slug = "exercise"
name = "Exercise"
type = "programming"
instructions = "readings/how.cml"
[[modules.lessons.items]]
id = "pee01"
slug = "peer"
name = "Peer"
type = "phasedPeer"
instructions = "readings/how.cml"
tasks = ["Upload <it>."]
[[modules.lessons.items]]
id = "dis01"
slug = "talk"
name = "Talk"
type = "discussionPrompt"
instructions = "readings/how.cml"
[[modules.lessons.items]]
id = "fil01"
slug = "file"
name = "File"
type = "supplement"
attachments = [ {{ id = "{SLIDES}z", name = "All.pdf", title = "All", file = "media/slides.pdf" }} ]
[[modules.lessons.items]]
id = "cen01"
slug = "secret"
name = "Secret"
type = "lecture"
in_video_quiz = true
censored = true
[[references]]
id = "{SLIDES[:-1]}r"
short_id = "sh0rt"
slug = "tables"
name = "Tables"
cml = "readings/how.cml"
[[references]]
id = "{SLIDES[:-1]}s"
short_id = "hid1n"
slug = "hidden"
name = "Hidden"
cml = "readings/how.cml"
listed = false
"""
HOW = "<co-content><text>How</text></co-content>"
ME = "1000001"


@asynccontextmanager
async def platform(folder: Path, **faults: Any) -> AsyncIterator[World]:
    """The small course with tasks and resources."""
    async with small_platform(folder, description=DESCRIPTION + TASKS) as world:
        if faults:
            await world.fail(**faults)
        yield world


async def test_programming_instructions(tmp_path: Path) -> None:
    async with platform(tmp_path) as world:
        path = f"onDemandProgrammingLearnerAssignments.v1/{COURSE}~gra01"
        (element,) = (await world.get(path, fields="submissionLearnerSchema"))["elements"]
        definition = element["submissionLearnerSchema"]["definition"]
        assert definition["assignmentInstructions"] == cml(HOW)
        assert sorted((one["order"], one["title"]) for one in definition["parts"].values()) == [
            (0, "First"),
            (1, "Second"),
        ]
        assert "submissionLearnerSchema" not in (await world.get(path))["elements"][0]
        reply = await world.get(f"onDemandProgrammingImmediateInstructions.v1/{COURSE}~pro01")
        assert reply["elements"][0]["assignmentInstructions"] == cml(HOW, "")


async def test_peer_assignments_are_told_to_their_learner(tmp_path: Path) -> None:
    query = {
        "q": "latest", "userId": ME, "courseId": COURSE, "itemId": "pee01", "includes": "submissionSchemas",
        "fields": "instructions,onDemandPeerSubmissionSchemas.v1(submissionSchema)",
    }  # fmt: skip
    async with platform(tmp_path) as world:
        reply = await world.get("onDemandPeerAssignmentInstructions.v1/", **query)
        assert reply["elements"][0]["instructions"]["introduction"] == cml(HOW)
        (schema,) = reply["linked"]["onDemandPeerSubmissionSchemas.v1"]
        (part,) = schema["submissionSchema"]["parts"]
        assert part["prompt"] == cml("<co-content><text>Upload &lt;it&gt;.</text></co-content>")
        other = await world.api.get("/api/onDemandPeerAssignmentInstructions.v1/", params=query | {"userId": "7"})
        assert other.status_code == 403


async def test_discussion_prompts_are_told_to_their_learner(tmp_path: Path) -> None:
    query = {"includes": "question", "fields": "onDemandDiscussionPromptQuestions.v1(content)"}
    async with platform(tmp_path) as world:
        reply = await world.get(f"onDemandDiscussionPrompts.v1/{ME}~{COURSE}~dis01", **query)
        (question,) = reply["linked"]["onDemandDiscussionPromptQuestions.v1"]
        assert question["content"]["question"] == cml(HOW, "discussion/1")
        for key, status in ((f"7~{COURSE}~dis01", 403), (f"{ME}~{COURSE}~pee01", 404), (f"{COURSE}~dis01", 404)):
            assert (await world.api.get(f"/api/onDemandDiscussionPrompts.v1/{key}")).status_code == status


async def test_the_resources_tab(tmp_path: Path) -> None:
    query = {"courseId": COURSE, "fields": "name,shortId,slug,content", "includes": "assets"}
    async with platform(tmp_path) as world:
        reply = await world.get("onDemandReferences.v1/", q="courseListed", **query)
        (entry,) = reply["elements"]
        assert (entry["name"], entry["slug"], entry["shortId"]) == ("Tables", "tables", "sh0rt")
        (text,) = reply["linked"]["openCourseAssets.v1"]
        asset = entry["content"]["org.coursera.ondemand.reference.AssetReferenceContent"]["assetId"]
        assert (text["id"], text["definition"]["value"]) == (asset, HOW)
        hidden = await world.get("onDemandReferences.v1/", q="shortId", shortId="hid1n", **query)
        assert [one["name"] for one in hidden["elements"]] == ["Hidden"]
        wrong = await world.api.get("/api/onDemandReferences.v1/", params={"q": "courseId", **query})
        assert wrong.status_code == 405


async def test_a_reading_that_is_a_file(tmp_path: Path) -> None:
    async with platform(tmp_path) as world:
        reply = await world.get(f"onDemandSupplements.v1/{COURSE}~fil01", includes="asset")
        (part,) = reply["linked"]["openCourseAssets.v1"]
        assert (part["typeName"], part["definition"]["assetId"]) == ("asset", f"{SLIDES}z")


async def test_of_a_censored_item_its_place_alone_is_known(tmp_path: Path) -> None:
    query = {"q": "slug", "slug": "small", "includes": "items,lessons", "showLockedItems": "true"}
    fields = "onDemandCourseMaterialItems.v2(name,slug,contentSummary)"
    async with platform(tmp_path) as world:
        reply = await world.get("onDemandCourseMaterials.v2/", fields=fields, **query)
        items = {one["id"]: one for one in reply["linked"]["onDemandCourseMaterialItems.v2"]}
        assert items["cen01"] == {
            "id": "cen01", "moduleId": "mod01", "lessonId": "les03", "name": "", "slug": "",
            "contentSummary": {"typeName": "", "definition": {}},
        }  # fmt: skip
        reply = await world.api.get(f"/api/onDemandLectureVideos.v1/{COURSE}~cen01")
        assert reply.status_code == 404


async def test_items_of_which_one_is_enough_are_a_group(tmp_path: Path) -> None:
    relations = "lessons,passableItemGroups,passableItemGroupChoices"
    prefix = "onDemandCourseMaterial"
    fields = (
        f"{prefix}Lessons.v1(elementIds),{prefix}PassableItemGroups.v1(passableItemGroupChoiceIds),"
        f"{prefix}PassableItemGroupChoices.v1(name,itemIds)"
    )
    async with platform(tmp_path) as world:
        query = {"q": "slug", "slug": "small", "includes": relations, "fields": fields, "showLockedItems": "true"}
        linked = (await world.get("onDemandCourseMaterials.v2/", **query))["linked"]
        (group,) = linked[f"{prefix}PassableItemGroups.v1"]
        choices = {one["id"]: one for one in linked[f"{prefix}PassableItemGroupChoices.v1"]}
        lesson = next(one for one in linked[f"{prefix}Lessons.v1"] if one["id"] == "les03")
        assert lesson["elementIds"][:3] == ["item~gra01", f"passableItemGroup~{group['id']}", "item~dis01"]
        assert [choices[one]["itemIds"] for one in group["passableItemGroupChoiceIds"]] == [["pro01"], ["pee01"]]
        assert lesson["itemIds"] == ["gra01", "pro01", "pee01", "dis01", "fil01", "cen01"]


async def test_what_was_removed_can_be_brought_back_and_the_other_way_round(tmp_path: Path) -> None:
    old = {"q": "slug", "slug": "small", "includes": "moduleIds,itemIds", "showLockedItems": "true"}
    async with platform(tmp_path, removed=("onDemandCourseMaterials.v2",)) as world:
        gone = await world.api.get("/api/onDemandCourseMaterials.v2/", params=old)
        assert (gone.status_code, gone.text[:9]) == (200, "<!DOCTYPE")
        fields = "onDemandCourseMaterialItems.v1(name,content)"
        reply = await world.get("onDemandCourseMaterials.v1/", fields=fields, **old)
        assert "onDemandCourseMaterialItems.v2" not in reply["linked"]
        items = {one["id"]: one for one in reply["linked"]["onDemandCourseMaterialItems.v1"]}
        content = items["ite01"]["content"]
        assert content["typeName"] == "lecture" and content["definition"]["videoId"] == VIDEO
        assert len(content["definition"]["assets"]) == 3
        assert all(one.endswith("@1") for one in content["definition"]["assets"])
        wrapper = content["definition"]["assets"][0].removesuffix("@1")
        (found,) = (await world.get(f"openCourseAssets.v1/{wrapper}"))["elements"]
        assert found["definition"]["assetId"] == SLIDES
        text = items["ite02"]["content"]["definition"]["assetId"].removesuffix("@1")
        assert (await world.get(f"openCourseAssets.v1/{text}"))["elements"][0]["definition"]["value"].count("How") == 1

        course = await world.get("opencourse.v1/course/small", showLockedItems="true")
        lesson = course["courseMaterial"]["elements"][0]["elements"][0]
        assert [one["id"] for one in lesson["elements"]] == ["ite01", "ite02", "ite03", "ite04"]
        assert lesson["elements"][0]["content"] == content
        assert lesson["elements"][3]["isLocked"] is True
        without = await world.get("opencourse.v1/course/small")
        assert len(without["courseMaterial"]["elements"][0]["elements"][0]["elements"]) == 3
        video = await world.get(f"opencourse.v1/video/{VIDEO}")
        assert {one["resolution"]: set(one["formatSources"]) for one in video["sources"]} == {
            "720p": {"video/mp4"},
            "360p": {"video/mp4", "video/webm"},
        }
        assert set(video["subtitlesVtt"]) == {"de", "en", "zh-CN"}
        for path in ("opencourse.v1/course/none", "opencourse.v1/video/none", "opencourse.v1/x"):
            assert (await world.api.get(f"/api/{path}")).status_code == 404
        await world.fail(removed=REMOVED)
        assert (await world.api.get(f"/api/opencourse.v1/video/{VIDEO}")).text.startswith("<!DOCTYPE")


async def test_a_broken_item_says_nothing(tmp_path: Path) -> None:
    async with platform(tmp_path, broken=("ite01",)) as world:
        assert await world.get(f"onDemandLectureVideos.v1/{COURSE}~ite01", includes="video") == {"elements": None}
        assert (await world.get(f"onDemandSupplements.v1/{COURSE}~ite02"))["elements"]


@pytest.mark.parametrize(
    "resource",
    [
        "onDemandProgrammingLearnerAssignments.v1",
        "onDemandPeerAssignmentInstructions.v1",
        "onDemandDiscussionPrompts.v1",
        "onDemandExamSessions.v1",
        "onDemandSupplementCompletions.v1",
    ],
)
async def test_no_attempt_can_be_started(tmp_path: Path, resource: str) -> None:
    async with platform(tmp_path) as world:
        assert (await world.api.post(f"/api/{resource}", json={})).status_code in {403, 405}
        assert world.platform.journal.entries[-1].notes == ["write"]


def cml(value: str, dtd: str = "assess/1") -> dict[str, Any]:
    return {"typeName": "cml", "definition": {"dtdId": dtd, "value": value}}
