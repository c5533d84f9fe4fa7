// First of three parts of the page's script, which page.html puts into one function: the events that
// the page carries, what every thread was doing between them, and words for it.

const data = JSON.parse(document.getElementById('data').textContent);
const KINDS = data.kinds;
const lanes = data.threads.length;
const NO_ROW = 32;      // added to the kind of a turn that the switch beside it tells already
const CHUNK = 200;      // rows that are unfolded at once; a longer stretch is split
const GAP = 25;         // steps without an event that are worth a row
const $ = (id) => document.getElementById(id);
const rows = $('rows');
const number = (n) => n.toLocaleString('en-US');
const plural = (n, what) => number(n) + ' ' + what + (n === 1 ? '' : 's');

function element(tag, classes, text) {
  const e = document.createElement(tag);
  if (classes) e.className = classes;
  if (text !== undefined) e.textContent = text;
  return e;
}

let step = 0;
const items = data.events.map((e) => {
  step += e[1];
  const kind = KINDS[e[0] % NO_ROW];
  if (kind === 'skipped') return {kind, step, t: -1, count: e[2], state: e[3], lastStep: e[4]};
  return {
    kind, step, noRow: e[0] >= NO_ROW,
    t: (e[2] || 0) - 1, other: (e[3] || 0) - 1, n: e[4] || 0,
    what: data.strings[e[5] || 0], detail: data.strings[e[6] || 0],
    fn: data.strings[e[7] || 0], critical: e[8] || 0,
  };
});

const goroutines = new Map();
const lockNames = new Map();
const colourOf = (map, key, palette, n) => {
  if (!map.has(key)) map.set(key, map.size);
  return 'var(--' + palette + map.get(key) % n + ')';
};
data.goroutines.forEach((g) => goroutines.set(g, goroutines.size));
const goroutineColour = (g) => g ? colourOf(goroutines, g, 'g', 8) : 'var(--sys)';
const lockColour = (lock) => data.ringLocks.includes(lock)
    ? 'var(--critical)' : colourOf(lockNames, lock, 'l', 6);

// states[i] is the state before item i; states[items.length] that at the end. A state is never
// changed once it stands there: threads that an event leaves alone are shared.
const slots = new Array(lanes).fill(0);
const states = [{turn: -1, now: -1, threads: data.threads.map(
    () => ({alive: false, g: 0, locks: [], waits: '', since: 0}))}];
function addLock(t, locks, name) {
  let slot = 0;
  while (locks.some((l) => l.slot === slot)) slot++;
  slots[t] = Math.max(slots[t], Math.min(slot + 1, 5));
  return [...locks, {name, slot: Math.min(slot, 4)}];
}
function apply(state, item) {
  const t = item.t;
  const next = {turn: state.turn, now: state.now, threads: state.threads};
  const change = (who, fields) => {
    if (who < 0) return;
    if (next.threads === state.threads) next.threads = state.threads.slice();
    next.threads[who] = Object.assign({}, next.threads[who], fields);
  };
  switch (item.kind) {
    case 'skipped':
      next.turn = item.state.turn;
      next.threads = item.state.threads.map(([alive, g, locks, waits, since], who) => ({
        alive: !!alive, g, waits, since,
        locks: locks.reduce((held, name) => addLock(who, held, name), []),
      }));
      break;
    case 'thread': change(t, {alive: true}); break;
    case 'run':
      if (item.what === 'exit' && state.turn !== t) change(state.turn, {alive: false});
      next.turn = t;
      if (item.n >= 0) next.now = item.n;
      change(t, {alive: true, waits: ''});
      break;
    case 'g': change(t, {g: item.n}); break;
    case 'lock':
      change(t, {locks: addLock(t, state.threads[t].locks, item.what), waits: ''});
      break;
    case 'unlock': {
      const holds = (thread) => thread.locks.some((l) => l.name === item.what);
      const who = holds(state.threads[t]) ? t : state.threads.findIndex(holds);
      if (who < 0) break;
      const at = state.threads[who].locks.findIndex((l) => l.name === item.what);
      change(who, {locks: state.threads[who].locks.filter((l, i) => i !== at)});
      break;
    }
    case 'wait': change(t, {waits: item.what, since: item.step}); break;
    case 'wake': change(item.other, {waits: ''}); break;
    default: return state;
  }
  return next;
}
for (const item of items) states.push(apply(states[states.length - 1], item));

// ---- Words.

const waitText = (what) => what.startsWith('sleep ') ? 'sleeps ' + what.slice(6)
    : 'waits for ' + (what === 'note' ? 'a note' : what);
const firstWords = (text) => text.split('\n').find((line) => /[a-z0-9]/i.test(line)) || text.split('\n')[0];
const name = (t) => t < 0 ? 'nobody' : data.threads[t];
// A class and the words of a label, and longer words where there is more room for them.
function label(item) {
  switch (item.kind) {
    case 'thread': return ['dim', 'begins'];
    case 'run': return ['dim', 'gets the turn' + (item.what ? ' (' + item.what + ')' : '')];
    case 'g': return item.n ? ['g', 'goroutine ' + item.n] : ['dim', 'system stack'];
    case 'point': return ['point', item.what];
    case 'op': {
      const operation = item.detail + (item.what ? ' ' + item.what : '');
      return ['dim', operation + (item.fn ? ' · ' + item.fn.replace(/^runtime\./, '') : ''),
              operation + (item.fn ? ' in ' + item.fn : '')];
    }
    case 'lock': return ['lock', 'takes ' + item.what];
    case 'unlock': return ['lock', 'gives back ' + item.what];
    case 'wait': return ['wait', waitText(item.what.replace(/^lock /, '')), waitText(item.what)];
    case 'wake': return ['wake', 'wakes ' + name(item.other)];
    case 'signal': return ['sig', item.detail === 'sent'
        ? item.what + (item.other < 0 ? ' sent' : ' from ' + name(item.other))
        : item.what + ' delivered'];
    case 'inject': return ['inject', item.what + (item.detail ? ' at ' + item.detail : '')];
    case 'switch': return [item.critical ? 'stopped' : 'dim', 'stopped; ' + name(item.other) + ' goes on',
                           'is stopped, ' + name(item.other) + ' goes on' + (item.what ? ' (' + item.what + ')' : '')];
    case 'out': return ['out', '“' + firstWords(item.what) + '”'];
    case 'skipped': return ['dim wide', plural(item.count, 'event') +
                            ' up to step ' + number(item.lastStep) + ' that this page leaves out; the events file has them'];
  }
  return ['', ''];
}
function who(t, state) {
  if (t < 0) return '';
  const g = state.threads[t].g;
  return name(t) + (g ? ' (goroutine ' + g + ')' : '');
}
function stateText(state) {
  const parts = [];
  state.threads.forEach((thread, t) => {
    if (!thread.alive) return;
    const says = [];
    if (state.turn === t) says.push('has the turn');
    if (thread.waits) says.push(waitText(thread.waits) + ' since step ' + number(thread.since));
    if (thread.locks.length) says.push('holds ' + thread.locks.map((l) => l.name).join(', '));
    if (says.length) parts.push(who(t, state) + ' ' + says.join(', '));
  });
  if (state.now >= 0) parts.push('virtual time ' + number(state.now) + ' ns');
  return parts.join('; ');
}
