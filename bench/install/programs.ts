import type { Tool } from '../contestants/tool.ts';
import { nativePrograms, type NativeProgram } from './native.ts';
import { peerPrograms, type Peer } from './peers.ts';

/** Every program that is run beside ours, by its path. */
export interface Programs {
  native(name: NativeProgram): string;
  /** Throws the reason when it could not be installed. */
  peer(name: Peer): string;
}

const NEEDED: Readonly<Partial<Record<Tool, readonly Peer[]>>> = {
  s5cmd: ['s5cmd'],
  rclone: ['rclone'],
  aws: ['python'],
  boto3: ['python'],
};

/** What `tools` need, installed once, outside the tree. A peer that cannot be had is told where it would run. */
export async function installPrograms(tools: readonly Tool[]): Promise<Programs> {
  const native = await nativePrograms();
  const peers = await peerPrograms(tools.flatMap((tool) => NEEDED[tool] ?? []));
  return {
    native: (name) => native[name],
    peer(name) {
      const found = peers.get(name);
      if (typeof found === 'string') return found;
      throw found ?? new Error(`${name} was not asked for`);
    },
  };
}
