// What all pages share: dark or light, and the list of keys. It stands in the head and waits for nothing, so no page flashes in the wrong colours.
"use strict";
const night = matchMedia("(prefers-color-scheme: dark)");
const root = document.documentElement;
const dark = () => (root.dataset.face ? root.dataset.face === "dark" : night.matches);

function kept(face) { // what this browser was told, where it keeps anything; "" is to follow the system
  try {
    if (face === "") localStorage.removeItem("face");
    else if (face) localStorage.setItem("face", face);
    return localStorage.getItem("face") || "";
  } catch { return face || ""; }
}

function wear(face) {
  if (face === "dark" || face === "light") root.dataset.face = face; else delete root.dataset.face;
  const button = document.getElementById("face");
  if (!button) return;
  button.hidden = false;
  button.textContent = dark() ? "Light" : "Dark";
  button.title = dark() ? "Show pages in light colours" : "Show pages in dark colours";
}

function switchFace() {
  const next = dark() ? "light" : "dark";
  wear(kept((next === "dark") === night.matches ? "" : next));
}

wear(kept());
night.addEventListener("change", () => wear(kept()));
addEventListener("storage", () => wear(kept()));
addEventListener("DOMContentLoaded", () => {
  wear(kept());
  document.getElementById("face").addEventListener("click", switchFace);
});

function showKeys(keys) {
  if (document.querySelector("dialog")) return;
  const box = document.createElement("dialog");
  for (const [key, what] of [...keys, ["d", "dark or light"], ["?", "these keys"]]) {
    const line = document.createElement("p"), name = document.createElement("kbd");
    name.textContent = key;
    line.append(name, ` ${what}`);
    box.append(line);
  }
  document.body.append(box);
  box.addEventListener("close", () => box.remove());
  box.showModal();
}
