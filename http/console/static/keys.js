// Keyboard shortcuts of the inbox and of an approval. Nothing here decides: a
// letter moves the focus to where somebody types why. Single letters do nothing in
// fields, and can be switched off (WCAG 2.1.4); the choice stays in this browser.
const stored = 'console-single-keys';
const memory = { get: () => { try { return localStorage.getItem(stored); } catch { return null; } },
  set: (v) => { try { localStorage.setItem(stored, v); } catch { /* private window: until the page is left */ } } };
let on = memory.get() !== 'off';

const box = document.querySelector('[data-keys-switch]');
if (box) {
  const input = box.querySelector('input');
  box.hidden = false;
  input.checked = on;
  input.addEventListener('change', () => { on = input.checked; memory.set(on ? 'on' : 'off'); });
}

const typing = (e) => e.target.isContentEditable || ['INPUT', 'TEXTAREA', 'SELECT'].includes(e.target.tagName) && e.target.type !== 'checkbox' && e.target.type !== 'radio';

function move(by) {
  const rows = [...document.querySelectorAll('[data-key-row]')];
  if (rows.length === 0) return false;
  const at = rows.indexOf(document.activeElement.closest('tr')?.querySelector('[data-key-row]'));
  const to = rows[at < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.min(Math.max(at + by, 0), rows.length - 1)];
  to.focus();
  to.scrollIntoView({ block: 'nearest' });
  return true;
}

function reach(letter) {
  const field = document.querySelector(`[data-key="${letter}"]`);
  if (!field) return false;
  field.focus();
  field.scrollIntoView({ block: 'center' });
  return true;
}

function help() {
  const part = document.getElementById('keys');
  if (!part) return false;
  part.open = true;
  part.querySelector('summary').focus();
  part.scrollIntoView({ block: 'nearest' });
  return true;
}

document.addEventListener('keydown', (e) => {
  if (e.defaultPrevented || e.isComposing || e.altKey) return;
  if ((e.ctrlKey || e.metaKey) && e.key === 'Enter') {
    const form = e.target.closest('form[method="post"]');
    if (form && typing(e)) {
      e.preventDefault();
      form.requestSubmit();
    }
    return;
  }
  if (!on || e.ctrlKey || e.metaKey || typing(e)) return;
  const done = { j: () => move(1), k: () => move(-1), a: () => reach('a'), d: () => reach('d'), '?': help }[e.key];
  if (done && done()) e.preventDefault();
});
