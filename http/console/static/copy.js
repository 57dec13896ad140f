// Shows the copy buttons, which need a script and so are hidden without one.
function show(root) {
  for (const b of root.querySelectorAll('button.copy[hidden]')) b.hidden = !navigator.clipboard;
}

show(document);
document.addEventListener('htmx:afterSwap', () => show(document));
document.addEventListener('click', async (e) => {
  const b = e.target.closest('button.copy');
  if (!b) return;
  try {
    await navigator.clipboard.writeText(b.dataset.copy);
    b.textContent = 'Copied';
  } catch {
    b.textContent = 'Not allowed';
  }
  setTimeout(() => { b.textContent = 'Copy'; }, 1500);
});
