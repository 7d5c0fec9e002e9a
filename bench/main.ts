// How long a restore and an upload take, beside the tools that people could pick instead and beside what the machine
// allows. Makes the data, starts the servers, installs the tools, runs them in turn, checks every byte, writes tables.
import { writeFileSync } from 'node:fs';
import { readOptions, USAGE, type Options } from './options.ts';
import { formatDocument } from './report/document.ts';
import { emptyRecord, keep, readRecord, type Measurement } from './report/record.ts';
import { describeMachine } from './report/machine.ts';
import type { Table } from './report/table.ts';
import { MEASUREMENTS } from './tables/index.ts';
import { Workplace } from './workplace.ts';

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const options = optionsOrMistake(args);
  if (options === undefined) return print(`${USAGE}\n`);
  if (options instanceof Error) {
    process.stderr.write(`${options.message}\n${USAGE}\n`);
    return 2;
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
  let record = options.record === undefined ? emptyRecord() : readRecord(options.record);
  const failed: string[] = [];
  await Workplace.lend(options, async (place) => {
    for (const id of options.tables) {
      try {
        const tables = await MEASUREMENTS[id](place);
        record = keep(record, id, measurement(options, place, tables), options.record);
      } catch (error) {
        failed.push(`${id}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
        place.tell(failed.at(-1) ?? '');
      }
    }
  });
  const document = formatDocument(record);
  print(document);
  if (options.out !== undefined) writeFileSync(options.out, document);
  for (const line of failed) process.stderr.write(`bench: not measured: ${line}\n`);
  return failed.length === 0 ? 0 : 1;
}

function measurement({ rounds }: Options, place: Workplace, tables: readonly Table[]): Measurement {
  return { rounds, machine: describeMachine(place.scratch.isInMemory), tables };
}

function optionsOrMistake(args: readonly string[]): Options | Error | undefined {
  try {
    return readOptions(args);
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

function print(text: string): number {
  process.stdout.write(text);
  return 0;
}
