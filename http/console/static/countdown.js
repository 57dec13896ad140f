// Counts down to what has to be done before a time. The server has worded it
// already; the words here are those of Left in approvals.go.
function left(ms) {
  if (ms <= 0) return 'over';
  const s = Math.floor(ms / 1000), m = Math.floor(s / 60), h = Math.floor(m / 60);
  if (s < 60) return `in ${s} s`;
  if (m < 60) return `in ${m} min ${s % 60} s`;
  if (h < 48) return `in ${h} h ${m % 60} min`;
  return `in ${Math.floor(h / 24)} d ${h % 24} h`;
}

function count() {
  const now = Date.now();
  for (const t of document.querySelectorAll('time[data-countdown]')) {
    const text = left(new Date(t.dateTime) - now);
    if (t.textContent !== text) t.textContent = text;
  }
}

count();
setInterval(count, 1000);
