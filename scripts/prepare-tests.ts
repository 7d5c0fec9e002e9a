// Everything that the tests need beside Node: MinIO, toxiproxy, a file system that fails and three Python environments, installed once, outside the tree.
// What is missing on this machine is told here, in one place, with the command that brings it.
import { faultFsProgram, whyNoFuse } from '../test/support/fault-fs.ts';
import { minioBinary } from '../test/support/minio.ts';
import { pythonWith, PYTHON_SETS } from '../test/support/python.ts';
import { toxiproxyBinary } from '../test/support/toxiproxy.ts';

try {
  await Promise.all([
    minioBinary(),
    toxiproxyBinary(),
    ...(whyNoFuse() === undefined ? [faultFsProgram()] : []),
    ...PYTHON_SETS.map((set) => pythonWith(set)),
  ]);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
