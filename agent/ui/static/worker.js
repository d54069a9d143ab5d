// Shared by all tabs of a browser: one stream of events for all pages that are visible.

export class Connections {
  constructor() {
    this.tabs = new Map(); // tab -> { page, version, live, session } while it is visible
    this.versions = new Map(); // page -> version of the last event
    this.source = null;
    this.opened = "";
    this.staleSince = 0;
    this.lastSign = Date.now();
    this.retry = 500;
    setInterval(() => this.check(), 5000);
  }

  take(tab, message) {
    if (message.kind === "show") {
      this.tabs.set(tab, message);
      this.versions.set(message.page, message.version);
    } else this.tabs.delete(tab);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.open(), 30);
    if (message.kind === "show" && this.source) tab.postMessage({ kind: "connection", since: this.staleSince });
  }

  // Open the stream of the visible pages, unless it is open already.
  open(force = false) {
    const shown = [...this.tabs.values()];
    const pages = [...new Set(shown.map((tab) => tab.page))].sort();
    const key = JSON.stringify([pages, shown.map((tab) => tab.session).sort().at(-1), shown[0]?.live]);
    if (key === this.opened && !force && this.source?.readyState !== 2) {
      for (const page of pages) if (this.seen?.get(page) !== this.versions.get(page)) force = true;
      if (!force) return;
    }
    this.opened = key;
    this.source?.close();
    this.source = null;
    if (!pages.length) return;
    this.seen = new Map(pages.map((page) => [page, this.versions.get(page)]));
    const query = new URLSearchParams(pages.flatMap((page) => [["page", page], ["seen", this.versions.get(page) ?? ""]]));
    const source = (this.source = new EventSource(`${shown[0].live}?${query}`));
    source.onerror = () => this.lost(source);
    source.addEventListener("hello", (event) => {
      this.retry = 500;
      this.sign();
      this.say({ kind: "assets", ...JSON.parse(event.data) });
    });
    source.addEventListener("alive", () => this.sign());
    for (const kind of ["reload", "gone"]) source.addEventListener(kind, (event) => this.say({ kind, ...JSON.parse(event.data) }));
    source.addEventListener("page", (event) => {
      const change = JSON.parse(event.data);
      this.versions.set(change.page, change.version);
      this.seen.set(change.page, change.version);
      this.sign();
      this.say({ kind: "page", ...change });
    });
  }

  sign() {
    this.lastSign = Date.now();
    if (this.staleSince || !this.wasLive) {
      this.staleSince = 0;
      this.wasLive = true;
      this.say({ kind: "connection", since: 0 });
    }
  }

  lost(source) {
    if (source !== this.source) return;
    source.close();
    if (!this.staleSince) this.staleSince = this.lastSign = Date.now();
    this.say({ kind: "connection", since: this.staleSince });
    clearTimeout(this.again);
    this.again = setTimeout(() => source === this.source && this.open(true), this.retry);
    this.retry = Math.min(this.retry * 2, 5000);
  }

  // A connection that says nothing for long is dead, even if it was not closed.
  check() {
    if (this.source && Date.now() - this.lastSign > 35_000) this.lost(this.source);
  }

  say(message) {
    for (const [tab, { page }] of this.tabs) if (!message.page || message.page === page) tab.postMessage(message);
  }
}

if (typeof SharedWorkerGlobalScope !== "undefined") {
  const connections = new Connections();
  self.onconnect = ({ ports: [port] }) => {
    port.onmessage = (event) => connections.take(port, event.data);
    port.start();
  };
}
