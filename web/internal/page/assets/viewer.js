// The page of a file: zoom, neighbours by keys, more text, copies of the commands, dialogs.
import { one, all, make, ask, page, request, say, singleKeys } from "./dom.js";
import * as keys from "./keys.js";

const actions = one("#actions");
const { key, etag, folderUrl } = actions.dataset;

/** A zoomed image, or null where there is no image. */
const zoom = one("#stage") && zoomable(one("#stage"), one("#image"));

/** Makes an image larger and smaller around a point, and movable where it is larger than its stage. */
function zoomable(stage, image) {
  const level = one("#zoom-level");
  let scale = null; // null fits the image into the stage
  const current = () => image.clientWidth / image.naturalWidth;

  function set(wanted, x = stage.clientWidth / 2, y = stage.clientHeight / 2) {
    if (!image.naturalWidth) return;
    const box = image.getBoundingClientRect();
    const at = stage.getBoundingClientRect();
    const share = [(at.left + x - box.left) / box.width, (at.top + y - box.top) / box.height];
    scale = wanted && Math.min(Math.max(wanted, 0.02), 32);
    stage.classList.toggle("zoomed", scale !== null);
    image.style.width = scale === null ? "" : `${Math.max(1, image.naturalWidth * scale)}px`;
    if (scale !== null) {
      const now = image.getBoundingClientRect();
      stage.scrollLeft += now.left + share[0] * now.width - at.left - x;
      stage.scrollTop += now.top + share[1] * now.height - at.top - y;
    }
    show();
  }
  function show() {
    level.textContent = `${Math.round(current() * 100)} %`;
    one("#zoom-fit").setAttribute("aria-pressed", String(scale === null));
    one("#zoom-full").setAttribute("aria-pressed", String(scale === 1));
  }
  const by = (factor, x, y) => set(current() * factor, x, y);

  one("#zoom-fit").addEventListener("click", () => set(null));
  one("#zoom-full").addEventListener("click", () => set(1));
  one("#zoom-in").addEventListener("click", () => by(1.25));
  one("#zoom-out").addEventListener("click", () => by(0.8));
  stage.addEventListener("dblclick", (e) => set(scale === null ? 1 : null, ...within(e)));
  stage.addEventListener(
    "wheel",
    (e) => {
      e.preventDefault();
      by(2 ** (-Math.max(-100, Math.min(100, e.deltaY)) / 300), ...within(e));
    },
    { passive: false },
  );
  const within = (e) => {
    const at = stage.getBoundingClientRect();
    return [e.clientX - at.left, e.clientY - at.top];
  };
  stage.addEventListener("pointerdown", (e) => {
    if (scale === null || e.button !== 0 || e.pointerType === "touch") return;
    e.preventDefault();
    stage.focus();
    stage.setPointerCapture(e.pointerId);
    stage.classList.add("dragging");
  });
  stage.addEventListener("pointermove", (e) => {
    if (!stage.classList.contains("dragging")) return;
    stage.scrollLeft -= e.movementX;
    stage.scrollTop -= e.movementY;
  });
  for (const end of ["pointerup", "pointercancel"]) {
    stage.addEventListener(end, () => stage.classList.remove("dragging"));
  }
  const loaded = () => (image.naturalWidth ? show() : unshown());
  if (image.complete) loaded();
  image.addEventListener("load", loaded);
  return { set, by, moves: () => scale !== null && document.activeElement === stage };
}

/** Says that the browser cannot show the value. */
function unshown() {
  one("#unshown").hidden = false;
}
one("#image")?.addEventListener("error", unshown);
one("#media")?.addEventListener("error", unshown);

/** Puts the following part of a text behind the one that is shown, and hides nothing. */
async function more(event) {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const link = event.currentTarget;
  if (link.getAttribute("aria-busy")) return;
  link.setAttribute("aria-busy", "true");
  try {
    const next = await page(link.href);
    const text = one("#text", next);
    one("#text").append(text ? text.textContent : "");
    const range = one("#range", next)?.textContent.match(/to (.*)/);
    if (range) one("#range").textContent = one("#range").textContent.replace(/to .*/, range[0]);
    const following = one("#part-next", next);
    if (following) link.href = following.getAttribute("href");
    else link.remove();
    say("More is shown");
  } catch (e) {
    say(e.message);
    location.href = link.href; // shows what is wrong
  } finally {
    link.removeAttribute("aria-busy");
  }
}
one(".viewer.text #part-next")?.addEventListener("click", more);

for (const button of all(".copy-text")) {
  button.addEventListener("click", async () => {
    const code = one(`#${button.dataset.copy}`);
    try {
      await navigator.clipboard.writeText(code.textContent);
      say("Copied");
      button.classList.add("copied");
      setTimeout(() => button.classList.remove("copied"), 1500);
    } catch {
      // Browsers keep the clipboard from pages without TLS that are not on this machine.
      getSelection().selectAllChildren(code);
      say("Selected: copy it with the keyboard");
    }
  });
}

/** Another row for an entry as soon as the last one is used. */
one("#metadata fieldset")?.addEventListener("input", (event) => {
  const rows = all(".row", event.currentTarget);
  const last = rows.at(-1);
  if (all("input, textarea", last).every((field) => !field.value)) return;
  const row = last.cloneNode(true);
  for (const field of all("input, textarea", row)) {
    field.value = "";
    field.textContent = "";
    field.removeAttribute("value");
  }
  last.after(row);
});

/** Asks for a key, and gives the value that key. */
async function relocate(method, title, label, suggestion) {
  const input = make("input", {
    type: "text",
    value: suggestion,
    required: true,
    autocomplete: "off",
    spellcheck: "false",
  });
  const box = make("input", { type: "checkbox" });
  let to = "";
  const done = ask({
    title,
    content: [
      make("label", {}, "Key, with its folders", input),
      make("label", { class: "check" }, box, "Replace what has this key"),
    ],
    buttons: [[method, label]],
    check: async () => {
      to = input.value === keys.text(key) ? key : keys.encode(input.value);
      if (to === key) throw new Error("This is its key already");
      await request(method, keys.url("/v/", key), {
        Destination: keys.url("/v/", to),
        Overwrite: box.checked ? "T" : "F",
      });
    },
  });
  const name = suggestion.lastIndexOf("/") + 1;
  const dot = suggestion.lastIndexOf(".");
  input.setSelectionRange(name, dot > name ? dot : suggestion.length);
  if (await done) location.href = keys.url("/view/", to);
}
const rename = () => relocate("MOVE", "Rename or move this file", "Rename", keys.text(key));
const copy = () => relocate("COPY", "Copy this file", "Copy", keys.text(keys.numbered(key, 2)));

async function remove() {
  const gone = await ask({
    title: "Delete this file?",
    content: [
      make("p", {}, make("bdi", {}, keys.text(key))),
      make("p", {}, "This cannot be undone."),
    ],
    buttons: [["delete", "Delete"]],
    danger: true,
    check: () => request("DELETE", keys.url("/v/", key), etag ? { "If-Match": etag } : {}),
  });
  if (gone) location.href = one("#next")?.href ?? one("#previous")?.href ?? folderUrl;
}
one("#rename")?.addEventListener("click", rename);
one("#copy")?.addEventListener("click", copy);
one("#delete")?.addEventListener("click", (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  remove();
});

const follow = (selector) => () => one(selector)?.click();
const bindings = {
  ArrowLeft: follow("#previous"),
  ArrowRight: follow("#next"),
  k: follow("#previous"),
  j: follow("#next"),
  u: () => {
    location.href = folderUrl;
  },
  F2: () => one("#rename")?.click(),
  Delete: () => one("#delete")?.click(),
  "+": () => zoom?.by(1.25),
  "=": () => zoom?.by(1.25),
  "-": () => zoom?.by(0.8),
  0: () => zoom?.set(null),
  1: () => zoom?.set(1),
};

document.addEventListener("keydown", (event) => {
  const target = event.target;
  const used =
    target.closest?.("input, textarea, select, video, audio, dialog, [contenteditable]") ||
    one("dialog[open]");
  const scrolls =
    event.key.startsWith("Arrow") && (zoom?.moves() || target.closest?.("pre, #tree"));
  if (
    used ||
    scrolls ||
    event.defaultPrevented ||
    event.ctrlKey ||
    event.metaKey ||
    event.altKey ||
    (event.key.length === 1 && !singleKeys()) ||
    !(event.key in bindings)
  )
    return;
  event.preventDefault();
  bindings[event.key]();
});
