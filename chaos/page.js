// Draws the lanes from the data that the page carries. Time goes down, one row for each event, one
// lane for each thread; exactly one thread has the turn, so that every arrow is a level line within
// one row. Rows stand in the document as a tree: a folded stretch is an item that can be unfolded.
'use strict';
(() => {
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

  // ---- The events and what every thread was doing between them.

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
      case 'skipped': return ['dim', plural(item.count, 'event') +
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

  // ---- Rows.

  // A bar that is in both states goes through the row, one that is only in the later begins in it.
  const part = (before, after) => before ? (after ? '' : ' ends') : ' begins';
  function bar(cell, classes, before, after, colour) {
    if (!before && !after) return null;
    const i = element('i', classes + part(before, after));
    if (colour) i.style.setProperty('--c', colour);
    cell.append(i);
    return i;
  }
  function cellOf(t, before, after) {
    const cell = element('span', 'cell');
    const b = before.threads[t], a = after.threads[t];
    cell.style.setProperty('--slots', slots[t]);
    if (!a.alive && !b.alive) return cell;
    bar(cell, 'idle-bar', b.alive, a.alive, a.g ? goroutineColour(a.g) : 'var(--rule)');
    const hadTurn = before.turn === t, hasTurn = after.turn === t;
    if (hadTurn && hasTurn && a.g !== b.g) {
      bar(cell, 'turn-bar', true, false, goroutineColour(b.g));
      bar(cell, 'turn-bar', false, true, goroutineColour(a.g));
    } else if (hadTurn || hasTurn) {
      bar(cell, 'turn-bar', hadTurn, hasTurn, goroutineColour(a.g || (hasTurn ? 0 : b.g)));
    }
    bar(cell, 'wait-bar', b.waits && !hadTurn, a.waits && !hasTurn);
    const held = new Map();
    for (const l of b.locks) held.set(l.name + '\n' + l.slot, [l, true, false]);
    for (const l of a.locks) held.set(l.name + '\n' + l.slot, [l, held.has(l.name + '\n' + l.slot), true]);
    for (const [lock, was, is] of held.values()) {
      const i = bar(cell, 'lock-bar', was, is, lockColour(lock.name));
      i.style.setProperty('--slot', lock.slot);
      i.title = name(t) + ' holds ' + lock.name;
      i.dataset.lock = lock.name;
      i.dataset.slot = lock.slot;
    }
    return cell;
  }
  function arrow(row, from, to, classes) {
    if (from < 0 || to < 0 || from === to) return;
    const a = element('i', 'arr ' + classes + (to < from ? ' back' : ''));
    a.style.setProperty('--from', Math.min(from, to));
    a.style.setProperty('--span', Math.abs(to - from));
    row.append(a);
  }
  function blankRow(kind, level, stepText) {
    const row = element('div', 'row k-' + kind);
    row.setAttribute('role', 'treeitem');
    row.setAttribute('aria-level', level);
    row.tabIndex = -1;
    row.append(element('span', 'step', stepText));
    return row;
  }
  function eventRow(index, level) {
    const item = items[index];
    // The turn that goes with a switch has no row of its own; its effect shows in this one.
    let first = index, last = index + 1;
    if (item.kind === 'switch') {
      if (last < items.length && items[last].noRow && items[last].t === item.other) last++;
      else if (first > 0 && items[first - 1].noRow) first--;
    }
    const before = states[first], after = states[last];
    const row = blankRow(item.kind, level, number(item.step));
    row.item = index;
    const cells = data.threads.map((_, t) => cellOf(t, before, after));
    row.append(...cells);
    const [classes, text, more] = label(item);
    const lane = item.t < 0 ? 0 : item.t;
    const words = element('span', 'label ' + classes, text);
    if (item.kind === 'lock' || item.kind === 'unlock') words.style.setProperty('--c', lockColour(item.what));
    if (item.kind === 'g') words.style.setProperty('--c', goroutineColour(item.n));
    if (item.kind === 'point' || item.kind === 'op') cells[lane].append(element('i', 'tick'));
    cells[lane].append(words);
    if (item.kind === 'run') arrow(row, before.turn, item.t, '');
    if (item.kind === 'wake') arrow(row, item.t, item.other, 'wake');
    if (item.kind === 'signal' && item.detail === 'sent') arrow(row, item.other, item.t, 'sig');
    if (item.kind === 'switch') arrow(row, item.t, item.other, item.critical ? 'crit' : '');
    row.say = [more || text, item.t < 0 ? '' : who(item.t, item.kind === 'switch' ? before : after)];
    if (item.critical) {
      row.classList.add('critical');
      row.id = 'row-of-switch-' + item.critical;
      row.append(element('b', 'badge', item.critical));
    }
    row.setAttribute('aria-label', (item.critical ? 'Critical switch ' + item.critical + '. ' : '') +
        'Step ' + item.step + ', ' + (row.say[1] ? row.say[1] + ': ' : '') + row.say[0]);
    row.states = [before, after];
    return row;
  }
  function gapRow(steps, state, level) {
    const row = blankRow('gap', level, '');
    row.className = 'row gap';
    data.threads.forEach((_, t) => {
      const cell = cellOf(t, state, state);
      if (state.turn === t) cell.append(element('span', 'label dim', '«' + plural(steps, 'step') + '»'));
      row.append(cell);
    });
    row.setAttribute('aria-label', plural(steps, 'step') + ' without an event');
    row.say = [plural(steps, 'step') + ' in which nothing happened that is worth an event', ''];
    row.states = [state, state];
    return row;
  }
  function foldText(first, last, shares, steps) {
    const present = shares.map((s, t) => [s, t]).filter(([s]) => s > 0).sort((a, b) => b[0] - a[0]);
    const parts = [];
    if (present.length > 1) {
      parts.push(present.slice(0, 8).map(([, t]) => name(t)).join(', ') + (present.length > 8 ? ' …' : ''));
    }
    const counts = {};
    for (let i = first; i < last; i++) counts[items[i].kind] = (counts[items[i].kind] || 0) + 1;
    const count = (kind, what) => counts[kind] && parts.push(plural(counts[kind], what));
    if (present.length > 1) count('run', 'turn');
    count('lock', 'lock'); count('point', 'point'); count('op', 'op');
    count('wait', 'wait'); count('signal', 'signal');
    return '«' + plural(steps, 'step') + '»  ' + parts.join(' · ');
  }
  function foldRow(first, last, level) {
    const until = last < items.length ? items[last].step : data.steps;
    const steps = Math.max(until - items[first].step, 1);
    const shares = new Array(lanes).fill(0);
    for (let i = first; i < last; i++) {
      const turn = states[i + 1].turn;
      const next = i + 1 < items.length ? items[i + 1].step : data.steps;
      if (turn >= 0) shares[turn] += next - items[i].step;
    }
    const row = blankRow('fold', level, number(items[first].step));
    const many = shares.filter((s) => s > 0).length > 1;
    const lane = many ? 0 : Math.max(shares.findIndex((s) => s > 0), 0);
    row.className = 'row fold' + (many ? ' many' : '');
    row.setAttribute('aria-expanded', 'false');
    row.range = [first, last];
    const before = states[first], after = states[last];
    data.threads.forEach((_, t) => {
      const quiet = {turn: -1, threads: before.threads}, late = {turn: -1, threads: after.threads};
      const cell = cellOf(t, quiet, late);
      if (shares[t] > 0) {
        const i = bar(cell, 'turn-bar', true, true, goroutineColour(after.threads[t].g));
        if (many) cell.append(element('span', 'label dim', number(shares[t]) + ' of the steps'));
        cell.style.setProperty('--share', 0.25 + 0.6 * Math.min(1, shares[t] / steps));
        i.title = name(t) + ' has the turn for ' + plural(shares[t], 'step');
      }
      row.append(cell);
    });
    const text = foldText(first, last, shares, steps);
    const what = element('span', 'what');
    row.mark = element('span', '', '▸ ');
    what.append(row.mark, text);
    what.style.setProperty('--at', lane);
    what.style.setProperty('--slots', slots[lane]);
    row.append(what);
    row.setAttribute('aria-label', 'Folded, from step ' + items[first].step + (many ? '' : ', ' + name(lane)) + ': ' + text.replace(/[«»]/g, ''));
    row.say = ['A folded stretch from step ' + number(items[first].step) + ' to ' + number(until) +
               (many ? '' : ', ' + name(lane) + ' alone') + ': ' + text +
               '. Press it, or arrow right, to unfold it.', ''];
    row.states = [before, after];
    return row;
  }
  function endRow() {
    const state = states[items.length];
    const row = blankRow('end', 1, number(data.steps));
    row.className = 'row end' + (data.good ? ' good' : '');
    data.threads.forEach((_, t) => {
      const cell = element('span', 'cell');
      const thread = state.threads[t];
      const says = [];
      if (thread.waits) says.push(waitText(thread.waits));
      if (thread.locks.length) says.push('holds ' + thread.locks.map((l) => l.name).join(', '));
      cell.textContent = thread.alive ? says.join('; ') || (state.turn === t ? 'has the turn' : '') : '';
      row.append(cell);
    });
    row.setAttribute('aria-label', 'End, step ' + data.steps + ': ' + data.outcome);
    row.say = ['The end: ' + data.outcome, ''];
    row.states = [state, state];
    return row;
  }
  // The rows of items [first, last), of which the ranges in `folds` are folded.
  function rowsOf(first, last, folds, level) {
    const made = document.createDocumentFragment();
    let fold = 0;
    for (let i = first; i < last;) {
      while (fold < folds.length && folds[fold][0] < i) fold++;
      if (fold < folds.length && folds[fold][0] === i) {
        made.append(foldRow(folds[fold][0], folds[fold][1], level));
        i = folds[fold][1];
        continue;
      }
      const steps = i > 0 && items[i - 1].kind !== 'skipped' ? items[i].step - items[i - 1].step : 0;
      if (i > first && steps >= GAP) made.append(gapRow(steps - 1, states[i], level));
      if (!items[i].noRow) made.append(eventRow(i, level));
      i++;
    }
    return made;
  }

  // ---- Folding.

  function unfold(row) {
    if (!row.range || row.getAttribute('aria-expanded') === 'true') return;
    const [first, last] = row.range;
    const level = Number(row.getAttribute('aria-level')) + 1;
    const folds = [];
    if (last - first > CHUNK) {
      const size = Math.max(CHUNK, Math.ceil((last - first) / 25));
      for (let i = first; i < last; i += size) folds.push([i, Math.min(i + size, last)]);
    }
    row.setAttribute('aria-expanded', 'true');
    row.mark.textContent = '▾ ';
    row.after(rowsOf(first, last, folds, level));
    nameBars();
  }
  function fold(row) {
    if (!row.range || row.getAttribute('aria-expanded') !== 'true') return;
    const level = Number(row.getAttribute('aria-level'));
    while (row.nextSibling && Number(row.nextSibling.getAttribute('aria-level')) > level)
      row.nextSibling.remove();
    row.setAttribute('aria-expanded', 'false');
    row.mark.textContent = '▸ ';
    nameBars();
  }

  // Writes the lock's name along its bar where the bar is long enough.
  function nameBars() {
    for (const old of rows.querySelectorAll('.bar-name')) old.remove();
    const open = new Map();
    const found = [];
    for (const row of rows.children) {
      if (!row.offsetHeight || !row.states) continue;
      const bars = row.querySelectorAll('.lock-bar');
      const seen = new Set();
      for (const i of bars) {
        const cell = i.parentNode;
        const key = [...row.children].indexOf(cell) + ' ' + i.dataset.slot + ' ' + i.dataset.lock;
        seen.add(key);
        if (!open.has(key) || i.classList.contains('begins')) open.set(key, {row, bar: i, last: row});
        else open.get(key).last = row;
      }
      for (const [key, run] of open) {
        if (seen.has(key)) continue;
        found.push(run);
        open.delete(key);
      }
    }
    found.push(...open.values());
    const places = found.map((run) => run.last.offsetTop + run.last.offsetHeight - run.row.offsetTop - 16);
    found.forEach((run, i) => {
      const needs = 7 * run.bar.dataset.lock.length;
      if (places[i] < needs) return;
      const text = element('em', 'bar-name', run.bar.dataset.lock);
      text.style.cssText = '--c:' + run.bar.style.getPropertyValue('--c') + ';--slot:' + run.bar.dataset.slot +
                           ';height:' + Math.min(places[i], needs + 20) + 'px';
      run.bar.parentNode.append(text);
    });
  }

  // ---- Moving about.

  let here = null;
  function show(row) {
    if (!row || !row.say) return;
    const details = $('details');
    details.textContent = '';
    const first = element('p');
    const shown = row.item === undefined ? '' : 'Step ' + number(items[row.item].step) + ': ';
    first.append(element('b', '', shown + row.say[1]), (row.say[1] ? ' ' : '') + row.say[0]);
    if (row.item !== undefined && items[row.item].kind === 'out') first.append(element('span', '', ': ' + items[row.item].what));
    details.append(first, element('p', 'state', 'Then: ' + stateText(row.states[1])));
  }
  function select(row, focus) {
    if (!row) return;
    if (here) { here.classList.remove('here'); here.tabIndex = -1; here.removeAttribute('aria-selected'); }
    here = row;
    row.classList.add('here');
    row.setAttribute('aria-selected', 'true');
    row.tabIndex = 0;
    if (focus) row.focus({preventScroll: true});
    row.scrollIntoView({block: 'nearest', inline: 'nearest'});
    show(row);
  }
  function centre(row) {
    if (!row) return;
    const chart = $('chart');
    select(row, true);
    chart.scrollTop = row.offsetTop - chart.clientHeight / 2;
  }
  function neighbour(row, way) {
    do row = row && row[way]; while (row && !row.offsetHeight);
    return row;
  }
  const criticalRows = () => [...rows.querySelectorAll('.row.critical')];
  function toCritical(forward) {
    const all = criticalRows();
    const at = here ? here.offsetTop : -1;
    const row = forward ? all.find((r) => r.offsetTop > at) || all[0]
                        : all.reverse().find((r) => r.offsetTop < at) || all[0];
    centre(row);
  }
  let height = 26;
  function resize(by) {
    height = Math.max(16, Math.min(44, height + by));
    const root = document.documentElement.style;
    root.setProperty('--h', height + 'px');
    root.setProperty('--size', Math.max(9, Math.min(15, height / 2)) + 'px');
    nameBars();
    if (here) here.scrollIntoView({block: 'nearest'});
  }
  function layOut() {
    const gutter = 62 + 8 * number(data.steps).length;
    const wide = Math.floor(($('chart').clientWidth - gutter - 2) / lanes);
    document.documentElement.style.setProperty('--gutter', gutter + 'px');
    document.documentElement.style.setProperty('--lane', Math.max(210, Math.min(520, wide)) + 'px');
  }

  rows.addEventListener('click', (event) => {
    const row = event.target.closest('.row');
    if (!row) return;
    select(row, true);
    if (row.range) (row.getAttribute('aria-expanded') === 'true' ? fold : unfold)(row);
  });
  rows.addEventListener('mouseover', (event) => show(event.target.closest('.row')));
  rows.addEventListener('mouseleave', () => show(here));
  rows.addEventListener('focusin', (event) => {
    const row = event.target.closest('.row');
    if (row && row !== here) select(row, false);
  });
  rows.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || !here) return;
    const actions = {
      ArrowDown: () => select(neighbour(here, 'nextSibling'), true),
      ArrowUp: () => select(neighbour(here, 'previousSibling'), true),
      ArrowRight: () => unfold(here),
      ArrowLeft: () => {
        if (here.getAttribute('aria-expanded') === 'true') return fold(here);
        const level = here.getAttribute('aria-level');
        let row = here;
        while (row && row.getAttribute('aria-level') >= level) row = row.previousSibling;
        select(row, true);
      },
      Enter: () => here.range && (here.getAttribute('aria-expanded') === 'true' ? fold : unfold)(here),
      Home: () => select(rows.firstChild, true),
      End: () => select(rows.lastChild, true),
      n: () => toCritical(true),
      p: () => toCritical(false),
      '+': () => resize(3),
      '=': () => resize(3),
      '-': () => resize(-3),
    };
    actions[' '] = actions.Enter;
    if (!Object.hasOwn(actions, event.key)) return;
    event.preventDefault();
    actions[event.key]();
  });

  // Which part of the run is on the screen, in the overview.
  const seen = element('div');
  seen.id = 'seen';
  seen.setAttribute('aria-hidden', 'true');
  const stepOfRow = (row) => row.item !== undefined ? items[row.item].step
      : row.range ? items[row.range[0]].step : undefined;
  function markSeen() {
    const chart = $('chart');
    const top = chart.scrollTop, bottom = top + chart.clientHeight - $('heads').offsetHeight;
    let from, to;
    for (const row of rows.children) {
      if (row.offsetTop + row.offsetHeight < top) continue;
      const at = stepOfRow(row);
      if (row.offsetTop > bottom) { if (at !== undefined && to !== undefined) to = Math.max(to, at); break; }
      if (at === undefined) continue;
      if (from === undefined) from = at;
      to = row.range ? (row.range[1] < items.length ? items[row.range[1]].step : data.steps) : at;
    }
    if (from === undefined) return;
    const all = Math.max(data.steps, 1);
    seen.style.left = 100 * from / all + '%';
    seen.style.width = 100 * Math.max(to - from, 0) / all + '%';
  }
  function jump(fraction) {
    const wanted = fraction * data.steps;
    let best = rows.firstChild;
    for (const row of rows.children) {
      const at = stepOfRow(row);
      if (at === undefined) continue;
      if (at > wanted) break;
      best = row;
    }
    centre(best);
  }

  // ---- Begin.

  document.documentElement.classList.add('scripted');
  document.documentElement.style.setProperty('--lanes', lanes);
  $('heads').append(element('span', 'steps', 'step'));
  data.threads.forEach((thread) => {
    const head = element('span', 'lane-head', thread);
    $('heads').append(head);
  });
  for (const id of ['chart', 'tools', 'details']) $(id).hidden = false;
  layOut();
  rows.append(rowsOf(0, items.length, data.folds, 1), endRow());
  nameBars();
  const map = document.querySelector('.strip .map');
  if (map) {
    map.append(seen);
    map.addEventListener('click', (event) => {
      if (event.target.closest('a')) return;
      const box = map.getBoundingClientRect();
      jump((event.clientX - box.left) / box.width);
    });
  }
  if (!criticalRows().length) {
    $('previous').disabled = $('next').disabled = true;
    $('next-what').textContent = 'no critical switch';
  }
  $('previous').addEventListener('click', () => toCritical(false));
  $('next').addEventListener('click', () => toCritical(true));
  $('smaller').addEventListener('click', () => resize(-3));
  $('larger').addEventListener('click', () => resize(3));
  for (const kind of ['point', 'op', 'lock']) {
    $('show-' + kind).addEventListener('change', (event) => {
      rows.classList.toggle('hide-' + kind, !event.target.checked);
      nameBars();
    });
  }
  $('copy').hidden = false;
  $('copy').addEventListener('click', () => {
    const selection = getSelection();
    selection.selectAllChildren($('replay'));
    const done = () => { $('copy').textContent = 'Copied'; };
    if (navigator.clipboard) navigator.clipboard.writeText($('replay').textContent).then(done, () => {});
  });
  for (const link of document.querySelectorAll('a[href^="#row-of-switch-"]')) {
    link.addEventListener('click', (event) => {
      const row = document.getElementById(link.getAttribute('href').slice(1));
      if (!row) return;
      event.preventDefault();
      $('chart').scrollIntoView({block: 'nearest'});
      centre(row);
    });
  }
  $('chart').addEventListener('scroll', markSeen, {passive: true});
  addEventListener('resize', () => { layOut(); nameBars(); markSeen(); });
  here = null;
  rows.firstChild.tabIndex = 0;
  here = rows.firstChild;
  show(criticalRows()[0] || rows.lastChild);
  markSeen();
})();
