// The script of all pages: joins the parts; every page works without it.
import { startChecks } from "./checks.js";
import { startDialogs } from "./dialogs.js";
import { startFilters } from "./filters.js";
import { startForms } from "./forms.js";
import { startKeys } from "./keys.js";
import { startLive } from "./live.js";
import { startPalette } from "./palette.js";
import { startTimes } from "./times.js";

document.documentElement.classList.add("scripts");
if (matchMedia("(max-width: 799px)").matches) document.querySelector("details.menu")?.removeAttribute("open");
startTimes();
startForms();
startDialogs();
startChecks();
startFilters();
startPalette();
startKeys();
startLive();
const editor = document.querySelector("form[data-editor]");
if (editor) import("./editor.js").then(({ startEditor }) => startEditor(editor));
if (document.getElementById("log")) import("./log.js");
