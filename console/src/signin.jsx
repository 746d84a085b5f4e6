// Signing in: a token is pasted, tried, and kept in this tab's memory. Reloading the page forgets it.

import { useState } from 'preact/hooks';
import { recognise } from './api.js';
import { Trouble } from './ui.jsx';

export function SignIn({ expired, onSigned }) {
  const [token, setToken] = useState('');
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const submit = async (event) => {
    event.preventDefault();
    const pasted = token.trim();
    if (pasted === '' || busy) return;
    setBusy(true);
    try {
      // A header can hold nothing else, so no token has other characters.
      if (/[^\x21-\x7e]/.test(pasted)) throw { title: 'Not a token', detail: 'Tokens have printable ASCII characters and no spaces.' };
      onSigned({ token: pasted, ...(await recognise(pasted)) });
    } catch (error) {
      setProblem(error);
      setBusy(false);
    }
  };
  return (
    <main class="signin">
      <h1>Throughline</h1>
      <form onSubmit={submit}>
        <label for="token">Token</label>
        <input id="token" type="password" autoComplete="off" spellcheck={false} maxLength={4096} value={token} autoFocus
          onInput={(event) => setToken(event.currentTarget.value)} />
        <button type="submit" class="primary" disabled={busy}>{busy ? 'Asking …' : 'Sign in'}</button>
      </form>
      {expired && !problem && <p class="note" role="status">The token is not accepted any more. Sign in again.</p>}
      <Trouble problem={problem} />
      <p>The value of <code>ADMIN_TOKEN</code> may look and act, that of <code>VIEWER_TOKEN</code> look.
        It stays in the memory of this tab and goes when the tab is closed or reloaded.</p>
    </main>
  );
}
