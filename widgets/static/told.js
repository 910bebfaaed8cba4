// -- What the kernel has told --------------------------------------------------------------------

const STATE = 1, ATTEMPT = 2, WORKER = 3, START = 4, END = 5, LOAD = 6, CALL = 7, SAVE = 8, CPU = 9,
  READ = 10, WROTE = 11;

const OK = ["done", "reused", "expanded", "held", "skipped"];

// Members are told as stretches: [[first, last], ...].
function each(stretches, act) {
  for (const [first, last] of stretches) for (let at = first; at <= last; at += 1) act(at);
}

function numbers(stretches) { const found = []; each(stretches, (at) => found.push(at)); return found; }

class Told {
  constructor(looks) {
    this.looks = looks;
    this.number = Object.fromEntries(looks.map((look, at) => [look.state, at]));
    this.seq = 0;
    this.watchers = new Set();
    this.g = null;
    this.r = {};
    this.shape = 0;  // counts the graphs seen: a pane that drew another one draws anew
    this.forget();
  }

  forget() {
    this.rows = []; this.w = []; this.c = {}; this.e = []; this.l = {}; this.quiet = new Set(); this.upstream = new Set();
    this.path = null;
  }

  // Returns what changed: {shape, tasks: Set or null for all, errors, logs: Set, isQuiet: only logs}
  take(message) {
    const all = message.t === "all" || Boolean(message.reset);
    if (all) this.forget();
    if (message.g && message.g.ids) { this.g = message.g; this.index(); this.shape += 1; }
    const tasks = all || message.g ? null : new Set();
    for (const row of message.d || []) {
      this.rows[row[0]] = row;
      if (tasks) tasks.add(row[0]);
      if (row[STATE] === this.number.failed) this.fail(row[0], tasks);
    }
    if (message.d) this.path = null;
    if (message.r) {
      Object.assign(this.r, message.r);
      if ("elapsed" in message.r) this.elapsedAt = performance.now();
    }
    if (message.w) this.w = message.w;
    if (message.c) this.c = message.c;
    for (const error of message.e || []) this.e[error.n] = error;
    for (const task of message.q || []) this.quiet.add(task);
    for (const [task, log] of Object.entries(message.l || {})) this.append(+task, log);
    const logs = new Set([...Object.keys(message.l || {}).map(Number), ...(message.q || [])]);
    const isQuiet = !all && !message.g && !message.d && !message.r && !message.w && !message.e;
    return { tasks, logs, isQuiet, shape: Boolean(message.g), errors: Boolean(message.e) || all };
  }

  // Which map an item, a list or what splits belongs to; -1 for ordinary tasks.
  index() {
    const { g } = this, none = () => new Int32Array(g.ids.length).fill(-1);
    this.readers = null; this.path = null; this.waits = null;
    // Items come without names and inputs: both follow from their map's.
    for (const map of g.maps) {
      const over = g.maps.find((other) => other.at === map.over), followed = over && over.items ? numbers(over.items) : [];
      let at = 0;
      each(map.items || [], (item) => {
        g.ids[item] = `${g.ids[map.at]}[${at}]`;
        g.in[item] = [over ? followed[at] : map.splitter];
        at += 1;
      });
    }
    this.itemOf = none(); this.listOf = none(); this.splits = none();
    g.maps.forEach((map, at) => {
      this.listOf[map.at] = at;
      if (map.over < 0) this.splits[map.splitter] = at;
      for (const [first, last] of map.items || []) this.itemOf.fill(at, first, last + 1);
    });
    this.at = new Map(g.ids.map((id, at) => [id, at]));
    this.planned = new Map(((g.planned && g.planned.rows) || []).map((row) => [row[0] < 0 ? this.at.get(row[4]) : row[0], row]));
    const flags = (tasks) => { const set = new Uint8Array(g.ids.length); tasks.forEach((task) => { set[task] = 1; }); return set; };
    this.isTarget = flags(g.targets); this.isStale = flags(g.stale);
  }

  // Lists and what splits are no tasks of people: see counting.py.
  isCounted(task) { return this.listOf[task] < 0 && this.splits[task] < 0; }

  mapOf(task) { return Math.max(this.itemOf[task], this.listOf[task], this.splits[task]); }

  append(task, log) {
    const old = this.l[task];
    const follows = old && old.attempt === log.attempt && log.at > old.at
      && log.at <= old.at + old.lines.length;
    if (!follows) { this.l[task] = log; return; }
    old.lines.length = log.at - old.at;
    for (const line of log.lines) old.lines.push(line);
    old.of = log.of;
  }

  fail(task, tasks) {
    const toSee = [task];
    while (toSee.length) {
      for (const reader of this.readersOf(toSee.pop())) {
        if (this.upstream.has(reader)) continue;
        this.upstream.add(reader);
        toSee.push(reader);
        if (tasks) tasks.add(reader);
      }
    }
  }

  readersOf(task) {
    if (!this.readers) {
      this.readers = this.g ? this.g.ids.map(() => []) : [];
      if (this.g) {
        this.g.in.forEach((reads, at) => reads.forEach((read) => this.readers[read].push(at)));
        for (const map of this.g.maps) each(map.items || [], (item) => this.readers[item].push(map.at));
      }
    }
    return this.readers[task] || [];
  }

  // What a person would say a map reads, or an item: nothing of what wfnb makes of maps.
  mapReads(at) {
    const map = this.g.maps[at];
    const first = map.over < 0 ? this.g.in[map.splitter] : [map.over];
    return [...new Set([...first, ...map.constants])];
  }

  reads(task) {
    if (this.listOf[task] >= 0) return this.mapReads(this.listOf[task]);
    if (this.itemOf[task] < 0) return this.g.in[task];
    const map = this.g.maps[this.itemOf[task]];
    return map.over < 0 ? this.mapReads(this.itemOf[task]) : [...this.g.in[task], ...map.constants];
  }

  readBy(task) {
    const shown = new Set();
    for (const reader of this.readersOf(task)) {
      if (this.splits[reader] >= 0) this.g.maps.forEach((map) => { if (map.splitter === reader && map.over < 0) shown.add(map.at); });
      else shown.add(reader);
    }
    return [...shown];
  }

  // What it waits for when wfnb runs it; with `order`, in which nothing comes before that.
  waitsFor(task) {
    if (!this.waits) {
      const { g } = this, readers = g.ids.map(() => []), left = new Int32Array(g.ids.length);
      this.waits = g.in.map((reads, at) => { const map = g.maps[this.listOf[at]]; return map && map.items ? numbers(map.items) : reads; });
      this.waits.forEach((reads, at) => { left[at] = reads.length; reads.forEach((read) => readers[read].push(at)); });
      this.order = [];
      left.forEach((count, at) => { if (!count) this.order.push(at); });
      for (let at = 0; at < this.order.length; at += 1) {
        for (const reader of readers[this.order[at]]) { left[reader] -= 1; if (!left[reader]) this.order.push(reader); }
      }
    }
    return this.waits[task];
  }

  get isRun() { return Boolean(this.r.id); }

  state(task) {
    if (!this.isRun) return -1;
    const row = this.rows[task], state = row ? row[STATE] : this.number.waiting;
    const isUpstream = state === this.number.waiting && this.upstream.has(task);
    return isUpstream ? this.number["upstream-failed"] : state;
  }

  counts(members) {
    const counts = new Array(this.looks.length).fill(0);
    if (this.isRun) for (const [first, last] of members) {
      for (let task = first; task <= last; task += 1) counts[this.state(task)] += 1;
    }
    return counts;
  }

  // The one state to show for several tasks, as palette.overall chooses it.
  overall(counts) {
    const n = this.number, has = (state) => counts[n[state]] > 0;
    const present = counts.map((c, at) => (c ? at : -1)).filter((at) => at >= 0);
    if (present.length < 2) return present.length ? present[0] : -1;
    const loud = ["failed", "running", "retrying", "preparing", "upstream-failed", "cancelled", "queued"];
    for (const state of loud) if (has(state)) return n[state];
    if (has("waiting")) return this.succeeded(counts) ? n.running : n.waiting;
    return present.reduce((best, at) => (counts[at] > counts[best] ? at : best));
  }

  succeeded(counts) {
    return OK.reduce((sum, state) => sum + counts[this.number[state]], 0);
  }

  // As counting.tally counts: {counts, unsplit, unlisted}, each by state.
  tally() {
    const none = () => new Array(this.looks.length).fill(0), n = this.number;
    const found = { counts: none(), unsplit: none(), unlisted: none() };
    for (let task = 0; task < this.g.ids.length; task += 1) if (this.isCounted(task)) found.counts[this.state(task)] += 1;
    for (const map of this.g.maps) {
      const list = this.state(map.at), ok = this.isOk(list);
      if (map.items) {
        if (list === n.failed) found.counts[list] += 1;
        else if (!ok && list !== n["upstream-failed"]) found.unlisted[list] += 1;
      } else {
        const state = this.mapState(map);
        (this.isEnded(state) ? found.counts : found.unsplit)[state] += 1;
      }
    }
    if (found.counts[n.cancelled]) found.unlisted[n.cancelled] = 0;
    return found;
  }

  // Of a map without items: what splits says it, unless the list is there or it follows.
  mapState(map) {
    const list = this.state(map.at);
    if (this.isOk(list) || map.over >= 0) return list;
    const splitter = this.state(map.splitter);
    return this.isOk(splitter) ? list : splitter;
  }

  isOk(state) { return OK.includes((this.looks[state] || {}).state); }

  isEnded(state) { return state >= 0 && !["running", "waiting", "queued", "retrying", "preparing", "held"].includes(this.looks[state].state); }

  get elapsed() {
    const told = this.r.elapsed || 0;
    return this.r.status === "running" ? told + (performance.now() - this.elapsedAt) / 1000 : told;
  }

  took(task) {
    const row = this.rows[task];
    if (!row || row[START] == null) return null;
    return row[END] == null ? Math.max(0, this.elapsed - row[START]) : row[END] - row[START];
  }

  // When its last input was there; 0 for a task without inputs.
  readyAt(task) {
    let ready = 0;
    for (const read of this.waitsFor(task)) {
      const end = (this.rows[read] || [])[END];
      if (end == null) return null;
      ready = Math.max(ready, end);
    }
    return ready;
  }

  // Seconds left if tasks go on as those of the same function went; null if some function is new.
  get remaining() {
    const functions = this.g.functions.map(() => ({ done: 0, seconds: 0, left: 0 }));
    let running = 0;
    for (let task = 0; task < this.g.ids.length; task += 1) {
      const row = this.rows[task], of = functions[this.g.fn[task]];
      if (row && row[CALL] != null) { of.done += 1; of.seconds += row[END] - row[START]; continue; }
      if (row && row[STATE] === this.number.running) running += 1;
      of.left += 1;
    }
    let left = 0;
    for (const of of functions) {
      if (of.left && !of.done) return null;
      if (of.left) left += (of.left * of.seconds) / of.done;
    }
    return running ? left / running : null;
  }

  // The chain of tasks, each waiting for the one before, that took longest: with however many
  // workers, the run could not have been shorter.
  critical() {
    if (this.path) return this.path;
    const { length } = this.g.ids, ends = new Float64Array(length), after = new Int32Array(length).fill(-1);
    this.waitsFor(0);
    let last = -1;
    for (const task of this.order) {
      for (const read of this.waits[task]) if (after[task] < 0 || ends[read] > ends[after[task]]) after[task] = read;
      ends[task] = (after[task] < 0 ? 0 : ends[after[task]]) + (this.took(task) || 0);
      if (ends[task] > (last < 0 ? 0 : ends[last])) last = task;
    }
    const path = [];
    for (; last >= 0; last = after[last]) path.push(last);
    this.path = path.reverse();
    this.onPath = new Set(path);
    return this.path;
  }

  get criticalSeconds() { return this.critical().reduce((sum, task) => sum + (this.took(task) || 0), 0); }
}

// `initialize` and `render` get different model objects, hence the key.
const told = new Map();

function toldTo(model) {
  const uid = model.get("_uid");
  if (!told.has(uid)) {
    const fresh = new Told(model.get("_looks"));
    restore(fresh, model.get("_snapshot"));
    told.set(uid, fresh);
  }
  return told.get(uid);
}

function restore(of, snapshot) {
  if (!snapshot || snapshot.t !== "all") return;
  of.seq = snapshot.seq;
  const change = of.take(snapshot);
  of.watchers.forEach((watch) => watch(change));
}

function hear(model, message) {
  const of = toldTo(model);
  if (message.t === "all") { restore(of, message); return; }
  if (message.t !== "p" || message.seq <= of.seq) return;
  // The server drops messages that come too fast: then everything is asked for, nothing guessed.
  if (message.seq !== of.seq + 1) { tell(model, { t: "resync" }); return; }
  of.seq = message.seq;
  const change = of.take(message);
  of.watchers.forEach((watch) => watch(change));
}
