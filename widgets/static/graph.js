// -- The graph: nodes and edges in a cytoscape core, cards above it --------------------------------

const TASK_HIGH = 42, FOLD_HIGH = 58, GAP = 14, AT_ONCE = 16, PARTS = 8, ELEMENTS = 150, CARD_EDGE = 12, TWICE = 400, AWAKE = 300;
const HEAD = 30, FOOT = 9, INSET = 8;
const sizeOf = (members) => members.reduce((sum, [first, last]) => sum + last - first + 1, 0);
const isFold = (node) => node.map !== undefined || sizeOf(node.members) > 1;
const high = (node) => (isFold(node) ? FOLD_HIGH : TASK_HIGH);

function stretches(tasks) {
  const found = [];
  for (const task of tasks) {
    const last = found[found.length - 1];
    if (last && last[1] === task - 1) last[1] = task; else found.push([task, task]);
  }
  return found;
}

const taskNode = (of, task) => ({ id: of.g.ids[task], name: of.g.ids[task], members: [[task, task]], counted: [[task, task]] });

function mapNode(of, at) {
  const map = of.g.maps[at], items = map.items || [], own = map.over < 0 ? [[map.at, map.at], [map.splitter, map.splitter]] : [[map.at, map.at]];
  const id = of.g.ids[map.at], known = map.items ? sizeOf(items).toLocaleString("en") : map.expected ? `~${map.expected}` : "?";
  return { id, name: `${id} ×${known}`, members: [...items, ...own], counted: items, map: map.at };
}

// The nodes that show a task, or a map if it is part of one.
function unitsOf(of, node) {
  if (node.map !== undefined || node.isItems) return numbers(node.counted).map((task) => () => taskNode(of, task));
  const seen = new Set(), units = [];
  each(node.members, (task) => {
    const at = of.mapOf(task);
    if (at < 0) units.push(() => taskNode(of, task));
    else if (!seen.has(at)) { seen.add(at); units.push(() => mapNode(of, at)); }
  });
  return units;
}

function split(of, node) {
  const units = unitsOf(of, node);
  if (units.length <= AT_ONCE) return units.map((unit) => unit());
  const size = Math.ceil(units.length / Math.min(PARTS, Math.ceil(units.length / AT_ONCE))), parts = [];
  for (let from = 0; from < units.length; from += size) {
    const some = units.slice(from, from + size).map((unit) => unit());
    const name = stretch(some[0].id, some[some.length - 1].id);
    parts.push(some.length === 1 ? some[0] : {
      id: `${node.id}/${from}`, name, members: stretches(some.flatMap((unit) => numbers(unit.members))),
      counted: stretches(some.flatMap((unit) => numbers(unit.counted))), isItems: node.map !== undefined || node.isItems,
    });
  }
  return parts;
}

// score-0 to score-9 are 0…9, and items of a map [0…9]: the frame around them says of what.
function stretch(first, last) {
  const [, begin, number] = /^(.*?)(\d+)\D*$/.exec(first) || [], end = /(\d+\D*)$/.exec(last);
  return number && end && last.startsWith(begin) ? `${begin.endsWith("[") ? "[" : ""}${number}…${end[1]}` : `${first} … ${last}`;
}

// A node, or a frame of the nodes that it was unfolded into, and how high that is.
function boxed(of, node, unfolded, room) {
  const parts = unfolded.has(node.id) && isFold(node) ? split(of, node) : [];
  if (!parts.length || parts.length > room.left) return { node, high: high(node), nested: 0 };
  room.left -= parts.length;  // the node stays, as their frame
  const boxes = parts.map((part) => boxed(of, { ...part, root: node.root, column: node.column, parent: node.id }, unfolded, room));
  return { node, boxes, high: boxes.reduce((sum, box) => sum + box.high + GAP, HEAD + FOOT - GAP),
    nested: 1 + Math.max(...boxes.map((box) => box.nested)) };
}

// The kernel's layout, with the unfolded nodes opened in their places: all else only makes room.
function arrange(of, unfolded) {
  const { g } = of, view = g.view, room = { left: ELEMENTS - view.nodes.length };
  const roots = view.nodes.map((node, at) => ({ counted: node.members, ...node, root: at }));
  const paths = new Map(view.edges.map(([a, b, , stops]) => [
    `${a} ${b}`, stops.map((y, step) => ({ column: view.nodes[a].column + 1 + step, y })),
  ]));
  const stops = [...paths.values()].flat(), nodes = [], frames = [];
  const boxes = roots.map((node) => boxed(of, node, unfolded, room));
  for (const { node, high: tall } of boxes) {
    const more = (tall - high(node)) / 2;
    if (more) for (const other of [...roots, ...stops]) {
      if (other.column === node.column && other !== node) other.y += other.y < node.y ? -more : more;
    }
  }
  const place = (box, top) => {
    const { node } = box;
    [node.x, node.w] = view.columns[node.column];
    Object.assign(node, { y: top + box.high / 2, h: box.high, tasks: sizeOf(node.counted), isFold: isFold(node) });
    if (!box.boxes) { nodes.push(node); return; }
    const inset = INSET * box.nested;
    frames.push(Object.assign(node, { x: node.x - inset, w: node.w + 2 * inset, isFrame: true }));
    let y = top + HEAD;
    for (const inner of box.boxes) { place(inner, y); y += inner.high + GAP; }
  };
  for (const box of boxes) place(box, box.node.y - box.high / 2);
  return { nodes, frames, edges: edgesOf(of, nodes, paths), columns: view.columns };
}

function edgesOf(of, nodes, paths) {
  const { g } = of, at = new Int32Array(g.ids.length).fill(-1), weights = new Map();
  nodes.forEach((node, number) => node.members.forEach(([first, last]) => at.fill(number, first, last + 1)));
  const join = (from, to, weight) => {
    if (from < 0 || to < 0 || from === to) return;
    const key = from * nodes.length + to;
    weights.set(key, (weights.get(key) || 0) + weight);
  };
  // The list of an unfolded map is no node: who reads it reads its items.
  const parts = new Map();
  const itemsAt = (map) => {
    if (!parts.has(map)) {
      const found = new Map();
      each(g.maps[map].items || [], (item) => found.set(at[item], (found.get(at[item]) || 0) + 1));
      parts.set(map, [...found]);
    }
    return parts.get(map);
  };
  for (let task = 0; task < g.ids.length; task += 1) {
    const node = at[task], item = of.itemOf[task], list = of.listOf[task];
    if (node < 0 || of.splits[task] >= 0 || (item >= 0 && at[g.maps[item].at] === node)) continue;
    for (const read of item >= 0 || list >= 0 ? of.reads(task) : g.in[task]) {
      if (at[read] < 0 && of.listOf[read] >= 0) for (const [from, weight] of itemsAt(of.listOf[read])) join(from, node, weight);
      else join(at[read], node, list >= 0 && of.listOf[read] >= 0 ? Math.max(1, sizeOf(g.maps[list].items || [])) : 1);
    }
  }
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

// cytoscape looks sixty times a second whether something has changed, which costs a tenth of a core
// for every graph in the page. Here it looks for a moment after something has, and then rests.
function rest(cy) {
  const renderer = cy.renderer();
  let isAsleep = false, isClosed = false, timer = 0;
  const sleep = () => {
    renderer.destroyed = true;  // its loop ends in the next frame, before what is asked for here
    requestAnimationFrame(() => { isAsleep = renderer.destroyed; });
  };
  const wake = () => {
    if (isClosed) return;
    renderer.destroyed = false;
    if (isAsleep) { isAsleep = false; renderer.renderLoopStarted = false; renderer.startRenderLoop(); }
    clearTimeout(timer);
    timer = setTimeout(sleep, AWAKE);
  };
  for (const name of ["redraw", "notify"]) {
    const act = renderer[name];
    renderer[name] = (...given) => { wake(); return act.apply(renderer, given); };
  }
  wake();
  return () => { isClosed = true; clearTimeout(timer); };
}

class GraphPane {
  constructor(model, of, { picked, closed }) {
    this.model = model; this.of = of; this.picked = picked; this.closed = closed;
    this.el = make("div", "wfnb-graph");
    this.box = this.el.appendChild(make("div", "wfnb-canvas"));
    this.layer = make("div", "wfnb-layer");
    this.layer.setAttribute("role", "group");
    this.layer.setAttribute("aria-label", "task graph: arrow keys walk, Enter shows a task, Space unfolds, Backspace folds");
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
    this.nodes = []; this.frames = []; this.isTouched = false; this.selected = null;
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
    this.keepFocus();
    this.open();
  }

  // cytoscape takes the focus from wherever it is, and the front end then gives it to the notebook,
  // twice: each time the page is laid out before the click is answered. The card gets it, after that.
  keepFocus() {
    this.box.addEventListener("mousedown", () => {
      const active = document.activeElement;
      if (!active) return;
      active.blur = () => {};
      this.giveBack = () => { delete active.blur; this.giveBack = null; };
      setTimeout(() => this.giveBack && this.giveBack());
    }, true);
    this.box.addEventListener("mousedown", (event) => {
      if (this.giveBack) this.giveBack();
      event.stopPropagation();
    });
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
    this.stopRest = rest(cy);
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
    const { nodes, frames, edges, columns } = arrange(this.of, this.unfolded);
    Object.assign(this, { nodes, frames, edges });
    this.foldAll.hidden = !frames.length;
    this.nodeOf = new Map([...frames, ...nodes].map((node) => [node.id, node]));
    for (const node of this.nodeOf.values()) {
      node.isTarget = node.members.some(([a, b]) => this.of.isTarget.subarray(a, b + 1).includes(1));
      node.isStale = node.members.some(([a, b]) => this.of.isStale.subarray(a, b + 1).includes(1));
    }
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
    this.marked = null;
    this.shape = this.of.shape;
    this.fit();
    this.select(this.selected);
    this.mark();
  }

  drawCards() {
    const old = this.cards;
    this.cards = new Map();
    for (const node of [...this.frames, ...this.nodes]) {
      const key = node.isFrame ? `frame ${node.id}` : node.id;
      const card = old.get(key) || this.card(node);
      old.delete(key);
      Object.assign(card.el.style, { left: `${node.x}px`, top: `${node.y - node.h / 2}px`, width: `${node.w}px`, height: `${node.h}px` });
      card.el.classList.toggle("is-fold", node.isFold && !node.isFrame);
      card.node = node;
      card.shown = "";
      card.name.textContent = node.name;
      this.cards.set(key, card);
      this.layer.append(card.el);  // in reading order, for those who go by Tab
      this.paint(card);
    }
    for (const card of old.values()) card.el.remove();
    this.rove();
  }

  card(node) {
    const el = make("div", node.isFrame ? "wfnb-frame" : "wfnb-card");
    const card = { el, badge: badge(null), name: make("div", "wfnb-name"), note: make("div", "wfnb-note"), bar: make("div", "wfnb-bar") };
    card.segments = this.of.looks.map((look) => {
      const part = card.bar.appendChild(make("i"));
      part.style.background = look.colour;
      return part;
    });
    if (node.isFrame) { this.head(card, node); return card; }
    el.setAttribute("role", "button");
    el.tabIndex = -1;
    el.dataset.node = node.id;
    const words = make("div", "wfnb-words");
    words.append(card.name, card.note);
    const target = make("span", "wfnb-bullseye", "◎");
    target.setAttribute("aria-hidden", "true");
    el.append(card.badge, words, target, card.bar);
    return card;
  }

  // What is left of a card that was unfolded: a line above its parts.
  head(card, node) {
    const head = card.el.appendChild(make("div", "wfnb-framehead")), { id } = node;
    const title = head.appendChild(button("wfnb-frametitle", "", () => this.tap(id)));
    title.append(card.badge, card.name, card.note);
    title.addEventListener("dblclick", () => this.fold(id));
    head.append(button("wfnb-fold", "−", () => this.fold(id), `fold ${node.name}`));
    head.dataset.frame = id;
    card.el.append(card.bar);
  }

  paint(card) {
    const of = this.of, node = card.node, counts = of.counts(node.counted), state = this.stateOf(node, counts), look = of.looks[state];
    const row = of.rows[node.members[0][0]] || [], shown = `${state} ${node.isFold ? counts : row} ${of.w[row[WORKER]]}`;
    if (shown === card.shown) return;  // to write the same to the page costs as much
    card.shown = shown;
    rebadge(card.badge, look);
    card.el.dataset.state = look ? look.state : "none";
    card.el.style.setProperty("--state", look ? look.colour : "var(--wfnb-line)");
    card.el.classList.toggle("is-bare", !look);
    card.el.classList.toggle("is-target", node.isTarget);
    card.el.classList.toggle("is-stale", node.isStale);
    if (node.isFold) this.paintFold(card, counts, look, state); else this.paintTask(card, node.members[0][0], look);
    const marks = `${node.isStale ? ", stale" : ""}${node.isTarget ? ", target" : ""}`;
    card.el.setAttribute("aria-label", `${node.name}, ${card.note.textContent || "not run"}${marks}`);
  }

  // As cards.card chooses it: a map's items and its list; before it has items, what splits.
  stateOf(node, counts) {
    const of = this.of;
    if (!of.isRun) return -1;
    if (node.map === undefined) return of.overall(node.tasks ? counts : of.counts(node.members));
    if (!node.tasks) return of.mapState(of.g.maps[of.listOf[node.map]]);
    const all = [...counts];
    all[of.state(node.map)] += 1;
    return of.overall(all);
  }

  paintTask(card, task, look) {
    const row = this.of.rows[task], worker = row && this.of.w[row[WORKER]];
    let note = look ? look.word : this.of.g.functions[this.of.g.fn[task]];
    if (look && row && look.state === "running" && worker) note = `running · ${worker[0]}`;
    if (look && row && row[CALL] != null) note = `${look.word} · ${duration(this.of.took(task))}`;
    if (this.of.isStale[task]) note = "stale";
    write(card.note, note);
    card.el.style.setProperty("--worker", worker ? hue(row[WORKER]) : "transparent");
  }

  paintFold(card, counts, look, state) {
    const { node } = card, total = node.tasks, failed = counts[this.of.number.failed];
    const done = `${this.of.succeeded(counts).toLocaleString("en")} / ${total.toLocaleString("en")}`;
    if (node.map !== undefined && !total) card.note.textContent = this.unknown(node, state);
    else if (!look) card.note.textContent = total ? count(total, "task") : "maps";
    else card.note.textContent = failed ? `${done} · ${failed.toLocaleString("en")} failed` : `${done} done`;
    card.segments.forEach((part, at) => { part.style.flexGrow = counts[at]; part.hidden = !counts[at]; });
    card.bar.hidden = !look || !total;
  }

  unknown(node, state) {
    const of = this.of, map = of.g.maps[of.listOf[node.map]], look = of.looks[state];
    if (map.items) return "no items";
    if (of.isEnded(state)) return look.state === "failed" ? "failed to split" : look.word;
    return look && look.state === "running" ? "splitting" : "items not known yet";
  }

  // Repaint the cards of these tasks; null repaints all.
  update(tasks) {
    if (!this.cy) return;
    if (this.shape !== this.of.shape) { this.build(); return; }
    if (!tasks) { for (const card of this.cards.values()) this.paint(card); this.mark(); return; }
    const nodes = new Set();
    for (const task of tasks) nodes.add(this.nodeWith(task));
    for (const node of nodes) if (node && this.cards.has(node.id)) this.paint(this.cards.get(node.id));
    if (tasks.size) for (const node of this.frames) this.paint(this.cards.get(`frame ${node.id}`));
    if (tasks.size) this.mark();
  }

  // Show which cards and edges the critical path goes through; nothing when it is not wanted.
  mark(isWanted = this.isMarked) {
    this.isMarked = isWanted;
    if (!this.cy || !this.nodes.length) return;
    const path = isWanted && this.of.isRun ? this.of.critical() : [];
    const steps = path.map((task) => this.nodeWith(task)).filter(Boolean);
    const through = new Set(steps.map((node) => node.id)), pairs = new Set();
    steps.forEach((node, at) => { if (at && steps[at - 1] !== node) pairs.add(`${steps[at - 1].id}\u0000${node.id}`); });
    const wanted = [...through, "", ...pairs].join("\u0001");
    if (wanted === this.marked) return;
    this.marked = wanted;
    for (const [id, card] of this.cards) card.el.classList.toggle("is-critical", through.has(id));
    this.cy.batch(() => this.cy.edges().forEach((edge) => {
      edge.toggleClass("critical", pairs.has(`${edge.data("source")}\u0000${edge.data("target")}`));
    }));
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
    if (isSecond) { this.toggle(id); return; }
    this.tap(id);
    // Once that is painted; and nothing moves, for a second click may follow.
    requestAnimationFrame(() => setTimeout(() => {
      this.isStill = true;
      if (this.selected === id) this.focus(this.nodeOf.get(id));
      this.isStill = false;
    }));
  }

  tap(id) { const node = this.nodeOf.get(id); this.tip.hidden = true; this.select(id); this.picked(node); }

  toggle(id) {
    const node = this.nodeOf.get(id);
    if (!node || !node.isFold) return;
    if (node.isFrame) { this.fold(id); return; }
    this.closed();
    this.unfolded.add(id);
    this.build();
    this.focus(this.nodes.find((each) => each.parent === id) || node);
  }

  fold(id) {
    if (!this.unfolded.delete(id)) return;
    this.closed();
    this.build();
    this.focus(this.nodeOf.get(id));
  }

  refold() { this.unfolded.clear(); this.closed(); this.isTouched = false; this.build(); }

  // Unfold whatever hides a task, as far as it can be; select what shows it, and return that.
  reveal(task) {
    const map = this.of.g.maps[Math.max(this.of.listOf[task], this.of.splits[task])];
    if (map) {
      const node = this.nodeOf.get(this.of.g.ids[map.at]);
      if (node) { this.select(node.id); this.into(node); return node; }
    }
    for (let depth = 0; depth < 6; depth += 1) {
      const node = this.nodeWith(task);
      if (!node || !node.isFold || (map && node.map === map.at) || this.unfolded.has(node.id)) break;
      this.unfolded.add(node.id);
      this.build();
    }
    const node = this.nodeWith(task);
    if (node) { this.select(node.id); this.into(node); }
    return map ? node : null;
  }

  select(id) {
    this.selected = this.nodeOf && this.nodeOf.has(id) ? id : null;
    for (const card of this.cards.values()) card.el.classList.toggle("is-picked", card.node.id === this.selected);
    if (this.selected) this.rove(this.selected);
    this.light(this.selected);
  }

  light(id) {
    if (!this.cy) return;
    this.cy.batch(() => {
      this.cy.edges().removeClass("near far");
      if (!id) return;
      const near = this.within(id).connectedEdges();
      near.addClass("near");
      this.cy.edges().difference(near).addClass("far");
    });
  }

  // The core's node, or those of a frame.
  within(id) {
    const node = this.nodeOf.get(id);
    if (!node || !node.isFrame) return this.cy.getElementById(id);
    const inside = new Set(this.nodes.filter((each) => node.members.some(([a, b]) => each.members[0][0] >= a && each.members[0][0] <= b)).map((each) => each.id));
    return this.cy.nodes().filter((each) => inside.has(each.id()));
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
    if (node.isFold) {
      const counts = of.counts(node.counted);
      of.looks.forEach((look, at) => { if (counts[at]) lines.push(make("div", "", `${counts[at].toLocaleString("en")} ${look.word}`)); });
      const what = node.map === undefined ? "task" : "item";
      lines.push(make("div", "wfnb-muted", node.tasks ? `${count(node.tasks, what)} · double-click unfolds` : this.unknown(node, this.stateOf(node, counts))));
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
    for (const [name, card] of this.cards) if (!card.node.isFrame) card.el.tabIndex = name === this.current ? 0 : -1;
  }

  focus(node) { if (node && this.cards.has(node.id)) { this.rove(node.id); this.cards.get(node.id).el.focus({ preventScroll: true }); } }

  focused(event) {
    const id = event.target.dataset && event.target.dataset.node;
    const node = id && this.nodeOf.get(id);
    if (node) { this.rove(id); if (!this.isStill) this.into(node); }
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
    else if (event.key === "Backspace" && node.parent) this.fold(node.parent);
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
    const all = [...this.nodes, ...this.frames];
    const left = Math.min(...all.map((n) => n.x)), right = Math.max(...all.map((n) => n.x + n.w));
    const top = Math.min(...all.map((n) => n.y - n.h / 2)), bottom = Math.max(...all.map((n) => n.y + n.h / 2));
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
    if (this.cy) { this.cy.destroy(); this.stopRest(); }
    if (this.view) this.view.remove();
  }
}

// Tasks of one worker share the colour of a stripe; its name stands beside it everywhere.
const HUES = ["#4477aa", "#ccbb44", "#ee6677", "#228833", "#66ccee", "#aa3377", "#bbbbbb", "#ee8866"];
const hue = (worker) => HUES[worker % HUES.length];
