// ADDRESS PORT: what a restore of small files takes in one thread of Node that does nothing else. Standard input names the
// files, `size TAB path as it is sent TAB file`. Each is asked for in a signed request, received, hashed, named and linked to;
// nothing is listed, planned, resumed or tried again, and of an answer no more is read than where its body begins.
import { createHash, createHmac, hash } from 'node:crypto';
import { closeSync, constants, openSync, readFileSync, renameSync, symlinkSync, writeSync } from 'node:fs';
import { connect } from 'node:net';
import { basename } from 'node:path';

const CONNECTIONS = 64;
const MEMORY = Buffer.allocUnsafeSlow(1024 * 1024);
const NOTHING = hash('sha256', '');
const SIGNED = 'host;x-amz-content-sha256;x-amz-date';
const { O_CREAT, O_EXCL, O_WRONLY } = constants;

const [address = '', port = ''] = process.argv.slice(2);
const jobs = readFileSync(0, 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => line.split('\t'))
  .values();
const sign = signer(process.env);
for (let count = 0; count < CONNECTIONS; count += 1) open();

function open() {
  let job;
  const socket = connect({
    host: address,
    port: Number(port),
    onread: {
      buffer: MEMORY,
      callback: (length) => {
        take(job, MEMORY.subarray(0, length));
        if (job.left === 0) next();
        return true;
      },
    },
  });
  socket.setNoDelay(true);
  const next = () => {
    const { value, done } = jobs.next();
    if (done) {
      socket.destroy();
      return;
    }
    const [size, path, file] = value;
    job = { file, left: Number(size), position: 0, fd: undefined, digest: createHash('sha256') };
    socket.write(sign(path), 'latin1');
  };
  next();
}

function take(job, bytes) {
  const body = job.fd === undefined ? begin(job, bytes) : bytes;
  job.digest.update(body);
  job.position += writeSync(job.fd, body, 0, body.length, job.position);
  job.left -= body.length;
  if (job.left > 0) return;
  closeSync(job.fd);
  if (job.digest.digest('hex') !== basename(job.file)) throw new Error(`${job.file} is wrong`);
  renameSync(`${job.file}.part`, job.file);
  symlinkSync(basename(job.file), `${job.file}.link`);
}

function begin(job, bytes) {
  const end = bytes.indexOf('\r\n\r\n');
  const head = bytes.latin1Slice(0, end);
  if (!head.startsWith('HTTP/1.1 200 ') || !/^content-length: \d+$/im.test(head)) throw new Error(head);
  job.fd = openSync(`${job.file}.part`, O_WRONLY | O_CREAT | O_EXCL);
  return bytes.subarray(end + 4);
}

/** AWS Signature Version 4, for a GET of a path without a query. */
function signer({ AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION }) {
  const date = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '');
  const scope = [date.slice(0, 8), AWS_REGION, 's3', 'aws4_request'];
  const key = scope.reduce((secret, text) => hmac(secret, text).digest(), `AWS4${AWS_SECRET_ACCESS_KEY}`);
  const host = `${address}:${port}`;
  const canonical = `\n\nhost:${host}\nx-amz-content-sha256:${NOTHING}\nx-amz-date:${date}\n\n${SIGNED}\n${NOTHING}`;
  const before = `AWS4-HMAC-SHA256\n${date}\n${scope.join('/')}\n`;
  const headers = `host: ${host}\r\nx-amz-content-sha256: ${NOTHING}\r\nx-amz-date: ${date}\r\nauthorization: AWS4-HMAC-SHA256 Credential=${AWS_ACCESS_KEY_ID}/${scope.join('/')}, SignedHeaders=${SIGNED}, Signature=`;
  return (path) => {
    const signature = hmac(key, `${before}${hash('sha256', `GET\n${path}${canonical}`)}`).digest('hex');
    return `GET ${path} HTTP/1.1\r\n${headers}${signature}\r\n\r\n`;
  };
}

function hmac(key, text) {
  return createHmac('sha256', key).update(text);
}
