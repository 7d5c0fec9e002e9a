/** What an endpoint's name tells of its provider. Facts: each provider's own documentation of its S3 endpoints. */
export interface Provider {
  /** The region that the endpoint's name carries. */
  readonly region: string | undefined;
  /** Only AWS needs bucket names in the host; the others all take them in the path. */
  readonly forcePathStyle: boolean;
}

const REGION_IN_NAME = [
  /^s3\.([a-z0-9-]+)\.backblazeb2\.com$/,
  /^s3[.-](?!accelerate\b)([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?$/,
  /^s3\.dualstack\.([a-z0-9-]+)\.amazonaws\.com$/,
  /^s3\.([a-z0-9-]+)\.(?:wasabisys\.com|scw\.cloud|io\.cloud\.ovh\.net)$/,
  /^s3api-([a-z0-9-]+)\.runpod\.io$/,
  /^([a-z0-9-]+)\.digitaloceanspaces\.com$/,
];

export function providerOf(endpoint: string | undefined): Provider {
  if (endpoint === undefined) return { region: undefined, forcePathStyle: false };
  const host = new URL(endpoint).hostname;
  const isAws = /\.amazonaws\.com(\.cn)?$/.test(host);
  return { region: regionInName(host), forcePathStyle: !isAws };
}

function regionInName(host: string): string | undefined {
  if (host.endsWith('.r2.cloudflarestorage.com')) return 'auto';
  for (const pattern of REGION_IN_NAME) {
    const region = pattern.exec(host)?.[1];
    if (region !== undefined) return region;
  }
  return undefined;
}
