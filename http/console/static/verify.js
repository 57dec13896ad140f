// Checks a record in the browser: fetches its stored bytes and the public keys,
// and shows of every step what was compared and what came of it. A step that
// can't be taken counts as not verified, never as good.
const panel = document.getElementById('verify');
const marks = { good: 'passed', bad: 'FAILED', open: 'not checked', running: 'checking…' };

class Failed extends Error {}

// show writes down a step. Its state stands as a word, as a sign and in a colour.
function show(name, state, text, compared = {}) {
  const li = panel.querySelector(`[data-step="${name}"]`);
  li.dataset.state = state;
  for (const old of li.querySelectorAll('.result, .compared')) old.remove();
  const result = document.createElement('span');
  result.className = 'result';
  result.textContent = `${marks[state]}${text ? ` – ${text}` : ''}`;
  li.append(result);
  const entries = Object.entries(compared);
  if (!entries.length) return;
  const list = document.createElement('dl');
  list.className = 'compared';
  for (const [label, value] of entries) {
    const dt = document.createElement('dt'), dd = document.createElement('dd'), code = document.createElement('code');
    dt.textContent = label;
    code.textContent = value === '' ? '(empty)' : String(value);
    dd.append(code);
    list.append(dt, dd);
  }
  li.append(list);
}

function bytes(text) { return new TextEncoder().encode(text); }

function base64(raw) {
  let text = '';
  for (const b of raw) text += String.fromCharCode(b);
  return btoa(text).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

function unbase64(text) {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) throw new Failed('this is no base64url');
  return Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));
}

async function sha256(raw) { return base64(new Uint8Array(await crypto.subtle.digest('SHA-256', raw))); }

async function get(url) {
  const answer = await fetch(url, { redirect: 'error', cache: 'no-store' });
  if (!answer.ok) throw new Failed(`the server answered ${answer.status}`);
  return answer.json();
}

// take splits a compact JWS. Only the bytes that came are used further on.
function take(jws) {
  const parts = String(jws).split('.');
  if (parts.length !== 3) throw new Failed('the signature has no three parts');
  return { input: `${parts[0]}.${parts[1]}`, header: JSON.parse(new TextDecoder().decode(unbase64(parts[0]))), payload: JSON.parse(new TextDecoder().decode(unbase64(parts[1]))), signature: unbase64(parts[2]) };
}

async function importKey(jwk) {
  return crypto.subtle.importKey('raw', unbase64(jwk.x), { name: 'Ed25519' }, false, ['verify']);
}

const steps = {
  async record(c) {
    const r = await get(panel.dataset.record);
    c.jws = take(r.jws);
    c.cipher = Uint8Array.from(atob(r.ciphertext), (ch) => ch.charCodeAt(0));
    return { compared: { size: `${c.cipher.length} bytes of ciphertext, ${String(r.jws).length} of signature` } };
  },
  async digest(c) {
    const computed = await sha256(c.cipher);
    return { good: computed === c.jws.payload.data, compared: { signed: c.jws.payload.data, computed } };
  },
  async key(c) {
    const { alg, kid, typ } = c.jws.header, { keys } = await get(panel.dataset.keys);
    c.key = keys.find((k) => k.kid === kid && k.kty === 'OKP' && k.crv === 'Ed25519');
    return { good: Boolean(c.key) && alg === 'EdDSA' && typ === 'claw-record+jws', compared: { kid, alg, typ, keys: `${keys.length} public, ${c.key ? 'this one among them' : 'NOT this one'}` } };
  },
  async signature(c) {
    if (!c.key) throw new Failed('there is no key to check it with');
    const good = await crypto.subtle.verify('Ed25519', await importKey(c.key), c.jws.signature, bytes(c.jws.input));
    return { good, compared: { signature: base64(c.jws.signature), 'public key': c.key.x } };
  },
  async fields(c) {
    const d = panel.dataset, p = c.jws.payload, compared = {};
    const exact = (t) => String(t).replace(/(?:\.(\d+))?Z$/, (_, f = '') => `.${f.padEnd(6, '0')}Z`);
    const pairs = { ws: [p.ws, d.ws], stream: [p.stream, `${d.ws}/${d.stream}`], rev: [String(p.rev), d.rev], type: [p.type, d.type], id: [p.id, d.id], time: [exact(p.time), exact(d.time)], actor: [p.actor, d.actor], cred: [p.cred, d.cred], cor: [p.cor, d.cor], cau: [p.cau, d.cau] };
    const wrong = Object.entries(pairs).filter(([, [signed, shown]]) => signed !== shown);
    for (const [name, [signed, shown]] of wrong) compared[name] = `signed ${signed}, shown ${shown}`;
    return { good: !wrong.length, compared: wrong.length ? compared : { fields: Object.keys(pairs).join(' ') } };
  },
  async chain(c) {
    const { prev, rev } = c.jws.payload;
    if (rev === 0) return { good: prev === '', text: 'the first of its stream has none before it', compared: { prev } };
    if (!panel.dataset.previous) return { open: true, text: 'the record before could not be found' };
    const before = take((await get(panel.dataset.previous)).jws), computed = await sha256(bytes(before.input));
    const next = before.payload.stream === c.jws.payload.stream && before.payload.rev === rev - 1;
    return { good: computed === prev && next, text: next ? '' : 'this is not the record before', compared: { signed: prev, computed, record: `${before.payload.stream} revision ${before.payload.rev}` } };
  },
};

// able says what keeps this browser from checking, or nothing.
async function able() {
  if (!globalThis.crypto?.subtle) return 'This page is not served over TLS or from this machine, so the browser offers no cryptography.';
  try {
    await crypto.subtle.importKey('raw', new Uint8Array(32).fill(1), { name: 'Ed25519' }, false, ['verify']);
    return '';
  } catch (e) {
    return e.name === 'NotSupportedError' ? 'This browser does not know Ed25519.' : '';
  }
}

function conclude(state, text) {
  const verdict = panel.querySelector('.verdict');
  verdict.hidden = false;
  verdict.dataset.state = state;
  verdict.textContent = text;
}

async function verify() {
  const unable = await able();
  if (unable) {
    conclude('open', `? Not verified. ${unable} Use the command line instead: clawledger verify`);
    return;
  }
  conclude('running', 'Checking…');
  const c = {}, states = [];
  for (const [name, step] of Object.entries(steps)) {
    show(name, 'running', '');
    if (!c.jws && name !== 'record') {
      show(name, 'open', 'there is no record to check');
      states.push('open');
      continue;
    }
    let r;
    try {
      r = await step(c);
    } catch (e) {
      r = { good: false, text: e instanceof Failed ? e.message : `it could not be read (${e.name})` };
    }
    const state = r.open ? 'open' : r.good === false ? 'bad' : 'good';
    states.push(state);
    show(name, state, r.text || '', r.compared);
  }
  const bad = states.filter((s) => s === 'bad').length;
  if (bad) conclude('bad', `✕ NOT VERIFIED: ${bad} of ${states.length} checks failed. This record is not what was signed, or not what this page shows. Do not rely on it, and tell whoever runs the service.`);
  else if (states.includes('open')) conclude('open', '? Verified but for what could not be checked.');
  else conclude('good', '✓ Verified: this is the record as it was signed.');
}

if (panel) {
  const button = panel.querySelector('button');
  button.hidden = false;
  button.addEventListener('click', async () => {
    button.disabled = true;
    try { await verify(); } finally { button.disabled = false; button.textContent = 'Verify again'; }
  });
}
