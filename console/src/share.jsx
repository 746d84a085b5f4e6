// Share links: made here, listed and revoked in the settings. A link shows one session or one list, to whoever has it.

import { useState } from 'preact/hooks';
import { useSigned } from './hooks.js';
import { Dialog, Time, Trouble } from './ui.jsx';

const DURATIONS = [['1h', '1 hour'], ['24h', '1 day'], ['7d', '7 days'], ['30d', '30 days'], ['90d', '90 days']];

/** A button that shares `scope`: `{ session }`, or `{ list, filter }`. */
export function Share({ scope }) {
  const { role } = useSigned();
  const [open, setOpen] = useState(false);
  if (role !== 'admin') return null;
  return <><button type="button" onClick={() => setOpen(true)}>Share</button>{open && <Order scope={scope} close={() => setOpen(false)} />}</>;
}

function Order({ scope, close }) {
  const { api } = useSigned();
  const [duration, setDuration] = useState('7d');
  const [note, setNote] = useState('');
  const [made, setMade] = useState(null);
  const [problem, setProblem] = useState(null);
  const submit = (event) => {
    event.preventDefault();
    api.post('api/v1/share', { ...scope, for: duration, ...(note.trim() && { note: note.trim() }) }).then(setMade, setProblem);
  };
  return (
    <Dialog title="Share" onClose={close}>
      {made ? <Made share={made} /> : (
        <form class="order" onSubmit={submit}>
          <p>{scope.session ? 'Whoever has the link sees this session and nothing else, and can do nothing to it.'
            : `Whoever has the link sees the ${scope.list} that fit these filters and nothing else. Ranges of time stay as they are now.`}</p>
          <label>For <select value={duration} onChange={(event) => setDuration(event.currentTarget.value)}>
            {DURATIONS.map(([code, name]) => <option key={code} value={code}>{name}</option>)}</select></label>
          <label>Note <input value={note} maxLength={120} placeholder="for whom, and why" onInput={(event) => setNote(event.currentTarget.value)} /></label>
          <Trouble problem={problem} />
          <p><button type="submit" class="primary">Make the link</button> <button type="button" onClick={close}>Cancel</button></p>
        </form>
      )}
    </Dialog>
  );
}

function Made({ share }) {
  const address = new URL(share.link, location.origin).href;
  const [done, setDone] = useState('');
  const copy = () => navigator.clipboard.writeText(address).then(() => setDone('Copied'), () => setDone('Copy it by hand'));
  return (
    <div class="order">
      <label>Link <input readOnly value={address} onFocus={(event) => event.currentTarget.select()} /></label>
      <p class="note">It is shown once. It ends <Time at={share.until} />, or when it is revoked in the settings.</p>
      <p><button type="button" class="primary" onClick={copy}>Copy</button> <span role="status">{done}</span></p>
    </div>
  );
}
