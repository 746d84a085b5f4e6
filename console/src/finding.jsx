// One finding: what was measured, against what, and the requests that show it.

import { count, words } from './format.js';
import { Triage } from './triage.jsx';
import { Badge, Link, Time } from './ui.jsx';

/** `linked`: whether the session is named and linked to, where it is not the page itself. */
export function FindingCard({ finding, linked = false }) {
  return (
    <article class={`finding is-${finding.severity}`} data-row tabIndex={-1}>
      <header>
        <Badge kind={finding.severity} /> <strong>{words(finding.detector)}</strong> <Badge kind={finding.action} />
        {finding.would !== finding.action && <span class="note">enforced it would be: {finding.would}</span>}
        <Time at={finding.time} />
        {linked && <Link to={['sessions', finding.session]} data-open>session <code>{finding.session.slice(0, 8)}</code></Link>}
      </header>
      <p class="message">{finding.message}</p>
      <dl class="facts">
        <div><dt>Value</dt><dd>{count(finding.value)}</dd></div>
        <div><dt>Baseline</dt><dd>{count(finding.baseline)}</dd></div>
        <div><dt>Confidence</dt><dd>{Math.round(finding.confidence * 100)} %</dd></div>
        <div><dt>Risk added</dt><dd>{finding.risk_added}</dd></div>
        {finding.where && <div><dt>Where</dt><dd><code>{finding.where}</code></dd></div>}
        {finding.owasp.length > 0 && <div><dt>OWASP</dt><dd>{finding.owasp.join(', ')}</dd></div>}
      </dl>
      {finding.reasons.length > 0 && <ul class="plain">{finding.reasons.map(({ reason, factor, message }) => (
        <li key={reason}>{factor < 1 ? 'weighs less' : 'weighs more'} (× {count(factor)}): {message}</li>
      ))}</ul>}
      <Triage path={`findings/${finding.id}`} label={finding.label} />
      {finding.evidence.length > 0 && (
        <details><summary>Evidence ({finding.evidence.length})</summary>
          <ul class="plain">{finding.evidence.map((item) => (
            <li key={item.request}><Time at={item.time} precise /> <code>{item.what}</code></li>
          ))}</ul></details>
      )}
    </article>
  );
}
