import type { NamedManifest } from './manifest.ts';
import { mergeTree, type TreeView } from './merge.ts';
import type { TreeName } from './tree.ts';

interface Known {
  readonly named: NamedManifest;
  /** 0 when only its name is kept, and whom it supersedes. */
  readonly bytes: number;
}

/**
 * The manifests of one tree, as they come. Contents are kept of heads only, so that the long history of a tree takes no
 * room; and of those only while there is room.
 */
export class TreeManifests {
  readonly #tree: TreeName;
  readonly #known = new Map<string, Known>();
  /** Name → the highest generation of those that supersede it. */
  readonly #supersededBy = new Map<string, number>();
  #bytes = 0;

  constructor(tree: TreeName) {
    this.#tree = tree;
  }

  /** Of the manifests whose contents are kept. */
  get bytes(): number {
    return this.#bytes;
  }

  /** `bytes` is what the manifest takes, `room` what there is beside what is kept already. */
  add(named: NamedManifest, bytes: number, room: number): void {
    const before = this.#bytes;
    for (const former of named.manifest.supersedes) {
      const { generation } = named.manifest;
      this.#supersededBy.set(former, Math.max(generation, this.#supersededBy.get(former) ?? 0));
      this.#keep(former, (known) => (this.#isHead(known) ? known : withoutContents(known)));
    }
    const isKept = this.#isHead({ named, bytes }) && bytes <= room + before - this.#bytes;
    this.#known.set(named.name, withoutContents({ named, bytes }));
    if (isKept) this.#keep(named.name, () => ({ named, bytes }));
  }

  /** Names of heads for whose contents there was no room when they came. */
  get unkept(): readonly string[] {
    return [...this.#known.values()]
      .filter((known) => known.bytes === 0 && this.#isHead(known))
      .map(({ named }) => named.name);
  }

  /** What the heads say whose contents are kept. */
  view(): TreeView {
    const heads = [...this.#known.values()].filter((known) => known.bytes > 0);
    return mergeTree(
      this.#tree,
      heads.map(({ named }) => named),
    );
  }

  #isHead({ named: { name, manifest } }: Known): boolean {
    return (this.#supersededBy.get(name) ?? 0) <= manifest.generation;
  }

  #keep(name: string, change: (known: Known) => Known): void {
    const before = this.#known.get(name);
    if (before === undefined) return;
    const after = change(before);
    this.#known.set(name, after);
    this.#bytes += after.bytes - before.bytes;
  }
}

function withoutContents({ named: { name, manifest } }: Known): Known {
  const contents = { files: [], links: [], refs: [], retired: [] };
  return { named: { name, manifest: { ...manifest, ...contents } }, bytes: 0 };
}
