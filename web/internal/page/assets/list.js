// The entries of a folder: more of them, filter, order, selection, totals of folders, keyboard.
import { one, all, make, icon, page, say, request, singleKeys } from "./dom.js";
import { ofAnswer, size } from "./keys.js";
import { localTimes } from "./frame.js";

let list; // the table or the grid
let anchor = null; // where a selection with shift begins
let order = { by: "", down: false };
const actions = []; // of the bar that a selection shows

/** @returns the entries that are shown, in the order of the page. */
export const items = () => all(".item:not([hidden])", list);
/** @returns the entries that are selected, also those that the filter hides. */
export const chosen = () => all(".item.chosen", list);
/** @returns the percent-encoded prefix of the folder. */
export const prefix = () => list.dataset.prefix;
export const label = (item) => one("bdi", item).textContent;
/** @returns the entries that a command is for: the selection, or the one with the focus. */
export function meant() {
  const selected = chosen();
  const focused = document.activeElement?.closest(".item");
  return selected.length || !focused ? selected : [focused];
}

/** Adds a command to the bar of a selection. It is shown if fits(items) holds. */
export function addAction(id, text, symbol, run, fits = () => true) {
  actions.push({ id, text, symbol, run, fits });
}

export function start() {
  adopt();
  one("#q")?.addEventListener("input", filter);
  one("#sort")?.addEventListener("change", (e) => sort(...e.target.value.split(" ")));
  document.addEventListener("keydown", keyboard);
  document.addEventListener("click", click);
  addEventListener("pageshow", () => {
    if (one("#q")?.value && !new URLSearchParams(location.search).has("q")) filter();
  });
}

/** Takes over a list that the server made. */
function adopt() {
  list = one("#list");
  for (const head of all("th[data-sort]", list)) {
    const by = head.dataset.sort;
    head.replaceChildren(
      make(
        "button",
        { type: "button", click: () => sort(by, order.by === by && !order.down) },
        head.textContent,
      ),
    );
  }
  localTimes(list);
  totals(items());
}

/** Loads the folder again, after a change. The focus stays at its entry, or at the next one. */
export async function refresh() {
  const found = await page(location.href);
  const count = all(".item", list).length;
  const focused = document.activeElement?.closest(".item");
  const at = items().indexOf(focused);
  for (const selector of ["#list", "#count", ".pager", "#empty"]) {
    const old = one(selector);
    const now = one(selector, found);
    if (old && now) old.replaceWith(now);
    else if (old) old.remove();
    else if (now && selector === ".pager") one("#list").after(now);
    else if (now) one("#list").before(now);
  }
  adopt();
  while (all(".item", list).length < count && one("#more")) {
    if (!(await more())) break;
  }
  if (order.by) sort(order.by, order.down);
  filter();
  showSelection();
  if (!focused || one("dialog[open]")) return;
  const entries = items();
  const again =
    entries.find((item) => item.dataset.key === focused.dataset.key) ||
    entries[Math.min(at, entries.length - 1)];
  if (again) one(".open", again).focus();
}

/** Adds the next page to the list. */
async function more() {
  const button = one("#more");
  button.setAttribute("aria-disabled", "true");
  try {
    const found = await page(button.href);
    const added = all("#list .item", found);
    (one("tbody", list) || list).append(...added);
    one(".pager").replaceWith(one(".pager", found) || make("p", { class: "pager" }));
    one("#first")?.remove();
    localTimes(list);
    totals(added);
    if (order.by) sort(order.by, order.down);
    filter();
    return true;
  } catch (e) {
    button.removeAttribute("aria-disabled");
    say(`The next page could not be loaded: ${e.message}`);
    return false;
  }
}

/** Shows what the filter lets through, and says of how many. */
function filter() {
  const query = (one("#q")?.value || "").trim().toLowerCase();
  const entries = all(".item", list);
  for (const item of entries) {
    item.hidden = query !== "" && !item.dataset.name.toLowerCase().includes(query);
  }
  const rest = one("#more") ? "; there are more" : "";
  const sorted = order.by && rest ? ", sorted among themselves" : "";
  const searched = (new URLSearchParams(location.search).get("q") || "").trim().toLowerCase();
  let text = `${entries.length} ${searched ? "found" : "shown"}${sorted}${rest}`;
  if (query && query !== searched) {
    text = `${items().length} of the ${entries.length} shown`;
    if (rest) text += " (there are more: Enter searches them)";
  }
  one("#count").textContent = text;
}

const collator = new Intl.Collator(undefined, { numeric: true });

/** Sorts what is shown: folders first, then by a property. */
function sort(by, down) {
  down = down === true || down === "down";
  order = { by, down };
  const number = (item) =>
    Number(by === "size" ? (item.dataset.total ?? item.dataset.size) : item.dataset.time);
  const compare =
    by === "size" || by === "time"
      ? (a, b) => number(a) - number(b)
      : (a, b) => collator.compare(a.dataset[by], b.dataset[by]);
  const isFolder = (item) => "folder" in item.dataset;
  const sorted = all(".item", list).sort(
    (a, b) => isFolder(b) - isFolder(a) || (down ? compare(b, a) : compare(a, b)),
  );
  (one("tbody", list) || list).append(...sorted);
  for (const head of all("th[data-sort]", list)) {
    if (head.dataset.sort === by) head.setAttribute("aria-sort", down ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
  }
  filter();
}

/** Fills in what folders hold. The server counts within bounds; what it leaves out stays a dash. */
async function totals(entries) {
  const folders = new Map(
    entries.filter((item) => "folder" in item.dataset).map((item) => [item.dataset.key, item]),
  );
  if (folders.size === 0) return;
  if ("roots" in list.dataset) {
    for (const key of [...folders.keys()].slice(0, 20)) await totalsOf(usage(key), folders);
    return;
  }
  let next = usage(prefix()) + "&delimiter=/";
  for (let round = 0; round < 5 && folders.size > 0 && next; round++) {
    const after = await totalsOf(next, folders);
    next = after && `${usage(prefix())}&delimiter=/&after=${after}`;
  }
}

const usage = (key) => `/api/v1/du?prefix=${key.replaceAll("/", "%2F")}`;

/** Fills in one answer, and returns where the next one begins. */
async function totalsOf(address, folders) {
  let answer;
  try {
    answer = await (await request("GET", address)).json();
  } catch {
    return ""; // a dash says as much
  }
  for (const f of answer.folders) {
    const item = folders.get(ofAnswer(f));
    if (!item) continue;
    folders.delete(item.dataset.key);
    item.dataset.total = f.size;
    const over = f.more ? "over " : "";
    const files = `${over}${f.keys.toLocaleString()} file${f.keys === 1 ? "" : "s"}`;
    const cell = one(".totals", item);
    cell.textContent = over + size(f.size);
    cell.title = files;
    const type = one(".type", item);
    if (type) type.textContent = files;
  }
  return answer.next;
}

/** Selects an entry or not; with range also all from the one before. */
function choose(item, on, range = false) {
  const entries = items();
  const [from, to] = [entries.indexOf(anchor), entries.indexOf(item)].sort((a, b) => a - b);
  const meant = range && from >= 0 ? entries.slice(from, to + 1) : [item];
  for (const entry of meant) {
    entry.classList.toggle("chosen", on);
    one(".pick-box", entry).checked = on;
  }
  anchor = item;
  showSelection();
}

export function clear() {
  for (const item of chosen()) {
    item.classList.remove("chosen");
    one(".pick-box", item).checked = false;
  }
  showSelection();
}

/** Shows the bar of the selection, or that of the folder. */
function showSelection() {
  const selected = chosen();
  const everything = one("#pick-all");
  if (everything) {
    everything.checked = selected.length > 0 && selected.length === items().length;
    everything.indeterminate = selected.length > 0 && !everything.checked;
  }
  document.body.classList.toggle("choosing", selected.length > 0);
  const focus = document.activeElement?.closest("#selection") ? document.activeElement.id : "";
  one("#selection")?.remove();
  if (selected.length === 0) return;
  const bar = make(
    "div",
    { id: "selection", role: "toolbar", "aria-label": "Selection" },
    make(
      "button",
      {
        type: "button",
        class: "plain",
        id: "clear",
        title: "Clear the selection (Escape)",
        "aria-label": "Clear the selection",
        click: clear,
      },
      icon("close"),
    ),
    make("strong", {}, `${selected.length} selected`),
  );
  for (const a of actions.filter((a) => a.fits(selected))) {
    bar.append(
      make(
        "button",
        { type: "button", class: "button", id: a.id, title: a.text, click: () => a.run(chosen()) },
        icon(a.symbol),
        make("span", { class: "wide" }, a.text),
      ),
    );
  }
  one("#bar").append(bar);
  if (focus) one("#" + CSS.escape(focus))?.focus();
}

function click(event) {
  const item = event.target.closest(".item");
  if (event.target.closest("#more")) {
    event.preventDefault();
    if (!one("#more").hasAttribute("aria-disabled")) more();
  } else if (event.target.id === "pick-all") {
    for (const entry of items()) {
      entry.classList.toggle("chosen", event.target.checked);
      one(".pick-box", entry).checked = event.target.checked;
    }
    showSelection();
  } else if (item && event.target.classList.contains("pick-box")) {
    choose(item, event.target.checked, event.shiftKey);
  } else if (item && (event.ctrlKey || event.metaKey || event.shiftKey) && one(".pick-box", item)) {
    event.preventDefault();
    choose(item, event.shiftKey || !item.classList.contains("chosen"), event.shiftKey);
  }
}

/** Moves the focus by a number of entries, or in a grid by lines. */
function move(step, lines, extend) {
  const entries = items();
  if (entries.length === 0) return;
  const current = document.activeElement?.closest(".item");
  let at = entries.indexOf(current);
  if (lines && list.classList.contains("grid")) step *= columns(entries);
  at = at < 0 ? 0 : Math.min(entries.length - 1, Math.max(0, at + step));
  if (extend && current) {
    if (!current.classList.contains("chosen")) choose(current, true);
    choose(entries[at], true, true);
  }
  one(".open", entries[at]).focus();
  entries[at].scrollIntoView({ block: "nearest" });
}

/** @returns the number of entries in the first line of the grid. */
function columns(entries) {
  const top = entries[0].offsetTop;
  const next = entries.findIndex((e) => e.offsetTop > top);
  return next < 0 ? entries.length : next;
}

const commands = new Map();
/** Has a key run a command. */
export const onKey = (key, run) => commands.set(key, run);

function keyboard(event) {
  const focused = document.activeElement;
  if (one("dialog[open]") || event.altKey) return;
  if (focused?.matches("input:not([type=checkbox]), select, textarea")) {
    if (event.key === "Escape") focused.blur();
    if (event.key === "ArrowDown" && focused.id === "q") move(0);
    return;
  }
  if (event.ctrlKey || event.metaKey) {
    if (event.key !== "a" || !one("#pick-all, .pick-box")) return;
    items().forEach((item) => {
      item.classList.add("chosen");
      one(".pick-box", item).checked = true;
    });
    event.preventDefault();
    showSelection();
    return;
  }
  if (event.key.length === 1 && !singleKeys()) return;
  const grid = list.classList.contains("grid");
  const run =
    {
      j: () => move(1),
      k: () => move(-1),
      ArrowDown: () => move(1, true, event.shiftKey),
      ArrowUp: () => move(-1, true, event.shiftKey),
      ...(grid && {
        ArrowRight: () => move(1, false, event.shiftKey),
        ArrowLeft: () => move(-1, false, event.shiftKey),
      }),
      x: () => {
        const item = focused?.closest(".item");
        if (item) choose(item, !item.classList.contains("chosen"));
      },
      u: up,
      Backspace: up,
      Escape: clear,
      "/": () => one("#q")?.focus(),
    }[event.key] || commands.get(event.key);
  if (!run) return;
  event.preventDefault();
  run();
}

function up() {
  all(".crumbs a").at(-1)?.click();
}
