// Third part of the page's script: keys, the mouse, the overview; and it begins the drawing.

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
