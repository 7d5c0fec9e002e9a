import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const SLICE_BYTES = 64 * 1024;
const SLICES_PER_SECOND = 20;

/** A file of a commit; `lfs` files are served by a redirect and have their SHA-256 as ETag, others their git SHA-1. */
type HubFile = { content: Buffer; lfs?: boolean };

/** A local Hugging Face Hub with models only, without xet, for `HF_ENDPOINT`. */
export type Hub = {
  readonly endpoint: string;
  /** Every request so far, as it came in. */
  readonly requests: { method: string; url: string }[];
  /** Bytes of file contents sent so far. */
  readonly bytesSent: number;
  /** Publishes a commit (40 hex digits) and lets `ref` (default `main`) point to it. */
  addCommit(repoId: string, commit: string, files: Record<string, HubFile>, options?: { ref?: string }): void;
  /** Slows every response's content down, those under way too; undefined: full speed again. */
  throttle(bytesPerSecond: number | undefined): void;
  /** Ends the server and cuts what is under way. */
  stop(): Promise<void>;
};

/** The name under which a Hub's cache keeps a file that is not LFS. */
export function gitBlobSha1(content: Buffer): string {
  return createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');
}

/** The name under which a Hub's cache keeps an LFS file. */
export function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

/** Starts a Hub without repositories. */
export async function startHub(): Promise<Hub> {
  const repos: Repos = new Map();
  const requests: Hub['requests'] = [];
  const wire: Wire = { bytesSent: 0, bytesPerSecond: undefined };
  const server = createServer((request, response) => {
    requests.push({ method: request.method ?? '', url: request.url ?? '' });
    const answer = answerTo(new URL(request.url ?? '/', endpoint), repos, cdn);
    send(answer, request, response, wire).catch((error: unknown) => response.destroy(error as Error));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  const endpoint = `http://127.0.0.1:${port}`;
  // By another name of this host: a client follows a redirect to the Hub's own origin before it reads the metadata,
  // and the real Hub's files are elsewhere.
  const cdn = `http://localhost:${port}/cdn`;
  return {
    endpoint,
    requests,
    get bytesSent() {
      return wire.bytesSent;
    },
    addCommit(repoId, commit, files, { ref = 'main' } = {}) {
      if (!/^[0-9a-f]{40}$/.test(commit)) {
        throw new Error(`wanted a commit of 40 hex digits, found '${commit}'; write e.g. 'c1'.repeat(20)`);
      }
      const repo = repos.get(repoId) ?? { commits: new Map(), refs: new Map() };
      repos.set(repoId, repo);
      repo.commits.set(commit, new Map(Object.entries(files).map(([path, file]) => [path, published(file)])));
      repo.refs.set(ref, commit);
    },
    throttle(bytesPerSecond) {
      wire.bytesPerSecond = bytesPerSecond;
    },
    async stop() {
      const closed = new Promise((done) => server.close(done));
      server.closeAllConnections();
      await closed;
    },
  };
}

type PublishedFile = { content: Buffer; lfs: boolean; etag: string; gitSha1: string };
type Repo = { commits: Map<string, Map<string, PublishedFile>>; refs: Map<string, string> };
type Repos = Map<string, Repo>;
type Wire = { bytesSent: number; bytesPerSecond: number | undefined };
type Answer = { status: number; headers: Record<string, string>; body: Buffer };

function published({ content, lfs = false }: HubFile): PublishedFile {
  const gitSha1 = gitBlobSha1(lfs ? Buffer.from(lfsPointer(content)) : content);
  return { content, lfs, etag: lfs ? sha256(content) : gitSha1, gitSha1 };
}

function lfsPointer(content: Buffer): string {
  return `version https://git-lfs.github.com/spec/v1\noid sha256:${sha256(content)}\nsize ${content.length}\n`;
}

function answerTo(url: URL, repos: Repos, cdn: string): Answer {
  const path = url.pathname.slice(1);
  const resolve = /^(.+)\/resolve\/([^/]+)\/(.+)$/.exec(path);
  if (resolve) return resolveAnswer(repos, cdn, decoded(resolve));
  const tree = /^api\/models\/(.+)\/tree\/([^/]+)(?:\/(.+))?$/.exec(path);
  if (tree)
    return treeAnswer(repos, decoded(tree), url.searchParams.get('recursive')?.toLowerCase() === 'true');
  const info = /^api\/models\/(.+)\/revision\/([^/]+)$/.exec(path) ?? /^api\/models\/(.+)$/.exec(path);
  if (info) return infoAnswer(repos, decoded(info));
  const sha = /^cdn\/([0-9a-f]{64})$/.exec(path)?.[1];
  if (sha) return cdnAnswer(repos, sha);
  return refusal(404, 'NotFound', `no such page here: ${url.pathname}`);
}

function decoded(match: RegExpExecArray): { repoId: string; revision: string; path: string } {
  const [, repoId = '', revision = 'main', path = ''] = match.map((part: string | undefined) =>
    part === undefined ? undefined : decodeURIComponent(part),
  );
  return { repoId, revision, path };
}

function resolveAnswer(repos: Repos, cdn: string, wanted: ReturnType<typeof decoded>): Answer {
  const found = findCommit(repos, wanted);
  if ('status' in found) return found;
  const commitHeader = { 'x-repo-commit': found.commit };
  const file = found.files.get(wanted.path);
  if (!file) {
    const refused = refusal(404, 'EntryNotFound', `no ${wanted.path} in ${found.commit}`);
    return { ...refused, headers: { ...refused.headers, ...commitHeader } };
  }
  if (!file.lfs)
    return { status: 200, headers: { ...commitHeader, etag: `"${file.etag}"` }, body: file.content };
  return {
    status: 302,
    headers: {
      ...commitHeader,
      location: `${cdn}/${file.etag}`,
      'x-linked-etag': `"${file.etag}"`,
      'x-linked-size': String(file.content.length),
    },
    body: Buffer.alloc(0),
  };
}

function cdnAnswer(repos: Repos, sha: string): Answer {
  for (const repo of repos.values()) {
    for (const files of repo.commits.values()) {
      for (const file of files.values()) {
        if (file.etag === sha) return { status: 200, headers: { etag: `"${sha}"` }, body: file.content };
      }
    }
  }
  return refusal(404, 'NotFound', `no content ${sha}`);
}

function infoAnswer(repos: Repos, wanted: ReturnType<typeof decoded>): Answer {
  const found = findCommit(repos, wanted);
  if ('status' in found) return found;
  const siblings = [...found.files.keys()].map((rfilename) => ({ rfilename }));
  return json({
    id: wanted.repoId,
    modelId: wanted.repoId,
    sha: found.commit,
    private: false,
    tags: [],
    siblings,
  });
}

function treeAnswer(repos: Repos, wanted: ReturnType<typeof decoded>, recursive: boolean): Answer {
  const found = findCommit(repos, wanted);
  if ('status' in found) return found;
  const below = wanted.path && `${wanted.path}/`;
  const entries = new Map<string, object>();
  for (const [path, file] of found.files) {
    if (!path.startsWith(below)) continue;
    const parts = path.slice(below.length).split('/');
    for (let depth = 1; depth < parts.length; depth += 1) {
      const folder = below + parts.slice(0, depth).join('/');
      const oid = gitBlobSha1(Buffer.from(folder));
      if (recursive || depth === 1) entries.set(folder, { type: 'directory', oid, size: 0, path: folder });
    }
    if (recursive || parts.length === 1) entries.set(path, treeFile(path, file));
  }
  return json([...entries.values()]);
}

function treeFile(path: string, { content, lfs, etag, gitSha1 }: PublishedFile): object {
  const entry = { type: 'file', oid: gitSha1, size: content.length, path };
  if (!lfs) return entry;
  return { ...entry, lfs: { oid: etag, size: content.length, pointerSize: lfsPointer(content).length } };
}

function findCommit(
  repos: Repos,
  { repoId, revision }: { repoId: string; revision: string },
): { commit: string; files: Map<string, PublishedFile> } | Answer {
  const repo = repos.get(repoId);
  if (!repo) return refusal(404, 'RepoNotFound', `no repository ${repoId}`);
  const commit = repo.refs.get(revision) ?? revision;
  const files = repo.commits.get(commit);
  return files ? { commit, files } : refusal(404, 'RevisionNotFound', `no revision ${revision} in ${repoId}`);
}

function refusal(status: number, code: string, message: string): Answer {
  const answer = json({ error: message });
  return {
    ...answer,
    status,
    headers: { ...answer.headers, 'x-error-code': code, 'x-error-message': message },
  };
}

function json(value: unknown): Answer {
  return {
    status: 200,
    headers: { 'content-type': 'application/json' },
    body: Buffer.from(JSON.stringify(value)),
  };
}

async function send(
  answer: Answer,
  request: IncomingMessage,
  response: ServerResponse,
  wire: Wire,
): Promise<void> {
  const { status, headers, body } = ranged(answer, request.headers.range);
  response.writeHead(status, { ...headers, 'content-length': body.length });
  if (request.method === 'HEAD') {
    response.end();
    return;
  }
  const isContent = 'etag' in headers;
  for (let at = 0; at < body.length && !response.destroyed;) {
    const rate = wire.bytesPerSecond;
    const slice = body.subarray(
      at,
      at + (rate ? Math.max(1, Math.ceil(rate / SLICES_PER_SECOND)) : SLICE_BYTES),
    );
    if (!response.write(slice)) await drained(response);
    if (isContent) wire.bytesSent += slice.length;
    at += slice.length;
    if (rate) await sleep(1_000 / SLICES_PER_SECOND);
  }
  response.end();
}

/** The part that a `Range: bytes=first-[last]` asks for; any other range gets everything. */
function ranged(answer: Answer, range: string | undefined): Answer {
  if (answer.status !== 200 || !('etag' in answer.headers)) return answer;
  const headers = { ...answer.headers, 'accept-ranges': 'bytes' };
  const match = /^bytes=(\d+)-(\d*)$/.exec(range ?? '');
  if (!match) return { ...answer, headers };
  const size = answer.body.length;
  const first = Number(match[1]);
  const last = Math.min(match[2] ? Number(match[2]) : size - 1, size - 1);
  if (first > last) {
    return {
      status: 416,
      headers: { ...headers, 'content-range': `bytes */${size}` },
      body: Buffer.alloc(0),
    };
  }
  return {
    status: 206,
    headers: { ...headers, 'content-range': `bytes ${first}-${last}/${size}` },
    body: answer.body.subarray(first, last + 1),
  };
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((done) => {
    const settle = (): void => {
      response.off('drain', settle).off('close', settle);
      done();
    };
    response.once('drain', settle).once('close', settle);
  });
}
