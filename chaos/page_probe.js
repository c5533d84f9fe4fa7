// Put at the end of a copy of the page by page_browser_test.sh: looks at what the browser made of the
// page, uses it with keys and mouse, and leaves one line for each thing that is wrong, and a summary,
// in an element of its own.
'use strict';
(() => {
  const wrong = [];
  const want = (condition, what) => { if (!condition) wrong.push(what); };
  const $ = (id) => document.getElementById(id);
  const all = (selector, under) => [...(under || document).querySelectorAll(selector)];
  const box = (e) => e.getBoundingClientRect();
  const data = JSON.parse($('data').textContent);
  const rows = $('rows');
  const shown = () => all('.row', rows).filter((row) => row.offsetHeight > 0);
  const key = (name) => (document.activeElement || rows).dispatchEvent(
      new KeyboardEvent('keydown', {key: name, bubbles: true, cancelable: true}));

  // Lanes and rows are there and have a size.
  const heads = all('.lane-head');
  want(heads.length === data.threads.length, 'lanes: ' + heads.length + ' of ' + data.threads.length);
  heads.forEach((head, i) => {
    want(head.textContent === data.threads[i], 'lane ' + i + ' is called ' + head.textContent);
    want(box(head).width >= 200 && box(head).height >= 20, 'lane ' + i + ' has no size');
  });
  const first = shown();
  want(first.length > 10 && first.length < 1500, 'rows shown at once: ' + first.length);
  const acts = {'k-point': '.turn-bar', 'k-op': '.turn-bar', 'k-lock': '.lock-bar.begins', 'k-unlock': '.lock-bar.ends'};
  let turnSeen = false;
  for (const row of first) {
    for (const [kind, bar] of Object.entries(acts)) {
      if (!row.classList.contains(kind)) continue;
      const cell = row.querySelector('.label').parentNode;
      want(cell.querySelector('.turn-bar') && cell.querySelector(bar), 'no ' + bar + ' at ' + row.getAttribute('aria-label'));
    }
    turnSeen = turnSeen || row.classList.contains('k-run');
    if (turnSeen && !row.classList.contains('end')) want(row.querySelector('.turn-bar'), 'nobody has the turn at ' + row.getAttribute('aria-label'));
    want(row.getAttribute('role') === 'treeitem' && row.getAttribute('aria-label'), 'a row has no name');
    want(all('.cell', row).length === data.threads.length, 'a row has not a cell for each lane');
    if (row.classList.contains('fold')) continue;
    const turns = all('.turn-bar', row).filter((bar) => !/begins|ends/.test(bar.className));
    want(turns.length <= 1, 'two threads have the turn at ' + row.getAttribute('aria-label'));
    for (const arrow of all('.arr', row)) want(box(arrow).width > 100, 'an arrow has no length');
    for (const label of all('.label', row)) {
      const cell = box(label.parentNode), text = box(label);
      want(text.left >= cell.left && text.right <= cell.right + 1, 'a label leaves its lane: ' + label.textContent);
    }
    // Lanes stand under their heads.
    want(Math.abs(box(all('.cell', row)[0]).left - box(heads[0]).left) < 1, 'a row is out of its lanes');
  }
  want(all('.wait-bar', rows).length > 0, 'nobody waits');
  const critical = all('.row.critical', rows);
  want(critical.length === all('article.switch').length, 'critical rows: ' + critical.length);
  for (const row of critical) want(all('.arr.crit', row).length === 1, 'a critical switch has no arrow');
  for (const stacks of all('.stacks')) {
    const [from, to] = [...stacks.children].map(box);
    want(from.width > 100 && to.width > 100, 'a stack has no size');
    want(Math.abs(from.top - to.top) < 2 && to.left >= from.right, 'stacks do not stand side by side');
  }
  for (const ring of all('#ring svg')) want(box(ring).width > 50 && box(ring).height > 50, 'the ring has no size');
  want(box(document.querySelector('.strip svg')).width > 300, 'the overview has no size');
  want(document.documentElement.scrollWidth <= innerWidth, 'the page is wider than the window');
  for (const id of all('[id]').map((e) => e.id))
    want(document.querySelectorAll('[id="' + id + '"]').length === 1, 'two elements are called ' + id);
  for (const link of all('a[href^="#"]'))
    want($(link.getAttribute('href').slice(1)), 'a link leads nowhere: ' + link.getAttribute('href'));

  // Every text can be read: the contrast of WCAG's level AA, 4.5, or 3 for large letters.
  const channels = (colour) => (colour.match(/[\d.]+/g) || []).map(
      (n) => Number(n) * (colour.startsWith('color(') ? 255 : 1));
  const light = (colour) => {
    const [r, g, b] = channels(colour).map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const paper = (e) => {
    for (; e; e = e.parentElement) {
      const colour = getComputedStyle(e).backgroundColor;
      if (colour.startsWith('rgb(')) return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  const judged = new Set();
  const contrasts = () => {
    for (const e of all('body *')) {
      if (!e.offsetHeight || ![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())) continue;
      if (e.closest('.unseen, .skip, .bar-name, svg, button:disabled')) continue;
      const style = getComputedStyle(e);
      const pair = style.color + ' on ' + paper(e);
      if (judged.has(pair)) continue;
      judged.add(pair);
      const [a, b] = [light(style.color), light(paper(e))].sort((x, y) => y - x);
      const ratio = (a + 0.05) / (b + 0.05);
      want(ratio >= (parseFloat(style.fontSize) >= 24 ? 3 : 4.5),
           'contrast ' + ratio.toFixed(2) + ', ' + pair + ': ' + e.className + ' ' + e.textContent.slice(0, 30));
    }
  };
  contrasts();

  // Keys.
  rows.firstChild.focus();
  const here = () => rows.querySelector('.here');
  key('ArrowDown');
  want(here() === document.activeElement && here() !== rows.firstChild, 'ArrowDown does not go to the next row');
  want(all('[tabindex="0"]', rows).length === 1, 'not exactly one row can be reached by Tab');
  key('Home');
  want(here() === rows.firstChild, 'Home does not go to the first row');
  key('End');
  want(here() === rows.lastChild, 'End does not go to the last row');
  if (critical.length) {
    key('Home');
    key('n');
    want(here() === critical[0], 'n does not go to the first critical switch');
    const chart = box($('chart')), row = box(critical[0]);
    want(row.top >= chart.top && row.bottom <= chart.bottom, 'the critical switch is not on the screen');
    if (critical[1]) {
      key('n');
      want(here() === critical[1], 'n does not go to the second critical switch');
      key('p');
      want(here() === critical[0], 'p does not go back');
    }
    want($('details').textContent.includes('Then:'), 'the details say nothing');
  }
  const height = shown()[1].offsetHeight;
  key('+');
  want(shown()[1].offsetHeight > height, '+ does not make rows larger');
  key('-');
  want(shown()[1].offsetHeight === height, '- does not undo +');

  // Folds.
  const folds = all('.row.fold', rows);
  let unfolded = 0;
  for (const fold of folds.slice(0, 2)) {
    const before = rows.children.length;
    fold.focus();
    key('ArrowRight');
    unfolded = Math.max(unfolded, rows.children.length - before);
    want(rows.children.length > before, 'a fold does not unfold');
    want(fold.getAttribute('aria-expanded') === 'true', 'a fold does not say that it is unfolded');
    // Down to the events themselves, through folds within it.
    let inner = fold.nextSibling;
    while (inner.range) {
      inner.click();
      want(inner.getAttribute('aria-expanded') === 'true', 'a fold within a fold does not unfold');
      inner = inner.nextSibling;
    }
    want(inner.item !== undefined, 'no event under a fold');
    contrasts();
    fold.focus();
    key('ArrowLeft');
    want(rows.children.length === before, 'a fold does not fold again');
  }
  want(unfolded < 1000, 'unfolding gives ' + unfolded + ' rows at once');

  // The mouse.
  const points = all('.row.k-point', rows).filter((row) => row.offsetHeight).length;
  if (points) {
    $('show-point').click();
    want(!all('.row.k-point', rows).some((row) => row.offsetHeight), 'points are not hidden');
    $('show-point').click();
  }
  const map = document.querySelector('.strip .map'), strip = box(map);
  map.dispatchEvent(new MouseEvent('click', {bubbles: true, clientX: strip.left + strip.width * 0.999, clientY: strip.top + 30}));
  want(here() && here().offsetTop > rows.offsetHeight / 3, 'the overview does not jump to the end');
  want(box($('seen')).width > 0, 'the overview does not say what is on the screen');

  const dark = matchMedia('(prefers-color-scheme: dark)').matches;
  const found = document.createElement('pre');
  found.id = 'probe';
  found.textContent = 'probe: ' + wrong.length + ' wrong, ' + (dark ? 'dark' : 'light') + ', ' + heads.length +
      ' lanes, ' + first.length + ' rows, ' + folds.length + ' folds, ' + critical.length + ' critical, ' +
      judged.size + ' contrasts\n' + wrong.slice(0, 40).map((w) => 'WRONG: ' + w + '\n').join('') + 'end of probe';
  document.body.append(found);
})();
