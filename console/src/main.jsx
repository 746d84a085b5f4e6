// The console's frame: sign-in, navigation, the view that the address names.

import 'uplot/dist/uPlot.min.css';
import '../style.css';
import { render } from 'preact';
import { useCallback, useEffect, useMemo, useState } from 'preact/hooks';
import { client } from './api.js';
import { Signed, useAddress } from './hooks.js';
import { listen } from './keys.js';
import { Help } from './help.jsx';
import { SignIn } from './signin.jsx';
import { nextTheme, setTheme } from './theme.js';
import { Empty, Link } from './ui.jsx';
import { Audit } from './views/audit.jsx';
import { Blocks } from './views/blocks.jsx';
import { Documents } from './views/documents.jsx';
import { Endpoint } from './views/endpoint.jsx';
import { Endpoints } from './views/endpoints.jsx';
import { Events } from './views/events.jsx';
import { Findings } from './views/findings.jsx';
import { Overview } from './views/overview.jsx';
import { Replay } from './views/replay.jsx';
import { Session } from './views/session.jsx';
import { Sessions } from './views/sessions.jsx';
import { Settings } from './views/settings.jsx';
import { Shared } from './views/shared.jsx';
import { Subject, Subjects } from './views/subjects.jsx';

const NAVIGATION = [['', 'Overview'], ['sessions', 'Sessions'], ['events', 'Events'], ['findings', 'Findings'], ['endpoints', 'Endpoints'],
  ['documents', 'Documents'], ['subjects', 'Subjects'], ['blocks', 'Blocks'], ['replay', 'Replay'], ['audit', 'Audit'], ['settings', 'Settings']];

function View({ view, rest, search }) {
  switch (view) {
    case '': return <Overview search={search} />;
    case 'sessions': return rest.length > 0 ? <Session key={rest[0]} id={rest[0]} search={search} /> : <Sessions search={search} />;
    case 'findings': return <Findings search={search} />;
    case 'events': return <Events search={search} />;
    case 'endpoints': return rest.length > 0 ? <Endpoint key={rest[0]} id={rest[0]} search={search} /> : <Endpoints search={search} />;
    case 'documents': return <Documents />;
    case 'replay': return <Replay />;
    case 'subjects': return rest.length > 1 ? <Subject key={rest.join('/')} kind={rest[0]} value={rest[1]} /> : <Subjects />;
    case 'blocks': return <Blocks search={search} />;
    case 'audit': return <Audit />;
    case 'settings': return <Settings />;
    default: return <Empty title="Nothing is here"><p>This address names no view. <Link to={[]}>Go to the overview</Link>.</p></Empty>;
  }
}

function App() {
  const [who, setWho] = useState(null);
  const [expired, setExpired] = useState(false);
  const [help, setHelp] = useState(false);
  const [turn, setTurn] = useState(0);
  const address = useAddress();
  const leave = useCallback((isExpired) => { setWho(null); setExpired(isExpired); }, []);
  const signed = useMemo(() => who && { ...who, api: client(who.token, () => leave(true)) }, [who, leave]);
  useEffect(() => listen({ help: () => setHelp(true), refresh: () => setTurn((n) => n + 1) }), []);
  const name = NAVIGATION.find(([view]) => view === address.view)?.[1] ?? 'Not found';
  useEffect(() => { document.title = `${signed ? name : 'Sign in'} · Throughline`; }, [name, signed]);
  if (address.view === 'shared') return <Shared token={location.hash.slice(1)} />;
  if (signed === null) return <SignIn expired={expired} onSigned={setWho} />;
  return (
    <Signed.Provider value={signed}>
      <a class="skip" href="#main">Skip to content</a>
      <header class="top">
        <strong class="brand">Throughline</strong>
        <nav aria-label="Views">
          {NAVIGATION.map(([view, label]) => (
            <Link key={view} to={view ? [view] : []} aria-current={address.view === view ? 'page' : undefined}>{label}</Link>
          ))}
        </nav>
        <div class="who">
          {signed.mode && <span class={`badge is-${signed.mode}`} title={signed.mode === 'monitor' ? 'nothing is stopped' : 'verdicts are carried out'}>{signed.mode}</span>}
          <span class="badge">{signed.role}</span>
          <button type="button" onClick={() => setTheme(nextTheme())}>Theme</button>
          <button type="button" onClick={() => setHelp(true)} aria-label="Keyboard help">?</button>
          <button type="button" onClick={() => leave(false)}>Sign out</button>
        </div>
      </header>
      {signed.problems.length > 0 && (
        <div class="trouble" role="alert"><strong>The configuration is refused.</strong> Traffic is not looked at until it is mended:
          <ul>{signed.problems.map((problem) => <li key={problem}><code>{problem}</code></li>)}</ul></div>
      )}
      <main id="main" tabIndex={-1}>
        <h1 class="hidden">{name}</h1>
        <View key={`${address.view}${turn}`} {...address} />
      </main>
      {help && <Help onClose={() => setHelp(false)} />}
    </Signed.Provider>
  );
}

render(<App />, document.getElementById('app'));
