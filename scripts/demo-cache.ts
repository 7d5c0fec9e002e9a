import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

/** A repo of the demo: file in the snapshot → content; weights get SHA-256 names, the rest git's SHA-1, as on the Hub. */
interface DemoRepo {
  readonly id: string;
  readonly commit: string;
  readonly files: Readonly<Record<string, Buffer>>;
}

const REPOS: readonly DemoRepo[] = [
  {
    id: 'SWivid/F5-TTS',
    commit: '84e5a410d9cead4de2f847e7c9369a6440bdfaca',
    files: { 'F5TTS_v1_Base/model_1250000.safetensors': randomBytes(24 * 1024 * 1024) },
  },
  {
    id: 'charactr/vocos-mel-24khz',
    commit: '0feb3fdd929bcd6649e0e7c5a688cf7dd012ef21',
    files: {
      'pytorch_model.bin': randomBytes(1024 * 1024),
      'config.yaml': Buffer.from('feature_extractor: mel\n'),
    },
  },
];

/** Lays out what huggingface_hub would have downloaded: blobs named by their content, links to them, a ref. */
export function makeDemoCache(dir: string): void {
  for (const { id, commit, files } of REPOS) {
    const repo = join(dir, 'hub', `models--${id.replace('/', '--')}`);
    for (const [file, content] of Object.entries(files)) {
      const blob = join(repo, 'blobs', blobName(file, content));
      const link = join(repo, 'snapshots', commit, file);
      write(blob, content);
      mkdirSync(dirname(link), { recursive: true });
      symlinkSync(relative(dirname(link), blob), link);
    }
    write(join(repo, 'refs', 'main'), Buffer.from(commit));
  }
}

function blobName(file: string, content: Buffer): string {
  const isWeight = /\.(safetensors|bin)$/.test(file);
  if (isWeight) return createHash('sha256').update(content).digest('hex');
  return createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');
}

function write(path: string, content: Buffer): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}
