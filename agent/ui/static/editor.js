// The editor of a value: says what is wrong with its syntax while one types, and when the key has changed meanwhile.

export function startEditor(form) {
  const { value, syntax, name, index } = form.elements;
  const said = form.querySelector("#syntax-said");
  let timer = 0, newest = 0, typed = false;

  async function check() {
    const mine = ++newest;
    const body = new FormData();
    for (const [field, text] of [["form", form.elements.form.value], ["do", "check"], ["value", value.value], ["syntax", syntax.value]]) body.append(field, text);
    if (name) body.append("name", name.value);
    try {
      const response = await fetch(location.href, { method: "POST", body });
      const verdict = response.ok ? await response.json() : {};
      if (mine !== newest) return;
      said.textContent = verdict.text ?? "";
      said.classList.toggle("error", verdict.right === false);
    } catch {
      // the connection state says it
    }
  }

  form.addEventListener("input", () => {
    typed = true;
    if (!value) return;
    clearTimeout(timer);
    timer = setTimeout(check, 300);
  });
  form.addEventListener("submit", () => (typed = false));
  addEventListener("beforeunload", (event) => typed && event.preventDefault());

  const meanwhile = document.getElementById("meanwhile");
  if (!meanwhile) return;
  const look = () => {
    const banner = meanwhile.querySelector("[data-index]");
    const same = banner?.dataset.index === index.value;
    if (banner && banner.hidden !== same) banner.hidden = same;
  };
  new MutationObserver(look).observe(meanwhile, { childList: true, subtree: true, attributes: true });
  look();
}
