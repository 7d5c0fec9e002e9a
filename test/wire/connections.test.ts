import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Silence } from '../../src/wire/connection.ts';
import { Connections } from '../../src/wire/connections.ts';
import { soon } from '../store/bodies.ts';
import { freePort } from '../support/free-port.ts';
import { Heard } from './heard.ts';
import { GET, plainAnswer, withTcp, type Answer, type ScriptedTcp } from './scripted-tcp.ts';

const REQUEST = { head: GET };
const says: Answer = (socket, { nth }) => void socket.write(plainAnswer(`body ${nth}`));

test('requests one after the other share a connection; those side by side have one each', async () => {
  await sharing(says, async (connections, { asked }) => {
    const first = await connections.exchange(REQUEST, new Heard());
    const second = await connections.exchange(REQUEST, new Heard());
    assert.deepEqual([typeof first.connectMs, second.connectMs], ['number', undefined]);
    await Promise.all([1, 2, 3].map(() => connections.exchange(REQUEST, new Heard())));
    assert.deepEqual(numbers(asked), [1, 1, 1, 2, 3]);
    await connections.exchange(REQUEST, new Heard());
    assert.equal(new Set(numbers(asked)).size, 3);
  });
});

test('what is asked for on a new connection has it to itself', async () => {
  await sharing(says, async (connections, { asked }) => {
    await connections.exchange(REQUEST, new Heard());
    await connections.exchange(REQUEST, new Heard(), { onNewConnection: true });
    await connections.exchange(REQUEST, new Heard());
    assert.deepEqual(numbers(asked), [1, 2, 1]);
  });
});

test('a connection that the answer was the last of is not used again', async () => {
  const last: Answer = (socket) => void socket.write(plainAnswer('body', 'connection: close\r\n'));
  await sharing(last, async (connections, { asked }) => {
    for (let round = 0; round < 3; round += 1) await connections.exchange(REQUEST, new Heard());
    assert.deepEqual(numbers(asked), [1, 2, 3]);
  });
});

describe('a kept connection that is closed before the answer', () => {
  const closings: readonly (readonly [string, Answer])[] = [
    ['when the request comes', (socket) => void socket.end()],
    ['with a reset, when the request comes', (socket) => void socket.resetAndDestroy()],
  ];
  for (const [when, close] of closings)
    test(`${when}: is asked for once more, on a new one, and the reader hears nothing twice`, async () => {
      const answer: Answer = (socket, asked) =>
        asked.nth === 2 ? close(socket, asked) : says(socket, asked);
      await sharing(answer, async (connections, { asked }) => {
        await connections.exchange(REQUEST, new Heard());
        const heard = new Heard();
        await soon(connections.exchange(REQUEST, heard));
        assert.deepEqual([heard.heads.length, heard.body], [1, 'body 3']);
        assert.deepEqual(numbers(asked), [1, 1, 2]);
      });
    });

  test('and so is the new one: that is an error, and not tried for ever', async () => {
    const answer: Answer = (socket, asked) => (asked.nth === 1 ? says(socket, asked) : void socket.end());
    await sharing(answer, async (connections, { asked }) => {
      await connections.exchange(REQUEST, new Heard());
      await assert.rejects(soon(connections.exchange(REQUEST, new Heard())), { code: 'ECONNRESET' });
      assert.equal(asked.length, 3);
    });
  });

  test('though something of it had come: that is an error', async () => {
    const answer: Answer = (socket, asked) =>
      asked.nth === 1 ? says(socket, asked) : void socket.end('HTTP/1.1 2');
    await sharing(answer, async (connections, { asked }) => {
      await connections.exchange(REQUEST, new Heard());
      await assert.rejects(soon(connections.exchange(REQUEST, new Heard())), { code: 'ECONNRESET' });
      assert.equal(asked.length, 2);
    });
  });

  test('at any moment after the last answer: every request is answered', async () => {
    const answer: Answer = (socket, asked) => {
      says(socket, asked);
      if (asked.nth % 2 === 0) socket.end();
    };
    await sharing(answer, async (connections) => {
      for (let round = 0; round < 300; round += 1) {
        const heard = new Heard();
        await soon(connections.exchange(REQUEST, heard));
        assert.match(heard.body, /^body \d+$/);
        for (let turn = 0; turn < round % 7; turn += 1) await new Promise(setImmediate);
      }
    });
  });
});

describe('connections that are made ahead', () => {
  test('are those that the first requests have, as many as their way asks for', async () => {
    await sharing(says, async (connections, { asked, sockets }) => {
      const accepted = Promise.withResolvers<number>();
      connections.openAhead((connectMs) => {
        accepted.resolve(connectMs);
        return 2;
      });
      assert.ok((await soon(accepted.promise)) > 0);
      while (sockets.length < 3) await sleep(2);
      await Promise.all([1, 2, 3].map(() => connections.exchange(REQUEST, new Heard())));
      assert.deepEqual([new Set(numbers(asked)).size, sockets.length], [3, 3]);
    });
  });

  test('take a request before they are accepted', async () => {
    await sharing(says, async (connections, { sockets }) => {
      connections.openAhead(() => 0);
      await connections.exchange(REQUEST, new Heard());
      assert.equal(sockets.length, 1);
    });
  });

  test('and closed before their first request: it is sent on a new one', async () => {
    await sharing(says, async (connections, { asked, sockets }) => {
      connections.openAhead(() => 0);
      while (sockets.length === 0) await sleep(2);
      sockets[0]?.resetAndDestroy();
      const heard = new Heard();
      await soon(connections.exchange(REQUEST, heard));
      assert.deepEqual([heard.body, numbers(asked)], ['body 1', [2]]);
    });
  });

  test('to a server that takes none: the first request tells why', async () => {
    const connections = new Connections(
      { host: '127.0.0.1', port: await freePort(), isTls: false, ca: undefined },
      Buffer.alloc(4096),
      0,
    );
    connections.openAhead(() => 5);
    await sleep(20);
    await assert.rejects(soon(connections.exchange(REQUEST, new Heard())), { code: 'ECONNREFUSED' });
    connections.close();
  });
});

test('a connection that falls silent is ended, kept or new; others go on', async () => {
  const answer: Answer = (socket, asked) => {
    if (asked.nth > 1 && asked.nth % 2 === 0) socket.write(plainAnswer('body').slice(0, -1));
    else says(socket, asked);
  };
  await sharing(
    answer,
    async (connections) => {
      await connections.exchange(REQUEST, new Heard());
      await assert.rejects(soon(connections.exchange(REQUEST, new Heard())), Silence);
      const heard = new Heard();
      await soon(connections.exchange(REQUEST, heard));
      assert.equal(heard.body, 'body 3');
    },
    100,
  );
});

test('a request that was sent once more can be ended as well', async () => {
  const why = new Error('stopped');
  const answer: Answer = (socket, asked) => {
    if (asked.nth === 1) says(socket, asked);
    else if (asked.nth === 2) socket.end();
  };
  await sharing(answer, async (connections, { asked }) => {
    await connections.exchange(REQUEST, new Heard());
    let end: (reason: Error) => void = () => undefined;
    const done = soon(connections.exchange(REQUEST, new Heard(), { onBegin: (ending) => (end = ending) }));
    done.catch(() => undefined);
    while (asked.length < 3) await sleep(2);
    end(why);
    await assert.rejects(done, why);
  });
});

test('a close ends whatever is under way', async () => {
  await sharing(
    () => undefined,
    async (connections, { asked }) => {
      const done = soon(connections.exchange(REQUEST, new Heard()));
      done.catch(() => undefined);
      while (asked.length === 0) await sleep(2);
      connections.close();
      await assert.rejects(done, { code: 'ECONNRESET' });
    },
  );
});

function numbers(asked: ScriptedTcp['asked']): readonly number[] {
  return asked.map(({ connection }) => connection);
}

async function sharing(
  answer: Answer,
  work: (connections: Connections, server: ScriptedTcp) => Promise<void>,
  patience = 0,
): Promise<void> {
  await withTcp(answer, async (server) => {
    const connections = new Connections(server.endpoint, Buffer.alloc(4096), patience);
    try {
      await work(connections, server);
    } finally {
      connections.close();
    }
  });
}
