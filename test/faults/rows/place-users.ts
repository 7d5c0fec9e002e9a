import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, asUser, dirFor, withProc } from '../confined.ts';
import type { Row } from '../row.ts';
import { COMPLETED, mounted, NOTHING } from './shared.ts';

const USER = 12_345;
const OK = { within: 5, code: 'ok', published: 'everything' } as const;
const NO_KEYS = { AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined };

/** Fails where this user cannot write beside, or put something else in the place of, what was restored. */
const WRITES_BESIDE = `
  cd "$HF_HUB_CACHE/models--org--large"
  exec setpriv --reuid=${USER} --regid=${USER} --clear-groups /bin/sh -ec '
    for folder in . blobs refs snapshots snapshots/*/onnx/decoder .. ../../torch/hub/checkpoints ../..; do
      touch "$folder/new"; rm "$folder/new"
    done
    cp refs/main refs/new; mv refs/new refs/main'`;

/** Who runs it. */
export const users: readonly Row[] = [
  {
    fault: 'the user has no entry in the passwd file, and no HOME',
    sees: COMPLETED,
    todo: NOTHING,
    quick: true,
    needs: ['root'],
    expected: OK,
    run: (rig) => rig.init({ dir: dirFor(rig, USER), wrapper: [...asUser(USER), 'env', '-u', 'HOME'] }),
  },
  {
    fault: 'the same, and the credentials are those of a profile that is not there',
    sees: 'S3 model sync failed: no credentials for …',
    todo: 'Mount the file of the profile, and name it in `AWS_SHARED_CREDENTIALS_FILE`: without a home there is none to look in.',
    needs: ['root'],
    expected: { within: 3, code: 'store-credentials-missing', published: 'nothing' },
    run: (rig) =>
      rig.init({
        dir: dirFor(rig, USER),
        wrapper: [...asUser(USER), 'env', '-u', 'HOME'],
        env: { ...NO_KEYS, AWS_PROFILE: 'models' },
      }),
  },
  {
    fault: 'any user, and a dir below a volume that anyone may write to (a Kubernetes emptyDir)',
    sees: COMPLETED,
    todo: NOTHING,
    needs: ['root', 'mount namespaces'],
    expected: OK,
    run: (rig) => {
      const volume = mounted(rig, 'volume', ['-t', 'tmpfs', '-o', 'mode=0777', 'tmpfs']);
      return rig.init({ dir: join(volume, 'models'), wrapper: asUser(USER) });
    },
  },
  {
    fault: 'a random user of the group 0, and a dir that this group may write to (OpenShift)',
    sees: COMPLETED,
    todo: NOTHING,
    needs: ['root'],
    expected: OK,
    run: (rig) => {
      const dir = dirFor(rig, 0);
      chmodSync(dir, 0o775);
      return rig.init({ dir, wrapper: asUser(1_000_640_000, 0) });
    },
  },
  {
    fault: "root starts, the dir is the server user's, and the server gives up root's rights",
    sees: COMPLETED,
    todo: NOTHING,
    quick: true,
    needs: ['root'],
    expected: OK,
    run: (rig) => rig.init({ dir: dirFor(rig, USER), serverDoes: WRITES_BESIDE }),
  },
  {
    fault: "the same, where --owner names the server's user and the dir is not there yet",
    sees: COMPLETED,
    todo: NOTHING,
    needs: ['root'],
    expected: OK,
    run: (rig) => rig.init({ args: ['--owner', `${USER}:${USER}`], serverDoes: WRITES_BESIDE }),
  },
  {
    fault: "root has restored everything, and a later start is the server user's own",
    sees: `${COMPLETED}: nothing to fetch…`,
    todo: 'Nothing. What root remembers is not for others: everything is hashed again.',
    needs: ['root'],
    expected: OK,
    run: async (rig) => {
      const dir = dirFor(rig, USER);
      await rig.init({ dir });
      return rig.init({ dir, wrapper: asUser(USER) });
    },
  },
  {
    fault: 'root without its capabilities, and a dir of its own',
    sees: COMPLETED,
    todo: NOTHING,
    needs: ['root'],
    expected: OK,
    run: (rig) => rig.init({ dir: dirFor(rig, 0), wrapper: powerless() }),
  },
  {
    fault: "root without its capabilities, and a dir of root's and of another group's",
    sees: 'what is restored stays ours: it cannot be given to 0:2000 (CAP_CHOWN)',
    todo: "Nothing, where the server is root's too; else let the dir be the server user's, and start as that user.",
    needs: ['root'],
    expected: OK,
    run: (rig) => rig.init({ dir: dirFor(rig, 0, 2000), wrapper: powerless() }),
  },
  {
    fault: 'root without its capabilities is to give files away (--owner)',
    sees: `what is restored stays ours: it cannot be given to ${USER}:${USER} (CAP_CHOWN)`,
    todo: 'Give it the capability CHOWN, or start as that user.',
    needs: ['root'],
    expected: { ...OK, warnings: 1 },
    run: (rig) =>
      rig.init({ dir: dirFor(rig, 0), wrapper: powerless(), args: ['--owner', `${USER}:${USER}`] }),
  },
  {
    fault: 'root of a user namespace (rootless containers), and a dir of a user that is unknown there',
    sees: 'what is restored stays ours: it cannot be given to …',
    todo: 'Nothing.',
    needs: ['root', 'user namespaces'],
    expected: OK,
    run: (rig) => {
      const dir = dirFor(rig, USER);
      chmodSync(dir, 0o777);
      return rig.init({ dir, wrapper: ['unshare', '--user', '--map-root-user'] });
    },
  },
  {
    fault: 'HOME is empty',
    sees: COMPLETED,
    todo: NOTHING,
    expected: OK,
    run: (rig) => rig.init({ env: { HOME: '' } }),
  },
  {
    fault: 'HOME is a file',
    sees: COMPLETED,
    todo: NOTHING,
    expected: OK,
    run: (rig) => {
      const home = join(rig.scratch, 'home');
      writeFileSync(home, '');
      return rig.init({ env: { HOME: home } });
    },
  },
  {
    fault: 'the umask is 077',
    sees: COMPLETED,
    todo: "Nothing, where the server is of the same user; else widen the umask, or let the dir be the server user's.",
    expected: OK,
    run: (rig) => rig.init({ wrapper: after('umask 077'), serverDoes: 'test "$(umask)" = 0077' }),
  },
  {
    fault: 'the umask is 000, no root, and folders above the dir are still to be made',
    sees: COMPLETED,
    todo: NOTHING,
    needs: ['root'],
    expected: OK,
    run: (rig) =>
      rig.init({
        dir: join(dirFor(rig, USER), 'of', 'the', 'server'),
        wrapper: [...asUser(USER), ...after('umask 000')],
      }),
  },
  {
    fault: 'other users’ processes are hidden (/proc with hidepid)',
    sees: COMPLETED,
    todo: NOTHING,
    needs: ['root', 'mount namespaces'],
    expected: OK,
    run: (rig) => rig.init({ dir: dirFor(rig, USER), wrapper: [...withProc('hidepid=2'), ...asUser(USER)] }),
  },
];

/** As in a container from which all capabilities were taken. */
function powerless(): readonly string[] {
  return ['setpriv', '--clear-groups', '--inh-caps=-all', '--bounding-set=-all'];
}
