// Triage: whether a finding, or a whole session, is what it was taken for, said with a note; and what a false positive
// proposes to configure.

import { useState } from 'preact/hooks';
import { words } from './format.js';
import { useSigned } from './hooks.js';
import { Copy, Dialog, Time, Trouble } from './ui.jsx';

const JUDGEMENTS = [['true_positive', 'True positive', 't'], ['false_positive', 'False positive', 'f']];

/** `path` is what is labelled (`findings/ID`, `sessions/ID`), `label` what it carries; `done` is called when it was labelled. */
export function Triage({ path, label, done = () => {} }) {
  const { role } = useSigned();
  const [put, setPut] = useState(null);
  const [judging, setJudging] = useState(null);
  // What was just said is shown before the list is asked again, until somebody says something later.
  const shown = put && !(label && label.time > put.time) ? put : label;
  return (
    <div class="triage">
      {shown && <span class={`badge is-${shown.label}`} title={`by ${shown.by}`}>{words(shown.label)}</span>}
      {shown && <span class="note">{shown.note} <Time at={shown.time} relative /></span>}
      {role === 'admin' && JUDGEMENTS.filter(([code]) => code !== shown?.label).map(([code, name, key]) => (
        <button key={code} type="button" data-key={key} onClick={() => setJudging(code)}>{name}</button>
      ))}
      {put?.exception && <Exception exception={put.exception} />}
      {judging && <Order path={path} judgement={judging} close={() => setJudging(null)} done={(answer) => { setJudging(null); setPut(answer); done(); }} />}
    </div>
  );
}

function Order({ path, judgement, close, done }) {
  const { api } = useSigned();
  const [note, setNote] = useState('');
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    try {
      done(await api.post(`api/v1/${path}/labels`, { label: judgement, ...(note.trim() && { note: note.trim() }) }));
    } catch (refused) {
      setProblem(refused);
      setBusy(false);
    }
  };
  const [, name] = JUDGEMENTS.find(([code]) => code === judgement);
  return (
    <Dialog title={name} onClose={close}>
      <form class="order" onSubmit={submit}>
        <p><code>{path}</code></p>
        <label>Note <input autoFocus value={note} maxLength={500} placeholder="why" onInput={(event) => setNote(event.currentTarget.value)} /></label>
        <p class="note">It replaces the label there is, stands in the audit log, and counts for the precision of the detector. Nothing is excepted by it.</p>
        <Trouble problem={problem} />
        <p><button type="submit" class="primary" disabled={busy}>Save</button> <button type="button" onClick={close}>Cancel</button></p>
      </form>
    </Dialog>
  );
}

function Exception({ exception }) {
  const text = JSON.stringify([exception]);
  return <p>To be spared of such, add to <code>EXCEPTIONS</code>: <code>{text}</code> <Copy text={() => text} label="Copy the entry" /></p>;
}
