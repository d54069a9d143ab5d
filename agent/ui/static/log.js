// The log of the agent as it is written; the page follows its end unless it was scrolled up.
import { showConnection } from "./live.js";

const MOST = 2000;
const list = document.getElementById("log");
let since = 0;

function add(text) {
  const line = document.createElement("div");
  line.textContent = text;
  line.className = { WARN: "warning", ERROR: "critical" }[/\[(\w+)\]/.exec(text)?.[1]] ?? "";
  list.append(line);
}

function take(lines) {
  const atEnd = list.scrollTop + list.clientHeight >= list.scrollHeight - 8;
  lines.forEach(add);
  while (list.childElementCount > MOST) list.firstElementChild.remove();
  if (atEnd) list.scrollTop = list.scrollHeight;
}

const source = new EventSource(list.dataset.stream);
source.addEventListener("recent", (event) => {
  list.replaceChildren();
  take(JSON.parse(event.data).lines);
  list.scrollTop = list.scrollHeight;
});
source.addEventListener("lines", (event) => take(JSON.parse(event.data).lines));
source.onopen = () => showConnection({ since: (since = 0) });
source.onerror = () => showConnection({ since: (since ||= Date.now()) });
