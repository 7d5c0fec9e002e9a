// For `node --require`, in every thread: writes beside itself how much V8 holds for its heap at most, and how much was in
// use after the last full collection; where there was none, how much is in use.
const { writeFileSync } = require('node:fs');
const { join } = require('node:path');
const { constants, PerformanceObserver } = require('node:perf_hooks');
const { getHeapStatistics } = require('node:v8');
const { threadId } = require('node:worker_threads');

const LOOK_EVERY_MS = 10;
let held = 0;
let isCollected = false;
let alive = 0;

new PerformanceObserver((list) => {
  if (!list.getEntries().some(({ detail }) => detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR)) return;
  isCollected = true;
  alive = getHeapStatistics().used_heap_size;
}).observe({ entryTypes: ['gc'] });
setInterval(look, LOOK_EVERY_MS).unref();
look();

function look() {
  const { used_heap_size: used, total_physical_size: physical } = getHeapStatistics();
  held = Math.max(held, physical);
  if (!isCollected) alive = used;
  writeFileSync(join(__dirname, `${threadId}.json`), JSON.stringify({ held, alive }));
}
