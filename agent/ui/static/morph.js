// Changes one element into another in place: what stays keeps its focus, selection, scroll position and half-typed input.

const tokenPlaceholder = "form-token-of-this-browser";

// The elements of a text of HTML that came as an event.
export function parse(html) {
  const template = document.createElement("template");
  const token = document.querySelector("meta[name=form-token]").content;
  template.innerHTML = html.replaceAll(tokenPlaceholder, token);
  return template.content;
}

const keyOf = (node) => (node.nodeType === Node.ELEMENT_NODE ? node.dataset?.row ?? (node.id || null) : null);

const isTyped = (element) =>
  element === document.activeElement ||
  (element.type === "checkbox" || element.type === "radio"
    ? element.checked !== element.defaultChecked
    : element.tagName !== "SELECT" && element.value !== element.defaultValue);

function morphAttributes(from, to) {
  for (const { name, value } of to.attributes) {
    if (from.getAttribute(name) !== value) from.setAttribute(name, value);
  }
  for (const { name } of [...from.attributes]) {
    if (!to.hasAttribute(name) && !(name === "open" && from.tagName === "DETAILS")) from.removeAttribute(name);
  }
}

// Change `from` into `to`, an element or fragment with the same tag.
export function morph(from, to) {
  if (from.nodeType === Node.ELEMENT_NODE && to.nodeType === Node.ELEMENT_NODE) {
    if (/^(INPUT|TEXTAREA|SELECT)$/.test(from.tagName) && isTyped(from)) return;
    if (from.isEqualNode(to)) return;
    morphAttributes(from, to);
  }
  morphChildren(from, to);
}

export function morphChildren(from, to) {
  const keyed = new Map();
  for (const child of from.childNodes) {
    const key = keyOf(child);
    if (key !== null) keyed.set(key, child);
  }
  let at = from.firstChild;
  for (const wanted of [...to.childNodes]) {
    const key = keyOf(wanted);
    let match = key !== null ? keyed.get(key) : null;
    if (key === null) {
      while (at && keyOf(at) !== null && keyOf(at) !== key && at.nodeName !== wanted.nodeName) at = at.nextSibling;
      match = at && keyOf(at) === null && at.nodeName === wanted.nodeName ? at : null;
    }
    if (match && match.nodeName === wanted.nodeName) {
      if (match !== at) from.insertBefore(match, at);
      else at = at.nextSibling;
      if (match.nodeType === Node.TEXT_NODE) {
        if (match.data !== wanted.data) match.data = wanted.data;
      } else morph(match, wanted);
      match.kept = true;
    } else {
      const added = from.insertBefore(wanted, at);
      added.kept = true;
    }
  }
  for (const child of [...from.childNodes]) {
    if (child.kept) delete child.kept;
    else child.remove();
  }
}
