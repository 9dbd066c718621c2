// What is done with entries: download, rename, copy, move, delete, a new folder, the list of keys.
import { one, make, ask, tell, post, request, say, singleKeys } from "./dom.js";
import * as keys from "./keys.js";
import * as list from "./list.js";
import { showStatus } from "./frame.js";

const isFolder = (item) => "folder" in item.dataset;
const writable = () => Boolean(one("#upload"));

export function start() {
  list.addAction("download", "Download", "download", download);
  if (writable()) {
    list.addAction(
      "rename",
      "Rename",
      "rename",
      ([item]) => rename(item),
      (items) => items.length === 1,
    );
    list.addAction("copy", "Copy", "copy", (items) => relocate(items, "copy"));
    list.addAction("move", "Move", "folder", (items) => relocate(items, "rename"));
    list.addAction("delete", "Delete", "delete", remove);
    list.onKey("Delete", () => remove(list.meant()));
    list.onKey("F2", () => {
      const items = list.meant();
      if (items.length === 1) rename(items[0]);
    });
    document.addEventListener("click", (event) => {
      const link = event.target.closest(".act.delete");
      if (!link || event.defaultPrevented || event.ctrlKey || event.metaKey || event.shiftKey)
        return;
      event.preventDefault();
      remove([link.closest(".item")]);
    });
  }
  list.onKey("?", help);
  one("#help")?.addEventListener("click", help);
}

/** Downloads files one after the other, and each folder as a zip file. */
function download(items) {
  items.forEach((item, i) => {
    const key = item.dataset.key;
    const file = keys.url("/v/", key);
    const href = isFolder(item)
      ? `/api/v1/archive?format=zip&prefix=${key.replaceAll("/", "%2F")}`
      : file + (file.includes("?") ? "&" : "?") + "download=1";
    // Browsers drop downloads that begin at the same moment.
    setTimeout(() => {
      const link = make("a", { href, download: true });
      document.body.append(link);
      link.click();
      link.remove();
    }, i * 300);
  });
}

/** Gives a file or a folder another key. */
async function change(action, item, to, overwrite) {
  const from = item.dataset.key;
  if (isFolder(item)) {
    await post("/api/v1/prefix", {
      action,
      from_base64: keys.base64(from),
      to_base64: keys.base64(to),
      overwrite,
    });
    return;
  }
  await request(action === "copy" ? "COPY" : "MOVE", keys.url("/v/", from), {
    Destination: keys.url("/v/", to),
    Overwrite: overwrite ? "T" : "F",
  });
}

/**
 * Runs changes one after the other, and shows the list as it is then, whatever failed. Takes each
 * entry that is done out of items: the dialog's button goes on with the one that failed.
 */
async function changes(items, run, done) {
  try {
    while (items.length > 0) {
      try {
        await run(items[0]);
      } catch (e) {
        throw items[0] ? new Error(`${list.label(items[0])}: ${e.message}`) : e;
      }
      items.shift();
    }
    say(done);
  } finally {
    list.clear();
    list.refresh().catch((e) => say(e.message));
    showStatus();
  }
}

const field = (label, value) => {
  const input = make("input", {
    type: "text",
    value,
    required: true,
    autocomplete: "off",
    spellcheck: "false",
  });
  return [make("label", {}, label, input), input];
};
const replaceBox = () => {
  const box = make("input", { type: "checkbox" });
  return [make("label", { class: "check" }, box, "Replace what has this name"), box];
};

async function rename(item) {
  const key = item.dataset.key;
  const folder = isFolder(item) ? "/" : "";
  const old = keys.text(keys.name(key)).replace(/\/$/, "");
  const [label, input] = field("New name", old);
  const [boxLabel, box] = replaceBox();
  const asked = ask({
    title: folder ? "Rename this folder" : "Rename this file",
    content: [label, boxLabel],
    buttons: [["rename", "Rename"]],
    check: async () => {
      const to = keys.parent(key) + keys.encode(input.value) + folder;
      if (!input.value) throw new Error("A name cannot be empty");
      if (to === key || input.value === old) return;
      await changes([item], () => change("rename", item, to, box.checked), "Renamed");
    },
  });
  const dot = old.lastIndexOf(".");
  input.setSelectionRange(0, folder || dot < 1 ? old.length : dot);
  await asked;
}

async function relocate(items, action) {
  const verb = action === "copy" ? "Copy" : "Move";
  const [label, input] = field("To the folder", keys.text(list.prefix()));
  input.required = false;
  const [boxLabel, box] = replaceBox();
  const left = [...items];
  await ask({
    title: `${verb} ${items.length === 1 ? list.label(items[0]) : `${items.length} entries`}`,
    content: [
      label,
      make("p", { class: "soft" }, "From the top, such as photos/2026/; empty is the top itself."),
      boxLabel,
    ],
    buttons: [[action, verb]],
    check: async () => {
      let target = keys.encode(input.value.replace(/^\/+/, ""));
      if (target && !target.endsWith("/")) target += "/";
      await changes(
        left,
        async (item) => {
          let to = target + keys.name(item.dataset.key);
          if (to === item.dataset.key && action === "rename") return;
          if (to === item.dataset.key)
            to = isFolder(item) ? `${to.slice(0, -1)}%20%282%29/` : keys.numbered(to, 2);
          await change(action, item, to, box.checked);
        },
        action === "copy" ? "Copied" : "Moved",
      );
    },
  });
}

/** Deletes after a question: files in one step, and each folder in one. */
async function remove(items) {
  if (items.length === 0) return;
  const names = make(
    "ul",
    { class: "names" },
    ...items.slice(0, 100).map((item) => {
      const about = one(".totals", item)?.title;
      return make(
        "li",
        {},
        make("bdi", {}, list.label(item)),
        about ? ` – folder, ${about}` : isFolder(item) ? " – folder with all in it" : "",
      );
    }),
  );
  if (items.length > 100) names.append(make("li", {}, `and ${items.length - 100} more`));
  const files = items.filter((item) => !isFolder(item));
  const left = [null, ...items.filter(isFolder)]; // all files, then each folder
  await ask({
    title:
      items.length === 1
        ? `Delete this ${isFolder(items[0]) ? "folder" : "file"}?`
        : `Delete ${items.length} entries?`,
    content: [names, make("p", {}, "This cannot be undone.")],
    buttons: [["delete", "Delete"]],
    danger: true,
    check: () =>
      changes(
        left,
        async (folder) => {
          if (folder) {
            await post("/api/v1/prefix", {
              action: "delete",
              from_base64: keys.base64(folder.dataset.key),
            });
            return;
          }
          while (files.length > 0) {
            const some = files.slice(0, 100).map((item) => keys.base64(item.dataset.key));
            await post("/api/v1/delete", { keys_base64: some });
            files.splice(0, 100);
          }
        },
        "Deleted",
      ),
  });
}

function help() {
  const row = (text, ...names) => [
    make("span", {}, ...names.flatMap((n) => [make("kbd", {}, n), " "])),
    make("span", {}, text),
  ];
  tell(
    "Keys",
    make(
      "div",
      { class: "keys" },
      ...row("next and previous", "j", "k"),
      ...row("move", "←", "↑", "→", "↓"),
      ...row("open", "Enter"),
      ...row("folder above", "u", "Backspace"),
      ...row("filter; Enter searches the folder", "/"),
      ...row("select; with Shift and arrows several", "x"),
      ...row("select all, none", "Ctrl+A", "Esc"),
      ...(writable() ? [...row("rename", "F2"), ...row("delete, after a question", "Del")] : []),
      ...row("this list", "?"),
    ),
    make(
      "label",
      { class: "check" },
      make("input", {
        type: "checkbox",
        id: "single-keys",
        checked: singleKeys(),
        change: (e) => singleKeys(e.target.checked),
      }),
      "Keys of one character, on all pages",
    ),
  );
}
