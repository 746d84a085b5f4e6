// What the keyboard does.

import { Dialog } from './ui.jsx';

const KEYS = [['/', 'search, or add a filter'], ['j  k', 'next and previous row'], ['Enter', 'open the row'], ['r', 'ask again'], ['Esc', 'close a dialog'],
  ['b', 'block'], ['t  f', 'true or false positive: the row, else the session'], ['p', 'pause or go on with the stream'],
  ['g o', 'overview'], ['g s', 'sessions'], ['g v', 'events'], ['g f', 'findings'], ['g e', 'endpoints'], ['g d', 'documents'], ['g u', 'subjects'],
  ['g b', 'blocks'], ['g r', 'replay'], ['g a', 'audit'], ['g t', 'settings'], ['?', 'this help']];

export const Help = ({ onClose }) => (
  <Dialog title="Keyboard" onClose={onClose}>
    <dl class="keys">{KEYS.map(([key, what]) => <div key={key}><dt><kbd>{key}</kbd></dt><dd>{what}</dd></div>)}</dl>
    <p>Click a value to filter by it, ≠ beside it to exclude it. The address holds all filters: copy it to share what you see.</p>
  </Dialog>
);
