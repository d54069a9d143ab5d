// Keyboard: / filter, j and k move, Enter opens, ? shows the keys, Ctrl-K searches; Escape closes dialogs by itself.
import { openPalette } from "./palette.js";

const keys = [
  ["Ctrl-K", "search or jump to anything"],
  ["/", "filter this list"],
  ["j k", "next and previous row"],
  ["Enter", "open the row"],
  ["g then o s n k a", "overview, services, nodes, key/value, access"],
  ["Escape", "close"],
  ["?", "these keys"],
];
const pages = { o: "overview", s: "services", n: "nodes", k: "kv", a: "acls/tokens" };
let afterG = 0;

export function startKeys() {
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      return openPalette();
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest?.("input, textarea, select, [contenteditable], dialog")) return;
    if (event.timeStamp - afterG < 1500 && pages[event.key]) {
      const brand = document.querySelector(".brand").getAttribute("href");
      return location.assign(`${brand}/${pages[event.key]}`);
    }
    afterG = event.key === "g" ? event.timeStamp : 0;
    if (event.key === "/") {
      const field = document.querySelector("[data-filter]") ?? document.querySelector("[data-palette]");
      event.preventDefault();
      field?.focus();
      field?.select();
    } else if (event.key === "j" || event.key === "k") move(event.key === "j" ? 1 : -1);
    else if (event.key === "?") showKeys();
  });
}

function move(step) {
  const links = [...document.querySelectorAll("main [data-row]")].map((row) => row.querySelector("a, button")).filter(Boolean);
  const at = links.indexOf(document.activeElement);
  links[at < 0 ? (step > 0 ? 0 : links.length - 1) : Math.min(Math.max(at + step, 0), links.length - 1)]?.focus();
}

function showKeys() {
  const dialog = document.getElementById("keys");
  if (!dialog.firstChild) {
    const title = Object.assign(document.createElement("h2"), { id: "keys-title", textContent: "Keys" });
    const list = document.createElement("dl");
    for (const [key, text] of keys) {
      const term = document.createElement("dt");
      term.append(Object.assign(document.createElement("kbd"), { textContent: key }));
      list.append(term, Object.assign(document.createElement("dd"), { textContent: text }));
    }
    const form = Object.assign(document.createElement("form"), { method: "dialog" });
    form.append(Object.assign(document.createElement("button"), { textContent: "Close" }));
    dialog.append(title, list, form);
  }
  dialog.showModal();
}
