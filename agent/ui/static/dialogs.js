// Questions before actions open in a dialog instead of a page; texts are copied with one click.

export function startDialogs() {
  const dialog = document.getElementById("dialog");
  document.addEventListener("click", async (event) => {
    const link = event.target.closest?.("a[data-question]");
    if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey && event.button === 0) {
      event.preventDefault();
      return ask(dialog, link.href);
    }
    if (event.target.closest?.("[data-close]") && dialog.open) {
      event.preventDefault();
      dialog.close();
    }
    const all = event.target.closest?.("input[data-all]");
    if (all) for (const box of all.form.querySelectorAll("[data-row] input[type=checkbox]")) box.checked = all.checked;
    const button = event.target.closest?.("button[data-copy]");
    if (button) copy(button);
  });
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("form[data-question]")) return;
    event.preventDefault();
    ask(dialog, `${form.action}?${new URLSearchParams(new FormData(form, event.submitter))}`);
  });
}

async function ask(dialog, address) {
  let question = null;
  try {
    const response = await fetch(address, { headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    question = page.getElementById("question");
  } catch {
    // The page itself shows what is wrong.
  }
  if (!question) return location.assign(address);
  dialog.replaceChildren(document.adoptNode(question));
  dialog.showModal();
  (dialog.querySelector("input:not([type=hidden]), textarea, select") ?? dialog.querySelector("[data-close]"))?.focus();
}

async function copy(button) {
  const said = button.textContent;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Not allowed by the browser";
  }
  setTimeout(() => (button.textContent = said), 1500);
}
