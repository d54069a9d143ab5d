// Filters of lists: the list follows while one types or chooses, and the address keeps it, so that it can be shared.
import { announce } from "./live.js";
import { morphChildren } from "./morph.js";

let newest = 0;

export function startFilters() {
  let timer = 0;
  const soon = (form, wait) => {
    clearTimeout(timer);
    timer = setTimeout(() => show(form), wait);
  };
  document.addEventListener("input", (event) => {
    const form = event.target.closest?.("form[data-filters]");
    if (form) soon(form, event.target.tagName === "SELECT" ? 0 : 150);
  });
  document.addEventListener("submit", (event) => {
    if (event.target.matches("form[data-filters]")) {
      event.preventDefault();
      soon(event.target, 0);
    }
  });
}

function show(form) {
  const query = new URLSearchParams([...new FormData(form)].filter(([, value]) => value !== ""));
  const path = form.getAttribute("action") || location.pathname;
  return replaceContent(query.size ? `${path}?${query}` : path);
}

// Show another address of the same page without leaving it.
export async function replaceContent(address) {
  const mine = ++newest;
  let page;
  try {
    const response = await fetch(address, { headers: { Accept: "text/html" } });
    page = new DOMParser().parseFromString(await response.text(), "text/html");
  } catch {
    return; // the connection state says it
  }
  if (mine !== newest) return;
  morphChildren(document.getElementById("content"), document.adoptNode(page.getElementById("content")));
  history.replaceState(null, "", address);
  document.title = page.title;
  document.body.dataset.address = page.body.dataset.address;
  document.body.dataset.version = page.body.dataset.version;
  announce();
}
