// -- The graph: nodes and edges in a cytoscape core, cards above it --------------------------------

const TASK_HIGH = 42, FOLD_HIGH = 58, GAP = 14, AT_ONCE = 16, PARTS = 8, ELEMENTS = 150, CARD_EDGE = 12, TWICE = 400;
const sizeOf = (members) => members.reduce((sum, [first, last]) => sum + last - first + 1, 0);
const high = (node) => (sizeOf(node.members) > 1 ? FOLD_HIGH : TASK_HIGH);

function split(node, ids) {
  const tasks = node.members.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, at) => first + at));
  if (tasks.length <= AT_ONCE) {
    return tasks.map((task) => ({ id: ids[task], name: ids[task], members: [[task, task]] }));
  }
  const each = Math.ceil(tasks.length / Math.min(PARTS, Math.ceil(tasks.length / AT_ONCE)));
  const parts = [];
  for (let from = 0; from < tasks.length; from += each) {
    const part = tasks.slice(from, from + each), members = [];
    for (const task of part) {
      const last = members[members.length - 1];
      if (last && last[1] === task - 1) last[1] = task; else members.push([task, task]);
    }
    const name = stretch(ids[part[0]], ids[part[part.length - 1]]);
    parts.push(part.length > 1 ? { id: `${node.id}/${from}`, name, members }
      : { id: ids[part[0]], name: ids[part[0]], members });
  }
  return parts;
}

// score-0 and score-9 are score-0…9.
function stretch(first, last) {
  const [, begin, number] = /^(.*?)(\d+)\D*$/.exec(first) || [], end = /(\d+\D*)$/.exec(last);
  return number && end && last.startsWith(begin) ? `${begin}${number}…${end[1]}` : `${first} … ${last}`;
}

// The kernel's layout, with the unfolded nodes opened in their places: all else only makes room.
function arrange(g, unfolded) {
  const view = g.view;
  let nodes = view.nodes.map((node, at) => ({ ...node, root: at }));
  const paths = new Map(view.edges.map(([a, b, , stops]) => [
    `${a} ${b}`, stops.map((y, step) => ({ column: view.nodes[a].column + 1 + step, y })),
  ]));
  const stops = [...paths.values()].flat();
  for (const id of unfolded) {
    const node = nodes.find((each) => each.id === id);
    if (!node || sizeOf(node.members) < 2) continue;
    const parts = split(node, g.ids);
    if (nodes.length + parts.length - 1 > ELEMENTS) continue;
    const tall = parts.reduce((sum, part) => sum + high(part) + GAP, -GAP), more = (tall - high(node)) / 2;
    for (const other of [...nodes, ...stops]) {
      if (other.column === node.column && other !== node) other.y += other.y < node.y ? -more : more;
    }
    let y = node.y - tall / 2;
    for (const part of parts) {
      Object.assign(part, { column: node.column, root: node.root, parent: id, y: y + high(part) / 2 });
      y += high(part) + GAP;
    }
    nodes = nodes.flatMap((each) => (each === node ? parts : [each]));
  }
  for (const node of nodes) {
    [node.x, node.w] = view.columns[node.column];
    node.h = high(node);
    node.tasks = sizeOf(node.members);
  }
  return { nodes, edges: edgesOf(g, nodes, paths), columns: view.columns };
}

function edgesOf(g, nodes, paths) {
  const at = new Int32Array(g.ids.length);
  nodes.forEach((node, number) => node.members.forEach(([first, last]) => at.fill(number, first, last + 1)));
  const weights = new Map();
  g.in.forEach((reads, task) => reads.forEach((read) => {
    if (at[read] === at[task]) return;
    const key = at[read] * nodes.length + at[task];
    weights.set(key, (weights.get(key) || 0) + 1);
  }));
  return [...weights].map(([key, weight]) => {
    const source = nodes[Math.floor(key / nodes.length)], target = nodes[key % nodes.length];
    return { source, target, weight, stops: paths.get(`${source.root} ${target.root}`) || [] };
  });
}

// Level at both ends and in every column it crosses, bent only between columns.
function bends(edge, columns) {
  const { source, target } = edge;
  const points = [];
  let x = source.x + source.w, y = source.y;
  for (const stop of [...edge.stops.map((s) => ({ left: columns[s.column][0], right: columns[s.column][0] + columns[s.column][1], y: s.y })),
    { left: target.x, right: 0, y: target.y }]) {
    const wide = stop.left - x;
    points.push([x + 0.36 * wide, y], [x + 0.64 * wide, stop.y]);
    x = stop.right; y = stop.y;
  }
  const a = { x: source.x + source.w / 2, y: source.y }, b = { x: target.x + target.w / 2, y: target.y };
  const dx = b.x - a.x, dy = b.y - a.y, long = Math.hypot(dx, dy) || 1;
  return {
    weights: points.map(([px, py]) => ((px - a.x) * dx + (py - a.y) * dy) / (long * long)),
    distances: points.map(([px, py]) => ((py - a.y) * dx - (px - a.x) * dy) / long),
  };
}

class GraphPane {
  constructor(model, of, { picked, closed }) {
    this.model = model; this.of = of; this.picked = picked; this.closed = closed;
    this.el = make("div", "wfnb-graph");
    this.box = this.el.appendChild(make("div", "wfnb-canvas"));
    this.layer = make("div", "wfnb-layer");
    this.layer.setAttribute("role", "group");
    this.layer.setAttribute("aria-label", "task graph: arrow keys walk, Enter shows a task, Space unfolds");
    this.tools = make("div", "wfnb-tools");
    this.tools.append(
      button("wfnb-tool", "+", () => this.zoom(1.25), "zoom in"),
      button("wfnb-tool", "−", () => this.zoom(0.8), "zoom out"),
      button("wfnb-tool", "⤢", () => { this.isTouched = false; this.fit(); }, "show all"),
    );
    this.foldAll = button("wfnb-tool wfnb-refold", "fold", () => this.refold(), "fold everything again");
    this.foldAll.hidden = true;
    this.tools.prepend(this.foldAll);
    this.tip = make("div", "wfnb-tip");
    this.tip.hidden = true;
    this.unfolded = new Set();
    this.cards = new Map();
    this.nodes = []; this.isTouched = false; this.selected = null;
    this.layer.addEventListener("keydown", (event) => this.key(event));
    this.layer.addEventListener("focusin", (event) => this.focused(event));
    this.observer = new ResizeObserver(() => this.sized());
    this.observer.observe(this.box);
    this.wheel = (event) => {
      if (!this.cy || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      const at = this.box.getBoundingClientRect();
      this.isTouched = true;
      this.cy.zoom({ level: this.cy.zoom() * Math.exp(-event.deltaY / 300),
        renderedPosition: { x: event.clientX - at.left, y: event.clientY - at.top } });
    };
    this.box.addEventListener("wheel", this.wheel, { passive: false });
    this.open();
  }

  async open() {
    try {
      const manager = this.model.widget_manager;
      this.view = await manager.create_view(await manager.get_model(this.model.get("_graph")), {});
    } catch (error) {
      this.box.append(make("p", "wfnb-muted wfnb-none",
        "The graph needs ipycytoscape where the Jupyter server runs: pip install wfnb[notebook] there, and reload."));
      return;
    }
    if (this.isClosed) { this.view.remove(); return; }
    this.box.append(this.view.el, this.layer, this.tools, this.tip);
    this.sized();
  }

  // cytoscape measures its box once: it must be in the page, and have a size, by then.
  async sized() {
    if (!this.box.clientWidth || !this.box.clientHeight || this.isClosed) return;
    if (this.cy) {
      this.cy.resize();
      // Later: a click opens the inspector, and the second of a double click must meet the same card.
      clearTimeout(this.fitting);
      const since = this.lastTap ? performance.now() - this.lastTap.at : TWICE;
      if (this.box.clientWidth === this.width) return;
      if (since < TWICE) this.fitting = setTimeout(() => this.fit(), TWICE + 50 - since); else this.fit();
      return;
    }
    if (!this.view || this.isOpening) return;
    this.isOpening = true;
    this.view.trigger("displayed");
    while (!this.view.cytoscape_obj && !this.isClosed) await new Promise((go) => { setTimeout(go, 5); });
    if (this.isClosed) return;
    this.hook(this.view.cytoscape_obj);
  }

  hook(cy) {
    this.cy = cy;
    // A wheel over the graph scrolls the notebook; Ctrl and a wheel zoom.
    cy.userZoomingEnabled(false);
    cy.autounselectify(true);
    cy.on("tap", "node", (event) => this.tapped(event.target.id(), event.originalEvent.timeStamp));
    cy.on("tap", (event) => { if (event.target === cy) this.closed(); });
    cy.on("mouseover", "node", (event) => this.hover(event.target.id()));
    cy.on("mouseout", "node", () => this.hover(null));
    cy.on("dragpan pinchzoom", () => { this.isTouched = true; });
    cy.on("viewport", () => this.place());
    this.build();
  }

  place() {
    const { x, y } = this.cy.pan();
    this.layer.style.transform = `translate(${x}px,${y}px) scale(${this.cy.zoom()})`;
    this.tip.hidden = true;
  }

  build() {
    if (!this.cy || !this.of.g) return;
    const { nodes, edges, columns } = arrange(this.of.g, this.unfolded);
    this.nodes = nodes;
    this.edges = edges;
    this.foldAll.hidden = !this.unfolded.size;
    this.nodeOf = new Map(nodes.map((node) => [node.id, node]));
    this.cy.batch(() => {
      this.cy.elements().remove();
      this.cy.add([
        ...nodes.map((node) => ({ group: "nodes", pannable: true, data: { id: node.id, w: node.w, h: node.h },
          position: { x: node.x + node.w / 2, y: node.y } })),
        ...edges.map((edge, at) => ({ group: "edges", pannable: true, data: { id: `\u0000${at}`, source: edge.source.id,
          target: edge.target.id, width: 1.3 + Math.min(2.2, Math.log2(edge.weight) / 4), ...bends(edge, columns) } })),
      ]);
    });
    this.drawCards();
    this.taskAt = null;
    this.shape = this.of.shape;
    this.fit();
    this.select(this.selected);
  }

  drawCards() {
    const old = this.cards;
    this.cards = new Map();
    for (const node of this.nodes) {
      const card = old.get(node.id) || this.card(node);
      old.delete(node.id);
      Object.assign(card.el.style, { left: `${node.x}px`, top: `${node.y - node.h / 2}px`, width: `${node.w}px`, height: `${node.h}px` });
      card.el.classList.toggle("is-fold", node.tasks > 1);
      card.node = node;
      this.cards.set(node.id, card);
      this.layer.append(card.el);  // in reading order, for those who go by Tab
      this.paint(card);
    }
    for (const card of old.values()) card.el.remove();
    this.rove();
  }

  card(node) {
    const el = make("div", "wfnb-card");
    el.setAttribute("role", "button");
    el.tabIndex = -1;
    el.dataset.node = node.id;
    const card = { el, node, badge: badge(null), name: make("div", "wfnb-name", node.name), note: make("div", "wfnb-note"),
      bar: make("div", "wfnb-bar") };
    const words = make("div", "wfnb-words");
    words.append(card.name, card.note);
    const target = make("span", "wfnb-bullseye", "◎");
    target.setAttribute("aria-hidden", "true");
    el.append(card.badge, words, target, card.bar);
    card.segments = this.of.looks.map((look) => {
      const part = card.bar.appendChild(make("i"));
      part.style.background = look.colour;
      return part;
    });
    return card;
  }

  paint(card) {
    const of = this.of, node = card.node, isFold = node.tasks > 1;
    const counts = of.counts(node.members), state = of.overall(counts), look = of.looks[state];
    const g = of.g, isTarget = g.targets.some((task) => node.members.some(([a, b]) => task >= a && task <= b));
    const isStale = g.stale.some((task) => node.members.some(([a, b]) => task >= a && task <= b));
    rebadge(card.badge, look);
    card.el.dataset.state = look ? look.state : "none";
    card.el.style.setProperty("--state", look ? look.colour : "var(--wfnb-line)");
    card.el.classList.toggle("is-bare", !look);
    card.el.classList.toggle("is-target", isTarget);
    card.el.classList.toggle("is-stale", isStale);
    if (isFold) this.paintFold(card, counts, look); else this.paintTask(card, node.members[0][0], look);
    const marks = `${isStale ? ", stale" : ""}${isTarget ? ", target" : ""}`;
    card.el.setAttribute("aria-label", `${node.name}, ${card.note.textContent || "not run"}${marks}`);
  }

  paintTask(card, task, look) {
    const row = this.of.rows[task], worker = row && this.of.w[row[WORKER]];
    let note = look ? look.word : this.of.g.functions[this.of.g.fn[task]];
    if (look && row && look.state === "running" && worker) note = `running · ${worker[0]}`;
    if (look && row && row[CALL] != null) note = `${look.word} · ${duration(this.of.took(task))}`;
    if (this.of.g.stale.includes(task)) note = "stale";
    card.note.textContent = note;
    card.el.style.setProperty("--worker", worker ? hue(row[WORKER]) : "transparent");
  }

  paintFold(card, counts, look) {
    const total = card.node.tasks, failed = counts[this.of.number.failed];
    const done = `${this.of.succeeded(counts).toLocaleString("en")} / ${total.toLocaleString("en")}`;
    if (!look) card.note.textContent = count(total, "task");
    else card.note.textContent = failed ? `${done} · ${failed.toLocaleString("en")} failed` : `${done} done`;
    card.segments.forEach((part, at) => { part.style.flexGrow = counts[at]; part.hidden = !counts[at]; });
    card.bar.hidden = !look;
  }

  // Repaint the cards of these tasks; null repaints all.
  update(tasks) {
    if (!this.cy) return;
    if (this.shape !== this.of.shape) { this.build(); return; }
    if (!tasks) { for (const card of this.cards.values()) this.paint(card); return; }
    const nodes = new Set();
    for (const task of tasks) nodes.add(this.nodeWith(task));
    for (const node of nodes) if (node && this.cards.has(node.id)) this.paint(this.cards.get(node.id));
  }

  nodeWith(task) {
    if (!this.taskAt) {
      this.taskAt = new Int32Array(this.of.g.ids.length).fill(-1);
      this.nodes.forEach((node, at) => node.members.forEach(([a, b]) => this.taskAt.fill(at, a, b + 1)));
    }
    return this.nodes[this.taskAt[task]];
  }

  // -- What a person does

  // Not cytoscape's dbltap, which goes by when a busy page gets to it, not by when it happened.
  tapped(id, at) {
    const isSecond = this.lastTap && this.lastTap.id === id && at - this.lastTap.at < TWICE;
    this.lastTap = isSecond ? null : { id, at };
    if (isSecond) this.toggle(id); else this.tap(id);
  }

  tap(id) { const node = this.nodeOf.get(id); this.tip.hidden = true; this.select(id); this.picked(node); }

  toggle(id) {
    const node = this.nodeOf.get(id);
    if (!node || node.tasks < 2) return;
    this.closed();
    this.unfolded.add(id);
    this.build();
    this.focus(this.nodes.find((each) => each.parent === id));
  }

  refold() { this.unfolded.clear(); this.closed(); this.build(); this.isTouched = false; this.fit(); }

  // Unfold whatever hides a task, as far as it can be; select what shows it.
  reveal(task) {
    for (let depth = 0; depth < 6; depth += 1) {
      const node = this.nodeWith(task);
      if (!node || node.tasks < 2 || this.unfolded.has(node.id)) break;
      this.unfolded.add(node.id);
      this.build();
    }
    const node = this.nodeWith(task);
    if (node) { this.select(node.id); this.into(node); }
  }

  select(id) {
    this.selected = this.nodeOf && this.nodeOf.has(id) ? id : null;
    for (const [name, card] of this.cards) card.el.classList.toggle("is-picked", name === this.selected);
    if (this.selected) this.rove(this.selected);
    this.light(this.selected);
  }

  light(id) {
    if (!this.cy) return;
    this.cy.batch(() => {
      this.cy.edges().removeClass("near far");
      if (!id) return;
      const near = this.cy.getElementById(id).connectedEdges();
      near.addClass("near");
      this.cy.edges().difference(near).addClass("far");
    });
  }

  hover(id) {
    this.light(id || this.selected);
    for (const [name, card] of this.cards) card.el.classList.toggle("is-hovered", name === id);
    this.tip.hidden = !id;
    const node = id && this.nodeOf.get(id);
    if (!node || id === this.selected) { this.tip.hidden = true; return; }
    this.tip.replaceChildren(...this.hint(node));
    const { x, y } = this.cy.pan(), zoom = this.cy.zoom();
    const left = x + zoom * node.x, top = y + zoom * (node.y + node.h / 2) + 6;
    this.tip.hidden = false;
    this.tip.style.left = `${Math.max(4, Math.min(left, this.box.clientWidth - this.tip.offsetWidth - 4))}px`;
    const above = y + zoom * (node.y - node.h / 2) - 6 - this.tip.offsetHeight;
    this.tip.style.top = `${top + this.tip.offsetHeight > this.box.clientHeight && above > 0 ? above : top}px`;
  }

  hint(node) {
    const of = this.of, lines = [make("b", "", node.name)];
    if (node.tasks > 1) {
      const counts = of.counts(node.members);
      of.looks.forEach((look, at) => { if (counts[at]) lines.push(make("div", "", `${counts[at].toLocaleString("en")} ${look.word}`)); });
      lines.push(make("div", "wfnb-muted", `${count(node.tasks, "task")} · double-click unfolds`));
      return lines;
    }
    const task = node.members[0][0], look = of.looks[of.state(task)], row = of.rows[task];
    if (look) lines.push(make("div", "", [look.word, duration(of.took(task))].filter(Boolean).join(" · ")));
    if (row && of.w[row[WORKER]]) lines.push(make("div", "wfnb-muted", `on ${of.w[row[WORKER]][0]}`));
    return lines;
  }

  // -- The keyboard: one card at a time is in the order of Tab

  rove(id) {
    const first = this.nodes[0] && this.nodes[0].id;
    this.current = this.cards.has(id) ? id : this.cards.has(this.current) ? this.current : first;
    for (const [name, card] of this.cards) card.el.tabIndex = name === this.current ? 0 : -1;
  }

  focus(node) { if (node) { this.rove(node.id); this.cards.get(node.id).el.focus({ preventScroll: true }); } }

  focused(event) {
    const id = event.target.dataset && event.target.dataset.node;
    const node = id && this.nodeOf.get(id);
    if (node) { this.rove(id); this.into(node); }
  }

  into(node) {
    if (!this.cy) return;
    const zoom = this.cy.zoom(), pan = this.cy.pan(), edge = CARD_EDGE;
    const left = pan.x + zoom * node.x, top = pan.y + zoom * (node.y - node.h / 2);
    const dx = Math.max(0, edge - left) - Math.max(0, left + zoom * node.w - this.box.clientWidth + edge);
    const dy = Math.max(0, edge - top) - Math.max(0, top + zoom * node.h - this.box.clientHeight + edge);
    if (dx || dy) this.cy.panBy({ x: dx, y: dy });
  }

  key(event) {
    const node = this.nodeOf.get(this.current);
    if (!node || event.ctrlKey || event.metaKey || event.altKey) return;
    const steps = { ArrowRight: 1, ArrowLeft: -1 };
    if (event.key in steps) this.focus(this.across(node, steps[event.key]));
    else if (event.key === "ArrowDown") this.focus(this.along(node, 1));
    else if (event.key === "ArrowUp") this.focus(this.along(node, -1));
    else if (event.key === "Home") this.focus(this.nodes[0]);
    else if (event.key === "End") this.focus(this.nodes[this.nodes.length - 1]);
    else if (event.key === "Enter") this.tap(node.id);
    else if (event.key === " ") this.toggle(node.id);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  across(node, by) {
    const linked = this.edges
      .map((edge) => (by > 0 ? edge.source === node && edge.target : edge.target === node && edge.source))
      .filter(Boolean);
    const beyond = this.nodes.filter((each) => (each.column - node.column) * by > 0);
    const far = (each) => Math.abs(each.column - node.column) * 1e5 + Math.abs(each.y - node.y);
    return (linked.length ? linked : beyond).reduce((best, each) => (!best || far(each) < far(best) ? each : best), null);
  }

  along(node, by) {
    return this.nodes.filter((each) => each.column === node.column && (each.y - node.y) * by > 0)
      .reduce((best, each) => (!best || (each.y - best.y) * by < 0 ? each : best), null);
  }

  // -- Where it is seen

  zoom(by) {
    if (!this.cy) return;
    this.isTouched = true;
    this.cy.zoom({ level: this.cy.zoom() * by, renderedPosition: { x: this.box.clientWidth / 2, y: this.box.clientHeight / 2 } });
  }

  fit() {
    if (!this.cy || !this.nodes.length) return;
    this.width = this.box.clientWidth;
    const left = Math.min(...this.nodes.map((n) => n.x)), right = Math.max(...this.nodes.map((n) => n.x + n.w));
    const top = Math.min(...this.nodes.map((n) => n.y - n.h / 2)), bottom = Math.max(...this.nodes.map((n) => n.y + n.h / 2));
    const across = right - left + 2 * CARD_EDGE + 6, down = bottom - top + 2 * CARD_EDGE + 6;
    const legible = Math.max(0.5, Math.min(1, this.width / across));
    this.el.style.setProperty("--graph-height", `${Math.round(Math.max(92, Math.min(520, down * legible)))}px`);
    this.cy.resize();
    if (this.isTouched) { this.place(); return; }
    const tall = this.box.clientHeight, zoom = Math.max(0.4, Math.min(1, this.width / across, tall / down));
    const x = across * zoom <= this.width ? (this.width - (right - left) * zoom) / 2 : CARD_EDGE;
    const y = down * zoom <= tall ? (tall - (bottom - top) * zoom) / 2 : CARD_EDGE;
    this.cy.viewport({ zoom, pan: { x: x - left * zoom, y: y - top * zoom } });
    this.place();
  }

  close() {
    this.isClosed = true;
    clearTimeout(this.fitting);
    this.observer.disconnect();
    this.box.removeEventListener("wheel", this.wheel);
    if (this.cy) this.cy.destroy();
    if (this.view) this.view.remove();
  }
}

// Tasks of one worker share the colour of a stripe; its name stands beside it everywhere.
const HUES = ["#4477aa", "#ccbb44", "#ee6677", "#228833", "#66ccee", "#aa3377", "#bbbbbb", "#ee8866"];
const hue = (worker) => HUES[worker % HUES.length];
