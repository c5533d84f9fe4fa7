// Second part of the page's script: draws the lanes. Time goes down, one row for each event, one lane
// for each thread; exactly one thread has the turn, so that every arrow is a level line within one
// row. Rows stand in the document as a tree: a folded stretch is an item that can be unfolded.

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
      if (many) cell.append(element('span', 'label dim', plural(shares[t], 'step')));
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
    if (places[i] < needs || run.row.range) return;
    const text = element('em', 'bar-name', run.bar.dataset.lock);
    text.style.cssText = '--c:' + run.bar.style.getPropertyValue('--c') + ';--slot:' + run.bar.dataset.slot +
                         ';height:' + Math.min(places[i], needs + 20) + 'px';
    run.bar.parentNode.append(text);
  });
}
