import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Contestant } from './contestants/contestant.ts';
import { makeDataSet, tiny, type DataSet, type Shape } from './data-sets.ts';
import { installPrograms, type Programs } from './install/programs.ts';
import { race, type Entrant, type Row } from './measure/race.ts';
import type { Conditions } from './measure/run.ts';
import type { Options } from './options.ts';
import { scratchFor, type Scratch } from './scratch.ts';
import { MinioHost } from './stores/minio-host.ts';
import type { Site } from './stores/site.ts';

/** The sets, their copies in buckets, and two destinations at a time. */
const ROOM_BYTES = 9e9;
const TIME_LIMIT_SECONDS = 120;

export type Limits = Partial<Pick<Conditions, 'timeLimitSeconds' | 'repeats'>>;

/** What all tables work with. */
export class Workplace {
  readonly options: Options;
  readonly programs: Programs;
  readonly scratch: Scratch;
  minio: MinioHost;
  readonly #sets = new Map<string, DataSet>();

  private constructor(options: Options, programs: Programs) {
    this.options = options;
    this.programs = programs;
    this.scratch = scratchFor(options.isQuick ? 0 : ROOM_BYTES);
    if (!this.scratch.isInMemory)
      this.tell(`no ${ROOM_BYTES / 1e9} GB of memory are free: everything lies in ${this.scratch.dir}`);
    this.minio = new MinioHost(this.scratch.dir);
  }

  static async lend<T>(options: Options, work: (place: Workplace) => Promise<T>): Promise<T> {
    const place = new Workplace(options, await installPrograms(options.tools));
    try {
      return await work(place);
    } finally {
      await place.minio.stop();
      place.scratch.remove();
    }
  }

  /** Made when it is first asked for. */
  set(shape: Shape): DataSet {
    const found = this.#sets.get(shape.name) ?? this.makeSet(this.scratch.dir, shape);
    this.#sets.set(shape.name, found);
    return found;
  }

  makeSet(folder: string, shape: Shape): DataSet {
    this.tell(`making the set ${shape.name}`);
    const dir = join(folder, `source-${shape.name}`);
    mkdirSync(dir, { recursive: true });
    return makeDataSet(dir, this.options.isQuick ? tiny(shape) : shape);
  }

  /** Gives the room of all sets and buckets back; they are made again when they are asked for. */
  async clear(): Promise<void> {
    await this.minio.stop();
    this.#sets.clear();
    for (const name of readdirSync(this.scratch.dir))
      rmSync(join(this.scratch.dir, name), { recursive: true });
    this.minio = new MinioHost(this.scratch.dir);
  }

  /** Those of them that were asked for. */
  chosen(contestants: readonly Contestant[]): readonly Contestant[] {
    return contestants.filter(({ tool }) => this.options.tools.includes(tool));
  }

  conditions(site: Site, { timeLimitSeconds = TIME_LIMIT_SECONDS, repeats = 1 }: Limits = {}): Conditions {
    const { programs, options } = this;
    return {
      programs,
      site,
      scratch: this.scratch.dir,
      timeLimitSeconds,
      repeats: options.isQuick ? 1 : repeats,
    };
  }

  race(entrants: readonly Entrant[], site: Site, limits?: Limits): Promise<readonly Row[]> {
    return race(entrants, this.options.rounds, this.conditions(site, limits), (line) => this.tell(line));
  }

  tell(line: string): void {
    process.stderr.write(`bench: ${line}\n`);
  }
}
