// Keeps relative times true while a page stays open, and shows the reader's own
// clock beside UTC. The words are those of the server's format.go.
const seconds = [[60, 1, 's'], [3600, 60, 'min'], [86400, 3600, 'h'], [31 * 86400, 86400, 'd']];

function relative(ms) {
  const future = ms > 0, s = Math.abs(ms) / 1000;
  if (s < 2) return 'now';
  for (const [below, unit, name] of seconds) {
    if (s < below) {
      const text = `${Math.floor(s / unit)} ${name}`;
      return future ? `in ${text}` : `${text} ago`;
    }
  }
  return '';
}

function refresh() {
  const now = Date.now();
  for (const t of document.querySelectorAll('time[datetime][title]')) {
    const at = new Date(t.dateTime), text = relative(at - now);
    if (text && t.textContent !== text) t.textContent = text;
    if (!t.dataset.local && !Number.isNaN(at.getTime())) {
      t.dataset.local = '1';
      t.title += `\n${at.toLocaleString()} here`;
    }
  }
}

refresh();
setInterval(refresh, 10_000);
document.addEventListener('htmx:afterSwap', refresh);
