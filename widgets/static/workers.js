// -- The workers: who they are, what they may use and use, what they are at ------------------------

const megabytes = (size) => (size == null ? "" : Math.round(size / 1e6).toLocaleString("en"));

// What is known of a worker beside its name: heading, its words, and a share of a limit to draw.
const FACTS = [
  { head: "image", words: (fact) => fact.image },
  { head: "CPUs", words: (fact) => fact.cpus && String(fact.cpus) },
  { head: "CPU %", words: (fact) => fact.percent != null && String(fact.percent), share: (fact) => fact.percent / 100 / (fact.cpus || 1) },
  { head: "memory MB", words: (fact) => megabytes(fact.memory) && megabytes(fact.memory) + (fact.limit ? ` of ${megabytes(fact.limit)}` : ""), share: (fact) => fact.memory / fact.limit,
    title: (fact) => fact.peak && `peak ${megabytes(fact.peak)} MB` },
  { head: "start", words: (fact) => fact.cold != null && [fact.cold ? "cold" : "warm", duration(fact.waited)].filter(Boolean).join(" "),
    title: () => "from being asked for until it was there; a cold one was started for it" },
];

class WorkersPane {
  constructor(of, { goTo }) {
    this.of = of; this.goTo = goTo;
    this.el = make("table", "wfnb-crew");
    this.el.append(make("thead"), make("tbody"));
  }

  update() {
    const { of } = this, work = this.work(), facts = of.w.map(([name]) => of.c[name] || {});
    const shown = FACTS.filter((one) => facts.some((fact) => one.words(fact)));
    const head = make("tr");
    for (const word of ["worker", "where", ...shown.map((one) => one.head), "tasks", "of the run", "now"]) {
      const cell = make("th", "", word);
      cell.scope = "col";
      head.append(cell);
    }
    this.el.firstChild.replaceChildren(head);
    this.el.lastChild.replaceChildren(...of.w.map((worker, at) => this.row(worker, at, facts[at], shown, work[at])));
  }

  // What each has done, and is at. Who has claimed several at once is at one of them at a time.
  work() {
    const { of } = this, work = of.w.map(() => ({ tasks: 0, busy: 0, now: [] }));
    of.rows.forEach((row, task) => {
      const mine = row && work[row[WORKER]];
      if (!mine) return;
      if (row[STATE] === of.number.running) { mine.now.push(task); return; }
      if (of.isCounted(task)) mine.tasks += 1;
      mine.busy += of.took(task) || 0;
    });
    for (const mine of work) if (mine.now.length) mine.busy += Math.max(...mine.now.map((task) => of.took(task) || 0));
    return work;
  }

  row([name, label, isHere], at, fact, shown, mine) {
    const { of } = this, isRunning = of.r.status === "running";
    const row = make("tr", isHere && isRunning ? "wfnb-worker" : "wfnb-worker is-gone");
    const title = make("th"), dot = make("i", "wfnb-dot"), where = make("td", "wfnb-muted wfnb-where", label);
    title.scope = "row";
    dot.style.background = hue(at);
    title.append(dot, make("b", "", name));
    where.title = label;
    row.append(title, where);
    for (const one of shown) {
      const words = one.words(fact) || "", cell = make("td"), share = words && one.share ? one.share(fact) : NaN;
      cell.append(Number.isFinite(share) ? meter(share, words) : words);
      if (one.title) cell.title = one.title(fact) || "";
      row.append(cell);
    }
    const share = of.elapsed ? Math.min(1, mine.busy / of.elapsed) : 0, busy = make("td");
    busy.append(meter(share, `busy ${Math.round(share * 100)} %`));
    row.append(make("td", "", mine.tasks.toLocaleString("en")), busy, this.now(mine, fact, isHere, isRunning));
    return row;
  }

  now(mine, fact, isHere, isRunning) {
    const cell = make("td"), now = cell.appendChild(make("span", "wfnb-now"));
    for (const task of mine.now.slice(0, 3)) now.append(button("wfnb-link", this.of.g.ids[task], () => this.goTo(task)));
    if (mine.now.length > 3) now.append(make("span", "wfnb-muted", `and ${mine.now.length - 3} next`));
    const idle = fact.state === "waiting" ? "waiting for inputs" : "idle";
    if (!mine.now.length) now.append(make("span", "wfnb-muted", !isRunning ? "" : isHere ? idle : "gone"));
    return cell;
  }
}

function meter(share, words) {
  const made = make("span", "wfnb-meter");
  made.append(make("i"), make("span", "", words));
  made.firstChild.style.width = `${Math.round(Math.max(0, Math.min(1, share)) * 100)}%`;
  return made;
}
