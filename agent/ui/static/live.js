// Keeps the page up to date: takes changed regions from the worker that all tabs share, and says when the connection is lost.
import { reload } from "./forms.js";
import { morph, morphChildren, parse } from "./morph.js";

const body = document.body;
let port = null;

export function startLive() {
  if (body.dataset.refresh) return startRefresh(Number(body.dataset.refresh) * 1000);
  if (!body.dataset.version || !window.EventSource) return;
  if (window.SharedWorker) {
    port = new SharedWorker(body.dataset.worker, { name: "pyconsul", type: "module" }).port;
    port.onmessage = (event) => take(event.data);
    port.start();
  } else {
    import("./worker.js").then(({ Connections }) => {
      const connections = new Connections();
      const tab = { postMessage: take };
      port = { postMessage: (message) => connections.take(tab, message) };
      announce();
    });
  }
  announce();
  document.addEventListener("visibilitychange", announce);
  addEventListener("pagehide", () => port?.postMessage({ kind: "close" }));
  addEventListener("pageshow", announce);
}

// Pages of the agent itself, which no server can render: asked for again every few seconds.
function startRefresh(wait) {
  if (!wait) return;
  let since = 0;
  showConnection({ since });
  setInterval(async () => {
    if (document.visibilityState !== "visible") return;
    try {
      const response = await fetch(body.dataset.address);
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      for (const region of page.querySelectorAll("[data-live]")) {
        const shown = document.getElementById(region.id);
        if (shown) morphChildren(shown, document.adoptNode(region));
      }
      since = 0;
    } catch {
      since ||= Date.now();
    }
    showConnection({ since });
  }, wait);
}

// Tell the worker which page this tab shows, and in which version.
export function announce() {
  const { address, version, liveAddress, session } = body.dataset;
  const visible = document.visibilityState === "visible";
  port?.postMessage({ kind: visible ? "show" : "hide", page: address, version, live: liveAddress, session });
}

function take(message) {
  if (message.kind === "connection") return showConnection(message);
  if (message.kind === "assets") {
    const used = body.dataset.worker.split("/").at(-2);
    if (used !== message.assets) reload();
    return;
  }
  if (message.page !== body.dataset.address) return;
  if (message.kind === "reload") return reload();
  if (message.kind === "gone") return leave();
  for (const [id, region] of Object.entries(message.regions)) apply(id, region);
  document.title = document.title.replace(/^[^·]*·/, `${message.title} ·`);
  body.dataset.version = message.version;
}

// The page is an error for the stream: loaded again if it is one for this browser, too.
async function leave() {
  if ("error" in body.dataset) return;
  const { ok } = await fetch(body.dataset.address, { method: "HEAD", cache: "no-store" }).catch(() => ({ ok: true }));
  if (!ok) reload();
}

export function showConnection({ since }) {
  const shown = document.getElementById("connection");
  const text = since ? `◌ stale since ${new Date(since).toTimeString().slice(0, 8)}, reconnecting` : "● live";
  if (shown.textContent !== text) shown.textContent = text;
  shown.classList.toggle("stale", Boolean(since));
}

const held = new Map(); // region -> the newest order of its rows, while the pointer is over it

function apply(id, region) {
  const element = document.getElementById(id);
  if (!element?.hasAttribute("data-live")) return; // an input may have the name of a region
  if (region.html !== undefined) {
    if (held.has(id)) release(id);
    return morphChildren(element, parse(region.html));
  }
  const rows = new Map([...element.querySelectorAll("[data-row]")].map((row) => [row.dataset.row, row]));
  const added = new Map(held.get(id)?.added);
  for (const [name, html] of Object.entries(region.rows)) {
    const [row] = parse(html).children;
    if (!rows.has(name)) added.set(name, row);
    else if (!rows.get(name).isEqualNode(row)) {
      morph(rows.get(name), row);
      flash(rows.get(name));
    }
  }
  const order = [...rows.keys()];
  const moves = region.order.length !== order.length || region.order.some((name, at) => name !== order[at]);
  if (!moves) return release(id);
  held.set(id, { order: region.order, added, count: (held.get(id)?.count ?? 0) + 1 });
  if (element.matches(":hover")) hold(element);
  else release(id);
}

// Rows do not move under the pointer: offer the change instead.
function hold(element) {
  let button = element.querySelector(":scope > .held");
  if (!button) {
    button = document.createElement("button");
    button.className = "held";
    button.onclick = () => release(element.id);
    element.prepend(button);
    element.addEventListener("mouseleave", () => release(element.id), { once: true });
  }
  const { count } = held.get(element.id);
  button.textContent = `${count} ${count === 1 ? "change" : "changes"}, show`;
}

function release(id) {
  const element = document.getElementById(id);
  element?.querySelector(":scope > .held")?.remove();
  const change = held.get(id);
  if (!change || !element) return;
  held.delete(id);
  const rows = new Map([...element.querySelectorAll("[data-row]")].map((row) => [row.dataset.row, row]));
  const parent = [...rows.values()][0]?.parentNode ?? element.querySelector("tbody") ?? element;
  let at = [...rows.values()][0] ?? null;
  for (const name of change.order) {
    const row = rows.get(name) ?? change.added.get(name);
    if (!row) continue;
    if (row === at) at = at.nextElementSibling;
    else parent.insertBefore(row, at);
    if (!rows.has(name)) flash(row);
  }
  const wanted = new Set(change.order);
  for (const [name, row] of rows) if (!wanted.has(name)) row.remove();
}

function flash(row) {
  row.classList.add("changed");
  setTimeout(() => row.classList.remove("changed"), 1500);
}
