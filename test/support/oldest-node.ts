import { join } from 'node:path';
import packageJson from '../../package.json' with { type: 'json' };
import { installOnce, runInstallStep } from './tool-cache.ts';

/** The oldest Node that package.json promises to users, from the registry; undefined where it has none (not Linux). */
export async function oldestNode(): Promise<string | undefined> {
  if (process.platform !== 'linux') return undefined;
  const version = `${packageJson.engines.node.replace('>=', '')}.0`;
  const name = `node-linux-${process.arch}`;
  const dir = await installOnce(`${name}-${version}`, async (folder) => {
    await runInstallStep('npm', [
      'install',
      '--ignore-scripts',
      '--no-save',
      '--prefix',
      folder,
      `${name}@${version}`,
    ]);
  });
  return join(dir, 'node_modules', name, 'bin', 'node');
}
