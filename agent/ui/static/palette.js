// The command palette: searches services, nodes, keys and pages; the server finds, so it knows all of them.

let dialog, field, list, nothing;
let newest = 0;

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
  field.addEventListener("input", find);
  made.addEventListener("keydown", (event) => {
    const links = [...list.querySelectorAll("a")];
    const at = links.findIndex((link) => link.getAttribute("aria-selected") === "true");
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      select(links, (at + (event.key === "ArrowDown" ? 1 : -1) + links.length) % links.length);
    } else if (event.key === "Enter" && links.length) {
      event.preventDefault();
      links[Math.max(at, 0)].click();
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

async function find() {
  const mine = ++newest;
  const form = document.querySelector("form.jump");
  const address = `${form.getAttribute("action")}?q=${encodeURIComponent(field.value)}`;
  let page;
  try {
    page = new DOMParser().parseFromString(await (await fetch(address)).text(), "text/html");
  } catch {
    return;
  }
  if (mine !== newest) return;
  const found = [...page.querySelectorAll("#results a")].map((link, at) => {
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
