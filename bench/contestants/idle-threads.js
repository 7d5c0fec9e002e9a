// As many threads as the first argument says, which do nothing; ends when all are there.
import { Worker } from 'node:worker_threads';

const wanted = Number(process.argv[2]);
const nothing = "require('node:worker_threads').parentPort.on('message', () => undefined)";
let begun = 0;
for (let count = 0; count < wanted; count += 1) {
  new Worker(nothing, { eval: true }).once('online', () => {
    begun += 1;
    if (begun === wanted) process.exit();
  });
}
