// The list as it comes in, and the keys: j k (next, previous), o or Enter (open), u (back), # (delete), / (search), d (dark or light), ? (this list).
"use strict";
const rows = () => [...document.querySelectorAll("#rows a")];
const main = document.getElementById("main");
const live = document.getElementById("live");

let asked = 0, lost = false;
async function refresh() {
  const mine = ++asked;
  let answer, text;
  try {
    answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    text = await answer.text();
  } catch { gone(); return; }
  if (!answer.ok || mine !== asked) return;  // what was asked later is newer
  if (lost) { lost = false; live.replaceChildren(); }
  const at = document.activeElement?.getAttribute?.("href");
  const fresh = new DOMParser().parseFromString(text, "text/html");
  main.replaceChildren(...document.adoptNode(fresh.getElementById("main")).childNodes);
  document.querySelector(".bar #count").textContent = fresh.getElementById("count").textContent;
  document.title = fresh.title;
  const form = document.querySelector(".bar form[method=post]"), newer = fresh.querySelector(".bar form[method=post]");
  if (form && newer) form.replaceWith(newer); else if (newer) document.getElementById("face").before(newer); else form?.remove();
  if (at) rows().find((row) => row.getAttribute("href") === at)?.focus();
}

function told(text, act, does) {
  const line = document.createElement("div"), word = document.createElement("span");
  word.textContent = text;
  line.append(word);
  if (act) { const button = document.createElement("button"); button.textContent = act; button.onclick = does; line.append(button); }
  live.replaceChildren(line);
}

function gone() { lost = true; told("The sink does not answer. This page goes on when it is back."); }

// Nothing moves under the pointer: while it is over the list, or older messages are shown, what is new waits for a click.
const busy = () => document.querySelector("#rows:hover") || new URL(location).searchParams.has("after");
const list = document.querySelector(".bar form.search");
if (list) {
  let waiting = 0;
  const source = new EventSource(`/events?after=${list.dataset.changes}`);
  source.onmessage = () => {
    if (busy()) { waiting += 1; told(waiting === 1 ? "1 change" : `${waiting} changes`, "Show", show); } else refresh();
  };
  source.onerror = gone;
  source.onopen = () => { if (lost) refresh(); };
  function show() { waiting = 0; live.replaceChildren(); refresh(); }
  addEventListener("pagehide", () => source.close());
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, textarea")) {
    if (event.key === "Escape" && event.target.matches("input")) event.target.blur();
    return;
  }
  const all = rows(), at = all.indexOf(document.activeElement);
  const keys = {
    j: () => all[Math.min(at + 1, all.length - 1)]?.focus(),
    k: () => all[Math.max(at - 1, 0)]?.focus(),
    o: () => document.activeElement?.matches?.("#rows a") && document.activeElement.click(),
    u: () => document.getElementById("back")?.click(),
    "#": () => document.getElementById("delete")?.click(),
    "/": () => { event.preventDefault(); document.getElementById("q")?.focus(); },
    d: switchFace,
    "?": () => showKeys([["j k", "next, previous message"], ["o", "open it"], ["u", "back to all messages"], ["#", "delete the message"], ["/", "search"]]),
  };
  keys[event.key]?.();
});
