// Files for uploads: by choice, and by drag and drop, whole folders as well.
import { one, make, icon, say } from "./dom.js";
import * as keys from "./keys.js";
import * as list from "./list.js";
import * as tus from "./tus.js";
import { addFiles, busy, fresh } from "./uploads.js";

export function start() {
  if (!one("#upload")) return;
  const form = one("#upload-form");
  const files = one("#files");
  const folder = make("input", {
    type: "file",
    webkitdirectory: true,
    multiple: true,
    hidden: true,
    id: "folder-files",
    "aria-label": "Folder",
  });
  const picked = (input) => {
    fresh();
    addFiles(
      [...input.files].map((file) => ({ file, path: file.webkitRelativePath || file.name })),
    );
    input.value = "";
    one("#upload").open = false;
  };
  files.addEventListener("change", () => picked(files));
  folder.addEventListener("change", () => picked(folder));
  const choice = (id, text, symbol, input) =>
    make(
      "button",
      { type: "button", class: "button", id, click: () => input.click() },
      icon(symbol),
      text,
    );
  files.hidden = true;
  form.replaceChildren(
    files,
    folder,
    choice("choose-files", "Files…", "file", files),
    choice("choose-folder", "Folder…", "folder", folder),
    make("p", { class: "soft" }, "Or drop files and folders on the page."),
  );
  dragging();
  addEventListener("beforeunload", (e) => {
    if (busy()) e.preventDefault();
  });
  remindOfUnfinished();
}

function dragging() {
  let depth = 0;
  const carriesFiles = (e) => e.dataTransfer?.types.includes("Files");
  const mark = (on) => document.body.classList.toggle("drop", on);
  const folder = one(".crumbs li:last-child").textContent.trim();
  document.body.dataset.drop = `Drop to upload to ${folder}`;
  addEventListener("dragenter", (e) => {
    if (carriesFiles(e)) {
      e.preventDefault();
      depth++;
      mark(true);
    }
  });
  addEventListener("dragleave", (e) => {
    if (carriesFiles(e) && --depth <= 0) {
      depth = 0;
      mark(false);
    }
  });
  addEventListener("dragover", (e) => {
    if (carriesFiles(e)) e.preventDefault();
  });
  addEventListener("drop", async (e) => {
    if (!carriesFiles(e)) return;
    e.preventDefault();
    depth = 0;
    mark(false);
    fresh();
    // The entries must be taken before the first await: the browser empties the list.
    const entries = [...e.dataTransfer.items].map((i) => i.webkitGetAsEntry?.()).filter(Boolean);
    const plain = entries.length ? [] : [...e.dataTransfer.files];
    addFiles(plain.map((file) => ({ file, path: file.name })));
    try {
      for (const entry of entries) for await (const found of walk(entry)) addFiles([found]);
    } catch (error) {
      say(`A folder could not be read: ${error.message}`);
    }
  });
}

/** Yields the files of a dropped folder, with their paths. */
async function* walk(entry) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    yield { file, path: entry.fullPath.replace(/^\//, "") };
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    // a call returns a hundred entries at most
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return;
    for (const e of some) yield* walk(e);
  }
}

/** Says which uploads an earlier visit left: only the user can give the browser their files. */
function remindOfUnfinished() {
  const left = tus.unfinished().filter((key) => key.startsWith(list.prefix()));
  if (left.length === 0) return;
  const names = left
    .slice(0, 3)
    .map((key) => keys.text(key.slice(list.prefix().length)))
    .join(", ");
  const more = left.length > 3 ? ` and ${left.length - 3} more` : "";
  const advice = "Choose the same files again, and the uploads go on. ";
  one("#bar").after(
    make(
      "p",
      { class: "notice", id: "unfinished" },
      icon("info"),
      make("span", {}, `Not finished: ${names}${more}. ${advice}`),
      make(
        "button",
        {
          type: "button",
          class: "button",
          id: "forget",
          click: () => {
            tus.forget(list.prefix());
            one("#unfinished").remove();
          },
        },
        "Forget them",
      ),
    ),
  );
}
