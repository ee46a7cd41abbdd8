// Keeps a page fresh while a run goes on. Without it everything works; one loads the page again.
//
// The server says that records came (server-sent events); the page is then fetched once more and its
// live parts take the place of the old ones. The browser parses the page as a document of its own, so
// that no text is ever turned into markup here.
"use strict";

(() => {
  const state = document.getElementById("live-state");
  const address = state && state.dataset.stream;
  if (!address || !("EventSource" in window)) return;

  const PAUSE_MS = 2000;
  let seen = 0;
  let waiting = 0;
  let timer = null;

  const say = (text, mood) => {
    state.textContent = text;
    state.dataset.mood = mood;
  };

  const many = (count) => `${count} new record${count === 1 ? "" : "s"}`;

  // What someone opened, selected or is typing in must not be taken from under their hands.
  const inUse = (part) => {
    const selection = document.getSelection();
    const selected = selection && !selection.isCollapsed && part.contains(selection.anchorNode);
    return selected || part.contains(document.activeElement);
  };

  const openIn = (part) =>
    [...part.querySelectorAll("details")].map((details) => details.open);

  const replace = (fresh) => {
    let kept = false;
    for (const old of document.querySelectorAll("[data-live]")) {
      const next = fresh.querySelector(`[data-live="${CSS.escape(old.dataset.live)}"]`);
      if (!next) continue;
      if (inUse(old)) {
        kept = true;
        continue;
      }
      const open = openIn(old);
      const adopted = document.importNode(next, true);
      [...adopted.querySelectorAll("details")].forEach((details, at) => {
        if (open[at]) details.open = true;
      });
      old.replaceWith(adopted);
    }
    if (kept) {
      say(`${many(waiting)}; load the page again to see them`, "waiting");
    } else {
      seen += waiting;
      waiting = 0;
      say(`Live: ${many(seen)} since you came`, "live");
    }
  };

  const refresh = () => {
    timer = null;
    const request = new XMLHttpRequest();
    request.open("GET", location.href);
    request.responseType = "document";
    request.onload = () => {
      if (request.status === 200 && request.response) replace(request.response);
      else say(`${many(waiting)}; load the page again to see them`, "waiting");
    };
    request.onerror = () => say("Not connected; load the page again", "lost");
    request.send();
  };

  const stream = new EventSource(address);
  stream.addEventListener("open", () => say("Live: new records appear here", "live"));
  stream.addEventListener("record", () => {
    waiting += 1;
    if (timer === null) timer = setTimeout(refresh, PAUSE_MS);
  });
  stream.addEventListener("error", () => {
    if (stream.readyState === EventSource.CLOSED) say("", "off");
    else say("Connecting again …", "lost");
  });
  addEventListener("pagehide", () => stream.close());
})();
