// -- The inspector of one task, or of a fold -------------------------------------------------------

class Inspector {
  constructor(model, of, { goTo, unfold, closed }) {
    this.model = model; this.of = of; this.goTo = goTo; this.unfold = unfold;
    this.el = make("section", "wfnb-inspector");
    this.el.setAttribute("aria-label", "inspector");
    this.el.hidden = true;
    this.el.tabIndex = -1;
    const head = this.el.appendChild(make("header", "wfnb-head"));
    this.badge = head.appendChild(badge(null));
    this.name = head.appendChild(make("h3", "wfnb-title"));
    head.append(button("wfnb-close", "×", closed, "close the inspector"));
    this.body = this.el.appendChild(make("div", "wfnb-body"));
    this.log = new LogPane();
  }

  show(node) {
    const wasOpen = !this.el.hidden;
    this.node = node;
    this.el.hidden = !node;
    if (this.list) { this.list.close(); this.list = null; }
    if (!node) { if (wasOpen) this.watch(null); return; }
    this.watch(node.tasks === 1 ? node.members[0][0] : null);
    this.body.replaceChildren();
    this.facts = make("div");
    this.name.textContent = node.name;
    this.body.append(this.facts);
    if (node.tasks === 1) this.body.append(this.log.el); else this.members();
    this.body.scrollTop = 0;
    this.update();
  }

  watch(task) {
    if (task === this.watched) return;
    this.watched = task;
    this.model.send({ t: "log", task });
  }

  update() {
    if (!this.node) return;
    if (this.node.tasks === 1) this.task(this.node.members[0][0]); else this.fold();
  }

  task(task) {
    const of = this.of, g = of.g, row = of.rows[task], state = of.state(task), look = of.looks[state];
    rebadge(this.badge, look);
    const worker = row && of.w[row[WORKER]];
    const facts = [
      ["function", g.functions[g.fn[task]]],
      ["state", look && (row && row[ATTEMPT] > 1 ? `${look.word}, attempt ${row[ATTEMPT]}` : look.word)],
      ["worker", worker && [worker[0], worker[1]].filter(Boolean).join(" · ")],
      ["resources", g.sizes[g.size[task]]],
      ["started", row && row[START] != null && `after ${duration(Math.max(0, row[START]))}`],
      ["took", duration(of.took(task))],
    ];
    const parts = [table(facts), this.phases(task, row), this.links("reads", g.in[task]), this.links("read by", of.readersOf(task))];
    const errors = of.e.filter((error) => error.task === task);
    parts.push(...errors.slice(-3).reverse().map((error) => failure(error)));
    this.facts.replaceChildren(...parts.filter(Boolean));
    const ended = look && !["running", "waiting", "queued", "retrying", "preparing"].includes(look.state);
    this.log.show(g.ids[task], of.l[task], ended);
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
    const of = this.of, counts = of.counts(this.node.members);
    rebadge(this.badge, of.looks[of.overall(counts)]);
    const words = of.looks.map((look, at) => counts[at] && `${counts[at].toLocaleString("en")} ${look.word}`).filter(Boolean);
    this.facts.replaceChildren(
      table([["tasks", this.node.tasks.toLocaleString("en")], ["states", words.join(", ")]]),
      button("wfnb-button", "unfold", () => this.unfold(this.node.id)),
    );
    this.list.paint();
  }

  members() {
    const tasks = this.node.members.flatMap(([a, b]) => Array.from({ length: b - a + 1 }, (_, at) => a + at));
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
