// -- The bar: what it is, and what can be done with it ------------------------------------------------

class Bar {
  constructor(model, of) {
    this.model = model; this.of = of; this.asked = 0;
    this.el = make("header", "wfnb-top");
    this.badge = this.el.appendChild(badge(null));
    this.name = this.el.appendChild(make("h2", "wfnb-title"));
    this.about = this.el.appendChild(make("span", "wfnb-muted wfnb-about"));
    this.el.append(make("span", "wfnb-gap"));
    this.planner = this.el.appendChild(make("select", "wfnb-select"));
    this.planner.setAttribute("aria-label", "planner");
    this.planner.title = "planner";
    this.planner.addEventListener("change", () => this.ask("plan"));
    this.buttons = Object.fromEntries([["start", "run"], ["cancel", "cancel"], ["resume", "resume"]].map(([act, word]) => {
      const made = button("wfnb-button", word, () => this.ask(act));
      this.el.append(made);
      return [act, made];
    }));
    this.buttons.start.classList.add("is-main");
    this.outlook = make("div", "wfnb-muted wfnb-outlook");
    this.say = make("div", "wfnb-say");
    this.say.setAttribute("role", "status");
    this.say.hidden = true;
  }

  // Answered by the kernel, once it listens: while a cell runs it may not.
  ask(act) {
    this.asked = Math.max(this.asked, this.of.r.answered || 0) + 1;
    tell(this.model, { t: act, n: this.asked, planner: this.planner.value });
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.update(), 800);
    this.since = performance.now();
  }

  get isWaiting() { return this.asked > (this.of.r.answered || 0) && performance.now() - this.since > 750; }

  update() {
    const r = this.of.r, isRun = this.of.isRun, isRunning = r.status === "running";
    const state = { running: "running", done: "done", failed: "failed", cancelled: "cancelled" }[r.status];
    rebadge(this.badge, this.of.looks[this.of.number[state]]);
    this.badge.style.display = isRun ? "" : "none";
    write(this.name, isRun ? r.id : r.title || "workflow");
    write(this.about, this.words(isRun, r));
    const planners = r.planners || [];
    this.planner.hidden = !planners.length;
    if (planners.length !== this.planner.length) {
      this.planner.replaceChildren(...planners.map((name) => make("option", "", name)));
    }
    if (planners.includes(r.planner) && document.activeElement !== this.planner) this.planner.value = r.planner;
    this.planner.disabled = isRunning;
    this.buttons.start.hidden = !r.can_run || isRunning;
    this.buttons.cancel.hidden = !isRunning;
    this.buttons.resume.hidden = !isRun || !["failed", "cancelled"].includes(r.status);
    write(this.outlook, isRunning ? "" : r.outlook || "");
    this.outlook.hidden = !this.outlook.textContent;
    const hint = this.isWaiting && "The kernel is busy with a cell: press ■ (interrupt) first. The run goes on, and this button is heard then.";
    write(this.say, r.trouble || hint || (r.notes || []).join(" · "));
    this.say.hidden = !this.say.textContent;
    this.say.classList.toggle("is-loud", Boolean(r.trouble));
  }

  // As sizes.sized says it: 3 tasks + map.
  size() {
    const { g } = this.of, items = g.maps.reduce((sum, map) => sum + sizeOf(map.items || []), 0);
    const maps = g.maps.filter((map) => !map.items).length;
    const tasks = items + g.ids.reduce((sum, _, task) => sum + (this.of.mapOf(task) < 0), 0);
    if (!maps) return count(tasks, "task");
    return tasks ? `${count(tasks, "task")} + ${maps === 1 ? "map" : count(maps, "map")}` : count(maps, "map");
  }

  words(isRun, r) {
    const parts = [isRun ? r.status : this.of.g && this.size()];
    if (!isRun && this.of.g && this.of.g.planned) parts.push(`predicted ${duration(this.of.g.planned.end)}`);
    if (isRun && r.planner && !(r.planners || []).length) parts.push(`planned by ${r.planner}`);
    return parts.filter(Boolean).join(" · ");
  }
}

// -- All of it -----------------------------------------------------------------------------------------

function dashboard(model, el) {
  const of = toldTo(model), root = make("div", "wfnb");
  // Notebooks take keys before anybody else, and D D deletes the cell. They spare only a focused
  // element that says so itself.
  root.addEventListener("focusin", (event) => event.target.setAttribute("data-lm-suppress-shortcuts", "true"));
  root.setAttribute("role", "region");
  root.setAttribute("aria-label", "workflow dashboard");
  const bar = new Bar(model, of), main = make("div", "wfnb-main");
  const progress = new Progress(of, { marked: (isMarked) => { graph.mark(isMarked); tabs.time.mark(isMarked); } });
  let graph = null;
  const shut = () => { inspector.show(null); root.classList.remove("has-inspector"); if (graph) graph.select(null); };
  const inspect = (node) => {
    if (inspector.node !== node) inspector.show(node);
    root.classList.add("has-inspector");
    if (tabs) tabs.time.select(node.isFold ? -1 : node.members[0][0]);
  };
  const goTo = (task) => {
    inspect(graph.reveal(task) || Object.assign(taskNode(of, task), { tasks: 1 }));
    tabs.time.select(task);
    inspector.el.scrollIntoView({ block: "nearest" });
  };
  const inspector = new Inspector(model, of, {
    goTo, unfold: (id) => graph.toggle(id), stateOf: (node, counts) => graph.stateOf(node, counts),
    closed: () => { shut(); graph.focus(graph.nodeOf.get(graph.current)); },
  });
  graph = new GraphPane(model, of, { picked: inspect, closed: shut });
  const tabs = new Tabs(of, { goTo, resume: () => bar.ask("resume") });
  main.append(graph.el, inspector.el);
  root.append(bar.el, bar.outlook, bar.say, progress.el, main, tabs.el);
  el.append(root);
  root.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !inspector.el.hidden) { const at = graph.current; shut(); graph.focus(graph.nodeOf.get(at)); }
    event.stopPropagation();
  });
  // After another graph was told: the same node, wherever its tasks are now.
  const stay = () => {
    const { node } = inspector, now = graph.nodeOf && graph.nodeOf.get(node.id), task = of.at.get(node.id);
    if (now) inspect(now);
    else if (task === undefined || node.isFold) shut();
    else inspect(Object.assign(taskNode(of, task), { tasks: 1 }));
  };
  let frame = 0, isSeen = true, isBehind = false, tasks = new Set(), withErrors = true;
  const draw = () => {
    frame = 0; isBehind = false;
    bar.update(); progress.update(); graph.update(tasks); tabs.update(withErrors);
    if (tasks === null && inspector.node) stay(); else if (of.r.status !== "running") inspector.update(); else inspector.follow();
    tasks = new Set(); withErrors = false;
  };
  const soon = () => { if (!frame) frame = requestAnimationFrame(draw); };
  const watch = (change) => {
    // Logs of other tasks come all the time.
    if (change.isQuiet && !(inspector.node && change.logs.has(inspector.watched))) return;
    if (!change.tasks || change.shape) tasks = null;
    else if (tasks) change.tasks.forEach((task) => tasks.add(task));
    withErrors = withErrors || change.errors;
    if (isSeen || change.shape || of.r.status !== "running") soon(); else isBehind = true;
  };
  of.watchers.add(watch);
  // What is scrolled out of sight is drawn seldom until it is in sight again.
  const sight = new IntersectionObserver((entries) => {
    isSeen = entries[entries.length - 1].isIntersecting;
    if (isSeen && isBehind) soon();
  }, { rootMargin: "200px" });
  sight.observe(root);
  const ticks = setInterval(() => {
    if (isBehind) soon();
    const isRunning = of.r.status === "running" && of.g && isSeen;
    root.classList.toggle("is-out", isRunning && !root.classList.contains("is-out"));
    if (isRunning) { progress.tick(); tabs.tick(); inspector.follow(); }
  }, 500);
  tasks = null;
  draw();
  return () => {
    of.watchers.delete(watch);
    clearInterval(ticks);
    sight.disconnect();
    cancelAnimationFrame(frame);
    clearTimeout(bar.timer);
    graph.close();
    inspector.close();
    tabs.close();
    root.remove();
  };
}

export default {
  initialize({ model }) {
    toldTo(model);
    const on = (message) => { if (message) hear(model, message); };
    const whole = () => {
      const snapshot = model.get("_snapshot");
      if (snapshot && snapshot.seq >= toldTo(model).seq) restore(toldTo(model), snapshot);
    };
    model.on("msg:custom", on);
    model.on("change:_snapshot", whole);
    return () => {
      model.off("msg:custom", on);
      model.off("change:_snapshot", whole);
      told.delete(model.get("_uid"));
    };
  },
  render({ model, el }) { return dashboard(model, el); },
};
