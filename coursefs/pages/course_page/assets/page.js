/* The script of the course page and of the overview of all courses.

   The outline of the course is in the markup: this script reads it from there. It works from file:, where a browser
   refuses to fetch files, so what is loaded later comes as small scripts, which call `coursefs.cues` and
   `coursefs.progress` below. It asks no network, and needs no library. Where `coursefs open` serves the page, live.js
   adds what only a web server can say.

   In this order: helpers, what is remembered, scripts beside the page, progress, outline, the open item, player,
   transcript, what is beside the lecture, search, keyboard, overview. */

"use strict";

(() => {
  const page = document.body.dataset.page;
  const course = document.body.dataset.key;

  // -- helpers -------------------------------------------------------------------------------------------------------

  const byId = (id) => document.getElementById(id);

  /** An element with properties and children; texts are never parsed as markup. */
  function make(name, properties = {}, ...children) {
    const element = Object.assign(document.createElement(name), properties);
    element.append(...children);
    return element;
  }

  /** Seconds as players show them: 0:07, 1:02:03. */
  function clock(seconds) {
    const whole = Math.max(0, Math.floor(seconds));
    const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
    if (!parts[0]) parts.shift();
    return parts.map((part, place) => (place ? String(part).padStart(2, "0") : part)).join(":");
  }

  /** A text for comparing: without case and accents. */
  const fold = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

  const DAY = 24 * 60 * 60 * 1000;

  /** A due date for a person: "today 17:30", "Mon 14 Sep". */
  function date(instant) {
    const when = new Date(instant),
      now = new Date();
    const days = Math.round((new Date(when).setHours(0, 0, 0, 0) - new Date(now).setHours(0, 0, 0, 0)) / DAY);
    const time = when.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
    if (days === 0) return `today ${time}`;
    if (days === 1) return `tomorrow ${time}`;
    const year = when.getFullYear() === now.getFullYear() ? {} : { year: "numeric" };
    return when.toLocaleDateString("en-GB", { weekday: "short", day: "numeric", month: "short", ...year });
  }

  /** Tell a screen reader. */
  function say(text) {
    byId("said").textContent = text;
  }

  // -- what is remembered --------------------------------------------------------------------------------------------
  // One entry of localStorage for each course: {last, title, when, speed, language, items: {key: {at, of, speed, done}}}.
  // Where a browser refuses it, all is forgotten with the page.

  const storageKey = (key) => `coursefs:${key}`;

  function read(key) {
    try {
      const found = JSON.parse(localStorage.getItem(storageKey(key)));
      return found && typeof found === "object" && !Array.isArray(found) ? found : {};
    } catch {
      return {};
    }
  }

  function write(key, value) {
    try {
      localStorage.setItem(storageKey(key), JSON.stringify(value));
    } catch {
      // refused, or full: the page works on
    }
  }

  const remembered = page === "course" ? read(course) : {};
  if (!remembered.items || typeof remembered.items !== "object") remembered.items = {};

  /** What is remembered of an item; change it, and then `remember()`. */
  function memory(key) {
    if (!Object.hasOwn(remembered.items, key)) remembered.items[key] = {};
    return remembered.items[key];
  }

  function remember() {
    write(course, remembered);
  }

  // -- scripts beside the page ---------------------------------------------------------------------------------------

  const known = new Map(); // the cues of files by key
  let progress = { course: null, done: {}, due: [] };
  let isProgressTold = false;

  window.coursefs = {
    cues: (key, cues) => known.set(key, cues),
    progress: (told) => {
      progress = told;
      isProgressTold = true;
    },
  };

  /** Load a script beside the page; whether it could be loaded. */
  function load(url) {
    return new Promise((resolve) => {
      const script = make("script", { src: url, async: true });
      script.onload = () => {
        script.remove();
        resolve(true);
      };
      script.onerror = () => {
        script.remove();
        resolve(false);
      };
      document.head.append(script);
    });
  }

  /** Whether `coursefs open` serves the page: then live.js was loaded. Another web server has no such file. */
  const isServed = location.protocol === "file:" ? Promise.resolve(false) : load("/-/live.js");

  /** Load a script until it has told what it is for: once more if its end was missing, as below for the page. */
  async function loadData(url, isTold) {
    for (const address of [url, `${url}?again`]) {
      if (!(await load(address))) return false;
      if (isTold()) return true;
    }
    return false;
  }

  const loading = new Map();

  /** The cues of a subtitle file: [[start, end, text], …]; none where it cannot be loaded. */
  function cuesOf(file) {
    if (!loading.has(file.key)) {
      loading.set(
        file.key,
        loadData(file.cues, () => known.has(file.key)).then((loaded) => {
          if (!loaded) loading.delete(file.key); // it may be there the next time
          return known.get(file.key) ?? [];
        }),
      );
    }
    return loading.get(file.key);
  }

  // -- outline -------------------------------------------------------------------------------------------------------

  const items = page === "course" ? [...document.querySelectorAll("#list .item")] : [];
  const itemOfKey = new Map(items.map((item) => [item.dataset.key, item]));
  const titleOf = (item) => item.querySelector(".title").textContent;

  /** The files of an item, as its links in the outline say. */
  function filesOf(item) {
    return [...item.querySelectorAll(".files a")].map((link) => ({
      key: link.dataset.key,
      kind: link.dataset.kind,
      type: link.dataset.type ?? "",
      language: link.dataset.language ?? "",
      cues: link.dataset.cues ?? "",
      href: link.getAttribute("href"),
      title: link.textContent,
    }));
  }

  const isMedia = (file) => file.kind === "video" || file.kind === "audio";

  /** How a file can be shown within the page; "" if it cannot. */
  function viewOf(file) {
    const end = file.href.slice(file.href.lastIndexOf(".")).toLowerCase();
    if (isMedia(file)) return file.kind;
    if (file.kind === "image" || /^image\//.test(file.type)) return "image";
    if (file.type === "application/pdf" || end === ".pdf") return "pdf";
    if (file.kind === "reading" && (end === ".html" || end === ".htm")) return "document";
    if (file.kind !== "subtitle" && (/^text\/plain/.test(file.type) || end === ".txt")) return "document";
    return "";
  }

  /** Whether an item is done: the platform says so, or it was played to its end here. */
  function isDone(item) {
    const key = item.dataset.key;
    return (Object.hasOwn(progress.done, key) && progress.done[key] >= 1) || Boolean(remembered.items[key]?.done);
  }

  /** A mark after the title of an item or section, instead of the one that was there. */
  function mark(row, name, text) {
    const about = row.querySelector(".about") ?? row.appendChild(make("span", { className: "about" }));
    about.querySelector(`.${name}`)?.remove();
    if (text) about.append(make("span", { className: name }, text));
  }

  function showItemProgress(item) {
    const { at, of } = remembered.items[item.dataset.key] ?? {};
    const done = isDone(item);
    item.classList.toggle("done", done);
    mark(item, "status", done ? "done" : at > 5 && of ? `${clock(of - at)} left` : "");
  }

  /** How many items of a section are done, in its heading. */
  function showSectionProgress(section) {
    const all = section.querySelectorAll(".item");
    const done = section.querySelectorAll(".item.done").length;
    let seconds = 0;
    for (const item of all) seconds += Number(item.dataset.seconds ?? 0);
    const summary = section.querySelector("summary");
    const whole = done === all.length;
    const count = `${done && !whole ? `${done} of ` : ""}${all.length}${all.length === 1 ? " item" : " items"}`;
    mark(summary, "count", all.length ? count : "");
    mark(summary, "length", seconds >= 60 ? `${Math.round(seconds / 60)} min` : "");
    mark(summary, "status", all.length && whole ? "done" : "");
    section.classList.toggle("done", all.length > 0 && whole);
  }

  function showProgress() {
    items.forEach(showItemProgress);
    const rows = new Map([...document.querySelectorAll("#list .section")].map((row) => [row.dataset.key, row]));
    const now = Date.now();
    for (const { key, at } of progress.due) {
      const row = itemOfKey.get(key) ?? rows.get(key)?.querySelector("summary");
      if (!row || row.classList.contains("done")) continue;
      const late = Date.parse(at) < now;
      mark(row, "due", `${late ? "was due" : "due"} ${date(at)}`);
      row.classList.toggle("late", late);
    }
    document.querySelectorAll("#list > .section").forEach(showSectionProgress);
    const done = progress.course ?? (items.length ? items.filter(isDone).length / items.length : 0);
    byId("course-done").textContent = done > 0 ? ` · ${Math.round(done * 100)} % done` : "";
  }

  /** Where to go on: the last item while it is not done, else the first after it that is neither done nor locked. */
  function nextUp() {
    const last = items.indexOf(itemOfKey.get(remembered.last));
    const isOpen = (item) => item.dataset.icon !== "locked" && !isDone(item);
    if (last >= 0 && isOpen(items[last])) return items[last];
    return items.slice(last + 1).find(isOpen) ?? items.find(isOpen);
  }

  function showWelcome() {
    const item = nextUp(),
      link = byId("continue").firstElementChild;
    byId("continue").hidden = !item;
    if (item) {
      const at = remembered.items[item.dataset.key]?.at;
      link.href = `#${item.id}`;
      link.firstElementChild.textContent = remembered.last || items.some(isDone) ? "Continue" : "Start";
      link.lastElementChild.textContent = titleOf(item) + (at > 5 ? ` at ${clock(at)}` : "");
    }
    const rows = new Map([...document.querySelectorAll("#list [data-key]")].map((row) => [row.dataset.key, row]));
    const due = progress.due.filter(
      ({ at, key }) => Date.parse(at) > Date.now() && !rows.get(key)?.classList.contains("done"),
    );
    byId("due").hidden = !due.length;
    byId("due").lastElementChild.replaceChildren(
      ...due.slice(0, 5).map(({ title, at, key }) => {
        const id = rows.get(key)?.id;
        const name = id ? make("a", { href: `#${id}`, dir: "auto" }, title) : make("bdi", {}, title);
        return make("li", {}, name, make("time", { dateTime: at }, date(at)));
      }),
    );
    byId("welcome").hidden = !item && !due.length;
  }

  // -- the open item -------------------------------------------------------------------------------------------------

  let opened = null; // {item, files, media, file, cues, …}

  /** Open the item that the address names: #i-KEY, or #i-KEY&t=SECONDS. */
  function openAddress() {
    const [id, ...rest] = location.hash.slice(1).split("&");
    const item = items.find((one) => one.id === id);
    const at = rest.map((part) => /^t=(\d+(\.\d+)?)$/.exec(part)).find(Boolean);
    if (item) open(item, at ? Number(at[1]) : null);
    else {
      const section = id ? byId(id) : null;
      if (section?.matches("details")) section.open = true;
      if (!id) close();
    }
  }

  function open(item, at) {
    if (opened?.item === item) {
      if (at !== null) seek(at, true);
      return;
    }
    leave();
    const files = filesOf(item);
    const main =
      files.find((file) => file.kind === "video") ??
      files.find((file) => file.kind === "audio") ??
      files.find((file) => file.kind === "reading") ??
      files.find((file) => viewOf(file)) ??
      files[0];
    opened = { item, files, main, media: null, cues: [], line: -1, follow: true };
    document.body.classList.add("studying");
    byId("stage").hidden = false;
    byId("welcome").hidden = true;
    for (const one of document.querySelectorAll("#list [aria-current]")) one.removeAttribute("aria-current");
    item.querySelector(".title").setAttribute("aria-current", "true");
    const section = item.closest("details");
    if (section) section.open = true;
    byId("item-title").textContent = titleOf(item);
    byId("item-where").textContent = [...ancestors(item)].join(" › ");
    byId("item-facts").textContent = [
      item.querySelector(".label"),
      item.querySelector("time"),
      item.querySelector(".due"),
    ]
      .filter(Boolean)
      .map((one) => one.textContent)
      .join(" · ");
    const place = items.indexOf(item);
    byId("previous").disabled = place === 0;
    byId("next").disabled = place === items.length - 1;
    const link = byId("item-url");
    link.hidden = !item.dataset.url;
    if (item.dataset.url) link.href = item.dataset.url;
    document.title = `${titleOf(item)} · ${document.querySelector("h1").textContent}`;
    remembered.last = item.dataset.key;
    remembered.title = titleOf(item);
    remembered.id = item.id;
    remembered.when = Date.now();
    remember();
    showMain(main, at);
    showChapters();
    showUpNext(items[place + 1]);
    showBeside();
    byId("item-title").focus({ preventScroll: true });
    window.scrollTo({ top: 0 });
    reveal(item, byId("outline"));
    say(`Opened ${titleOf(item)}`);
  }

  function showUpNext(item) {
    byId("up-next").hidden = !item;
    if (!item) return;
    const link = byId("up-next").firstElementChild;
    link.href = `#${item.id}`;
    link.querySelector("bdi").textContent = titleOf(item);
    link.querySelector(".in").textContent = [item.querySelector(".label"), item.querySelector("time")]
      .filter(Boolean)
      .map((one) => one.textContent)
      .join(" · ");
  }

  /** Titles of the sections around an item, from the outside. */
  function ancestors(item) {
    const found = [];
    for (let row = item.parentElement?.closest(".section"); row; row = row.parentElement?.closest(".section")) {
      found.unshift(row.querySelector("h2, h3, h4, h5, h6").textContent.trim());
    }
    return found;
  }

  /** Scroll a row into view within its own pane; the page stays where it is. */
  function reveal(row, pane) {
    if (pane.scrollHeight <= pane.clientHeight) return;
    const { top, bottom } = row.getBoundingClientRect(),
      frame = pane.getBoundingClientRect();
    if (top < frame.top + 60 || bottom > frame.bottom - 20) {
      pane.scrollTop += top - frame.top - pane.clientHeight / 3;
    }
  }

  /** End what the open item began. */
  function leave() {
    keepPlace();
    if (opened?.media) {
      opened.media.pause();
      opened.media.removeAttribute("src");
      opened.media.load();
    }
    if (opened) showItemProgress(opened.item);
    opened = null;
  }

  function close() {
    leave();
    document.body.classList.remove("studying");
    document.title = document.querySelector("h1").textContent;
    byId("stage").hidden = true;
    byId("view").replaceChildren();
    showWelcome();
  }

  /** What is in the place of a view: a sentence, and where to go. */
  function notice(what, text, ...links) {
    return make(
      "div",
      { className: "notice" },
      make("p", { className: "what" }, what),
      make("p", { dir: "auto" }, text),
      ...links,
    );
  }

  const outside = (href, text) =>
    make("a", { href, target: "_blank", rel: "noopener noreferrer", className: "button" }, text);

  function showMain(file, at) {
    const { item } = opened;
    const locked = item.querySelector(".locked");
    const link = item.dataset.url ? [outside(item.dataset.url, "Open on the platform")] : [];
    const view = byId("view");
    const kind = file ? viewOf(file) : "";
    view.className = kind || "none";
    document.body.classList.toggle("playing", kind === "video" || kind === "audio");
    if (locked) view.replaceChildren(notice("Locked", locked.textContent, ...link));
    else if (!file) view.replaceChildren(notice("Nothing to show", "There is no file for this.", ...link));
    else if (isMedia(file)) {
      opened.media?.pause();
      view.replaceChildren(player(file, at));
    } else if (kind) view.replaceChildren(viewer(file));
    else if (file.kind === "link") {
      const label = item.querySelector(".label")?.textContent || "On the platform";
      view.replaceChildren(
        notice(label, "This is done on the platform.", ...(link.length ? link : [outside(file.href, "Open")])),
      );
    } else view.replaceChildren(notice(file.title, "This opens in a program of its own.", outside(file.href, "Open")));
  }

  /** A document, a picture or a PDF in place. */
  function viewer(file) {
    const kind = viewOf(file);
    if (kind === "image") return make("img", { src: file.href, alt: file.title });
    const frame = make("iframe", { title: file.title });
    // a document may open links in a new tab, and do nothing else; the PDF viewer of a browser starts in no sandbox
    if (kind === "document")
      frame.setAttribute("sandbox", "allow-same-origin allow-popups allow-popups-to-escape-sandbox");
    frame.src = file.href;
    return frame;
  }

  function step(by) {
    const place = opened ? items.indexOf(opened.item) + by : 0;
    if (items[place]) location.hash = items[place].id;
  }

  // -- player --------------------------------------------------------------------------------------------------------

  function player(file, at) {
    const key = opened.item.dataset.key;
    const stored = memory(key);
    const media = make(file.kind, { controls: true, preload: "metadata", src: file.href });
    media.setAttribute("aria-label", titleOf(opened.item));
    opened.media = media;
    opened.file = file;
    const speed = byId("speed");
    speed.value = [...speed.options].some(({ value }) => value === String(stored.speed ?? remembered.speed))
      ? String(stored.speed ?? remembered.speed)
      : "1";
    media.defaultPlaybackRate = Number(speed.value);
    media.playbackRate = Number(speed.value);
    const start = at ?? (stored.done ? 0 : stored.at);
    media.addEventListener(
      "loadedmetadata",
      () => {
        if (start > 0 && start < media.duration - 2) media.currentTime = start;
      },
      { once: true },
    );
    media.addEventListener("timeupdate", followTranscript);
    media.addEventListener("seeked", followTranscript);
    media.addEventListener("pause", keepPlace);
    media.addEventListener("ended", () => {
      memory(key).done = true;
      remember();
      if (itemOfKey.has(key)) showProgress();
    });
    media.addEventListener("error", () => {
      if (opened?.media !== media || !media.getAttribute("src")) return;
      document.body.classList.remove("playing");
      byId("view").className = "none";
      byId("view").replaceChildren(
        notice(
          "It does not play here",
          "The browser cannot read this file, or it is not available now. A player such as mpv or VLC may play it.",
          outside(file.href, "Open the file"),
        ),
      );
    });
    fitLanguages(media);
    return media;
  }

  let kept = 0;

  /** Store where the open lecture is. */
  function keepPlace() {
    const media = opened?.media;
    if (!media || !(media.duration > 0) || media.ended) return;
    const stored = memory(opened.item.dataset.key);
    stored.at = Math.round(media.currentTime * 10) / 10;
    stored.of = Math.round(media.duration);
    if (stored.at > stored.of * 0.95) stored.done = true;
    remembered.when = kept = Date.now();
    remember();
  }

  function seek(at, plays) {
    const media = opened?.media;
    if (!media) return;
    media.currentTime = Math.max(0, Math.min(at, media.duration || at));
    opened.follow = true;
    showFollow();
    if (plays) media.play().catch(() => {}); // refused before the first click: it stays where it is
  }

  /** The chapters of the open lecture, as links to their beginnings. */
  function showChapters() {
    const { item, media } = opened;
    const chapters = media && item.dataset.chapters ? JSON.parse(item.dataset.chapters) : [];
    byId("chapters").hidden = !chapters.length;
    byId("chapters").replaceChildren(
      ...chapters.map(([at, title]) => {
        const link = make("a", { href: `#${item.id}&t=${at}` }, make("span", { className: "at" }, clock(at)), " ");
        link.append(make("bdi", {}, title));
        link.dataset.at = at;
        return make("li", {}, link);
      }),
    );
  }

  function markChapter(time) {
    const links = [...byId("chapters").querySelectorAll("a")];
    const now = links.findLast((link) => Number(link.dataset.at) <= time + 0.05);
    for (const link of links) {
      if (link === now) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  }

  function setSpeed(value) {
    const media = opened?.media;
    byId("speed").value = value;
    if (!media) return;
    media.playbackRate = Number(value);
    memory(opened.item.dataset.key).speed = Number(value);
    remembered.speed = Number(value);
    remember();
    say(`Speed ${value}`);
  }

  function changeSpeed(by) {
    const speed = byId("speed");
    const option = speed.options[speed.selectedIndex + by];
    if (option) setSpeed(option.value);
  }

  // -- subtitles and transcript --------------------------------------------------------------------------------------

  const subtitlesOf = (files) => files.filter((file) => file.kind === "subtitle" && file.cues);

  /** The subtitle to show: the language chosen last, else the first. */
  function preferred(files) {
    const subtitles = subtitlesOf(files);
    return subtitles.find((file) => file.language === remembered.language) ?? subtitles[0];
  }

  function fitLanguages(media) {
    const subtitles = subtitlesOf(opened.files);
    const choice = byId("language");
    byId("languages").hidden = !subtitles.length;
    choice.replaceChildren(
      make("option", { value: "" }, "Off"),
      ...subtitles.map((file) => make("option", { value: file.key }, languageName(file))),
    );
    const file = preferred(opened.files);
    choice.value = file && remembered.shown !== false ? file.key : "";
    if (file) showCues(file, media);
  }

  function languageName(file) {
    try {
      return new Intl.DisplayNames(["en"], { type: "language" }).of(file.language) || file.title;
    } catch {
      return file.title;
    }
  }

  /** Load the cues of a subtitle, for the picture and for the transcript. */
  async function showCues(file, media) {
    const state = opened;
    state.subtitle = file;
    const [cues, hasTracks] = await Promise.all([cuesOf(file), isServed]);
    if (opened !== state || state.subtitle !== file || state.media !== media) return;
    state.cues = cues;
    state.line = -1;
    if (!state.tracks) state.tracks = new Map();
    if (!state.tracks.has(file.key) && cues.length) {
      state.tracks.set(file.key, hasTracks ? servedTrack(file, media) : trackOf(file, cues, media));
    }
    setTrackModes();
    if (state.tab === "transcript") showTranscript();
  }

  /** A text track of WebVTT, which the web server makes of any subtitles. */
  function servedTrack(file, media) {
    const { pathname } = new URL(file.href, location.href);
    const track = make("track", {
      kind: "subtitles",
      label: languageName(file),
      srclang: file.language,
      src: `/-/captions${pathname}`,
    });
    media.append(track);
    return track.track;
  }

  /** A text track of cues: browsers load no `<track>` for a page that is a file. */
  function trackOf(file, cues, media) {
    const track = media.addTextTrack("subtitles", languageName(file), file.language);
    for (const [start, end, text] of cues) {
      // the text of a cue is markup of its own
      track.addCue(new VTTCue(start, end, text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;")));
    }
    return track;
  }

  function setTrackModes() {
    const chosen = byId("language").value;
    for (const [key, track] of opened?.tracks ?? []) track.mode = key === chosen ? "showing" : "hidden";
  }

  function chooseLanguage() {
    const chosen = byId("language").value;
    remembered.shown = Boolean(chosen);
    const file = opened.files.find((one) => one.key === chosen);
    if (file) remembered.language = file.language;
    remember();
    setTrackModes();
    if (file) showCues(file, opened.media);
  }

  function toggleSubtitles() {
    const choice = byId("language");
    choice.value = choice.value ? "" : (preferred(opened.files)?.key ?? "");
    chooseLanguage();
    say(choice.value ? "Subtitles on" : "Subtitles off");
  }

  /** The transcript as paragraphs of links, one for each cue. */
  function showTranscript() {
    const { cues, item, subtitle } = opened;
    const text = make("div", { className: "transcript", lang: subtitle?.language ?? "" });
    let paragraph = null,
      begun = 0,
      last = 0;
    opened.lines = cues.map(([start, end, words], number) => {
      const long = start - begun;
      if (
        !paragraph ||
        start - last > 4 ||
        long > 60 ||
        (long > 25 && /[.!?。！？…]["')\]]?$/.test(cues[number - 1][2]))
      ) {
        paragraph = make("p", { dir: "auto" }, make("span", { className: "at" }, clock(start)));
        text.append(paragraph);
        begun = start;
      }
      last = end;
      const link = make(
        "a",
        { className: "cue", href: `#${item.id}&t=${start}`, tabIndex: number ? -1 : 0 },
        words.replace(/\n/g, " "),
      );
      link.dataset.line = number;
      paragraph.append(link, " ");
      return link;
    });
    if (!cues.length) text.append(make("p", { className: "nothing" }, "This transcript cannot be read now."));
    byId("panel").replaceChildren(text);
    showFollow();
    followTranscript();
  }

  function showFollow() {
    byId("follow").setAttribute("aria-pressed", String(opened.follow));
  }

  /** The number of the cue that is spoken at a time: the last one that has begun; -1 before the first. */
  function lineAt(cues, time) {
    let low = 0,
      high = cues.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (cues[middle][0] <= time + 0.05) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  function followTranscript() {
    const media = opened?.media;
    if (!media) return;
    if (Date.now() - kept > 5000 && !media.paused) keepPlace();
    markChapter(media.currentTime);
    if (opened.tab !== "transcript" || !opened.lines) return;
    const line = lineAt(opened.cues, media.currentTime);
    if (line === opened.line) return;
    const [before, now] = [opened.lines[opened.line], opened.lines[line]];
    before?.removeAttribute("aria-current");
    now?.setAttribute("aria-current", "true");
    opened.line = line;
    if (!now) return;
    if (!byId("panel").contains(document.activeElement) || document.activeElement === byId("panel")) moveStop(now);
    if (opened.follow) keepInSight(now);
  }

  /** Scroll the transcript so that a line stands in its upper half. */
  function keepInSight(line) {
    const panel = byId("panel");
    const offset = line.getBoundingClientRect().top - panel.getBoundingClientRect().top;
    if (offset > 40 && offset < panel.clientHeight * 0.6) return;
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    panel.scrollTo({ top: panel.scrollTop + offset - panel.clientHeight / 3, behavior: calm ? "auto" : "smooth" });
  }

  /** Tab comes to one line of the transcript only; arrows go on from there. */
  function moveStop(line) {
    for (const one of byId("panel").querySelectorAll(".cue[tabindex='0']")) one.tabIndex = -1;
    line.tabIndex = 0;
  }

  // -- what is beside the lecture: transcript, chapters, slides, readings, all files ---------------------------------

  function tabsOf() {
    const { files, main } = opened;
    const tabs = [];
    if (subtitlesOf(files).length && isMedia(main))
      tabs.push({ id: "transcript", title: "Transcript", show: showTranscript });
    for (const file of files) {
      if (file === main || isMedia(file) || !viewOf(file) || (file.kind === "transcript" && subtitlesOf(files).length))
        continue;
      tabs.push({ id: `file ${file.key}`, title: file.title, show: () => showFile(file) });
    }
    if (files.length) tabs.push({ id: "files", title: "Files", show: showFiles });
    return tabs;
  }

  function showBeside() {
    opened.tabs = tabsOf();
    byId("beside").hidden = !opened.tabs.length || opened.item.dataset.icon === "locked";
    byId("tabs").replaceChildren(
      ...opened.tabs.map((tab) => {
        const button = make("button", { type: "button", id: `tab ${tab.id}`, dir: "auto" }, tab.title);
        button.setAttribute("role", "tab");
        button.setAttribute("aria-controls", "panel");
        button.addEventListener("click", () => choose(tab));
        return button;
      }),
    );
    // a lecture has its transcript beside it; of a reading only the list of its files is left
    if (opened.tabs.length) choose(opened.tabs[0]);
    byId("stage").classList.toggle("alone", opened.tabs.length < 2 && opened.tabs[0]?.id === "files");
  }

  function choose(tab, focus = false) {
    opened.tab = tab.id;
    opened.lines = null;
    for (const button of byId("tabs").children) {
      const chosen = button.id === `tab ${tab.id}`;
      button.setAttribute("aria-selected", String(chosen));
      button.tabIndex = chosen ? 0 : -1;
      if (chosen && focus) button.focus();
    }
    const panel = byId("panel");
    panel.setAttribute("aria-label", tab.title);
    panel.className = tab.id.startsWith("file ") ? "framed" : "";
    panel.scrollTop = 0;
    panel.replaceChildren();
    byId("follow").hidden = tab.id !== "transcript";
    tab.show();
  }

  function showFile(file) {
    byId("panel").replaceChildren(viewer(file), outside(file.href, "In a tab of its own"));
  }

  const MOST_NEAR = 100;

  /** All files of the item, and what else can be shown beside it from its module, each to be opened or shown beside. */
  function showFiles() {
    const { item, files } = opened;
    const row = (file, title) => {
      const line = make(
        "li",
        {},
        make("a", { href: file.href, target: "_blank", rel: "noopener", dir: "auto" }, title),
      );
      if (isMedia(file) && file.href !== opened.file?.href && files.includes(file)) {
        line.append(
          " ",
          button("Play", () => {
            keepPlace();
            opened.tracks = null;
            showMain(file, opened.media?.currentTime ?? null);
          }),
        );
      } else if (viewOf(file) && !isMedia(file))
        line.append(
          " ",
          button("Show here", () => showFile(file)),
        );
      return line;
    };
    const button = (text, act) => {
      const made = make("button", { type: "button" }, text);
      made.addEventListener("click", act);
      return made;
    };
    const near = [...(item.closest("details") ?? byId("list")).querySelectorAll(".item")]
      .filter((one) => one !== item && !one.querySelector(".locked"))
      .flatMap((one) =>
        filesOf(one)
          .filter((file) => viewOf(file) && !isMedia(file) && file.kind !== "transcript")
          .map((file) => row(file, file.kind === "reading" ? titleOf(one) : `${titleOf(one)}: ${file.title}`)),
      )
      .slice(0, MOST_NEAR);
    byId("panel").replaceChildren(make("ul", { className: "plain" }, ...files.map((file) => row(file, file.title))));
    if (near.length)
      byId("panel").append(make("h3", {}, "In the same module"), make("ul", { className: "plain" }, ...near));
  }

  // -- search --------------------------------------------------------------------------------------------------------
  // Titles are searched at once. Transcripts are loaded one by one, and only while somebody searches.

  const MOST_HITS = 200;
  const folded = new Map(); // the folded texts of the cues of a file by its key
  let searching = 0; // the number of the search that runs

  /** A text with the words in it marked. */
  function marked(text, words) {
    const places = []; // for each character of the folded text, where it is in the text
    let plain = "",
      at = 0;
    for (const character of text) {
      const one = fold(character);
      plain += one;
      for (let unit = 0; unit < one.length; unit += 1) places.push(at);
      at += character.length;
    }
    places.push(text.length);
    const ranges = [];
    for (const word of words) {
      for (let found = plain.indexOf(word); found >= 0; found = plain.indexOf(word, found + word.length)) {
        ranges.push([places[found], places[found + word.length] ?? text.length]);
      }
    }
    ranges.sort((one, other) => one[0] - other[0]);
    const parts = [];
    let end = 0;
    for (const [from, to] of ranges) {
      if (from < end) continue;
      parts.push(text.slice(end, from), make("mark", {}, text.slice(from, to)));
      end = to;
    }
    return [...parts, text.slice(end)];
  }

  function hit(item, at, text, words) {
    const link = make("a", { href: `#${item.id}${at === null ? "" : `&t=${at}`}` });
    if (at === null) link.append(make("bdi", {}, ...marked(text, words)));
    else {
      link.append(
        make("span", { className: "in" }, make("bdi", {}, titleOf(item)), ` ${clock(at)}`),
        make("span", { dir: "auto", className: "words" }, ...marked(text, words)),
      );
    }
    return make("li", {}, link);
  }

  /** The hits in the cues of a file: two cues that follow each other count as one text. */
  function hitsIn(file, cues, words) {
    if (!folded.has(file.key))
      folded.set(
        file.key,
        cues.map(([, , text]) => fold(text.replace(/\n/g, " "))),
      );
    const texts = folded.get(file.key);
    const all = (text) => words.every((word) => text.includes(word));
    const found = [];
    for (let number = 0; number < texts.length; number += 1) {
      const joined = `${texts[number]} ${texts[number + 1] ?? ""}`;
      if (all(joined) && !(all(texts[number + 1] ?? "") && !all(texts[number]))) {
        const own = all(texts[number]);
        found.push([
          cues[number][0],
          (own ? cues[number][2] : `${cues[number][2]} ${cues[number + 1][2]}`).replace(/\n/g, " "),
        ]);
        if (!own) number += 1;
      }
    }
    return found;
  }

  async function search() {
    const run = (searching += 1);
    const words = fold(byId("words").value).split(/\s+/).filter(Boolean);
    const hits = byId("hits"),
      told = byId("searched");
    byId("outline").classList.toggle("searching", words.length > 0);
    hits.replaceChildren();
    told.textContent = "";
    if (!words.length) return;
    let count = 0;
    const add = (...rows) => {
      count += rows.length;
      hits.append(...rows.slice(0, Math.max(0, MOST_HITS - hits.children.length)));
    };
    add(
      ...items
        .filter((item) => words.every((word) => foldedTitle(item).includes(word)))
        .map((item) => hit(item, null, titleOf(item), words)),
    );
    const result = () =>
      `${count > MOST_HITS ? `The first ${MOST_HITS} of ${count} hits` : count === 1 ? "1 hit" : `${count} hits`}`;
    const texts = items.map((item) => [item, preferred(filesOf(item))]).filter(([, file]) => file);
    told.textContent = `${result()} in titles`;
    if (Math.max(...words.map((word) => word.length)) < 2 || !texts.length) return;
    await new Promise((resolve) => {
      setTimeout(resolve, 300);
    }); // the next letter is often on its way
    let missing = 0;
    for (const [number, [item, file]] of texts.entries()) {
      if (run !== searching) return;
      const cues = await cuesOf(file);
      if (run !== searching) return;
      if (!cues.length) missing += 1;
      add(...hitsIn(file, cues, words).map(([at, text]) => hit(item, at, text, words)));
      if (number % 10 === 9) {
        told.textContent = `${result()}; ${number + 1} of ${texts.length} transcripts searched`;
        await new Promise((resolve) => {
          setTimeout(resolve);
        }); // let the page be used meanwhile
      }
    }
    if (run !== searching) return;
    told.textContent = `${result()}${missing ? `; ${missing} of ${texts.length} transcripts cannot be read` : ""}`;
  }

  const titles = new Map();

  function foldedTitle(item) {
    if (!titles.has(item)) titles.set(item, fold(titleOf(item)));
    return titles.get(item);
  }

  // -- keyboard ------------------------------------------------------------------------------------------------------

  /** The links that j and k walk along: hits while there is a search, else the titles that are to be seen. */
  function walked() {
    if (byId("outline").classList.contains("searching")) return [...byId("hits").querySelectorAll("a")];
    return items
      .filter((item) => !item.closest("details:not([open])"))
      .map((item) => item.querySelector("a.title"))
      .filter(Boolean);
  }

  function walk(by) {
    const links = walked();
    const here = links.indexOf(document.activeElement);
    const current = links.findIndex((link) => link.hasAttribute("aria-current"));
    const next = here >= 0 ? here + by : current >= 0 ? current + by : by > 0 ? 0 : links.length - 1;
    links[Math.max(0, Math.min(next, links.length - 1))]?.focus();
  }

  const withMedia = (act) => () => {
    if (!opened?.media) return false;
    act(opened.media);
    return true;
  };

  /** What keys do; false: nothing, so the browser does what it always does. */
  const KEYS = {
    " ": withMedia((media) => {
      if (media.paused) media.play().catch(() => {});
      else media.pause();
    }),
    ArrowLeft: withMedia((media) => seek(media.currentTime - 10)),
    ArrowRight: withMedia((media) => seek(media.currentTime + 10)),
    "<": withMedia(() => changeSpeed(-1)),
    ">": withMedia(() => changeSpeed(1)),
    c: withMedia(toggleSubtitles),
    f: withMedia((media) => {
      if (document.fullscreenElement) document.exitFullscreen();
      else media.requestFullscreen?.().catch(() => {});
    }),
    j: () => walk(1),
    k: () => walk(-1),
    n: () => step(1),
    p: () => step(-1),
    "/": () => byId("words").focus(),
    "?": () => byId("help").showModal(),
  };

  function onKey(event) {
    const { target, key } = event;
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || byId("help").open) return;
    if (target === byId("words")) {
      if (key === "Escape") {
        target.value = "";
        search();
        target.blur();
      } else if (key === "ArrowDown" || key === "Enter") {
        byId("hits").querySelector("a")?.focus();
        event.preventDefault();
      }
      return;
    }
    if (target.matches("input, select, textarea")) return;
    if (remembered.keys === false && key.length === 1 && key !== " ") return;
    if (target.closest("#tabs") && /^Arrow(Left|Right)$/.test(key)) {
      const tabs = [...byId("tabs").children],
        place = tabs.indexOf(target) + (key === "ArrowRight" ? 1 : -1);
      if (opened.tabs[place]) choose(opened.tabs[place], true);
    } else if (target.matches(".cue") && /^Arrow(Up|Down)$/.test(key)) {
      const line = opened.lines[Number(target.dataset.line) + (key === "ArrowDown" ? 1 : -1)];
      if (line) {
        opened.follow = false;
        showFollow();
        moveStop(line);
        line.focus();
      }
    } else if (key === " " && target.matches("button, summary")) return;
    else if (!Object.hasOwn(KEYS, key) || KEYS[key]() === false) return;
    event.preventDefault();
  }

  // -- start ---------------------------------------------------------------------------------------------------------

  /** What changes with progress. */
  function showCourse() {
    showProgress();
    if (opened) return;
    const section = nextUp()?.closest("details");
    if (section) section.open = true;
    showWelcome();
  }

  function startCourse() {
    for (const id of ["find", "keys-help"]) byId(id).hidden = false;
    document.documentElement.classList.add("live");
    const sections = [...document.querySelectorAll("#list > details")];
    // a long outline is closed; the section to go on with is opened below
    if (items.length > 40) for (const section of sections) section.open = false;

    byId("list").addEventListener("click", (event) => {
      const link = event.target.closest(".item .title");
      if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
      event.preventDefault();
      const { id } = link.closest(".item");
      if (location.hash === `#${id}`) openAddress();
      else location.hash = id;
    });
    byId("follow").addEventListener("click", () => {
      opened.follow = !opened.follow;
      showFollow();
      if (opened.follow && opened.lines?.[opened.line]) keepInSight(opened.lines[opened.line]);
    });
    byId("stage").addEventListener("click", (event) => {
      const link = event.target.closest("a.cue, a[data-at]");
      if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault(); // the place in the lecture, not one more in the history
      if (link.dataset.line) moveStop(link);
      seek(link.dataset.line ? opened.cues[Number(link.dataset.line)][0] : Number(link.dataset.at), true);
    });
    for (const name of ["wheel", "touchmove"]) {
      byId("panel").addEventListener(
        name,
        () => {
          if (opened?.tab === "transcript") {
            opened.follow = false;
            showFollow();
          }
        },
        { passive: true },
      );
    }
    byId("hits").addEventListener("click", (event) => {
      const link = event.target.closest("a");
      if (link && link.hash === location.hash) openAddress(); // the same place again
    });
    byId("previous").addEventListener("click", () => step(-1));
    byId("next").addEventListener("click", () => step(1));
    byId("close").addEventListener("click", () => {
      history.pushState(null, "", location.pathname + location.search);
      close();
      byId("words").focus();
    });
    byId("speed").addEventListener("change", (event) => setSpeed(event.target.value));
    byId("language").addEventListener("change", chooseLanguage);
    byId("words").addEventListener("input", search);
    byId("keys-help").addEventListener("click", () => byId("help").showModal());
    byId("keys").checked = remembered.keys !== false;
    byId("keys").addEventListener("change", (event) => {
      remembered.keys = event.target.checked;
      remember();
    });
    document.addEventListener("keydown", onKey);
    window.addEventListener("hashchange", openAddress);
    window.addEventListener("pagehide", keepPlace);
    window.addEventListener("beforeprint", () => {
      for (const section of sections) section.open = true;
    });
    showCourse();
    openAddress();
  }

  // -- overview of all courses ---------------------------------------------------------------------------------------

  function showOverview() {
    const rows = new Map([...document.querySelectorAll(".course")].map((row) => [row.dataset.key, row]));
    const hrefOf = (key) => rows.get(key).querySelector("a").getAttribute("href");
    let last = null;
    for (const [key, row] of rows) {
      const stored = read(key);
      const done = Object.hasOwn(progress.done, key) ? progress.done[key] : null;
      row.querySelector(".part")?.remove();
      if (done !== null) {
        const bar = make("progress", { max: 1, value: done });
        bar.setAttribute("aria-label", `${row.querySelector("a").textContent}: done`);
        row.append(make("span", { className: "part" }, bar, ` ${Math.round(done * 100)} %`));
      }
      if (stored.last && stored.id && !(last?.when > stored.when)) last = { key, ...stored };
    }
    byId("continue").hidden = !last;
    if (last) {
      const link = byId("continue").firstElementChild;
      link.href = `${hrefOf(last.key)}#${last.id}`;
      link.lastElementChild.textContent = `${last.title}, ${rows.get(last.key).querySelector("a").textContent}`;
    }
    const due = progress.due.filter(({ at }) => Date.parse(at) > Date.now()).slice(0, 10);
    byId("due").hidden = !due.length;
    byId("due").lastElementChild.replaceChildren(
      ...due.map(({ title, at, course: key }) => {
        const name = rows.has(key) ? make("a", { href: hrefOf(key), dir: "auto" }, title) : make("bdi", {}, title);
        const where = rows.has(key)
          ? make("bdi", { className: "in" }, rows.get(key).querySelector("a").textContent)
          : "";
        return make("li", {}, name, " ", where, make("time", { dateTime: at }, date(at)));
      }),
    );
    byId("welcome").hidden = !last && !due.length;
  }

  if (!byId("said")) {
    // The end of the page is missing: the file grew while it was opened, as when what it lists was asked for then, and
    // the browser read as much as it had before. So it is read again, once.
    if (performance.getEntriesByType("navigation")[0]?.type !== "reload") location.reload();
    return;
  }

  window.coursefs.page = { byId, clock, fold, items, make, mark, marked }; // for live.js, which runs after this
  const show = page === "course" ? showCourse : showOverview;
  (page === "course" ? startCourse : showOverview)();
  loadData("index.files/progress.js", () => isProgressTold).then((loaded) => {
    if (loaded) show();
  });
})();
