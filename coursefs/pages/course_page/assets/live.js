/* What a course page can do where `coursefs open` serves it, and no file can: it shows what of the course is cached and
   what is fetched, and searches all courses at once. page.js loads it from the web server; the mount does not have it. */

"use strict";

(() => {
  const { byId, clock, fold, items, make, mark, marked } = window.coursefs.page;

  /** The answer of the mount. Throws where there is none. */
  async function ask(what, parameters) {
    const reply = await fetch(`/-/${what}?${new URLSearchParams(parameters)}`);
    if (!reply.ok) throw new Error((await reply.text()).trim());
    return reply.json();
  }

  const wait = (milliseconds) =>
    new Promise((resolve) => {
      setTimeout(resolve, milliseconds);
    });

  // -- what is cached ------------------------------------------------------------------------------------------------

  const CACHED_EVERY = 3000; // milliseconds; twice as long after each failure, and while nothing changes
  const UNCHANGED_PAUSE = 12000;
  const MOST_PAUSE = 60000;

  function cachedText({ fraction, fetching }) {
    if (fraction >= 1) return "cached";
    const part = `${Math.floor(fraction * 100)} %`;
    return fetching ? `fetching, ${part}` : `${part} cached`;
  }

  function showCached(told) {
    let whole = 0;
    for (const item of items) {
      const of = Object.hasOwn(told, item.dataset.key) ? told[item.dataset.key] : null;
      const text = of ? cachedText(of) : "";
      if (of?.fraction >= 1) whole += 1;
      if ((item.querySelector(".cached")?.textContent ?? "") !== text) mark(item, "cached", text);
      item.querySelector(".cached")?.classList.toggle("fetching", Boolean(of?.fetching));
    }
    byId("course-cached").textContent = whole ? ` · ${whole} of ${items.length} cached` : "";
  }

  async function watchCached() {
    const facts = byId("course-done").parentElement;
    facts.append(make("span", { id: "course-cached" }));
    let pause = CACHED_EVERY;
    let before = "";
    for (;;) {
      if (!document.hidden) {
        try {
          const told = await ask("cached", { of: location.pathname });
          const text = JSON.stringify(told);
          pause = text === before ? Math.min(2 * pause, UNCHANGED_PAUSE) : CACHED_EVERY;
          before = text;
          showCached(told);
        } catch {
          pause = Math.min(2 * pause, MOST_PAUSE); // the mount has ended, or is busy: what is shown stays
        }
      }
      await wait(pause);
    }
  }

  // -- search over all courses ---------------------------------------------------------------------------------------

  const MOST_HITS = 100;
  const INDEXING_TAKES = 2000; // milliseconds, until it is asked again
  const MOST_ASKED = 100;
  const HASH = "#find=";
  let searching = 0; // the number of the search that runs

  function hit(one, words) {
    const where = `${one.course}/${one.lecture}`.split("/").filter(Boolean).join(" › ");
    const time = one.time === null ? "" : ` ${clock(one.time)}`;
    const link = make(
      "a",
      { href: one.address },
      make("span", { className: "in" }, make("bdi", {}, where), time),
      make("span", { dir: "auto", className: "words" }, ...marked(one.text, words)),
    );
    return make("li", {}, link);
  }

  async function search() {
    const run = (searching += 1);
    const text = byId("words").value.trim();
    const words = fold(text).split(/\s+/).filter(Boolean);
    history.replaceState(null, "", text ? `${HASH}${encodeURIComponent(text)}` : location.pathname);
    byId("searched").textContent = "";
    if (!words.length) byId("hits").replaceChildren();
    if (!words.length) return;
    await wait(300); // the next letter is often on its way
    for (let asked = 0; asked < MOST_ASKED; asked += 1) {
      if (run !== searching) return;
      let told;
      try {
        told = await ask("search", { words: text, limit: MOST_HITS });
      } catch (error) {
        if (run === searching) byId("searched").textContent = error.message;
        return;
      }
      if (run !== searching) return;
      const { hits, complete } = told;
      const count = hits.length === 1 ? "1 hit" : `${hits.length === MOST_HITS ? "The first " : ""}${hits.length} hits`;
      byId("hits").replaceChildren(...hits.map((one) => hit(one, words)));
      byId("searched").textContent = `${count} in what is cached${complete ? "" : "; the search index is being built"}`;
      if (complete) return;
      await wait(INDEXING_TAKES);
    }
  }

  /** The search box of the overview. */
  function addSearch() {
    const words = make("input", { type: "search", id: "words", autocomplete: "off", spellcheck: false });
    words.placeholder = "Search all courses";
    words.setAttribute("aria-describedby", "searched");
    const hits = make("ol", { id: "hits" });
    hits.setAttribute("aria-label", "Found");
    const searched = make("p", { id: "searched" });
    searched.setAttribute("role", "status");
    const label = make("label", { htmlFor: "words", className: "unseen" }, "Search all courses");
    const find = make("div", { id: "find" }, label, words, searched, hits);
    find.setAttribute("role", "search");
    byId("main").prepend(find);
    words.addEventListener("input", search);
    document.addEventListener("keydown", (event) => {
      if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input")) return;
      event.preventDefault();
      words.focus();
    });
    if (location.hash.startsWith(HASH)) {
      try {
        words.value = decodeURIComponent(location.hash.slice(HASH.length));
      } catch {
        return; // not percent-encoded: it was typed
      }
      words.focus();
      search();
    }
  }

  /** On the page of a course: the way to a search in all of them. */
  function addWayToSearch() {
    const link = make("a", {}, "Search all courses");
    const way = make("p", { id: "everywhere", hidden: true }, link);
    byId("searched").after(way);
    const [up] = document.querySelectorAll(".up a");
    const follow = () => {
      const text = byId("words").value.trim();
      way.hidden = !text || !up;
      if (up) link.href = `${up.getAttribute("href")}${HASH}${encodeURIComponent(text)}`;
    };
    byId("words").addEventListener("input", follow);
    follow();
  }

  if (document.body.dataset.page === "course") {
    addWayToSearch();
    watchCached();
  } else addSearch();
})();
