/** Where a store answers, and from where it can be asked. */
export interface Site {
  readonly endpoint: string;
  /** Certificates to trust, where it speaks TLS. */
  readonly caFile?: string | undefined;
  serverPids(): readonly number[];
  /** What carries the packets; neither the client's time nor the server's, nor anybody else's. */
  readonly linkPids: readonly number[];
  /** The command line that runs `argv` where the endpoint can be reached. */
  from(argv: readonly string[]): readonly string[];
}

/** On this machine. */
export function localSite(endpoint: string, serverPids: () => readonly number[], caFile?: string): Site {
  return { endpoint, caFile, serverPids, linkPids: [], from: (argv) => argv };
}
