// Uploads: a queue, a panel that shows it, and the question what to do about names that exist.
import { one, make, icon, ask, say } from "./dom.js";
import * as keys from "./keys.js";
import * as list from "./list.js";
import * as tus from "./tus.js";
import { showStatus } from "./frame.js";

const atOnce = 3;
const shownDone = 50; // entries of finished uploads that stay in the panel
const queue = []; // tasks that wait
const running = new Set();
const held = new Set(); // paused or failed
const total = { files: 0, done: 0, bytes: 0, doneBytes: 0 };
let stopped = false; // by the button that pauses all
let forAll = null; // the answer to the question, for all files
let asking = Promise.resolve(); // one question at a time
let refreshed = 0;

/** @returns whether uploads are under way. */
export const busy = () => running.size + queue.length > 0;

/** Asks again about names that exist, unless uploads are under way. */
export function fresh() {
  if (!busy()) forAll = null;
}

/** Has files uploaded into the folder of the page. */
export function addFiles(found) {
  if (found.length === 0) return;
  for (const { file, path } of found) {
    queue.push({ file, key: list.prefix() + keys.encode(path), path, sent: 0, replace: false });
    total.files++;
    total.bytes += file.size;
  }
  one("#unfinished")?.remove();
  pump();
}

function pump() {
  while (!stopped && running.size < atOnce && queue.length > 0) run(queue.shift());
  panel();
  show();
}

async function run(task) {
  if (task.cancelled) return;
  running.add(task);
  task.stop = new AbortController();
  describe(task, "");
  try {
    task.upload ??= new tus.Upload(task.file, task.key);
    await task.upload.send({
      replace: task.replace,
      signal: task.stop.signal,
      progress: (sent) => {
        task.sent = sent;
        describe(task);
      },
      state: (text) => describe(task, text),
    });
    finish(task, "done", "Uploaded");
  } catch (e) {
    if (task.cancelled) await (task.ended || task.upload.discard());
    else if (e === tus.paused) hold(task, "paused", "Paused");
    else if (e.status === 412) await conflict(task);
    else hold(task, "failed", `Failed: ${e.message}`);
  }
  running.delete(task);
  if (!busy()) ended();
  if (one("#uploads")) pump();
}

/** Asks what is to become of a file whose name exists, and does it. */
async function conflict(task) {
  describe(task, "The name exists already");
  const answer = await (asking = asking.then(async () => {
    if (task.copies) return "both"; // the next number is tried without a question
    if (forAll) return forAll;
    if (task.cancelled) return "skip";
    const box = make("input", { type: "checkbox", id: "for-all" });
    const given =
      (await ask({
        title: "This name exists already",
        content: [
          make("p", {}, make("bdi", {}, task.path)),
          make("label", { class: "check" }, box, "The same for all further ones"),
        ],
        buttons: [
          ["skip", "Skip"],
          ["replace", "Replace"],
          ["both", "Keep both"],
        ],
        cancel: false,
      })) || "skip";
    if (box.checked) forAll = given;
    return given;
  }));
  if (!task.ended) await task.upload.discard();
  if (task.cancelled) return;
  if (answer === "skip") {
    finish(task, "skipped", "Skipped");
    return;
  }
  task.sent = 0;
  if (answer === "replace") {
    task.replace = true;
  } else {
    task.plain ??= task.key;
    task.copies = (task.copies || 1) + 1;
    task.key = keys.numbered(task.plain, task.copies);
    task.upload = null;
    task.path = keys.text(task.key.slice(list.prefix().length));
  }
  queue.unshift(task);
}

function hold(task, kind, text) {
  held.add(task);
  entry(task).className = kind;
  describe(task, text);
}

function finish(task, kind, text) {
  if (task.cancelled) return; // the totals leave it out already
  total.done++;
  total.doneBytes += task.file.size;
  entry(task).className = kind;
  task.ended = true;
  describe(task, text);
  const entries = one("#uploads-list");
  const before = entries.querySelectorAll("li.done, li.skipped");
  // Those that run stay above.
  if (task.element !== before[0]) entries.insertBefore(task.element, before[0] || null);
  [...before].slice(shownDone).forEach((li) => li.remove());
  if (Date.now() - refreshed > 3000) again();
}

function ended() {
  if (held.size === 0) say(`${total.done} of ${total.files} files uploaded`);
  again();
}

function again() {
  refreshed = Date.now();
  list.refresh().catch((e) => say(e.message));
  showStatus();
}

function resume(task) {
  stopped = false;
  held.delete(task);
  queue.unshift(task);
  pump();
}

function cancel(task) {
  task.cancelled = true;
  if (running.has(task))
    task.stop.abort(); // run discards it then
  else task.upload?.discard();
  const waits = queue.indexOf(task);
  if (waits >= 0) queue.splice(waits, 1);
  held.delete(task);
  total.files--;
  total.bytes -= task.file.size;
  task.element.remove();
  show();
}

/** @returns the panel of the uploads. */
function panel() {
  let found = one("#uploads");
  if (found) return found;
  const button = (id, text, symbol, run) =>
    make(
      "button",
      { type: "button", class: "plain", id, title: text, "aria-label": text, click: run },
      icon(symbol),
    );
  found = make(
    "section",
    { id: "uploads", "aria-label": "Uploads" },
    make(
      "header",
      {},
      make("h2", { id: "uploads-title" }),
      button("pause-all", "Pause all", "pause", pauseAll),
      button("resume-all", "Resume all", "play", resumeAll),
      button("close-uploads", "Close the list", "close", close),
    ),
    make("progress", { id: "uploads-progress", max: "1", value: "0", "aria-label": "All uploads" }),
    make("ul", { id: "uploads-list" }),
  );
  document.body.append(found);
  return found;
}

function pauseAll() {
  stopped = true;
  for (const task of running) task.stop.abort();
  show();
}

function resumeAll() {
  stopped = false;
  queue.unshift(...held);
  held.clear();
  pump();
}

async function close() {
  if (running.size + queue.length + held.size > 0) {
    const sure = await ask({
      title: "End the uploads?",
      content: [make("p", {}, "Choose the same files again, and they go on where they were.")],
      buttons: [["end", "End them"]],
      danger: true,
    });
    if (!sure) return;
  }
  queue.length = 0;
  for (const task of running) {
    task.cancelled = true;
    task.ended = true; // what the server has stays, for the same files
    task.stop.abort();
  }
  held.clear();
  stopped = false;
  Object.assign(total, { files: 0, done: 0, bytes: 0, doneBytes: 0 });
  one("#uploads")?.remove();
}

/** @returns the entry of a task in the panel. */
function entry(task) {
  if (task.element) return task.element;
  const act = (name, text, symbol, run) =>
    make(
      "button",
      {
        type: "button",
        class: `plain ${name}`,
        title: text,
        "aria-label": `${text} ${task.path}`,
        click: run,
      },
      icon(symbol),
    );
  task.bar = make("progress", {
    max: String(task.file.size || 1),
    value: "0",
    "aria-label": task.path,
  });
  task.text = make("span", { class: "state" });
  task.name = make("bdi", {});
  task.element = make(
    "li",
    {},
    task.name,
    make(
      "span",
      { class: "buttons" },
      act("pause", "Pause", "pause", () => task.stop.abort()),
      act("resume", "Resume", "play", () => resume(task)),
      act("cancel", "Cancel", "close", () => cancel(task)),
    ),
    task.bar,
    task.text,
  );
  one("#uploads-list", panel()).prepend(task.element);
  return task.element;
}

/** Shows the state of a task. */
function describe(task, text = task.said) {
  if (task.cancelled) return;
  const element = entry(task);
  if (running.has(task) && !task.ended && !held.has(task)) element.className = "running";
  task.said = text;
  task.name.textContent = task.path;
  task.name.title = task.path;
  task.bar.value = task.ended ? task.bar.max : task.sent;
  task.bar.hidden = Boolean(task.ended);
  const state = text || "";
  task.text.textContent = task.ended
    ? `${state} · ${keys.size(task.file.size)}`
    : `${state ? state + " · " : ""}${keys.size(task.sent)} of ${keys.size(task.file.size)}`;
  show();
}

let drawn = false;
/** Shows the totals, once a frame at most. */
function show() {
  if (drawn || !one("#uploads")) return;
  drawn = true;
  requestAnimationFrame(() => {
    drawn = false;
    if (!one("#uploads")) return;
    const sent =
      total.doneBytes + [...running, ...held].reduce((n, t) => n + (t.ended ? 0 : t.sent), 0);
    const part = total.bytes ? sent / total.bytes : total.files ? total.done / total.files : 0;
    one("#uploads-progress").value = part;
    const active = running.size + queue.length;
    const percent = Math.floor(part * 100);
    one("#uploads-title").textContent =
      active && !stopped
        ? `Uploading ${Math.min(total.done + 1, total.files)} of ${total.files} – ${percent} %`
        : total.done < total.files
          ? `${total.done} of ${total.files} uploaded`
          : `${total.done} uploaded`;
    one("#pause-all").hidden = active === 0 || stopped;
    one("#resume-all").hidden = held.size === 0 && !stopped;
    tellProgress(part, active);
  });
}

let told = 0;
function tellProgress(part, active) {
  if (active === 0 || Date.now() - told < 10_000) return;
  told = Date.now();
  say(`${total.done} of ${total.files} files uploaded, ${Math.floor(part * 100)} percent`);
}
