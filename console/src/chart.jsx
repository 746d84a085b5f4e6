// Counts over time by uPlot, with the same numbers as a table for those who do not see it.

import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { count, localTime } from './format.js';

/** `series` is [{ label, color, values }] beside `times` (ms); `color` names a custom property. */
export function Chart({ title, times, series, height = 160 }) {
  const ref = useRef(null);
  useEffect(() => {
    const place = ref.current;
    let plot;
    const draw = () => {
      plot?.destroy();
      plot = new uPlot(options(place, series, height), [times.map((ms) => ms / 1_000), ...series.map(({ values }) => values)], place);
    };
    draw();
    const resized = new ResizeObserver(() => plot.setSize({ width: place.clientWidth, height }));
    resized.observe(place);
    const media = matchMedia('(prefers-color-scheme: dark)');
    document.addEventListener('themechange', draw);
    media.addEventListener('change', draw);
    return () => {
      resized.disconnect();
      document.removeEventListener('themechange', draw);
      media.removeEventListener('change', draw);
      plot.destroy();
    };
  }, [times, series, height]);
  return (
    <figure class="chart">
      <figcaption>{title} {series.map(({ label, color }) => <span key={label} class={`legend is-${color}`}>{label}</span>)}</figcaption>
      <div ref={ref} aria-hidden="true" />
      <details><summary>As a table</summary>
        <div class="scroll short" tabIndex={0} role="region" aria-label={`${title}, as a table`}><table>
          <thead><tr><th scope="col">Time</th>{series.map(({ label }) => <th key={label} scope="col">{label}</th>)}</tr></thead>
          <tbody>{times.map((ms, at) => (
            <tr key={ms}><th scope="row">{localTime(ms)}</th>{series.map(({ label, values }) => <td key={label} class="number">{count(values[at])}</td>)}</tr>
          ))}</tbody>
        </table></div>
      </details>
    </figure>
  );
}

function options(place, series, height) {
  const style = getComputedStyle(place);
  const colour = (name) => resolved(place, name) || style.color;
  const axis = { stroke: style.color, grid: { stroke: colour('line'), width: 1 }, ticks: { stroke: colour('line'), width: 1 } };
  return {
    width: place.clientWidth, height, legend: { show: false }, cursor: { drag: { x: false, y: false } },
    scales: { y: { range: (_, __, max) => [0, Math.max(1, max)] } },
    axes: [axis, { ...axis, size: 56, values: (_, ticks) => ticks.map((tick) => (Number.isInteger(tick) ? count(tick) : '')) }],
    series: [{}, ...series.map(({ label, color }) => ({ label, stroke: colour(color), width: 1.5, points: { show: false }, paths: uPlot.paths.stepped({ align: 1 }) }))],
  };
}

// A canvas knows no custom properties: an element is coloured by one and asked.
function resolved(place, name) {
  const probe = document.createElement('i');
  probe.className = `is-${name}`;
  place.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
