// The page's half of a dashboard. It keeps a copy of all that the kernel has told, so that a click,
// a fold, a log or a traceback needs no answer from a kernel that may be busy with a cell.
// Whatever comes from the kernel becomes text by textContent, never markup.

// -- Elements ------------------------------------------------------------------------------------

const SVG = "http://www.w3.org/2000/svg";

function make(tag, name, text) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text !== undefined) made.textContent = text;
  return made;
}

function button(name, text, act, label) {
  const made = make("button", name, text);
  made.type = "button";
  if (label) { made.setAttribute("aria-label", label); made.title = label; }
  made.addEventListener("click", act);
  return made;
}

// To write what is there already would have the page laid out again.
function write(el, text) { if (el.textContent !== text) el.textContent = text; }

function badge(look) {
  const made = document.createElementNS(SVG, "svg");
  made.setAttribute("viewBox", "-8 -8 16 16");
  made.setAttribute("class", "wfnb-badge");
  made.setAttribute("aria-hidden", "true");
  const disc = document.createElementNS(SVG, "circle"), sign = document.createElementNS(SVG, "path");
  disc.setAttribute("r", "8");
  made.append(disc, sign);
  rebadge(made, look);
  return made;
}

function rebadge(made, look) {
  made.style.visibility = look ? "" : "hidden";
  if (!look || made.dataset.state === look.state) return;
  made.firstChild.setAttribute("fill", look.colour);
  made.lastChild.setAttribute("stroke", look.ink);
  made.lastChild.setAttribute("d", look.stroke);
  made.dataset.state = look.state;
}

// A kernel that was restarted no longer knows the model: then nobody hears, and the page goes on.
function tell(model, message) {
  try { model.send(message); return true; } catch { return false; }
}

// -- Words ---------------------------------------------------------------------------------------

const count = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;

function duration(seconds) {
  if (seconds == null || Number.isNaN(seconds)) return "";
  if (seconds < 0.00005) return "< 0.1 ms";
  if (seconds < 0.0995) return `${+(seconds * 1000).toPrecision(2)} ms`;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 59.5) return `${seconds.toFixed(0)} s`;
  const whole = Math.round(seconds), hours = Math.floor(whole / 3600);
  const two = (n) => String(n).padStart(2, "0");
  const minutes = Math.floor(whole / 60) % 60;
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

function bytes(size) {
  if (size == null) return "";
  const units = ["B", "kB", "MB", "GB", "TB"];
  let at = 0;
  while (size >= 999.5 && at < 4) { size /= 1000; at += 1; }
  return `${at && size < 9.95 ? size.toFixed(1) : Math.round(size)} ${units[at]}`;
}
