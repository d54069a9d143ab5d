// Checks a field while one types: the form is sent with `do=check`, and the result stands in the element `data-check`.
import { morphChildren } from "./morph.js";

let newest = 0;
let timer = 0;

export function startChecks() {
  document.addEventListener("input", ({ target }) => {
    if (!target.dataset?.check) return;
    clearTimeout(timer);
    timer = setTimeout(() => check(target), 250);
  });
}

async function check(field) {
  const mine = ++newest;
  const data = new URLSearchParams(new FormData(field.form));
  data.set("do", "check");
  try {
    const response = await fetch(location.href, { method: "POST", body: data });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const found = page.getElementById(field.dataset.check);
    if (mine === newest && found) morphChildren(document.getElementById(field.dataset.check), document.adoptNode(found));
  } catch {
    // The connection state says it.
  }
}
