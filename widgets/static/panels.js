// -- Progress and errors ---------------------------------------------------------------------------

class Progress {
  constructor(of, { marked }) {
    this.of = of;
    this.el = make("div", "wfnb-progress");
    this.bar = this.el.appendChild(make("div", "wfnb-bar"));
    this.bar.setAttribute("role", "progressbar");
    this.bar.setAttribute("aria-label", "tasks done");
    this.segments = of.looks.map((look) => {
      const part = this.bar.appendChild(make("i"));
      part.style.background = look.colour;
      return part;
    });
    this.words = this.el.appendChild(make("div", "wfnb-counts"));
    this.chips = new Map();
    this.done = make("b");
    this.gap = make("span", "wfnb-gap");
    this.clock = make("span", "wfnb-clock");
    this.critical = button("wfnb-quiet wfnb-critical", "", () => {
      this.isMarked = !this.isMarked;
      this.critical.setAttribute("aria-pressed", String(this.isMarked));
      marked(this.isMarked);
    });
    this.critical.setAttribute("aria-pressed", "false");
    this.critical.title = "mark the longest chain of tasks that wait for each other: more workers do not make it shorter";
  }

  update() {
    const of = this.of;
    this.el.hidden = !of.isRun || !of.g;
    if (this.el.hidden) return;
    const { counts, unsplit, unlisted } = of.tally(), sum = (some) => some.reduce((all, one) => all + one, 0);
    const isOver = of.r.status !== "running", all = counts.map((one, at) => one + unsplit[at] + unlisted[at]);
    const shown = isOver ? counts.map((one, at) => one + unsplit[at]) : counts, done = of.succeeded(shown);
    if (isOver && done === sum(shown)) unlisted.forEach((one, at) => { shown[at] += one; });
    const total = sum(shown), maps = isOver ? 0 : sum(unsplit);
    this.segments.forEach((part, at) => { part.style.flexGrow = all[at]; part.hidden = !all[at]; });
    this.bar.setAttribute("aria-valuemin", "0");
    this.bar.setAttribute("aria-valuemax", String(total));
    this.bar.setAttribute("aria-valuenow", String(done));
    const more = maps ? ` + ${maps === 1 ? "map" : count(maps, "map")}` : "";
    const chips = of.looks.map((look, at) => (isOver ? shown : all)[at] && this.chip(look, (isOver ? shown : all)[at])).filter(Boolean);
    write(this.done, `${done.toLocaleString("en")} / ${total.toLocaleString("en")}${more}`);
    const parts = [this.done, ...chips, this.gap, this.critical, this.clock];
    if (parts.length !== this.words.children.length || parts.some((part, at) => part !== this.words.children[at])) this.words.replaceChildren(...parts);
    this.tick();
  }

  chip(look, number) {
    let chip = this.chips.get(look.state);
    if (!chip) {
      chip = make("span", "wfnb-chip");
      chip.append(badge(look), make("span"));
      this.chips.set(look.state, chip);
    }
    write(chip.lastChild, `${number.toLocaleString("en")} ${look.word}`);
    return chip;
  }

  tick() {
    const of = this.of, workers = of.w.filter((worker) => worker[2]).length;
    const words = [duration(of.elapsed)];
    if (of.r.status === "running") {
      const left = of.remaining ?? (of.g.planned && of.g.planned.end - of.elapsed);
      if (left > 1) words.push(`about ${duration(left)} left`);
      words.push(count(workers, "worker"));
    }
    if (of.g.planned) words.push(`predicted ${duration(of.g.planned.end)}`);
    write(this.clock, words.join(" · "));
    const now = performance.now();
    if (of.r.status === "running" && now - this.weighed < 400) return;  // it goes through the whole graph
    this.weighed = now;
    const seconds = of.criticalSeconds;
    this.critical.hidden = !seconds;
    write(this.critical, `critical path ${duration(seconds)} of ${duration(of.elapsed)}`);
  }
}

class Tabs {
  constructor(of, { goTo, resume }) {
    this.of = of; this.goTo = goTo; this.resume = resume;
    this.el = make("div", "wfnb-tabs");
    const bar = this.el.appendChild(make("div", "wfnb-tabbar"));
    this.panels = {};
    this.time = new TimePane(of, { picked: goTo });
    for (const name of ["errors", "timeline", "workers"]) {
      const tab = button("wfnb-tab", "", () => this.open(this.now === name ? null : name));
      tab.setAttribute("aria-expanded", "false");
      const panel = make("div", `wfnb-panel wfnb-${name}-panel`);
      panel.hidden = true;
      bar.append(tab);
      this.panels[name] = { tab, panel };
      this.el.append(panel);
    }
    this.panels.timeline.tab.textContent = "timeline";
    this.panels.timeline.panel.append(this.time.el);
    this.workers = new WorkersPane(of, { goTo });
    this.panels.workers.panel.append(this.workers.el);
    this.now = null;
  }

  open(name) {
    this.now = name;
    for (const [each, { tab, panel }] of Object.entries(this.panels)) {
      tab.setAttribute("aria-expanded", String(each === name));
      panel.hidden = each !== name;
    }
    this.update(true);
  }

  update(withErrors) {
    const of = this.of, errors = of.e.length;
    this.el.hidden = !of.isRun && !(of.g && of.g.planned);
    write(this.panels.errors.tab, errors ? `errors ${errors.toLocaleString("en")}` : "no errors");
    this.panels.errors.tab.classList.toggle("is-loud", errors > 0);
    this.panels.errors.tab.disabled = !errors;
    const alive = of.w.filter((worker) => worker[2]).length;
    this.panels.workers.tab.hidden = !of.w.length;
    write(this.panels.workers.tab, count(of.w.length, "worker") + (of.r.status === "running" ? `, ${alive} here` : ""));
    if (errors && this.now === null && !this.hasOpened) { this.hasOpened = true; this.open("errors"); return; }
    if (!errors) { this.hasOpened = false; if (this.now === "errors") { this.open(null); return; } }
    if (this.now === "errors" && withErrors) this.drawErrors();
    if (this.now === "workers") this.workers.update();
    if (this.now === "timeline") this.time.update();
  }

  tick() {
    if (this.now === "workers") this.workers.update();
  }

  drawErrors() {
    const isOpen = this.unrolled || (this.unrolled = new Set()), errors = this.of.e;
    const rows = errors.slice(-200).reverse().map((error) => {
      const key = `${error.id} ${error.attempt}`, item = make("details", "wfnb-error");
      item.open = isOpen.has(key);
      item.addEventListener("toggle", () => (item.open ? isOpen.add(key) : isOpen.delete(key)));
      const line = item.appendChild(make("summary"));
      line.append(badge(this.of.looks[this.of.number.failed]), make("b", "", error.id),
        make("span", "wfnb-what", [error.type || error.kind, error.message].filter(Boolean).join(": ")),
        make("span", "wfnb-muted", [`attempt ${error.attempt}`, error.worker].filter(Boolean).join(" · ")));
      const acts = item.appendChild(make("div", "wfnb-acts"));
      if (error.task >= 0) acts.append(button("wfnb-button", "go to task", () => this.goTo(error.task)));
      if (this.of.r.status === "failed") acts.append(button("wfnb-button", "resume", this.resume));
      item.append(make("pre", "", error.traceback || error.stderr || error.message));
      return item;
    });
    if (errors.length > 200) rows.push(make("div", "wfnb-muted", `and ${(errors.length - 200).toLocaleString("en")} earlier ones: run.errors has them all`));
    this.panels.errors.panel.replaceChildren(...rows);
  }

  close() { this.time.close(); }
}
