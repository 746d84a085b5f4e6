// Server-sent events as the HTML standard writes them, from pieces of text as they arrive. Pure.

const LONGEST = 1 << 20; // characters of one message; the API's are far shorter

/** A reader: give it the next piece of text, it answers the messages that are whole: { event, data, id }. */
export function messages() {
  let rest = '';
  return (piece) => {
    const blocks = (rest + piece).split('\n\n');
    rest = blocks.pop();
    if (rest.length > LONGEST) throw new Error('a message of the stream does not end');
    return blocks.map(message).filter(({ data, id }) => data !== null || id !== null);
  };
}

function message(block) {
  const found = { event: 'message', data: null, id: null };
  for (const line of block.split('\n')) {
    const [, name, value] = /^([a-z]+): ?(.*)$/s.exec(line) ?? [];
    if (name === 'data') found.data = found.data === null ? value : `${found.data}\n${value}`;
    else if (name === 'event' || name === 'id') found[name] = value;
  }
  return found;
}
