// Blocks: what holds, until when, why; adding one and ending one.

import { useState } from 'preact/hooks';
import { Act } from '../act.jsx';
import { count } from '../format.js';
import { useAnswer, useSigned } from '../hooks.js';
import { Badge, Empty, Link, Loading, Panel, Time, Trouble } from '../ui.jsx';

const SHOWN = 200;

export function Blocks() {
  const { role, api } = useSigned();
  const { data, problem, loading, again } = useAnswer('blocks', { every: 10_000 });
  const [kind, setKind] = useState('ip');
  const [value, setValue] = useState('');
  const [failed, setFailed] = useState(null);
  const [most, setMost] = useState(SHOWN);
  const items = data?.items ?? [];
  const end = (block) => api.remove(`api/v1/blocks?${new URLSearchParams({ kind: block.kind, value: block.value })}`)
    .then(() => { setFailed(null); again(); }, setFailed);
  return (
    <>
      {role === 'admin' && <Panel title="Add a block"><div class="order">
        <label>On <select value={kind} onChange={(event) => setKind(event.currentTarget.value)}><option value="ip">address</option><option value="session">session</option><option value="user">user</option><option value="device">device</option></select></label>
        <label>Value <input data-search value={value} maxLength={512} spellcheck={false} onInput={(event) => setValue(event.currentTarget.value)} /></label>
        {value.trim() !== '' && <Act kind={kind} value={value.trim()} done={() => { setValue(''); again(); }} />}
        <p class="note">An IPv6 address stands for its /64. Many people may share an address; a session is one of them.</p>
      </div></Panel>}
      <Trouble problem={problem ?? failed} again={again} />
      <Loading on={loading && !data} />
      {data && items.length === 0 && <Empty title="No block holds"><p>{role === 'admin' ? 'Add one here, or from a session or an address.' : 'An admin can add one.'} In the mode enforce, detectors add their own.</p></Empty>}
      {items.length > 0 && <div class="scroll" tabIndex={0} role="region" aria-label="Blocks"><table class="rows">
        <thead><tr><th scope="col">On</th><th scope="col">Action</th><th scope="col">Reason</th><th scope="col">By</th><th scope="col">Since</th><th scope="col">Until</th><th scope="col">Enforced</th>{role === 'admin' && <th scope="col">End</th>}</tr></thead>
        <tbody>{items.slice(0, most).map((block) => (
          <tr key={`${block.kind} ${block.value}`} data-row tabIndex={-1}>
            <th scope="row">{block.kind} <Link data-open to={block.kind === 'session' ? ['sessions', block.value] : ['subjects', block.kind, block.value.replace(/\/64$/, '')]}><code>{block.value}</code></Link></th>
            <td><Badge kind={block.action} /></td><td>{block.reason || '–'}</td><td>{block.by}</td><td><Time at={block.created} /></td><td><Time at={block.until} /></td>
            <td>{block.enforced ? 'yes' : 'no: monitor'}</td>
            {role === 'admin' && <td><button type="button" onClick={() => end(block)} aria-label={`end the block on ${block.value}`}>End</button></td>}
          </tr>
        ))}</tbody></table></div>}
      {items.length > most && <p class="more"><button type="button" onClick={() => setMost(most + SHOWN)}>More blocks</button> {count(most)} of {count(items.length)}</p>}
    </>
  );
}
