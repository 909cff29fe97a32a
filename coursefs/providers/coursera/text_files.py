"""The files of readings, instructions and resources: pages of text with what they show beside them (pure)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from html import escape

from coursefs.errors import CoursefsError
from coursefs.model import Course, File, Item, Kind, Page, Placement
from coursefs.pages import beside_url, document
from coursefs.pages.cleaning import plain
from coursefs.providers.coursera import cml, item_types
from coursefs.providers.coursera.attachments import asset_key
from coursefs.providers.coursera.instructions import Instructions
from coursefs.providers.coursera.item_files import asset_files, asset_ids, cml_asset_ids, link_file, main_file
from coursefs.providers.coursera.replies import Asset, CourseAsset
from coursefs.providers.coursera.resources import Reference
from coursefs.providers.link_files import page_file


def reading_files(course: Course, item: Item, parts: Sequence[CourseAsset], assets: Mapping[str, Asset]) -> list[File]:
    """One page of all texts of a reading, what it refers to beside it; its other parts as files and link pages.

    A reading that is a single file is that file.
    """
    texts = [part for part in parts if part.cml or part.html]
    beside = asset_files(item, asset_ids(texts), assets, Placement.BESIDE)
    files = []
    if texts:
        html = _document(course, item, _bodies(item, texts, beside.keys()))
        files.append(main_file(item, "page", Kind.READING, ".html", Page(html)))
    files += [link_file(course, item, part, Placement.MARKED) for part in parts if part.type_name == "url"]
    whole = asset_ids([part for part in parts if part not in texts])
    placement = Placement.ATTACHED if files or len(whole) > 1 else Placement.MAIN
    files += (asset_files(item, whole, assets, placement) | beside).values()
    if not files:
        reason = "The platform gave no text and no file of this reading; it may be read on its web page."
        files.append(page_file(course, item, "link", marker="reading", what="reading", reason=reason))
    return files


def instruction_files(course: Course, item: Item, told: Instructions, assets: Mapping[str, Asset]) -> list[File]:
    """A page that says what is to be done, what it refers to beside it; without any words a link page."""
    word = item_types.word(item.type_name)
    told = tuple(passage for passage in told if passage.title or cml.says_something(passage.cml))
    if not told:
        reason = "The platform gave no instructions; this step is done on its web page."
        return [page_file(course, item, "link", marker=word, what=word, reason=reason)]
    beside = asset_files(item, instruction_asset_ids(told), assets, Placement.BESIDE)
    links = _links(item, beside.keys())
    bodies: list[str] = []
    for passage in told:
        if passage.title:
            bodies.append(f"<h2>{escape(plain(passage.title), quote=False)}</h2>")
        bodies.append(cml.render(passage.cml, links, title=passage.title or item.title, page_url=item.url))
    page = main_file(item, "page", Kind.READING, ".html", Page(_document(course, item, bodies)))
    return [replace(page, placement=Placement.MARKED, title=word), *beside.values()]


def instruction_asset_ids(told: Instructions) -> tuple[str, ...]:
    """The files that instructions refer to."""
    return tuple(dict.fromkeys(one for passage in told for one in cml_asset_ids(passage.cml)))


def refused_instructions(course: Course, item: Item, error: CoursefsError) -> File:
    """The link page of a step whose instructions the platform does not give."""
    word = item_types.word(item.type_name)
    reason = f"This step is done on its web page; its instructions cannot be had here. {error}."
    return page_file(course, item, "link", marker=word, what=word, reason=reason)


def reference_files(
    course: Course, item: Item, references: Sequence[Reference], assets: Mapping[str, Asset]
) -> list[File]:
    """A page for each entry of the Resources tab, what they show beside them; an entry that is a file is that file."""
    files: dict[str, File] = {}
    for one in references:
        named = replace(
            item,
            key=f"{item.key}/{one.id}",
            title=one.name or one.slug or one.id,
            url=item_types.reference_url(course.url, one.short_id),
        )
        for file in reading_files(course, named, one.parts, assets):
            entry = file
            if file.placement is Placement.MAIN or (file.placement is Placement.MARKED and file.key.endswith("/link")):
                entry = replace(file, placement=Placement.ATTACHED, title=named.title)
            elif file.placement is Placement.MARKED:
                entry = replace(file, placement=Placement.ATTACHED)
            files[entry.key] = entry
    return list(files.values())


def _links(item: Item, beside: Collection[str]) -> Mapping[str, str]:
    return {one: beside_url(asset_key(item, one)) for one in beside}


def _bodies(item: Item, texts: Sequence[CourseAsset], beside: Collection[str]) -> list[str]:
    """What a page is made of; the first text does not say the title again."""
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
