import { exportsFor, formatExports } from '../handover/environment.ts';
import type { Context } from '../stages/context.ts';
import { usedDir } from '../stages/local-cache.ts';

/** The exports, for `eval "$(model-cache env)"`, a `docker exec` shell, or `--env-file`. */
export function env(context: Context): number {
  const { settings, env: environment, print } = context;
  const [first = ''] = settings.dirs;
  const dir = usedDir(context) ?? first;
  const { transformersCache, also, format } = settings;
  print(formatExports(exportsFor({ dir, transformersCache, also }, environment), format));
  return 0;
}
