// The page asks again by itself, and keeps the focus where it is. Keys: r (ask now), d (dark or light), ? (these keys).
"use strict";
const main = document.getElementById("main");
const live = document.getElementById("live");
const EVERY = 5000;

function localTimes() {
  for (const each of document.querySelectorAll("time[datetime]")) {
    const when = new Date(each.dateTime);
    if (Number.isNaN(when.getTime())) continue;
    each.title = when.toLocaleString();
    if ("clock" in each.dataset) each.textContent = when.toLocaleTimeString();
  }
}

function told(text) {
  if (live.textContent === text) return;
  live.replaceChildren();
  if (!text) return;
  const line = document.createElement("div");
  line.textContent = text;
  live.append(line);
}

let asking = false;
async function refresh() {
  if (asking) return;
  asking = true;
  try {
    const answer = await fetch("/", { headers: { Accept: "text/html" }, signal: AbortSignal.timeout(20000) });
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (fresh.getElementById("entry")) { location.reload(); return; }
    if (!answer.ok) { told("The spool cannot be read this moment. This page goes on when it can."); return; }
    main.replaceChildren(...document.adoptNode(fresh.getElementById("main")).childNodes);
    document.getElementById("age").replaceWith(document.adoptNode(fresh.getElementById("age")));
    document.title = fresh.title;
    localTimes();
    told("");
  } catch {
    told("The server does not answer. What is shown is old; this page goes on when it is back.");
  } finally {
    asking = false;
  }
}

// Nothing is taken away from whoever selects something to copy it, and a page that nobody sees asks nothing.
const busy = () => document.hidden || String(getSelection()) !== "" || document.querySelector("dialog[open]");
async function again() {
  const began = Date.now();
  if (!busy()) await refresh();
  setTimeout(again, Math.max(EVERY, 10 * (Date.now() - began)));
}
localTimes();
setTimeout(again, EVERY);

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, textarea")) return;
  if (event.key === "r") refresh();
  if (event.key === "d") switchFace();
  if (event.key === "?") showKeys([["r", "ask now"]]);
});
