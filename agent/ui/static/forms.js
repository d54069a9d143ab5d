// Keeps what was typed: nothing is sent to an agent that does not answer, and no page with it is loaded again.

const sending = new WeakSet();

export function startForms() {
  document.addEventListener("submit", guard, { capture: true });
}

// While the connection is lost: a browser would show its own page instead of the form.
async function guard(event) {
  const form = event.target;
  const lost = document.getElementById("connection").classList.contains("stale");
  if (!lost || form.method !== "post" || form.matches("[data-question]") || sending.delete(form)) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  try {
    await fetch(location.href, { method: "HEAD", cache: "no-store" });
  } catch {
    return say(form, "The agent does not answer: nothing was sent. What you typed is kept; try again later.");
  }
  sending.add(form);
  form.requestSubmit(event.submitter);
}

const isChanged = (field) =>
  field.tagName === "SELECT"
    ? [...field.options].some((option) => option.selected !== option.defaultSelected)
    : field.value !== field.defaultValue;

const fields = "textarea, select, input:not([type=hidden], [type=checkbox], [type=radio])";

// Load the page again, unless something was typed into one of its forms.
export function reload() {
  const form = [...document.querySelectorAll("form[method=post]")].find((one) => [...one.querySelectorAll(fields)].some(isChanged));
  if (!form) return location.reload();
  say(form, "This page has changed, or you may not see it any more. What you typed is kept: copy it, and load the page again.");
}

function say(form, text) {
  let note = form.querySelector(":scope > .kept");
  if (!note) {
    note = Object.assign(document.createElement("p"), { className: "note refused kept" });
    note.setAttribute("role", "alert");
    form.prepend(note);
  }
  note.textContent = text;
  note.scrollIntoView({ block: "nearest" });
}
