import { environmentFor } from '../../test/support/program.ts';
import { accessVariables, type StoredSet } from '../stores/stored-set.ts';

/** Each tool has its own variable for the certificates to trust: botocore, Go, Node. */
export function peerEnvironment(store: StoredSet): Record<string, string> {
  return environmentFor({
    ...accessVariables(store),
    ...(store.caFile === undefined ? {} : { SSL_CERT_FILE: store.caFile, NODE_EXTRA_CA_CERTS: store.caFile }),
    AWS_EC2_METADATA_DISABLED: 'true',
    RCLONE_CONFIG: '/notfound',
  });
}
