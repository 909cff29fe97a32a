"""The files of readings, instructions and resources: pages of text with their assets beside them (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from html import escape

from coursefs.errors import CoursefsError
from coursefs.model import Course, File, Item, Kind, Page, Placement
from coursefs.pages import beside_url, document
from coursefs.pages.cleaning import plain
from coursefs.providers.coursera import cml, item_types
from coursefs.providers.coursera.instructions import Instructions
from coursefs.providers.coursera.item_files import (
    asset_files,
    asset_ids,
    asset_key,
    cml_asset_ids,
    link_file,
    main_file,
    tree_files,
)
from coursefs.providers.coursera.replies import Asset, CourseAsset, Reference
from coursefs.providers.kit.files import is_active, page_file


def reading_files(
    course: Course,
    item: Item,
    parts: Sequence[CourseAsset],
    assets: Mapping[str, Asset],
    unrenderable: CoursefsError | None = None,
) -> list[File]:
    """The files of a reading: one page of all its texts, its assets beside it, other parts as files and link pages.

    A reading of a single file is that file.  `unrenderable`: why its texts cannot be rendered, for a link page.
    """
    if unrenderable is not None:
        parts = without_texts(parts)
    texts = [part for part in parts if part.cml or part.html]
    beside = asset_files(item, asset_ids(texts), assets, Placement.BESIDE)
    files = []
    if texts:
        html = _document(course, item, _bodies(item, texts, beside))
        files.append(main_file(item, "page", Kind.READING, ".html", Page(html)))
    files += [link_file(course, item, part, Placement.MARKED) for part in parts if part.type_name == "url"]
    whole = asset_ids([part for part in parts if part not in texts])
    placement = Placement.ATTACHED if files or len(whole) > 1 else Placement.MAIN
    files += (asset_files(item, whole, assets, placement) | beside).values()
    files += tree_files(course, item, (assets[one] for one in asset_ids(parts) if one in assets))
    if len(files) == 1 and files[0].placement is Placement.ATTACHED:
        files = [replace(files[0], placement=Placement.MAIN, title="")]
    if unrenderable is not None:
        reason = f"This reading can be read on its web page only: {unrenderable}."
        files.append(page_file(course, item, "link", marker="reading", what="reading", reason=reason))
    if not files:
        reason = "The platform gave no text and no file of this reading; it may be read on its web page."
        files.append(page_file(course, item, "link", marker="reading", what="reading", reason=reason))
    return files


def instruction_files(course: Course, item: Item, told: Instructions, assets: Mapping[str, Asset]) -> list[File]:
    """The files of instructions: one page with its assets beside it; a link page when there is no text."""
    word = item_types.word(item.type_name)
    told = tuple(passage for passage in told if passage.title or cml.says_something(passage.cml))
    if not told:
        reason = "The platform gave no instructions; this step is done on its web page."
        return [page_file(course, item, "link", marker=word, what=word, reason=reason)]
    beside = asset_files(item, instruction_asset_ids(told), assets, Placement.BESIDE)
    links = _links(item, beside)
    bodies: list[str] = []
    for passage in told:
        if passage.title:
            bodies.append(f"<h2>{escape(plain(passage.title), quote=False)}</h2>")
        bodies.append(cml.render(passage.cml, links, title=passage.title or item.title, page_url=item.url))
    page = main_file(item, "page", Kind.READING, ".html", Page(_document(course, item, bodies)))
    return [replace(page, placement=Placement.MARKED, title=word), *beside.values()]


def instruction_asset_ids(told: Instructions) -> tuple[str, ...]:
    """The ids of the assets in instructions."""
    return tuple(dict.fromkeys(one for passage in told for one in cml_asset_ids(passage.cml)))


def refused_instructions(course: Course, item: Item, error: CoursefsError) -> File:
    """The link page of an item whose instructions the platform refuses."""
    word = item_types.word(item.type_name)
    reason = f"This step is done on its web page; its instructions are not available here. {error}."
    return page_file(course, item, "link", marker=word, what=word, reason=reason)


def reference_files(
    course: Course,
    item: Item,
    references: Sequence[Reference],
    assets: Mapping[str, Asset],
    unrenderable: CoursefsError | None = None,
) -> list[File]:
    """The files of the Resources tab: a page for each entry with its assets beside it, or the file that it is."""
    files: dict[str, File] = {}
    for one in references:
        named = replace(
            item,
            key=f"{item.key}/{one.id}",
            title=one.name or one.slug or one.id,
            url=item_types.reference_url(course.url, one.short_id),
        )
        for file in reading_files(course, named, one.parts, assets, unrenderable):
            entry = file
            if file.placement is Placement.MAIN or (file.placement is Placement.MARKED and file.key.endswith("/link")):
                entry = replace(file, placement=Placement.ATTACHED, title=named.title)
            elif file.placement is Placement.MARKED:
                entry = replace(file, placement=Placement.ATTACHED)
            files[entry.key] = entry
    return list(files.values())


def texts_of(parts: Sequence[CourseAsset]) -> list[str]:
    """The texts among the parts of a reading or a lecture."""
    return [text for part in parts for text in (part.cml, part.html)]


def without_texts(parts: Sequence[CourseAsset]) -> tuple[CourseAsset, ...]:
    """The parts that are no texts: files and links."""
    return tuple(part for part in parts if not (part.cml or part.html))


def _links(item: Item, beside: Mapping[str, File]) -> Mapping[str, str]:
    """The placeholders of the files beside a page, without images that may run code: these are stored as text."""
    return {
        one: beside_url(asset_key(item, one))
        for one, file in beside.items()
        if not (file.kind is Kind.IMAGE and is_active(file.extension))
    }


def _bodies(item: Item, texts: Sequence[CourseAsset], beside: Mapping[str, File]) -> list[str]:
    """The bodies of a page; a title at the start of the first text is removed."""
    links = _links(item, beside)
    titles = [item.title, *[""] * len(texts)]
    return [
        cml.render(part.cml, links, title=title, page_url=item.url)
        if part.cml
        else cml.sanitised(part.html, title=title, page_url=item.url)
        for part, title in zip(texts, titles, strict=False)
    ]


def _document(course: Course, item: Item, bodies: Sequence[str]) -> str:
    language = item.details.get("language")
    return document(title=item.title, body="\n".join(bodies), url=item.url, language=language, course=course.title)
