// -- Progress, errors, workers -----------------------------------------------------------------------

class Progress {
  constructor(of) {
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
    this.clock = make("span", "wfnb-clock");
  }

  update() {
    const of = this.of;
    this.el.hidden = !of.isRun || !of.g;
    if (this.el.hidden) return;
    const counts = of.counts(of.everything), total = of.g.ids.length, done = of.succeeded(counts);
    this.segments.forEach((part, at) => { part.style.flexGrow = counts[at]; part.hidden = !counts[at]; });
    this.bar.setAttribute("aria-valuemin", "0");
    this.bar.setAttribute("aria-valuemax", String(total));
    this.bar.setAttribute("aria-valuenow", String(done));
    const shown = of.looks.map((look, at) => counts[at] && this.chip(look, counts[at])).filter(Boolean);
    this.words.replaceChildren(make("b", "", `${done.toLocaleString("en")} / ${total.toLocaleString("en")}`), ...shown, make("span", "wfnb-gap"), this.clock);
    this.tick();
  }

  chip(look, number) {
    let chip = this.chips.get(look.state);
    if (!chip) {
      chip = make("span", "wfnb-chip");
      chip.append(badge(look), make("span"));
      this.chips.set(look.state, chip);
    }
    chip.lastChild.textContent = `${number.toLocaleString("en")} ${look.word}`;
    return chip;
  }

  tick() {
    const of = this.of, workers = of.w.filter((worker) => worker[2]).length;
    const words = [duration(of.elapsed)];
    if (of.r.status === "running") {
      const left = of.g && of.remaining;
      if (left > 1) words.push(`about ${duration(left)} left`);
      words.push(count(workers, "worker"));
    }
    this.clock.textContent = words.join(" · ");
  }
}

class Tabs {
  constructor(of, { goTo, resume }) {
    this.of = of; this.goTo = goTo; this.resume = resume;
    this.el = make("div", "wfnb-tabs");
    const bar = this.el.appendChild(make("div", "wfnb-tabbar"));
    this.panels = {};
    for (const name of ["errors", "workers"]) {
      const tab = button("wfnb-tab", "", () => this.open(this.now === name ? null : name));
      tab.setAttribute("aria-expanded", "false");
      const panel = make("div", `wfnb-panel wfnb-${name}-panel`);
      panel.hidden = true;
      bar.append(tab);
      this.panels[name] = { tab, panel };
      this.el.append(panel);
    }
    this.now = null; this.opened = new Set();
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
    this.el.hidden = !of.isRun;
    this.panels.errors.tab.textContent = errors ? `errors ${errors.toLocaleString("en")}` : "no errors";
    this.panels.errors.tab.classList.toggle("is-loud", errors > 0);
    this.panels.errors.tab.disabled = !errors;
    const alive = of.w.filter((worker) => worker[2]).length;
    this.panels.workers.tab.textContent = count(of.w.length, "worker") + (of.r.status === "running" ? `, ${alive} here` : "");
    if (errors && this.now === null && !this.hasOpened) { this.hasOpened = true; this.open("errors"); return; }
    if (!errors) { this.hasOpened = false; if (this.now === "errors") { this.open(null); return; } }
    if (this.now === "errors" && withErrors) this.drawErrors();
    if (this.now === "workers") this.drawWorkers();
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

  drawWorkers() {
    const of = this.of, work = of.w.map(() => ({ ended: 0, busy: 0, now: [] }));
    of.rows.forEach((row, task) => {
      if (!row || row[WORKER] < 0 || !work[row[WORKER]]) return;
      const mine = work[row[WORKER]];
      if (row[STATE] === of.number.running) mine.now.push(task);
      else mine.ended += 1;
      mine.busy += of.took(task) || 0;
    });
    const rows = of.w.map(([name, label, isHere], at) => {
      const row = make("div", isHere ? "wfnb-worker" : "wfnb-worker is-gone");
      const dot = make("i", "wfnb-dot");
      dot.style.background = hue(at);
      row.append(dot, make("b", "", name), make("span", "wfnb-muted wfnb-where", label));
      row.append(make("span", "", `${count(work[at].ended, "task")} · ${duration(work[at].busy)}`));
      const now = make("span", "wfnb-now");
      for (const task of work[at].now.slice(0, 3)) now.append(button("wfnb-link", of.g.ids[task], () => this.goTo(task)));
      if (!work[at].now.length) now.append(make("span", "wfnb-muted", isHere && of.r.status === "running" ? "idle" : "gone"));
      row.append(now);
      return row;
    });
    this.panels.workers.panel.replaceChildren(...rows);
  }
}
