// -- A list of any length: only the rows in sight are in the page ----------------------------------

const TALLEST = 4e6;

class LongList {
  constructor(name, rowHeight, draw) {
    this.el = make("div", `wfnb-list ${name}`);
    this.el.tabIndex = 0;
    this.space = this.el.appendChild(make("div", "wfnb-space"));
    this.rows = this.space.appendChild(make("div", "wfnb-rows"));
    this.height = rowHeight; this.draw = draw; this.length = this.tall = this.top = 0;
    // Where it stands is remembered: to ask the page, after a change, would have it laid out at once.
    this.view = 300;
    this.el.addEventListener("scroll", () => { this.top = this.el.scrollTop; this.paint(); }, { passive: true });
    this.observer = new ResizeObserver(([{ contentRect }]) => {
      if (!contentRect.height || contentRect.height === this.view) return;
      this.view = contentRect.height;
      this.paint();
    });
    this.observer.observe(this.el);
  }

  get isAtEnd() { return this.top + this.view >= this.tall - 6; }

  set(length, toEnd) {
    this.length = length;
    this.tall = Math.min(length * this.height, TALLEST);
    this.space.style.height = `${this.tall}px`;
    this.top = Math.max(0, Math.min(this.top, this.tall - this.view));
    if (toEnd && this.tall > this.view) this.scrollTo(this.tall); else this.paint();
  }

  scrollTo(top) {
    this.el.scrollTop = top;
    this.top = this.el.scrollTop;
    this.paint();
  }

  // Beyond the height that browsers can scroll, a pixel stands for several rows.
  get ratio() {
    const rest = this.tall - this.view;
    return rest > 0 ? (this.length * this.height - this.view) / rest : 1;
  }

  show(row) {
    const y = (row * this.height) / this.ratio;
    if (y < this.top || y > this.top + this.view - 2 * this.height) this.scrollTo(Math.max(0, y - this.view / 2));
    else this.paint();
  }

  paint() {
    const offset = this.top * this.ratio, first = Math.max(0, Math.floor(offset / this.height) - 4);
    const end = Math.min(this.length, first + Math.ceil(this.view / this.height) + 9);
    const shown = [];
    for (let at = first; at < end; at += 1) shown.push(this.draw(at));
    this.rows.style.transform = `translateY(${this.top - (offset - first * this.height)}px)`;
    this.rows.replaceChildren(...shown);
  }

  close() { this.observer.disconnect(); }
}

// -- A log: the lines of one task, in their colours ------------------------------------------------

const SGR = /\x1b\[([0-9;:]*)m/g;
const COLOURS = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];

function cube(code) {
  if (code >= 232) { const grey = (code - 232) * 10 + 8; return `rgb(${grey},${grey},${grey})`; }
  const part = (n) => (n ? n * 40 + 55 : 0), at = code - 16;
  return `rgb(${part(Math.floor(at / 36))},${part(Math.floor(at / 6) % 6)},${part(at % 6)})`;
}

function colour(code) {
  if (code < 16) return `var(--wfnb-ansi-${COLOURS[code % 8]})`;
  return code < 256 ? cube(code) : "";
}

function extended(codes) {
  const kind = codes.shift();
  if (kind === 5) return colour(codes.shift() ?? 0);
  if (kind !== 2) return "";
  const [r, g, b] = codes.splice(0, 3).map((part) => Math.min(255, part || 0));
  return `rgb(${r || 0},${g || 0},${b || 0})`;
}

function restyle(style, sequence) {
  const codes = sequence.split(/[;:]/).map((code) => Number(code) || 0);
  while (codes.length) {
    const code = codes.shift();
    if (code === 0) { for (const key of Object.keys(style)) delete style[key]; }
    else if (code === 1) style.fontWeight = "600";
    else if (code === 2) style.opacity = "0.7";
    else if (code === 3) style.fontStyle = "italic";
    else if (code === 4) style.textDecoration = "underline";
    else if (code === 22) { delete style.fontWeight; delete style.opacity; }
    else if (code === 23) delete style.fontStyle;
    else if (code === 24) delete style.textDecoration;
    else if (code >= 30 && code <= 37) style.color = colour(code - 30);
    else if (code === 38) style.color = extended(codes);
    else if (code === 39) delete style.color;
    else if (code >= 40 && code <= 47) style.backgroundColor = colour(code - 40);
    else if (code === 48) style.backgroundColor = extended(codes);
    else if (code === 49) delete style.backgroundColor;
    else if (code >= 90 && code <= 97) style.color = colour(code - 90);
    else if (code >= 100 && code <= 107) style.backgroundColor = colour(code - 100);
  }
}

const plain = (line) => (line.includes("\x1b") ? line.replace(SGR, "") : line);

function coloured(line, row) {
  if (!line.includes("\x1b")) { row.textContent = line; return; }
  const style = {};
  let from = 0;
  const piece = (to) => {
    if (to > from) Object.assign(row.appendChild(make("span", "", line.slice(from, to))).style, style);
  };
  for (const found of line.matchAll(SGR)) {
    piece(found.index);
    restyle(style, found[1]);
    from = found.index + found[0].length;
  }
  piece(line.length);
}

class LogPane {
  constructor() {
    this.el = make("div", "wfnb-log");
    const bar = this.bar = this.el.appendChild(make("div", "wfnb-logbar"));
    this.search = bar.appendChild(make("input", "wfnb-search"));
    this.search.type = "search";
    this.search.placeholder = "search the log";
    this.search.setAttribute("aria-label", "search the log");
    this.found = bar.appendChild(make("span", "wfnb-muted"));
    this.found.setAttribute("aria-live", "polite");
    bar.append(make("span", "wfnb-gap"));
    this.size = bar.appendChild(make("span", "wfnb-muted"));
    this.save = bar.appendChild(button("wfnb-quiet", "download", () => this.download()));
    this.list = new LongList("wfnb-lines", 17, (at) => this.row(at));
    this.list.el.setAttribute("role", "log");
    this.list.el.setAttribute("aria-label", "log");
    this.none = make("div", "wfnb-muted wfnb-none", "");
    this.el.append(this.list.el, this.none);
    this.search.addEventListener("input", () => this.find());
    this.search.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.step(event.shiftKey ? -1 : 1);
      if (event.key === "Escape" && this.search.value) {
        this.search.value = "";
        this.find();
        event.stopPropagation();
      }
    });
    this.hits = []; this.at = 0; this.lines = [];
  }

  show(name, log, silence) {
    const isOther = name !== this.name;
    const toEnd = isOther || this.list.isAtEnd;
    this.name = name;
    this.lines = log ? log.lines : [];
    const isEmpty = !this.lines.length;
    this.list.el.hidden = isEmpty;
    this.none.hidden = !isEmpty;
    this.none.textContent = silence;
    this.bar.hidden = isEmpty;
    this.size.textContent = log && log.of ? this.told(log) : "";
    this.list.el.style.height = `${Math.min(230, this.lines.length * 17 + 12)}px`;
    if (isOther) { this.search.value = ""; this.hits = []; this.found.textContent = ""; }
    else if (this.search.value) this.find(true);
    this.list.set(this.lines.length, toEnd && !this.search.value);
  }

  told(log) {
    const all = count(log.of, "line");
    return log.at ? `last ${log.lines.length.toLocaleString("en")} of ${all}` : all;
  }

  row(at) {
    const row = make("div", "wfnb-line");
    coloured(this.lines[at], row);
    if (this.hits.length && this.isHit.has(at)) row.classList.add(at === this.hits[this.at] ? "is-here" : "is-hit");
    return row;
  }

  find(isUpdate) {
    const wanted = this.search.value.toLowerCase(), most = 100000;
    this.hits = [];
    if (wanted) this.lines.forEach((line, at) => {
      if (this.hits.length < most && plain(line).toLowerCase().includes(wanted)) this.hits.push(at);
    });
    this.isHit = new Set(this.hits);
    if (!isUpdate) this.at = 0;
    this.tell();
    if (this.hits.length && !isUpdate) this.list.show(this.hits[0]); else this.list.paint();
  }

  step(by) {
    if (!this.hits.length) return;
    this.at = (this.at + by + this.hits.length) % this.hits.length;
    this.tell();
    this.list.show(this.hits[this.at]);
  }

  tell() {
    if (!this.search.value) this.found.textContent = "";
    else this.found.textContent = this.hits.length ? `${this.at + 1} of ${this.hits.length}` : "none";
  }

  download() {
    const text = new Blob([this.lines.map(plain).join("\n") + "\n"], { type: "text/plain" });
    const link = make("a");
    link.href = URL.createObjectURL(text);
    link.download = `${this.name.replace(/[^A-Za-z0-9_.-]/g, "_")}.log`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  close() { this.list.close(); }
}
