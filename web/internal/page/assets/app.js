// The entry of the script of every page. The folder page loads more. No module imports this one: it
// waits for them.
import { one } from "./dom.js";
import { localTimes, menus, showStatus } from "./frame.js";

document.documentElement.classList.add("script");
localTimes();
menus();
showStatus();
if (one("#list")) {
  const [list, actions, intake] = await Promise.all([
    import("./list.js"),
    import("./actions.js"),
    import("./intake.js"),
  ]);
  list.start();
  actions.start();
  intake.start();
}
document.documentElement.dataset.ready = ""; // the tests in a browser wait for it
