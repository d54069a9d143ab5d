// The command palette: searches services, nodes, keys and pages; the server finds, so it knows all of them.

let dialog, field, list, nothing;
let searching = false;
let shown = null; // the text that the results are for
let entered = false; // Enter was pressed before the results were there

export function startPalette() {
  const jump = document.querySelector("[data-palette]");
  const open = () => {
    openPalette(jump.value);
    jump.value = "";
  };
  // Not on focus: the Tab key passes the field.
  jump?.addEventListener("click", open);
  jump?.addEventListener("input", open);
}

export function openPalette(text = "") {
  dialog ??= build();
  if (!dialog.open) dialog.showModal();
  field.value = text;
  field.focus();
  [shown, entered] = [null, false];
  find();
}

function build() {
  const made = document.getElementById("palette");
  field = Object.assign(document.createElement("input"), { type: "search", placeholder: "Search or jump…", autocomplete: "off" });
  field.setAttribute("aria-label", "Search services, nodes, keys and pages");
  field.setAttribute("role", "combobox");
  field.setAttribute("aria-expanded", "true");
  field.setAttribute("aria-controls", "palette-list");
  list = Object.assign(document.createElement("ul"), { id: "palette-list" });
  list.tabIndex = -1; // it scrolls, but the arrow keys move in it
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Results");
  nothing = Object.assign(document.createElement("p"), { className: "hint", textContent: "Nothing found.", hidden: true });
  nothing.setAttribute("role", "status");
  made.append(field, list, nothing);
  field.addEventListener("input", () => {
    entered = false;
    find();
  });
  made.addEventListener("close", () => (entered = false));
  made.addEventListener("keydown", (event) => {
    const links = [...list.querySelectorAll("a")];
    const at = links.findIndex((link) => link.getAttribute("aria-selected") === "true");
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      select(links, (at + (event.key === "ArrowDown" ? 1 : -1) + links.length) % links.length);
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (shown === field.value) links[Math.max(at, 0)]?.click();
      else entered = true;
    } else if (event.key === "Escape") {
      event.preventDefault(); // it would only clear the field
      made.close();
    }
  });
  made.addEventListener("click", (event) => event.target === made && made.close());
  return made;
}

function select(links, chosen) {
  links.forEach((link, at) => link.setAttribute("aria-selected", String(at === chosen)));
  if (links[chosen]) field.setAttribute("aria-activedescendant", links[chosen].id);
  else field.removeAttribute("aria-activedescendant");
  links[chosen]?.scrollIntoView({ block: "nearest" });
}

// One search at a time: what is typed meanwhile is searched for next.
async function find() {
  if (searching) return;
  searching = true;
  try {
    while (shown !== field.value) {
      const text = field.value;
      show(await results(text));
      shown = text;
    }
    if (entered) list.querySelector("a")?.click();
  } catch {
    // The agent is away: the next letter tries again.
  } finally {
    [searching, entered] = [false, false];
  }
}

async function results(text) {
  const action = document.querySelector("form.jump").getAttribute("action");
  const answer = await fetch(`${action}?q=${encodeURIComponent(text)}`);
  return [...new DOMParser().parseFromString(await answer.text(), "text/html").querySelectorAll("#results a")];
}

function show(links) {
  const found = links.map((link, at) => {
    const item = document.createElement("li");
    item.setAttribute("role", "none");
    for (const [name, value] of [["role", "option"], ["tabindex", "-1"], ["id", `palette-${at}`]]) link.setAttribute(name, value);
    item.append(document.adoptNode(link));
    return item;
  });
  list.replaceChildren(...found);
  nothing.hidden = found.length > 0;
  select([...list.querySelectorAll("a")], 0);
}
