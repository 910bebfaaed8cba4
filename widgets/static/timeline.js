// -- The timeline: a lane per worker, drawn on one canvas ------------------------------------------

const LANE = 26, AXIS = 24, MOST_HIGH = 340, LABELS = 84;

class TimePane {
  constructor(of, { picked }) {
    this.of = of; this.picked = picked;
    this.el = make("div", "wfnb-time");
    this.box = this.el.appendChild(make("div", "wfnb-timebox"));
    this.canvas = this.box.appendChild(make("canvas"));
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "img");
    const foot = this.el.appendChild(make("div", "wfnb-timefoot"));
    this.say = foot.appendChild(make("span", "wfnb-muted wfnb-timesay"));
    this.say.setAttribute("role", "status");
    foot.append(
      button("wfnb-tool", "+", () => this.zoom(1.6), "zoom in"),
      button("wfnb-tool", "−", () => this.zoom(1 / 1.6), "zoom out"),
      button("wfnb-tool", "⤢", () => this.fit(), "show the whole run"),
    );
    this.icons = of.looks.map((look) => new Path2D(look.stroke));
    this.lanes = []; this.view = null; this.selected = -1; this.hovered = null; this.frame = 0;
    this.observer = new ResizeObserver(() => this.soon());
    this.observer.observe(this.box);
    this.listen();
  }

  listen() {
    const { canvas } = this;
    canvas.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY / 300), this.timeAt(event.offsetX));
    }, { passive: false });
    canvas.addEventListener("pointerdown", (event) => {
      this.grip = { x: event.offsetX, view: this.range, moved: 0 };
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (this.grip) this.drag(event.offsetX); else this.hover(this.barAt(event.offsetX, event.offsetY));
    });
    canvas.addEventListener("pointerup", (event) => {
      const isClick = this.grip && this.grip.moved < 4;
      this.grip = null;
      const bar = isClick && this.barAt(event.offsetX, event.offsetY);
      if (bar && bar.task >= 0) this.picked(bar.task);
    });
    canvas.addEventListener("pointerleave", () => { if (!this.grip) this.hover(null); });
    canvas.addEventListener("dblclick", () => this.fit());
    canvas.addEventListener("keydown", (event) => this.key(event));
  }

  // -- What there is to draw

  read() {
    const { of } = this, lanes = of.w.map(([name, label]) => ({ name, label, bars: [], ghosts: [] })), byName = new Map(lanes.map((lane) => [lane.name, lane]));
    const lane = (name) => {
      if (!byName.has(name)) { byName.set(name, { name, label: "planned", bars: [], ghosts: [] }); lanes.push(byName.get(name)); }
      return byName.get(name);
    };
    let end = 0;
    of.rows.forEach((row, task) => {
      if (!row || row[START] == null || row[WORKER] < 0 || !lanes[row[WORKER]]) return;
      const isOpen = row[END] == null && row[STATE] === of.number.running;
      if (row[END] == null && !isOpen) return;
      const bar = { task, start: Math.max(0, row[START]), end: isOpen ? Infinity : row[END], state: row[STATE] };
      lanes[row[WORKER]].bars.push(bar);
      if (!isOpen) end = Math.max(end, row[END]);
    });
    const { planned } = of.g || {};
    for (const row of planned ? planned.rows : []) {
      const name = planned.lanes[row[1]], known = row[0] < 0 ? this.of.at.get(row[4]) : row[0];
      lane(name).ghosts.push({ task: known === undefined ? -1 : known, name: row[4], start: row[2], end: row[3], state: -1 });
      end = Math.max(end, row[3]);
    }
    const collator = new Intl.Collator("en", { numeric: true });
    for (const each of lanes) { each.bars.sort((a, b) => a.start - b.start); each.bars.forEach((bar, at) => { bar.at = at; bar.lane = each; }); }
    this.lanes = lanes.filter((each) => each.bars.length || each.ghosts.length).sort((a, b) => collator.compare(a.name, b.name));
    this.end = end;
    this.isRead = true;
  }

  get last() { return Math.max(this.end, this.of.isRun ? this.of.elapsed : 0, 1e-3); }

  get range() { return this.view || [0, this.last * 1.02]; }

  // -- Places

  get wide() { return Math.max(40, this.box.clientWidth - this.left - 8); }

  get left() { return this.box.clientWidth < 420 ? 44 : LABELS; }

  // Ten thousand bars ask: the page is measured once a drawing.
  measure() {
    const [from, to] = this.range;
    this.scale = this.wide / (to - from);
    this.shift = this.left - from * this.scale;
  }

  x(seconds) { return this.shift + seconds * this.scale; }

  timeAt(x) { const [from, to] = this.range; return from + ((x - this.left) / this.wide) * (to - from); }

  barAt(x, y) {
    const lane = this.lanes[Math.floor((y - AXIS) / LANE)];
    if (!lane || x < this.left) return null;
    const at = this.timeAt(x), slack = (3 / this.wide) * (this.range[1] - this.range[0]);
    let best = null, nearest = slack;
    for (const bars of [lane.bars, best ? [] : lane.ghosts]) {
      for (const bar of bars) {
        const off = Math.max(bar.start - at, at - Math.min(bar.end, this.last), 0);
        if (off < nearest || (off === 0 && nearest === 0 && bar.start > best.start)) { best = bar; nearest = off; }
      }
      if (best) break;
    }
    return best;
  }

  zoom(by, around = this.timeAt(this.left + this.wide / 2)) {
    const [from, to] = this.range, span = Math.max(1e-5, Math.min(this.last * 1.02, (to - from) / by));
    const share = (around - from) / (to - from);
    this.show(around - share * span, span);
  }

  show(from, span) {
    const most = this.last * 1.02, start = Math.max(0, Math.min(from, most - span));
    this.view = span >= most * 0.999 ? null : [start, start + span];
    this.soon();
  }

  fit() { this.view = null; this.soon(); }

  drag(x) {
    const { grip } = this, [from, to] = grip.view;
    grip.moved = Math.max(grip.moved, Math.abs(x - grip.x));
    if (this.view && grip.moved > 3) this.show(from - ((x - grip.x) / this.wide) * (to - from), to - from);
  }

  into(bar) {
    const [from, to] = this.range, end = Math.min(bar.end, this.last);
    if (bar.start < from || end > to) this.show((bar.start + end) / 2 - (to - from) / 2, to - from);
    const top = AXIS + LANE * this.lanes.indexOf(bar.lane);
    if (top < this.box.scrollTop || top + LANE > this.box.scrollTop + this.box.clientHeight) this.box.scrollTop = top - LANE;
  }

  // -- What a person does

  hover(bar) {
    if (bar === this.hovered) return;
    this.hovered = bar;
    this.canvas.style.cursor = bar && bar.task >= 0 ? "pointer" : this.view ? "grab" : "default";
    this.tell(bar);
    this.soon();
  }

  tell(bar) {
    if (!bar) { this.say.textContent = this.size(); return; }
    const { of } = this, look = of.looks[bar.state], plan = of.planned.get(bar.task), parts = [of.g.ids[bar.task] || bar.name];
    parts.push(look ? `${look.word} · ${duration(of.took(bar.task))}` : `planned · ${duration(bar.end - bar.start)}`);
    if (look) parts.push(`from ${duration(bar.start) || "0 s"}`);
    if (look && plan) parts.push(`predicted ${duration(plan[3] - plan[2])}`);
    this.say.textContent = parts.join(" · ");
  }

  size() {
    const sum = (what) => this.lanes.reduce((all, lane) => all + lane[what].length, 0), bars = sum("bars"), ghosts = sum("ghosts");
    const on = `on ${count(this.lanes.length, "worker")}`;
    if (!bars) return ghosts ? `planned: ${count(ghosts, "task")} ${on}` : "nothing has run";
    return `${count(bars, "bar")} ${on}${ghosts ? ", what was planned behind them" : ""}`;
  }

  select(task) { if (task !== this.selected) { this.selected = task; this.soon(); } }

  mark(isMarked) { this.isMarked = isMarked; this.soon(); }

  key(event) {
    const flat = this.lanes.filter((lane) => lane.bars.length), now = this.hovered && this.hovered.lane ? this.hovered : null;
    const lane = now ? flat.indexOf(now.lane) : 0;
    if (!flat.length || event.ctrlKey || event.metaKey || event.altKey) return;
    const near = (other) => other && other.bars.reduce((best, bar) => (Math.abs(bar.start - now.start) < Math.abs(best.start - now.start) ? bar : best));
    const steps = {
      ArrowRight: () => (now ? now.lane.bars[now.at + 1] : flat[0].bars[0]),
      ArrowLeft: () => (now ? now.lane.bars[now.at - 1] : flat[0].bars[0]),
      ArrowDown: () => (now ? near(flat[lane + 1]) : flat[0].bars[0]),
      ArrowUp: () => (now ? near(flat[lane - 1]) : flat[0].bars[0]),
    };
    if (event.key in steps) { const bar = steps[event.key](); if (bar) { this.hover(bar); this.into(bar); } }
    else if (event.key === "Enter" && now) this.picked(now.task);
    else if (event.key === "+") this.zoom(1.6);
    else if (event.key === "-") this.zoom(1 / 1.6);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  // -- Drawing

  update() { this.isRead = false; this.soon(); }

  soon() { if (!this.frame) this.frame = requestAnimationFrame(() => { this.frame = 0; this.draw(); }); }

  draw() {
    const wide = this.box.clientWidth;
    if (!wide || !this.of.g) return;
    const at = this.hovered && { task: this.hovered.task, isReal: Boolean(this.hovered.lane) };
    if (!this.isRead) {
      this.read();
      // Bars are made anew: the one that is pointed at stays so.
      if (at) this.hovered = (at.isReal && this.lanes.flatMap((lane) => lane.bars).find((bar) => bar.task === at.task)) || null;
      if (!this.hovered) this.tell(null);
    }
    const high = AXIS + LANE * Math.max(1, this.lanes.length) + 4, ratio = Math.min(2, window.devicePixelRatio || 1);
    this.box.style.height = `${Math.min(MOST_HIGH, high)}px`;
    if (this.canvas.width !== Math.round(wide * ratio) || this.canvas.height !== Math.round(high * ratio)) {
      Object.assign(this.canvas, { width: Math.round(wide * ratio), height: Math.round(high * ratio) });
      Object.assign(this.canvas.style, { width: `${wide}px`, height: `${high}px` });
    }
    this.canvas.setAttribute("aria-label", `timeline: ${this.size()}; arrow keys walk, Enter shows a task, + and - zoom`);
    const pen = this.canvas.getContext("2d"), style = getComputedStyle(this.el);
    this.ink = style.color;
    this.muted = style.getPropertyValue("--line-ink");
    this.accent = style.getPropertyValue("--wfnb-accent");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, wide, high);
    this.font = `11px ${style.fontFamily}`;
    pen.font = this.font;
    pen.textBaseline = "middle";
    this.measure();
    this.drawAxis(pen, high);
    if (this.isMarked) this.of.critical();
    this.lanes.forEach((lane, row) => this.drawLane(pen, lane, AXIS + row * LANE));
    // It goes on: what runs grows, and the end of the axis with it.
    if (this.of.r.status === "running") { clearTimeout(this.later); this.later = setTimeout(() => this.soon(), 100); }
  }

  drawAxis(pen, high) {
    const [from, to] = this.range, rough = (to - from) / Math.max(2, this.wide / 90);
    const unit = 10 ** Math.floor(Math.log10(rough)), step = [1, 2, 5, 10].find((each) => each * unit >= rough) * unit;
    for (let at = Math.ceil(from / step) * step; at <= to; at += step) {
      const x = Math.round(this.x(at)) + 0.5;
      pen.strokeStyle = this.ink;
      pen.globalAlpha = 0.13;
      pen.beginPath(); pen.moveTo(x, AXIS - 6); pen.lineTo(x, high); pen.stroke();
      pen.globalAlpha = 0.7;
      pen.fillStyle = this.ink;
      pen.textAlign = "center";
      pen.fillText(at < step / 2 ? "0" : tick(at, step), x, 9);
    }
    pen.globalAlpha = 1;
    pen.textAlign = "left";
  }

  drawLane(pen, lane, top) {
    pen.fillStyle = this.ink;
    pen.fillText(clipped(pen, lane.name, this.left - 22), 18, top + LANE / 2);
    const at = this.of.w.findIndex((worker) => worker[0] === lane.name);
    if (at >= 0) { pen.fillStyle = hue(at); pen.beginPath(); pen.arc(9, top + LANE / 2, 4, 0, 7); pen.fill(); }
    pen.save();
    pen.beginPath();
    pen.rect(this.left - 1, top, this.wide + 10, LANE);
    this.edge = this.left;
    pen.clip();
    for (const ghost of lane.ghosts) this.drawGhost(pen, ghost, top);
    const loud = [];
    let edge = -1, state = -1;
    const [from, to] = this.range, { last } = this;
    for (const bar of lane.bars) {
      if (bar.start > to) break;
      const end = Math.min(bar.end, last);
      if (end < from) continue;
      if (bar.state === this.of.number.failed || bar.task === this.selected || bar === this.hovered || (this.isMarked && this.of.onPath.has(bar.task))) { loud.push(bar); continue; }
      const x = this.x(bar.start), right = this.x(end);
      // Thousands of bars fall on the same pixel: one of them is enough.
      if (right - x < 1 && Math.floor(right) === edge && bar.state === state) continue;
      edge = Math.floor(right); state = bar.state;
      this.drawBar(pen, bar, x, Math.max(1, right - x), top);
    }
    for (const bar of loud) { const x = this.x(bar.start); this.drawBar(pen, bar, x, Math.max(2, this.x(Math.min(bar.end, this.last)) - x), top); }
    pen.restore();
  }

  drawGhost(pen, ghost, top) {
    const x = this.x(ghost.start), wide = Math.max(1, this.x(ghost.end) - x);
    pen.globalAlpha = 0.1;
    pen.fillStyle = this.ink;
    pen.fillRect(x, top + 2, wide, LANE - 4);
    pen.globalAlpha = 0.45;
    pen.strokeStyle = this.ink;
    pen.lineWidth = 1;
    pen.setLineDash([3, 2]);
    if (wide > 3) pen.strokeRect(x + 0.5, top + 2.5, wide - 1, LANE - 5);
    pen.setLineDash([]);
    pen.globalAlpha = 1;
  }

  drawBar(pen, bar, x, wide, top) {
    const look = this.of.looks[bar.state], y = top + 5, tall = LANE - 10;
    pen.fillStyle = look.colour;
    if (wide > 5) { pen.beginPath(); pen.roundRect(x + 0.5, y, wide - 1, tall, 3); pen.fill(); } else pen.fillRect(x, y, wide, tall);
    const isOnPath = this.isMarked && this.of.onPath.has(bar.task);
    const rim = bar.task === this.selected ? this.accent : isOnPath ? "#d6249f" : bar === this.hovered ? this.ink : "";
    if (rim) { pen.strokeStyle = rim; pen.lineWidth = 2; pen.strokeRect(x, y - 1, Math.max(2, wide), tall + 2); }
    const from = Math.max(x, this.edge), room = x + wide - from;
    if (room < 16) return;
    pen.save();
    pen.translate(from + 9, y + tall / 2);
    pen.scale(0.85, 0.85);
    pen.strokeStyle = look.ink; pen.lineWidth = 1.7; pen.lineCap = pen.lineJoin = "round";
    pen.stroke(this.icons[bar.state]);
    pen.restore();
    if (room < 48) return;
    pen.fillStyle = look.ink;
    pen.fillText(clipped(pen, this.of.g.ids[bar.task], room - 22), from + 18, y + tall / 2 + 0.5);
  }

  close() {
    this.observer.disconnect();
    cancelAnimationFrame(this.frame);
    clearTimeout(this.later);
  }
}

// As many digits as tell one tick from the next.
function tick(seconds, step) {
  if (step >= 60) return duration(seconds);
  if (step < 0.001) return `${(seconds * 1000).toFixed(step < 0.0001 ? 2 : 1)} ms`;
  if (step < 0.1) return seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(step < 0.01 ? 3 : 2)} s`;
  return seconds < 60 ? `${+seconds.toFixed(step < 1 ? 1 : 0)} s` : duration(seconds);
}

function clipped(pen, text, room) {
  if (room <= 0) return "";
  if (pen.measureText(text).width <= room) return text;
  let most = Math.max(1, Math.floor(room / 6.2));
  while (most > 1 && pen.measureText(`${text.slice(0, most)}…`).width > room) most -= 1;
  return most > 1 ? `${text.slice(0, most)}…` : "";
}
