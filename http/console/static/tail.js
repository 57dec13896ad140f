// Follows a search: new events come as rows of the table, made by the server.
// While the pointer is over the table, or the page is out of sight, they wait.
const button = document.getElementById('tail'), body = document.getElementById('hits'), status = document.getElementById('tail-status');
const most = 500; // rows that stand in the table, and that wait
const maxWait = 30_000;

let stop = null, waiting = [], held = false, came = 0, after = button?.dataset.after, said = '';

function say(text) {
  if (text === said) return;
  said = text;
  status.textContent = text;
}

function paused() { return held || document.hidden; }

function show() {
  if (paused() || !waiting.length) return;
  const holder = document.createElement('template');
  holder.innerHTML = waiting.join('');
  const rows = [...holder.content.querySelectorAll('tr')];
  waiting = [];
  for (const row of rows) row.classList.add('fresh');
  body.prepend(...rows.reverse());
  while (body.rows.length > most) body.deleteRow(-1);
  body.closest('table').hidden = false;
  document.getElementById('none')?.remove();
}

// tell says how it stands, at most every few seconds, so that a reader's voice is
// not run over.
function tell() {
  if (!stop) return;
  const events = `${came} new event${came === 1 ? '' : 's'}`;
  say(waiting.length ? `Held back while you read: ${waiting.length} wait. ${events} so far.` : `Following. ${events} so far.`);
}

function take(frame) {
  let id = '', data = [];
  for (const line of frame.split('\n')) {
    if (line.startsWith('id: ')) id = line.slice(4);
    else if (line.startsWith('data: ')) data.push(line.slice(6));
  }
  if (id) after = id;
  if (!data.length) return;
  came++;
  waiting.push(data.join('\n'));
  if (waiting.length > most) waiting.shift();
}

async function read(signal) {
  const fields = new URLSearchParams({ go: button.dataset.state, after });
  const token = document.querySelector('#again [name=form_token]').value;
  const answer = await fetch(button.dataset.url, {
    method: 'POST', body: fields, redirect: 'manual', signal,
    headers: { 'Console-Form-Token': token, 'Console-Poll': '1' },
  });
  if (!answer.ok || !answer.headers.get('Content-Type')?.startsWith('text/event-stream')) {
    return answer.type === 'opaqueredirect' ? 'Your session ended. Load the page again.' : answer.status >= 500 || answer.status === 429 ? '' : 'This search can’t be followed. Load the page again.';
  }
  tell();
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = ''; ;) {
    const { value, done } = await reader.read();
    if (done) return '';
    const frames = (rest + value).split('\n\n');
    rest = frames.pop();
    frames.forEach(take);
    show();
  }
}

async function follow() {
  const control = new AbortController();
  stop = () => control.abort();
  button.setAttribute('aria-pressed', 'true');
  button.textContent = 'Stop following';
  status.hidden = false;
  say('Following…');
  let wait = 500, end = '';
  while (!control.signal.aborted && !end) {
    const begun = Date.now();
    try {
      end = await read(control.signal);
    } catch {
      end = '';
    }
    if (control.signal.aborted || end) break;
    wait = Date.now() - begun > 10_000 ? 500 : Math.min(wait * 2, maxWait);
    await new Promise((done) => { setTimeout(done, wait); });
  }
  stop = null;
  button.setAttribute('aria-pressed', 'false');
  button.textContent = 'Follow live';
  say(end || `Stopped. ${came} new event${came === 1 ? '' : 's'} came.`);
}

if (button && body && status) {
  button.hidden = false;
  button.addEventListener('click', () => { if (stop) stop(); else follow(); });
  const table = body.closest('table');
  table.addEventListener('pointerenter', () => { held = true; });
  table.addEventListener('pointerleave', () => { held = false; show(); });
  table.addEventListener('focusin', () => { held = true; });
  table.addEventListener('focusout', () => { held = table.matches(':hover'); show(); });
  document.addEventListener('visibilitychange', show);
  setInterval(tell, 4000);
}
