// -- The inspector of one task, or of a fold -------------------------------------------------------

class Inspector {
  constructor(model, of, { goTo, unfold, stateOf, closed }) {
    Object.assign(this, { model, of, goTo, unfold, stateOf });
    this.el = make("section", "wfnb-inspector");
    this.el.setAttribute("aria-label", "inspector");
    this.el.hidden = true;
    this.el.tabIndex = -1;
    const head = this.el.appendChild(make("header", "wfnb-head"));
    this.badge = head.appendChild(badge(null));
    this.name = head.appendChild(make("h3", "wfnb-title"));
    head.append(button("wfnb-close", "×", closed, "close the inspector"));
    this.body = this.el.appendChild(make("div", "wfnb-body"));
    this.body.addEventListener("scroll", () => { this.isScrolled = true; }, { passive: true });
    this.log = new LogPane();
  }

  show(node) {
    const wasOpen = !this.el.hidden;
    this.node = node;
    this.el.hidden = !node;
    if (this.list) { this.list.close(); this.list = null; }
    if (!node) { if (wasOpen) this.watch(null); return; }
    this.watch(node.isFold ? null : node.members[0][0]);
    this.body.replaceChildren();
    this.facts = make("div");
    this.body.append(this.facts);
    if (node.isFold) this.members(); else this.body.append(this.log.el);
    if (this.isScrolled) { this.body.scrollTop = 0; this.isScrolled = false; }  // else the page would be laid out for nothing
    this.update();
  }

  watch(task) {
    if (task === this.watched) return;
    this.watched = task;
    tell(this.model, { t: "log", task });
  }

  // While a run goes on: it is built anew each time, and nobody reads that fast.
  follow() { if (performance.now() - this.updated > 240) this.update(); }

  update() {
    if (!this.node) return;
    this.updated = performance.now();
    this.name.textContent = this.node.name;
    if (this.node.isFold) this.fold(); else this.task(this.node.members[0][0]);
  }

  task(task) {
    const of = this.of, { g } = of, row = of.rows[task], look = of.looks[of.state(task)];
    rebadge(this.badge, look);
    const worker = row && of.w[row[WORKER]], plan = of.planned.get(task), map = g.maps[of.itemOf[task]];
    const words = look && [look.word, row && row[ATTEMPT] > 1 && `attempt ${row[ATTEMPT]}`,
      look.state === "reused" && "computed by an earlier run", look.state === "skipped" && "nothing to do for this item",
      of.isStale[task] && "stale"].filter(Boolean).join(", ");
    const item = map && count(sizeOf(map.items), "item");
    const facts = [
      ["function", g.functions[g.fn[task]]],
      ["map", map && [`${g.ids[map.at]}, item `, `${(/\[(\d+)\]$/.exec(g.ids[task]) || ["", "?"])[1]} of ${item}`].join("")],
      ["state", words || (of.isStale[task] && "stale")],
      ["worker", worker && [worker[0], worker[1]].filter(Boolean).join(" · ")],
      ["resources", g.sizes[g.size[task]]],
      ["packages", g.packages && g.packages[g.package[task]]],
      ...g.needs[g.fn[task]],
      ["started", row && row[START] != null && `after ${duration(Math.max(0, row[START]))}`],
      ["took", duration(of.took(task))],
      ["predicted", plan && `${duration(plan[3] - plan[2])}, from ${duration(plan[2])} on`],
      ["path", of.isRun && of.critical() && of.onPath.has(task) && "on the critical path"],
    ];
    const parts = [table(facts), this.phases(task, row), this.links("reads", of.reads(task)), this.links("read by", of.readBy(task))];
    const errors = of.e.filter((error) => error && error.task === task);
    parts.push(...errors.slice(-3).reverse().map((error) => failure(error)));
    this.facts.replaceChildren(...parts.filter(Boolean));
    this.log.show(g.ids[task], of.l[task], this.silence(task, look));
  }

  // What to say of a log of which nothing is known: never that it is empty when it may not be.
  silence(task, look) {
    if (!look || ["waiting", "queued", "reused", "upstream-failed", "preparing"].includes(look.state)) return "";
    if (look.state === "running") return "Nothing printed so far.";
    if (this.of.quiet.has(task)) return "It printed nothing.";
    return "Looking for what it printed: that comes by itself, at the latest when no cell runs.";
  }

  phases(task, row) {
    if (!row || row[CALL] == null) return null;
    const ready = this.of.readyAt(task);
    const phases = [["queue", ready == null ? 0 : Math.max(0, row[START] - ready)], ["load", row[LOAD]],
      ["call", row[CALL]], ["save", row[SAVE]]];
    const made = make("div", "wfnb-phases"), bar = made.appendChild(make("div", "wfnb-phasebar"));
    const legend = made.appendChild(make("div", "wfnb-legend"));
    for (const [name, seconds] of phases) {
      bar.appendChild(make("i", `wfnb-${name}`)).style.flexGrow = seconds * 1e6;  // shares that sum to less than 1 would not fill the bar
      const entry = legend.appendChild(make("span"));
      entry.append(make("i", `wfnb-dot wfnb-${name}`), `${name} ${duration(seconds)}`);
    }
    const sizes = `${bytes(row[READ])} in · ${bytes(row[WROTE])} out · ${duration(row[CPU])} of CPU`;
    made.append(make("div", "wfnb-muted", sizes));
    return made;
  }

  links(title, tasks) {
    if (!tasks.length) return null;
    const made = make("div", "wfnb-links");
    made.append(make("span", "wfnb-muted", title));
    for (const task of tasks.slice(0, 12)) {
      const wrote = (this.of.rows[task] || [])[WROTE];
      const link = button("wfnb-link", this.of.g.ids[task], () => this.goTo(task));
      if (title === "reads" && wrote != null) link.append(make("small", "", ` ${bytes(wrote)}`));
      made.append(link);
    }
    if (tasks.length > 12) made.append(make("span", "wfnb-muted", `and ${(tasks.length - 12).toLocaleString("en")} more`));
    return made;
  }

  fold() {
    const of = this.of, { node } = this, counts = of.counts(node.counted);
    rebadge(this.badge, of.looks[this.stateOf(node, counts)]);
    const isMap = node.map !== undefined, map = isMap && of.g.maps[of.listOf[node.map]];
    const facts = [
      ["map", isMap && of.g.ids[node.map]],
      ["function", isMap && node.tasks > 0 && of.g.functions[of.g.fn[node.counted[0][0]]]],
      [isMap ? "items" : "tasks", map && !map.items ? this.unknown(map) : node.tasks.toLocaleString("en")],
      ["resources", isMap && of.g.sizes[of.g.size[node.map]]],
      ["packages", isMap && of.g.packages && of.g.packages[of.g.package[node.map]]],
      ...(isMap && node.tasks ? of.g.needs[of.g.fn[node.counted[0][0]]] : []),
      ["list", isMap && of.isRun && (of.looks[of.state(node.map)] || {}).word],
    ];
    const parts = [table(facts), this.states(counts), this.slowest(), this.failing()];
    if (isMap) parts.push(this.links("reads", of.mapReads(of.listOf[node.map])), this.links("read by", of.readBy(node.map)));
    const errors = isMap ? of.e.filter((error) => error && (error.task === node.map || (map.over < 0 && error.task === map.splitter))) : [];
    parts.push(...errors.slice(-2).map((error) => failure(error)));
    if (node.tasks) parts.push(button("wfnb-button", node.isFrame ? "fold" : "unfold", () => this.unfold(node.id)));
    this.facts.replaceChildren(...parts.filter(Boolean));
    if (this.list) this.list.paint();
  }

  unknown(map) { return map.expected ? `about ${map.expected.toLocaleString("en")}; known when it is split` : "known when it is split"; }

  states(counts) {
    const made = make("div", "wfnb-counts");
    this.of.looks.forEach((look, at) => {
      if (!counts[at]) return;
      const chip = made.appendChild(make("span", "wfnb-chip"));
      chip.append(badge(look), make("span", "", `${counts[at].toLocaleString("en")} ${look.word}`));
    });
    return made.children.length ? made : null;
  }

  slowest() {
    const { of } = this;
    let slowest = -1, longest = -1;
    each(this.node.counted, (task) => {
      const row = of.rows[task], took = row && row[CALL] != null ? row[END] - row[START] : -1;
      if (took > longest) { slowest = task; longest = took; }
    });
    if (slowest < 0) return null;
    const made = this.links("slowest", [slowest]);
    made.append(make("span", "wfnb-muted", duration(longest)));
    return made;
  }

  failing() {
    const { of } = this, failed = [];
    each(this.node.counted, (task) => { if ((of.rows[task] || [])[STATE] === of.number.failed) failed.push(task); });
    return this.links("failed", failed);
  }

  members() {
    const tasks = numbers(this.node.counted);
    if (!tasks.length) return;
    this.list = new LongList("wfnb-members", 26, (at) => {
      const task = tasks[at], look = this.of.looks[this.of.state(task)];
      const row = button("wfnb-member", "", () => this.goTo(task));
      row.append(badge(look), make("span", "wfnb-name", this.of.g.ids[task]), make("span", "wfnb-muted", duration(this.of.took(task))));
      return row;
    });
    this.list.el.style.height = `${Math.min(260, tasks.length * 26)}px`;
    this.body.append(this.list.el);
    this.list.set(tasks.length);
  }

  close() { this.log.close(); if (this.list) this.list.close(); }
}

function table(facts) {
  const made = make("dl", "wfnb-facts");
  for (const [name, value] of facts) if (value) made.append(make("dt", "", name), make("dd", "", value));
  return made;
}

function failure(error) {
  const made = make("div", "wfnb-failure");
  made.append(make("b", "", [error.type || error.kind, error.message].filter(Boolean).join(": ")));
  const text = error.traceback || error.stderr;
  if (text) made.append(make("pre", "", text));
  return made;
}
