// Completes the query: names of fields from the help, values from the counts
// beside the results. Nothing is asked of the server while somebody types.
const input = document.getElementById('q');

const fields = [...document.querySelectorAll('[data-field]')].map((dt) => ({
  text: dt.dataset.field,
  name: dt.textContent,
  about: dt.nextElementSibling.textContent,
  values: (dt.nextElementSibling.dataset.values || '').split(' ').filter(Boolean),
}));

const counted = [...document.querySelectorAll('[data-term]')].map((li) => li.dataset.term);

// term is the one that the caret stands in: its place and its text up to there.
function term() {
  const before = input.value.slice(0, input.selectionStart);
  let quoted = false, begin = 0;
  for (let i = 0; i < before.length; i++) {
    if (before[i] === '"') quoted = !quoted;
    else if (quoted && before[i] === '\\') i++;
    else if (!quoted && /\s/.test(before[i])) begin = i + 1;
  }
  if (before[begin] === '-') begin++;
  return { begin, quoted, text: before.slice(begin) };
}

function options(t) {
  if (t.quoted) return [];
  const found = /^([a-z]+)(:|<=|>=|<|>|=)(.*)$/.exec(t.text);
  if (!found) return fields.filter((f) => f.name.startsWith(t.text) || f.text === t.text).map((f) => ({ text: f.text, about: f.about, begin: t.begin, more: true }));
  const [, name, op, typed] = found, field = fields.find((f) => f.name === name);
  if (!field) return [];
  const comma = typed.lastIndexOf(',') + 1, last = typed.slice(comma);
  const values = new Set(op === ':' ? counted.filter((c) => c.startsWith(`${name}:`)).map((c) => c.slice(name.length + 1)) : []);
  for (const v of field.values) values.add(v);
  return [...values].filter((v) => v.includes(last) && v !== last).map((v) => ({ text: v, about: '', begin: t.begin + name.length + op.length + comma }));
}

function combobox() {
  const list = document.createElement('ul');
  list.className = 'options';
  list.id = 'options';
  list.hidden = true;
  list.setAttribute('role', 'listbox');
  list.setAttribute('aria-label', 'Completions');
  input.after(list);
  for (const [name, value] of Object.entries({ role: 'combobox', 'aria-autocomplete': 'list', 'aria-controls': 'options', 'aria-expanded': 'false' })) input.setAttribute(name, value);
  let shown = [], chosen = -1;

  const close = () => {
    list.hidden = true;
    chosen = -1;
    input.setAttribute('aria-expanded', 'false');
    input.removeAttribute('aria-activedescendant');
  };
  const choose = (i) => {
    chosen = (i + shown.length) % shown.length;
    [...list.children].forEach((li, n) => li.setAttribute('aria-selected', String(n === chosen)));
    list.children[chosen].scrollIntoView({ block: 'nearest' });
    input.setAttribute('aria-activedescendant', list.children[chosen].id);
  };
  const open = () => {
    shown = options(term()).slice(0, 12);
    list.replaceChildren(...shown.map((o, n) => {
      const li = document.createElement('li'), text = document.createElement('code'), about = document.createElement('span');
      li.id = `option-${n}`;
      li.setAttribute('role', 'option');
      li.setAttribute('aria-selected', 'false');
      text.textContent = o.text;
      about.textContent = o.about;
      about.className = 'muted';
      li.append(text, about);
      return li;
    }));
    list.hidden = !shown.length;
    chosen = -1;
    input.setAttribute('aria-expanded', String(shown.length > 0));
    input.removeAttribute('aria-activedescendant');
  };
  const take = (i) => {
    const o = shown[i], rest = input.value.slice(input.selectionStart).replace(/^[^\s,]*/, '');
    const head = input.value.slice(0, o.begin) + o.text + (o.more || rest.startsWith(' ') ? '' : ' ');
    input.value = head + rest;
    input.setSelectionRange(head.length, head.length);
    close();
    if (o.more) open();
  };

  input.addEventListener('input', open);
  input.addEventListener('blur', close);
  input.addEventListener('keydown', (e) => {
    if (e.key === 'ArrowDown' && list.hidden) { open(); if (shown.length) choose(0); e.preventDefault(); return; }
    if (list.hidden) return;
    if (e.key === 'ArrowDown') choose(chosen + 1);
    else if (e.key === 'ArrowUp') choose(chosen < 0 ? shown.length - 1 : chosen - 1);
    else if (e.key === 'Escape') close();
    else if (chosen >= 0 && (e.key === 'Enter' || e.key === 'Tab')) take(chosen);
    else return;
    e.preventDefault();
  });
  list.addEventListener('pointerdown', (e) => {
    const li = e.target.closest('li');
    e.preventDefault(); // the input keeps the focus
    if (li) take([...list.children].indexOf(li));
  });
}

if (input) combobox();
