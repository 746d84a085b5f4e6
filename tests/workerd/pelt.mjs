// Many small requests as fast as workerd takes them: an origin that does as little as it can, and a client that keeps
// its connections and sends the next request when the last is answered.

import { connect, createServer } from 'node:net';

/**
 * Starts the origin: { url, count(), stop() }. Every request is answered 200; `headers` gives what stands in the head
 * beside the length, each line with its end, by the request's own head.
 */
export async function quickOrigin(headers = () => '') {
  let count = 0;
  const sockets = new Set();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket.on('close', () => sockets.delete(socket)));
    let rest = '';
    socket.setEncoding('latin1').on('error', () => {}).on('data', (data) => {
      const heads = (rest + data).split('\r\n\r\n');
      rest = heads.pop();
      count += heads.length;
      for (const head of heads) socket.write(`HTTP/1.1 200 OK\r\n${headers(head)}Content-Length: 2\r\n\r\nok`);
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    count: () => count,
    stop: () => new Promise((resolve) => {
      server.close(resolve);
      for (const socket of sockets) socket.destroy();
    }),
  };
}

/**
 * Sends `total` requests on `connections` connections. `ask(i)` gives the head of the i-th and, if it likes, who is to
 * be told of the answer: { head, answered(text) }. Fails on anything but 200.
 */
export async function pelt({ port, total, connections = 32, ask }) {
  let next = 0;
  await Promise.all(Array.from({ length: connections }, () => new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    let got = '';
    let answered;
    const go = () => {
      if (next === total) return socket.end(resolve);
      try {
        const request = ask(next);
        next += 1;
        answered = request.answered;
        return socket.write(request.head);
      } catch (error) {
        return reject(error);
      }
    };
    socket.setEncoding('latin1').on('connect', go).on('error', reject).on('close', () => reject(new Error('workerd closed the connection')));
    socket.on('data', (data) => {
      got += data;
      if (!got.endsWith('\r\n\r\nok')) return;
      if (!got.startsWith('HTTP/1.1 200 ')) return reject(new Error(got));
      answered?.(got);
      got = '';
      go();
    });
  })));
}
