// Ordering a block, a throttle or its end, with a duration and a reason that the audit log keeps.

import { useState } from 'preact/hooks';
import { useSigned } from './hooks.js';
import { Dialog, Trouble } from './ui.jsx';

const DURATIONS = [['10m', '10 minutes'], ['1h', '1 hour'], ['8h', '8 hours'], ['24h', '1 day'], ['7d', '7 days'], ['30d', '30 days']];

/** Buttons for one subject. `state` is 'blocked' where a block holds; `done` is called when the order is carried out. */
export function Act({ kind, value, state, done }) {
  const [action, setAction] = useState(null);
  const close = () => setAction(null);
  return (
    <>
      <button type="button" class="danger" data-key="b" onClick={() => setAction('block')}>Block</button>
      {state === 'blocked' && <button type="button" onClick={() => setAction('allow')}>Unblock</button>}
      {action && <Order kind={kind} value={value} start={action} close={close} done={() => { close(); done(); }} />}
    </>
  );
}

function Order({ kind, value, start, close, done }) {
  const { api, mode } = useSigned();
  const [action, setAction] = useState(start);
  const [duration, setDuration] = useState('1h');
  const [reason, setReason] = useState('');
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    try {
      await carryOut(api, { kind, value, action, duration, reason });
      done();
    } catch (refused) {
      setProblem(refused);
      setBusy(false);
    }
  };
  return (
    <Dialog title={action === 'allow' ? 'Unblock' : 'Block or throttle'} onClose={close}>
      <form class="order" onSubmit={submit}>
        <p>{kind} <code>{value}</code></p>
        {start !== 'allow' && (
          <>
            <label>Action <select value={action} onChange={(event) => setAction(event.currentTarget.value)}>
              <option value="block">block: answers 403</option><option value="throttle">throttle: answers 429</option></select></label>
            <label>For <select value={duration} onChange={(event) => setDuration(event.currentTarget.value)}>
              {DURATIONS.map(([code, name]) => <option key={code} value={code}>{name}</option>)}</select></label>
          </>
        )}
        {(start !== 'allow' || kind === 'session') && (
          <label>Reason <input autoFocus value={reason} maxLength={120} onInput={(event) => setReason(event.currentTarget.value)} placeholder="for the audit log" /></label>
        )}
        {mode === 'monitor' && start !== 'allow' && <p class="note">The mode is monitor: the block is kept and shown, and nothing is stopped.</p>}
        <Trouble problem={problem} />
        <p><button type="submit" class="primary" disabled={busy}>{action === 'allow' ? 'Unblock' : 'Carry out'}</button> <button type="button" onClick={close}>Cancel</button></p>
      </form>
    </Dialog>
  );
}

function carryOut(api, { kind, value, action, duration, reason }) {
  if (kind === 'session') {
    const order = action === 'allow' ? { action, reason } : { action, for: duration, reason };
    return api.post(`api/v1/sessions/${encodeURIComponent(value)}/actions`, order);
  }
  if (action === 'allow') return api.remove(`api/v1/blocks?${new URLSearchParams({ kind, value })}`);
  return api.post('api/v1/blocks', { kind, value, action, for: duration, reason });
}
