import { TABLE_IDS } from '../tables/table-ids.ts';
import type { Measurement, MeasurementRecord } from './record.ts';
import { formatAims } from './aims.ts';
import { MAX_FOREIGN } from './statistics.ts';
import { formatTable, type Table } from './table.ts';

/** docs/performance.md, of all that was measured. */
export function formatDocument(record: MeasurementRecord): string {
  const measurements = TABLE_IDS.flatMap((id) => record[id] ?? []);
  const tables = measurements.flatMap(({ rounds, tables }) => tables.map((table) => ({ rounds, table })));
  return [
    '# Performance',
    'Written by `npm run bench`; every number below is of that run. To have yours, run it: nothing else is needed than what the tests need, ' +
      'a C compiler, nginx (`apt-get install nginx-light`), and root for the shaped links.',
    formatMachine(measurements),
    HOW_TO_READ,
    ...formatAims(record),
    ...tables.map(({ rounds, table }) => section(table, rounds)),
    WHAT_BOUNDS_IT,
    WHAT_IT_DOES_NOT_SHOW,
    formatCommands(tables.map(({ table }) => table)),
  ]
    .join('\n\n')
    .concat('\n');
}

const HOW_TO_READ = `## How to read it

- **limit** is a C program (\`bench/native/wire-limit.c\`) that gets the same bytes from the same server into files, with no listing, no signature, no hash and no
  temporary names. No restore can be much faster on this machine; one that asks in a luckier pattern can be a little.
- **limit, hashed** is that program when it proves what it gets: with OpenSSL's SHA-256 of files up to 16 MiB as they come, and of larger ones in one thread of its own that reads what has been written. On two processors, no restore that
  makes the SHA-256 of every file can be much faster, in whatever language.
- Wall time is that of the whole process, start-up included: the median, then the fastest and the slowest run. Ratios are of medians. **best peer** is the fastest of
  the other tools in the table, the AWS SDK among them.
- Client CPU is user and system time of the process and all its children, peak RSS that of its largest process in any run, server CPU what the server used meanwhile.
- Tools run in turn, in another order each round, each into an empty folder. After each run, not in its time, every byte of every file is compared by SHA-256;
  a run with a wrong byte fails.
- How fast a machine is that others share changes from hour to hour. What stands in one table was measured at the same time, and can be compared; seconds of two tables cannot. What an empty Node took ("Start-up") tells how fast it was then.
- A run beside which others used more than ${MAX_FOREIGN * 100} % of the processors is dropped. \\* marks a row that had no clean run: all of them count there.`;

const WHAT_BOUNDS_IT = `## What bounds it

- **A hash of every byte, where everything shares two processors** (MinIO, nginx, TLS, 5 Gbit/s). The rows of the C reader with SHA-256 say what that takes on this machine in any language: a tool that proves nothing can be
  as fast as the limit, and one that proves everything as fast as those rows. "Where the time goes" says what share of both processors was used. Where it is near 90 %, only less work is faster; what we use beyond
  the C reader is Node's start and its own threads, the thread that decides and publishes, and what receiving costs more in Node, most of all under TLS.
- **The thread that hashes, where each thread has a processor.** SHA-256 goes through a file from front to back, on one processor: one large file takes no less than the seconds in that row, from whatever server and
  over whatever link. TLS on two processors is received by one thread, whose row is the longest; with more, by as many as there are to spare, up to four, and then the thread that hashes is the bound again.
- **A locked start** makes BLAKE3 in the threads that receive, and nothing of a file is read again. It takes what the C reader and its server take, the seconds of BLAKE3 ("What hashing takes") and Node's start, which is more
  than s5cmd's start: together nearly all that two processors give in the time of s5cmd, if neither ever waits.
- **The link, where it is slower than both** (1 Gbit/s). Before the first byte come Node's start and this program's, the listing, and a manifest, each at least one way there and back: what \`--dry-run\` takes says how long about. The
  C reader does none of that. Then TCP finds out what the link carries, and what is shared out of the last requests takes its way there and back.
- **Many small files.** More than half is what the server does for each request; a signature alone makes it take longer, as the unsigned row shows, and the C reader signs nothing. The bare Node says what the rest takes in Node at least, once it is known what is to be
  fetched; before that, ours takes about what \`--dry-run\` does. Beyond both is what makes it a restore: what receives has a thread of its own ("Start-up" says what one takes that does nothing), results cross to the one that decides, folders and states are kept, and it can be stopped, tried again and told.
- **Nothing to do for many files**: all of it is one thread. "Where the time goes" says with what: no share of it is large.
- **An upload**: MD5, which S3's part checksums are made of, is the slowest of the digests ("What hashing takes"), and comes on top of SHA-256. The C reader with both says what that takes. Ours also reads each part
  twice, once to hash it and once to send it: to keep the parts under way in memory instead would take 32 MiB more.
- **Memory**: most is Node's, for itself and for each thread ("Start-up"); behind each table of "Where the time goes" is what it was of. On two processors a restore has one or two threads beside its first one, with more up to six; an upload has one.
  Of many small files each takes about a KiB of the heap, for its names and its digests, and while they are being planned several; and a heap is half again as large as what it holds before it is collected.`;

const WHAT_IT_DOES_NOT_SHOW = `## What it does not show

- A real provider's servers and a real network. Server and client share this machine's processors, so what one saves the other may use; only the shaped links have a
  distance, and their model is simple: one rate, one delay, one queue, independent losses, TCP cubic.
- More than two processors. What bounds a restore there is told by the rows of its threads, not by a run.
- A disk: what is restored is in memory, or in the page cache. \`npm run bench:flush\` measures what flushing costs.
- The best settings of the other tools. "tuned" is one hand-picked setting for each, not a search.
- Equal work. model-cache verifies, restores links and refs, and can resume; the others copy.`;

/** One for all tables, or each with the tables that were measured there. */
function formatMachine(measurements: readonly Measurement[]): string {
  const titles = new Map<string, string[]>();
  for (const { machine, tables } of measurements) {
    const lines = machine.map((line) => `- ${line}`).join('\n');
    titles.set(lines, [...(titles.get(lines) ?? []), ...tables.map(({ title }) => title)]);
  }
  const machines = Array.from(titles, ([lines, of]) =>
    titles.size === 1 ? lines : `${of.join('; ')}:\n\n${lines}`,
  );
  return ['## The machine', ...machines].join('\n\n');
}

function section(table: Table, rounds: number): string {
  const text = [`## ${table.title}`, ...table.text];
  return (table.rows.length === 0 ? text : [...text, `${rounds} rounds.`, formatTable(table)]).join('\n\n');
}

/** How each row was made; a series is made by commands that are there already. */
function formatCommands(tables: readonly Table[]): string {
  const commands = new Map<string, string>();
  const races = tables.filter(({ isSeries = false }) => !isSeries);
  for (const { rows } of races)
    for (const { name, command } of rows)
      if (command !== undefined) commands.set(`${name}\0${command}`, command);
  const lines = Array.from(commands, ([key, command]) => `- ${key.split('\0')[0]}: \`${command}\``);
  return `## Commands\n\nDIR is the cache, HUB its \`hub\` folder; credentials and certificates come by environment.\n\n${lines.toSorted().join('\n')}`;
}
