#!/usr/bin/env node
// Verifies an audit export: a second implementation, written from docs/audit-format.md alone, that shares nothing with the product's own.
// What one of the two finds and the other does not is a defect of one of them, or of the page.
//
//   node verify.mjs EXPORT.ndjson --key PUBLIC_KEYS.pem [--kept CHECKPOINT.json]
//
// Exit 0: all is as it was recorded. Exit 1: one finding a line on stdout. Exit 2: wrong usage, or a file that cannot be read.
// It reads the export as a stream, and holds one line at a time and the link it belongs to.

import { createHash, createPublicKey, verify } from 'node:crypto';
import { createReadStream, readFileSync } from 'node:fs';

const MAX_LINE = 64 * 1024 * 1024; // bytes: a longer line is a finding, not a way to exhaust the memory
const MAX_FINDINGS = 100;
const ZEROS = '0'.repeat(64);

// ---- Findings. They never hold a text out of the file that was not checked: it could hold a line end, or steer a terminal.

class Stop extends Error {}
let findings = 0;

function find(where, what) {
  console.log(`${where}: ${what}`);
  if (++findings === MAX_FINDINGS) throw new Stop(`stopped after ${MAX_FINDINGS} findings`);
}

function giveUp(where, what) {
  find(where, what);
  throw new Stop('what follows has no place to be compared with, and was not read');
}

// ---- Lines: split at \n only. node:readline would also split at U+2028, which may stand in a JSON string, and would mend broken UTF-8.

async function* linesOf(path) {
  let parts = [], size = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
    let from = 0;
    for (let at; (at = chunk.indexOf(10, from)) >= 0; from = at + 1) {
      yield { bytes: Buffer.concat([...parts, chunk.subarray(from, at)]), ended: true };
      parts = [];
      size = 0;
    }
    parts.push(chunk.subarray(from));
    size += chunk.length - from;
    if (size > MAX_LINE) break;
  }
  if (size > 0) yield { bytes: Buffer.concat(parts), ended: false };
}

// ---- Forms

const text = (pattern) => (value) => typeof value === 'string' && value.isWellFormed() && pattern.test(value);
const T = text(/^[^]/);
const N = text(/^(0|[1-9]\d{0,18})$/);
const H = text(/^[0-9a-f]{64}$/);
const I = text(/^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{6}Z$/);
const K = (value) => value === null || text(/^([0-9a-f]{16})?$/)(value); // none where nothing is signed: that is found with the signature
const S = text(/^[A-Za-z0-9+/]{0,200}={0,2}$/);

const SHAPES = {
  header: { format: text(/^kpicontrol-audit-export\/1$/), tenant: T, from_seq: N, prev_hash: H },
  link: { tenant: T, seq: N, linked_at: I, prev_hash: H, rows: (value) => Array.isArray(value) && value.every(H), hash: H },
  checkpoint: { tenant: T, seq: N, hash: H, signed_at: I, key_id: K, signature: S },
  end: { tenant: T, from_seq: N, links: N, rows: N, last_hash: H, exported_at: I, key_id: K, signature: S },
};

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const attempt = (action) => { try { return action(); } catch { return undefined; } };
const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

function read(bytes, where) {
  if (bytes.length > MAX_LINE) giveUp(where, `the line is longer than ${MAX_LINE} bytes`);
  const json = attempt(() => utf8.decode(bytes)) ?? giveUp(where, 'the line is not UTF-8');
  const line = attempt(() => JSON.parse(json));
  if (!isObject(line)) giveUp(where, 'the line is not a JSON object');
  const kind = ['link', 'row', 'checkpoint', 'end', 'format'].find((name) => Object.hasOwn(line, name))?.replace('format', 'header');
  if (!kind) giveUp(where, 'the line is none of header, link, row, checkpoint and end');
  const body = kind === 'header' ? line : line[kind];
  if (!isObject(body)) giveUp(where, `the ${kind} is not an object`);
  if (body !== line && Object.keys(line).length > 1) giveUp(where, `the line has members beside the ${kind}, that nothing hashes or signs`);
  checkMembers(kind, body, where);
  if (countMembers(json) !== Object.keys(body).length + (body === line ? 0 : 1)) giveUp(where, `a member of the ${kind} stands twice`);
  return { kind, body };
}

function checkMembers(kind, body, where) {
  const names = Object.keys(body), shape = SHAPES[kind], isText = text(/^/);
  const wrong = Object.keys(shape ?? {}).filter((name) => !Object.hasOwn(body, name) || !shape[name](body[name]));
  if (wrong.length > 0) giveUp(where, `missing in the ${kind}, or not of its form: ${wrong.join(', ')}`);
  if (shape && names.some((name) => !Object.hasOwn(shape, name))) giveUp(where, `the ${kind} has members that nothing hashes or signs`);
  const isMember = (name) => isText(name) && (body[name] === null || isText(body[name]));
  if (!shape && !names.every(isMember)) giveUp(where, 'the row holds what is neither well-formed text nor null');
}

// How many members the objects of a JSON text have: JSON.parse keeps the last of two with one name, and says nothing.
function countMembers(json) {
  let count = 0, inString = false;
  for (let i = 0; i < json.length; i++) {
    const c = json[i];
    if (c === '"') inString = !inString;
    else if (inString && c === '\\') i++;
    else if (!inString && c === ':') count++;
  }
  return count;
}

// ---- Hashes and signatures

const sha256 = (data) => createHash('sha256').update(data).digest('hex');

// RFC 8785 for objects of strings, nulls and arrays of strings: sort() goes by UTF-16 code units, JSON.stringify escapes as it asks.
const jcs = (object) => `{${Object.keys(object).sort().map((name) => `${JSON.stringify(name)}:${JSON.stringify(object[name])}`).join(',')}}`;

function checkSignature(keys, format, { signature, ...signed }, where) {
  if (signature === '') return find(where, 'it is not signed');
  const key = keys.find(({ id }) => id === signed.key_id);
  if (!key) return find(where, `it is not signed with a key given, ${keys.map(({ id }) => id).join(' or ')}`);
  const bytes = Buffer.from(signature, 'base64');
  const fits = bytes.toString('base64') === signature && verify('sha256', Buffer.from(jcs({ format, ...signed })), key.object, bytes);
  return fits || find(where, 'its signature does not fit');
}

// ---- The chain: takes the lines in their order

class Chain {
  header = null; link = null; ended = false; links = 0; rows = 0; rowsOfLink = 0; checkpointed = false; signedThrough = '0';

  constructor(keys, kept) { Object.assign(this, { keys, kept }); }

  take({ kind, body }, where) {
    if (!this.header && kind !== 'header') giveUp(where, `no header: the file begins with a ${kind}`);
    if (this.header && kind === 'header') giveUp(where, 'a second header');
    if (!this.link && (kind === 'row' || kind === 'checkpoint')) giveUp(where, `a ${kind} before any link`);
    if (kind !== 'row') this.checkAllRows(where);
    if (kind === 'header') this.takeHeader(body, where);
    if (kind === 'link') this.takeLink(body, `${where}, link ${body.seq}`);
    if (kind === 'row') this.takeRow(body, `${where}, link ${this.link.seq}, row ${this.rowsOfLink + 1}`);
    if (kind === 'checkpoint') this.takeCheckpoint(body, `${where}, checkpoint of link ${body.seq}`);
    if (kind === 'end') this.takeEnd(body, `${where}, end`);
  }

  takeHeader(header, where) {
    if (header.from_seq === '0') find(where, 'from_seq is 0');
    if ((header.from_seq === '1') !== (header.prev_hash === ZEROS)) find(where, 'prev_hash is 64 zeros where from_seq is 1, and only there');
    Object.assign(this, { header, hash: header.prev_hash, next: BigInt(header.from_seq) }); // hash is always that of the link before `next`
    this.kept = this.kept.filter((kept) => kept.body.tenant === header.tenant);
    this.compareKept(String(this.next - 1n));
  }

  takeLink(link, where) {
    const { hash: told, ...own } = link, hash = sha256(jcs({ format: 'kpicontrol-chain/1', ...own }));
    if (told !== hash) find(where, `its hash is told as ${told}, but is ${hash}`);
    if (link.tenant !== this.header.tenant) find(where, 'it is of another tenant than the header');
    if (BigInt(link.seq) !== this.next) find(where, `link ${this.next} is due here`);
    if (link.prev_hash !== this.hash) find(where, 'its prev_hash is not the hash of the link before it');
    Object.assign(this, { link, hash, next: BigInt(link.seq) + 1n, links: this.links + 1, rowsOfLink: 0, checkpointed: false });
    this.compareKept(link.seq);
  }

  takeRow(row, where) {
    const hash = this.link.rows[this.rowsOfLink++];
    this.rows++;
    if (this.checkpointed) find(where, 'a row after the checkpoint of its link');
    else if (hash === undefined) find(where, `the link has only ${this.link.rows.length} hashes`);
    else if (hash !== sha256(jcs(row))) find(where, 'the hash of the row is not the one in its link');
  }

  checkAllRows(where) {
    const due = this.link?.rows.length ?? 0;
    if (this.rowsOfLink < due) find(where, `link ${this.link.seq} has ${due} hashes, but only ${this.rowsOfLink} rows`);
    this.rowsOfLink = due; // it is said once
  }

  takeCheckpoint(checkpoint, where) {
    if (this.checkpointed) find(where, 'a second checkpoint after one link');
    this.checkpointed = true;
    if (checkpoint.tenant !== this.header.tenant) find(where, 'it is of another tenant than the header');
    if (checkpoint.seq !== this.link.seq) find(where, `it stands after link ${this.link.seq}`);
    else if (checkpoint.hash !== this.hash) find(where, 'its hash is not that of its link');
    if (checkSignature(this.keys, 'kpicontrol-checkpoint/1', checkpoint, where)) this.signedThrough = checkpoint.seq;
  }

  takeEnd(end, where) {
    const { tenant, from_seq } = this.header;
    const due = { tenant, from_seq, links: String(this.links), rows: String(this.rows), last_hash: this.hash };
    for (const name of Object.keys(due)) if (end[name] !== due[name]) find(where, `its ${name} is not that of the export`);
    checkSignature(this.keys, 'kpicontrol-export-end/1', end, where);
    this.ended = true;
  }

  // With the checkpoints kept elsewhere for the link before `next`, which may be the one before the export: the header tells its hash.
  compareKept(seq) {
    for (const kept of this.kept.filter((one) => one.body.seq === seq)) {
      if (kept.body.hash !== this.hash) find(kept.where, `the chain does not go through it: link ${seq} has another hash`);
      checkSignature(this.keys, 'kpicontrol-checkpoint/1', kept.body, kept.where);
      kept.compared = true;
    }
  }

  finish() {
    if (!this.header) return find('end of file', 'the file is empty');
    if (!this.ended) find('end of file', 'there is no end: the tail was cut off');
    for (const { where, body } of this.kept.filter((kept) => !kept.compared)) {
      const within = BigInt(body.seq) >= BigInt(this.header.from_seq) && BigInt(body.seq) < this.next;
      if (within) find(where, `the chain does not go through it: there is no link ${body.seq}`);
      else console.error(`${where}: not compared, for link ${body.seq} is not in this export`);
    }
  }
}

// ---- The command

// One PEM block after another: the key of today, and those before it.
const readKeys = (path) => (readFileSync(path, 'utf8').match(/-----BEGIN [^-]+-----[^-]+-----END [^-]+-----/g) ?? ['']).map(readKey);

function readKey(pem) {
  const object = createPublicKey(pem);
  if (object.asymmetricKeyDetails?.namedCurve !== 'prime256v1') throw new Error('the key is not one of ECDSA over P-256');
  return { object, id: sha256(object.export({ type: 'spki', format: 'der' })).slice(0, 16) };
}

async function readKept(path) {
  const kept = [];
  for await (const { bytes } of linesOf(path)) {
    const where = `kept line ${kept.length + 1}`;
    const { kind, body } = read(bytes, where);
    if (kind !== 'checkpoint') giveUp(where, 'it is not a checkpoint');
    kept.push({ where, body, compared: false });
  }
  if (kept.length === 0) giveUp('kept', 'the file holds no checkpoint');
  return kept;
}

async function verifyExport({ file, key, kept }) {
  const chain = new Chain(readKeys(key), kept ? await readKept(kept) : []);
  let number = 0;
  for await (const { bytes, ended } of linesOf(file)) {
    const where = `line ${++number}`;
    if (chain.ended) giveUp(where, 'a line after the end');
    if (!ended && bytes.length <= MAX_LINE) find(where, 'the line does not end with \\n: the tail was cut off');
    chain.take(read(bytes, where), where);
  }
  chain.finish();
  if (findings === 0) console.log(`${chain.links} links, ${chain.rows} rows, signed through link ${chain.signedThrough}`);
}

function parseArguments(args) {
  const given = {};
  for (let i = 0; i < args.length; i++) {
    const name = ['--key', '--kept'].includes(args[i]) ? args[i++].slice(2) : 'file';
    if (given[name] || !args[i] || args[i].startsWith('--')) return null;
    given[name] = args[i];
  }
  return given.file && given.key ? given : null;
}

process.stdout.on('error', () => process.exit(1)); // the reader went away, as with `| head`
try {
  const given = parseArguments(process.argv.slice(2));
  if (!given) throw new Error('usage: node verify.mjs EXPORT.ndjson --key PUBLIC_KEYS.pem [--kept CHECKPOINT.json]');
  await verifyExport(given);
  process.exitCode = findings > 0 ? 1 : 0;
} catch (error) {
  console.error(error.message);
  process.exitCode = error instanceof Stop ? 1 : 2;
}
