// What every page shows with script: the state of the vault, and times in the local zone.
import { one, all, page } from "./dom.js";

/** Puts the card with the state of the vault beside the page. */
export async function showStatus() {
  const aside = one("#status");
  if (!aside) return;
  try {
    const card = one("#card", await page(aside.dataset.src));
    aside.replaceChildren(card);
  } catch {
    /* the link stays, and shows what is wrong */
  }
}

/** Closes an open menu when something else is used, and puts the focus into one that opens. */
export function menus() {
  document.addEventListener("click", (e) => {
    for (const menu of all("details.menu[open]")) if (!menu.contains(e.target)) menu.open = false;
  });
  document.addEventListener("keydown", (e) => {
    const menu = one("details.menu[open]");
    if (e.key !== "Escape" || !menu) return;
    menu.open = false;
    one("summary", menu).focus();
  });
  for (const menu of all("details.menu")) {
    menu.addEventListener("toggle", () => {
      if (menu.open) one("input[type=text]", menu)?.focus();
    });
  }
}

const format = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

/** Shows times in the zone of the browser. */
export function localTimes(within = document) {
  for (const time of all("time[datetime]:not([title])", within)) {
    time.title = time.dateTime;
    time.textContent = format.format(new Date(time.dateTime));
  }
}
