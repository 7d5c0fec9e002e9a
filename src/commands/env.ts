import { existingDir } from '../cache/dirs.ts';
import { exportsFor, formatExports } from '../handover/environment.ts';
import type { Context } from '../stages/context.ts';

/** The exports, for `eval "$(model-cache env)"`, a `docker exec` shell, or `--env-file`. */
export function env({ settings, env: environment, print }: Context): number {
  const dir = existingDir(settings.dirs) ?? settings.dirs[0] ?? '/tmp/models';
  const { transformersCache, also, format } = settings;
  print(formatExports(exportsFor({ dir, transformersCache, also }, environment), format));
  return 0;
}
