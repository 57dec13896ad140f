// Lets a reader choose a time over the histogram: by dragging, or with the arrow
// keys from bar to bar. Both end in the fields "from" and "to", which do the same
// without a script.
const bars = document.querySelector('.bars'), form = document.getElementById('search');

function at(i) {
  return new Date((Number(bars.dataset.start) + i * Number(bars.dataset.every)) * 1000).toISOString().slice(0, 19);
}

function choose(first, last) {
  form.elements.from.value = at(first);
  form.elements.to.value = at(last + 1);
  form.elements.ago.value = '';
  form.requestSubmit();
}

function drag() {
  const box = document.createElement('div');
  box.className = 'brush';
  let begin = -1, end = -1, moved = false;
  const index = (e) => {
    const r = bars.getBoundingClientRect();
    return Math.min(Math.max(Math.floor((e.clientX - r.left) / r.width * bars.children.length), 0), bars.children.length - 1);
  };
  const stop = () => { begin = -1; box.remove(); };
  bars.addEventListener('dragstart', (e) => e.preventDefault());
  bars.addEventListener('pointerdown', (e) => {
    if (e.button !== 0) return;
    begin = end = index(e);
    moved = false;
  });
  addEventListener('pointermove', (e) => {
    if (begin < 0) return;
    end = index(e);
    if (!moved && end === begin) return;
    if (!moved) bars.parentElement.append(box);
    moved = true;
    const width = bars.getBoundingClientRect().width / bars.children.length;
    box.style.left = `${Math.min(begin, end) * width}px`;
    box.style.width = `${(Math.abs(end - begin) + 1) * width}px`;
  });
  addEventListener('pointerup', () => {
    if (begin >= 0 && moved) choose(Math.min(begin, end), Math.max(begin, end));
    stop();
  });
  addEventListener('pointercancel', stop);
  addEventListener('keydown', (e) => { if (e.key === 'Escape') { moved = false; stop(); } });
  bars.addEventListener('click', (e) => { if (moved) e.preventDefault(); }, true);
}

function keys() {
  const stops = [...bars.querySelectorAll('a, button')];
  if (!stops.length) return;
  stops[0].tabIndex = 0;
  bars.addEventListener('keydown', (e) => {
    const i = stops.indexOf(document.activeElement);
    const to = { ArrowRight: i + 1, ArrowLeft: i - 1, Home: 0, End: stops.length - 1 }[e.key];
    if (i < 0 || to === undefined) return;
    e.preventDefault();
    const next = stops[Math.min(Math.max(to, 0), stops.length - 1)];
    stops[i].tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  });
}

if (bars && form) {
  drag();
  keys();
  for (const hint of document.querySelectorAll('.brushing')) hint.hidden = false;
}
