// Elements, and questions in a dialog. Text always becomes a text node: no name is ever parsed.

/** @returns the element of that selector, or null. */
export const one = (selector, within = document) => within.querySelector(selector);
/** @returns all elements of that selector. */
export const all = (selector, within = document) => [...within.querySelectorAll(selector)];

/** Makes an element. Functions among the properties are listeners. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** Makes an icon from icons.svg, which lies beside this module. */
export function icon(name) {
  const ns = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(ns, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(ns, "use");
  use.setAttribute("href", new URL("icons.svg", import.meta.url).pathname + "#" + name);
  svg.append(use);
  return svg;
}

/** Tells a screen reader. */
export function say(text) {
  const live = one("#live");
  if (live) live.textContent = text;
}

const noSingleKeys = "kvault-no-single-keys";

/** @returns whether keys of one character run commands. With a value, it is kept as the choice. */
export function singleKeys(on) {
  try {
    if (on === true) localStorage.removeItem(noSingleKeys);
    if (on === false) localStorage.setItem(noSingleKeys, "1");
    return !localStorage.getItem(noSingleKeys);
  } catch {
    return true; // nothing may be kept
  }
}

/** Fetches a page of this server and returns its document, which runs nothing. */
export async function page(url) {
  const answer = await fetch(url, { credentials: "same-origin" });
  const found = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (!answer.ok) throw new Error(one("#main p", found)?.textContent || answer.statusText);
  return found;
}

/** Fetches from the server, and throws what it says if it refuses. */
export async function request(method, url, headers = {}, body = undefined) {
  const answer = await fetch(url, { method, headers, body, credentials: "same-origin" });
  if (!answer.ok) throw await refusal(answer.status, await answer.text());
  return answer;
}

/** @returns an Error with the text of a refusal, and its status. */
export function refusal(status, text) {
  let message = `the server answered with status ${status}`;
  try {
    message = JSON.parse(text).error || message;
  } catch {
    /* no answer of this server, such as a proxy's */
  }
  return Object.assign(new Error(message), { status });
}

export const post = (url, value) =>
  request("POST", url, { "Content-Type": "application/json" }, JSON.stringify(value));

/**
 * Asks in a dialog, and returns the value of the button that was chosen, or null.
 * @param buttons pairs of a value and a label; the last is what Enter chooses
 * @param check is called with the value before the dialog closes; its Error is shown in it
 */
export function ask({
  title,
  content = [],
  buttons,
  danger = false,
  cancel = true,
  check = async () => {},
}) {
  return new Promise((resolve) => {
    const error = make("p", { class: "error", role: "alert" });
    const form = make(
      "form",
      { method: "dialog" },
      make("h2", { id: "dialog-title" }, title),
      ...content,
      error,
    );
    const dialog = make("dialog", { id: "dialog", "aria-labelledby": "dialog-title" }, form);
    const row = make("div", { class: "buttons" });
    if (cancel)
      row.append(
        make(
          "button",
          { type: "button", class: "button", id: "dialog-cancel", click: () => dialog.close() },
          "Cancel",
        ),
      );
    buttons.forEach(([value, label], i) => {
      const last = i === buttons.length - 1;
      const kind = last ? (danger ? "danger" : "primary") : "";
      row.append(
        make(
          "button",
          {
            type: last ? "submit" : "button",
            class: `button ${kind}`,
            value,
            "data-choice": value,
            click: (e) => {
              if (!last) choose(e, value);
            },
          },
          label,
        ),
      );
    });
    let chosen = null;
    async function choose(event, value) {
      event.preventDefault();
      error.textContent = "";
      const parts = all("button", row);
      parts.forEach((b) => {
        b.disabled = true;
      });
      try {
        await check(value);
        chosen = value;
        dialog.close();
      } catch (e) {
        error.textContent = e.message + ".";
        parts.forEach((b) => {
          b.disabled = false;
        });
      }
    }
    form.addEventListener("submit", (e) => choose(e, buttons.at(-1)[0]));
    form.append(row);
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(chosen);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Tells in a dialog. */
export const tell = (title, ...content) =>
  ask({ title, content, cancel: false, buttons: [["ok", "Close"]] });
