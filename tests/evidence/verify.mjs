#!/usr/bin/env node
// Verifies an evidence bundle: a second implementation, written from docs/evidence-format.md (and of the chain, docs/audit-format.md) alone,
// that shares nothing with the product's own. What one of the two finds and the other does not is a defect of one of them, or of the page.
//
//   node verify.mjs BUNDLE.ndjson --key PUBLIC_KEY.pem [--key OLDER_KEY.pem …]
//   node verify.mjs --each BUNDLES.jsonl --key PUBLIC_KEY.pem      bundles in Base64, one a line: a verdict a line
//
// Exit 0: all fits. Exit 1: the first thing that does not fit, on stdout. Exit 2: wrong usage, or a file that cannot be read.

import { createHash, createPublicKey, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';

class Misfit extends Error {}
const demand = (fits, what) => { if (!fits) throw new Misfit(what); };

// ---- Forms

const PAYLOAD_TYPE = 'application/vnd.in-toto+json';
const TABLE = {
  run: [['run_id'], 'run_id binding_id revision agent sla_breached'],
  revision: [['binding_id', 'revision'], 'binding_id revision environment region job_id content_hash contract_digest schedule_cron timezone schedule_extra active zone_version effective_from changed_by reason calendar calendar_version calendar_digest change_id change_revision'],
  definition: [['content_hash'], 'content_hash canonical_json format content schema_version created_at created_by'],
  contract: [['digest'], 'digest canonical_json format content kpi_id version status created_at created_by'],
  policy: [['environment', 'version'], 'environment version document effective_from'],
  change: [['change_id'], 'change_id binding_id kind digest signed required format content author reason proposed_at closed_at closed_by applied_revision decisions break_glass review'],
  episode: [['episode_id'], 'episode_id run_id clock opened_at breached_at resolved_at resolution acknowledged_by acknowledge_reason'],
  row: [['link', 'position'], 'link position row'],
  link: [['seq'], 'tenant seq linked_at prev_hash rows hash'],
  checkpoint: [['seq'], 'tenant seq hash signed_at key_id signature'],
};

const ITEMS = {
  decisions: ['capacity', 'comment', 'decided_at', 'decision', 'digest', 'principal'],
  break_glass: ['capacity', 'decided_at', 'digest', 'expires_at', 'principal', 'reason'],
};

const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
const isText = (value) => typeof value === 'string';
const isTextOrNull = (value) => value === null || isText(value);
const isNumber = (value) => isText(value) && /^(0|[1-9]\d{0,18})$/.test(value);
const hasExactly = (object, names) => isObject(object) && Object.keys(object).sort().join(' ') === [...names].sort().join(' ');
const attempt = (action) => { try { return action(); } catch { return undefined; } };
const parse = (json) => (isText(json) ? attempt(() => JSON.parse(json)) : undefined);

// RFC 8785: sort() goes by UTF-16 code units; JSON.stringify escapes, and writes numbers, as it asks.
function jcs(value) {
  if (Array.isArray(value)) return `[${value.map(jcs).join(',')}]`;
  if (isObject(value)) return `{${Object.keys(value).sort().map((name) => `${JSON.stringify(name)}:${jcs(value[name])}`).join(',')}}`;
  return JSON.stringify(value);
}

const sha256 = (data) => createHash('sha256').update(data).digest('hex');
const digestOf = (text) => `sha256:${sha256(text ?? '')}`;
const base64 = (text) => { const bytes = Buffer.from(text, 'base64'); return bytes.toString('base64') === text ? bytes : undefined; };
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function readKey(path) {
  const object = createPublicKey(readFileSync(path));
  if (object.asymmetricKeyDetails?.namedCurve !== 'prime256v1') throw new Error('a key is not one of ECDSA over P-256');
  return [sha256(object.export({ type: 'spki', format: 'der' })).slice(0, 16), object];
}

function signs(keys, id, bytes, signature, what) {
  demand(keys.has(id), `${what} is signed with a key that was not given`);
  const sig = isText(signature) ? base64(signature) : undefined;
  demand(sig && attempt(() => verify('sha256', bytes, keys.get(id), sig)), `the signature of ${what} does not fit`);
}

// ---- 1 and 2: the lines, the envelope, the statement

function linesOf(bytes) {
  demand(bytes.length > 0 && bytes[bytes.length - 1] === 10, 'the last line has no end');
  const text = attempt(() => utf8.decode(bytes));
  demand(text !== undefined, 'the bundle is not UTF-8');
  return text.slice(0, -1).split('\n');
}

function open(line, keys) {
  const envelope = parse(line), signature = envelope?.signatures?.[0];
  demand(hasExactly(envelope, ['payload', 'payloadType', 'signatures']) && Array.isArray(envelope.signatures) && envelope.signatures.length === 1
    && hasExactly(signature, ['keyid', 'sig']) && jcs(envelope) === line, 'the last line is not an envelope');
  demand(envelope.payloadType === PAYLOAD_TYPE, 'the envelope holds something else than a statement');
  const payload = isText(envelope.payload) ? base64(envelope.payload) : undefined;
  demand(payload, 'the payload is not Base64');
  signs(keys, signature.keyid, Buffer.concat([Buffer.from(`DSSEv1 ${PAYLOAD_TYPE.length} ${PAYLOAD_TYPE} ${payload.length} `), payload]), signature.sig, 'the envelope');
  const text = attempt(() => utf8.decode(payload)), statement = parse(text), predicate = statement?.predicate;
  demand(hasExactly(statement, ['_type', 'predicate', 'predicateType', 'subject']) && jcs(statement) === text && statement._type === 'https://in-toto.io/Statement/v1'
    && ['urn:kpicontrol:evidence:1', 'urn:kpicontrol:evidence:2'].includes(statement.predicateType) && Array.isArray(statement.subject), 'the statement is none of a bundle');
  demand(hasExactly(predicate, ['exported_at', 'exported_by', 'scope', 'tenant']) && isText(predicate.exported_at) && isText(predicate.exported_by) && isText(predicate.tenant)
    && isObject(predicate.scope) && Object.values(predicate.scope).every(isText), 'the predicate is none of a bundle');
  return statement;
}

// ---- 2 and 3: the documents

function isForm(name, value) {
  if (name === 'rows' || name === 'participants') return Array.isArray(value) && value.every(isText);
  if (name === 'row') return isObject(value) && Object.values(value).every(isTextOrNull);
  if (name === 'review') return value === null || (hasExactly(value, ['closed_at', 'closed_by', 'comment', 'opened_at', 'participants', 'reason']) && Object.entries(value).every(([member, of]) => isForm(member, of)));
  if (!Object.hasOwn(ITEMS, name)) return isTextOrNull(value);
  return Array.isArray(value) && value.every((one) => hasExactly(one, ITEMS[name]) && Object.values(one).every(isTextOrNull));
}

function readDocuments(lines, subjects) {
  demand(subjects.length === lines.length, `${subjects.length} documents were signed, ${lines.length} are here`);
  const byName = new Map();
  lines.forEach((line, i) => {
    const subject = subjects[i];
    demand(hasExactly(subject, ['digest', 'name']) && hasExactly(subject.digest, ['sha256']), `subject ${i + 1} has another form`);
    demand(subject.digest.sha256 === sha256(line), `line ${i + 1} is not what was signed`);
    const { kind, document } = parse(line) ?? {}, [naming, members] = (isText(kind) && Object.hasOwn(TABLE, kind) && TABLE[kind]) || [];
    demand(naming && hasExactly(parse(line), ['document', 'kind']) && hasExactly(document, members.split(' '))
      && Object.entries(document).every(([name, value]) => isForm(name, value)) && jcs(parse(line)) === line, `line ${i + 1} is no document`);
    demand(naming.every((name) => document[name]) && [kind, ...naming.map((name) => document[name])].join('/') === subject.name && !byName.has(subject.name), `line ${i + 1} is named otherwise`);
    byName.set(subject.name, { ...document, kind }); // a change has a kind of its own, which nothing looks at
  });
  return byName;
}

// ---- 4 to 7: the chain

function checkChain(all, tenant, keys) {
  const links = new Map(), signed = new Set();
  let last;
  for (const link of all.filter((one) => one.kind === 'link')) {
    const { seq, linked_at, prev_hash, rows } = link, what = `link ${seq}`;
    demand(link.tenant === tenant, `${what} is another tenant's`);
    demand(isNumber(seq) && isText(linked_at) && isText(prev_hash), `${what} has another form`);
    demand(link.hash === sha256(jcs({ format: 'kpicontrol-chain/1', linked_at, prev_hash, rows, seq, tenant })), `${what} has another hash`);
    demand(!last || BigInt(seq) > BigInt(last.seq), `${what} stands in the wrong place`);
    demand(!last || BigInt(seq) !== BigInt(last.seq) + 1n || prev_hash === last.hash, `${what} does not follow the link before it`);
    links.set(seq, link);
    last = link;
  }
  for (const checkpoint of all.filter((one) => one.kind === 'checkpoint')) {
    const { seq, hash, signed_at, key_id, signature } = checkpoint;
    demand(checkpoint.tenant === tenant, `checkpoint ${seq} is another tenant's`);
    demand(links.has(seq) && links.get(seq).hash === hash, `checkpoint ${seq} is of another link`);
    signs(keys, key_id, Buffer.from(jcs({ format: 'kpicontrol-checkpoint/1', hash, key_id, seq, signed_at, tenant })), signature, `checkpoint ${seq}`);
    signed.add(seq);
  }
  for (const seq of links.keys()) demand(links.has(String(BigInt(seq) + 1n)) || signed.has(seq), `link ${seq} is under no checkpoint`);
  for (const { link, position, row } of all.filter((one) => one.kind === 'row')) {
    const hash = isNumber(position) ? links.get(link)?.rows[Number(position)] : undefined;
    demand(hash === sha256(jcs(row)), `row ${link}/${position} is not the one that was linked`);
    demand(row.tenant === tenant, `row ${link}/${position} is another tenant's`);
  }
}

// ---- 8 to 11: what the documents say together

const isInteger = (value, text) => typeof value === 'number' && text !== null && String(value) === text;
// A text, a number or a truth value of JSON as the documents write it.
const asText = (value) => (value === undefined || value === null ? null : isText(value) ? value : jcs(value));
const INSTANT = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{6})Z$/;

// From the one instant to the other are so many hours, a number whose seconds are whole.
function isLater(from, until, hours) {
  const [, first, fraction] = INSTANT.exec(from ?? '') ?? [], [, last, same] = INSTANT.exec(until ?? '') ?? [];
  return typeof hours === 'number' && first !== undefined && fraction === same && Date.parse(`${last}Z`) - Date.parse(`${first}Z`) === Math.round(hours * 3600) * 1000;
}

const rowsOf = (rows, kind, id) => rows.filter((row) => row.table === 'audit' && row.object_kind === kind && row.object_id === id);

// Who broke the glass for it and was still in time.
const brokeGlass = ({ break_glass: glass, review }) => new Set(review === null ? [] : glass.filter((one) => one.expires_at > review.opened_at).map((one) => one.principal));
const approversOf = (change) => new Set([
  ...change.decisions.filter((one) => one.decision === 'approve').map((one) => `${one.capacity}: ${one.principal}`), ...[...brokeGlass(change)].map((name) => `break-glass: ${name}`)]);

function checkChange(change, rows) {
  const what = `change ${change.change_id}`, signed = parse(change.signed), { digest, author, decisions } = change;
  demand(digest === digestOf(change.signed), `${what} has another digest`);
  const about = rowsOf(rows, 'change', change.change_id).map(({ after, actor, reason, recorded_at }) => ({ ...parse(after), actor, reason, recorded_at }));
  demand(about.some((act) => act.actor === author && isInteger(act.binding_id, change.binding_id) && act.content_hash === signed?.content_hash && act.digest === digest), `the proposal of ${what} is nowhere`);
  for (const { principal, decision, capacity, digest: on } of decisions) {
    demand(on === digest, `${what} was decided on with another content`);
    demand(principal !== author && decisions.filter((other) => other.principal === principal).length === 1, `a decision on ${what} does not count`);
    demand(about.some((act) => act.actor === principal && act.decision === decision && act.capacity === capacity && act.digest === digest), `a decision on ${what} is nowhere`);
  }
  for (const { principal, capacity, digest: on, decided_at, expires_at, reason } of change.break_glass) {
    demand(on === digest && principal !== author, `a break-glass approval of ${what} does not count`);
    demand(about.some((act) => act.actor === principal && act.decision === 'break_glass' && act.capacity === capacity && act.digest === digest && act.recorded_at === decided_at && act.reason === reason
      && isLater(decided_at, expires_at, act.hours)), `a break-glass approval of ${what} is nowhere`);
  }
  if (change.review !== null) checkReview(change, about, what);
  const required = parse(change.required);
  demand(Array.isArray(required), `${what} does not say what it needs`);
  demand(change.review === null || brokeGlass(change).size >= 2, `${what} was released by break-glass, which takes two`);
  if (change.review === null) for (const need of required) demand(decisions.some((given) => given.decision === 'approve' && given.capacity === need.capacity && (need.principal === '' || need.principal === given.principal)), `${what} lacks an approval`);
}

function checkReview({ author, digest, decisions, break_glass: glass, review }, about, what) {
  const { participants, opened_at, closed_at, closed_by, comment } = review;
  const opened = about.find((act) => act.break_glass === true && act.review === 'open' && act.digest === digest && act.recorded_at === opened_at && act.reason === review.reason
    && Array.isArray(act.participants) && act.participants.join('\n') === participants.join('\n'));
  demand(opened, `that ${what} was released by break-glass is nowhere`);
  for (const name of [author, opened.actor, ...decisions.map((one) => one.principal), ...glass.map((one) => one.principal)]) demand(participants.includes(name), `the review of ${what} leaves somebody out`);
  if (closed_at === null && closed_by === null && comment === null) return;
  demand(!participants.includes(closed_by), `the review of ${what} was closed by somebody who had a part in it`);
  demand(about.some((act) => act.review === 'closed' && act.actor === closed_by && act.recorded_at === closed_at && act.reason === comment), `that the review of ${what} was closed is nowhere`);
}

const SAID = [['region', 'region'], ['job_id', 'job_id'], ['schedule_cron', 'schedule_cron'], ['timezone', 'timezone'], ['active', 'active'], ['active', 'active_flag'],
  ['calendar', 'calendar'], ['calendar_version', 'calendar_version']];

function checkRevision(revision, released, definition, rows) {
  const what = `revision ${revision.binding_id}/${revision.revision}`, { calendar, calendar_version: version, calendar_digest: digest, environment, job_id } = revision;
  const fits = (row, after) => row.environment === environment && row.actor === revision.changed_by && row.reason === revision.reason && row.recorded_at === revision.effective_from
    && SAID.every(([member, said]) => !Object.hasOwn(after, said) || asText(after[said]) === revision[member]);
  demand(released.some((row) => fits(row, parse(row.after))), `${what} was put in force otherwise, or is nowhere`);
  const defined = parse(definition.canonical_json);
  demand(defined?.job_id === job_id && (defined.schedule?.calendar ?? null) === calendar, `${what} has another definition`);
  demand((calendar === null) === (version === null) && (calendar === null) === (digest === null), `${what} names half a calendar`);
  demand(calendar === null || rowsOf(rows, 'calendar', calendar).map((row) => parse(row.after)).some((after) => isInteger(after?.version, version) && after.digest === digest), `the calendar of ${what} is nowhere`);
}

function checkSigned(revision, signed, tenant, what) {
  demand(signed.environment === revision.environment && signed.region === revision.region && signed.binding === `${tenant}/${revision.environment}/${revision.job_id}`, `the change behind ${what} is for another place`);
  demand(revision.change_revision !== revision.revision || asText(signed.calendar_version) === revision.calendar_version, `the change behind ${what} is on another calendar`);
}

function checkEvidence(run, revision, history, document, byName, rows, { tenant, hasTables }) {
  const what = `the evidence of run ${run.run_id}`;
  demand(document.definition_hash === revision.content_hash, `${what} has another definition`);
  demand(document.contract_digest === revision.contract_digest, `${what} has another contract`);
  demand(document.agent === (run.agent ?? undefined), `${what} has another agent`);
  const tables = hasTables && Array.isArray(document.stages) ? document.stages.filter((stage) => isText(stage?.contract_digest)) : [];
  for (const { dataset, contract_digest } of tables) demand(byName.has(`contract/${contract_digest}`), `the contract of ${dataset} in ${what} is not here`);
  if (!isText(document.policy_version)) {
    demand(!['schema_hash', 'approval', 'values_digest', 'sla', 'restatement'].some((name) => Object.hasOwn(document, name)), `${what} lacks its policy`);
    return;
  }
  const { policy_version: policy, approval, points, sla } = document;
  demand(policy === '0' || byName.has(`policy/${revision.environment}/${policy}`), `the policy of ${what} is not here`);
  demand(approval === undefined ? revision.change_id === null : revision.change_id !== null && isObject(approval), `${what} and the change do not fit`);
  const change = byName.get(`change/${revision.change_id}`);
  demand(approval === undefined || (approval.change_id === revision.change_id && approval.digest === change.digest), `${what} has another approval`);
  if (approval !== undefined) {
    const told = new Set(Array.isArray(approval.approvers) ? approval.approvers : []), given = approversOf(change);
    demand(told.size === given.size && [...told].every((name) => given.has(name)), `${what} has other approvers`);
  }
  demand(document.values_digest === (points === undefined ? undefined : digestOf(jcs(points))), `${what} has other values`);
  const breached = sla === undefined ? null : String(sla.latency === 'breach' || (isText(sla.deliver_by) && history.recorded_at > sla.deliver_by));
  demand(run.sla_breached === breached, `${what} says otherwise whether promises were kept`);
  demand((history.trigger_kind === 'restatement') === isObject(document.restatement) && (document.restatement === undefined || isObject(document.restatement)), `${what} and its row do not agree that it restates`);
  if (document.restatement !== undefined) checkRestatement(run, revision, history, document.restatement, byName, rows, tenant);
}

function checkRestatement(run, revision, history, told, byName, rows, tenant) {
  const what = `what run ${run.run_id} restates`, { restatement_id: id, reported_run_id: of, digest, cause, source } = told;
  const reported = byName.get(`run/${of}`);
  demand(reported?.binding_id === run.binding_id && reported.revision === run.revision && rows.some((row) => row.table === 'history' && row.id === of && row.binding_id === run.binding_id
    && row.business_date === history.business_date && row.final === 'true' && ['success', 'partial'].includes(row.status) && row.trigger_kind !== 'restatement'), `${what} is not here`);
  const about = rowsOf(rows, 'restatement', id).map(({ after, actor, reason }) => ({ ...parse(after), actor, reason })).filter((act) => act.digest === digest);
  const accepted = about.find((act) => act.actor === told.accepted_by && act.reason === told.reason && ['accepted', 'proposed'].includes(act.state) && isText(act.signed) && digestOf(act.signed) === digest);
  demand(accepted && about.some((act) => act.state === 'running'), `that ${what} was agreed to is nowhere`);
  const signed = parse(accepted.signed), dates = Array.isArray(signed.dates) ? signed.dates : [];
  demand(signed.binding === `${tenant}/${revision.environment}/${revision.job_id}` && signed.cause === cause && signed.source === source
    && dates.some((date) => date.business_date === history.business_date && date.reported_run_id === of && date.content_hash === revision.content_hash), `${what} is not what was agreed to`);
  const given = about.filter((act) => act.decision === 'approve'), names = new Set(given.map((act) => `${act.capacity}: ${act.actor}`)), listed = new Set(Array.isArray(told.approvers) ? told.approvers : []);
  demand(listed.size === names.size && [...listed].every((name) => names.has(name)), `${what} has other approvers`);
  demand(new Set(given.map((act) => act.actor).concat(accepted.actor)).size === given.length + 1, `an approval of ${what} does not count`);
  demand(Array.isArray(accepted.required), `whose approval ${what} needed is not said`);
  for (const need of accepted.required) demand(given.some((act) => act.capacity === need.capacity && (need.principal === '' || need.principal === act.actor)), `${what} lacks an approval`);
}

function checkRun(run, byName, rows, bundle) {
  const what = `run ${run.run_id}`, revision = byName.get(`revision/${run.binding_id}/${run.revision}`);
  demand(revision, `the revision of ${what} is not here`);
  demand(byName.has(`definition/${revision.content_hash}`) && byName.has(`contract/${revision.contract_digest}`), `the definition or contract of ${what} is not here`);
  const released = (number) => rowsOf(rows, 'binding', run.binding_id).filter(({ after }) => isInteger(parse(after)?.revision, number) && parse(after).content_hash === revision.content_hash);
  checkRevision(revision, released(run.revision), byName.get(`definition/${revision.content_hash}`), rows);
  if (revision.change_id !== null) {
    const change = byName.get(`change/${revision.change_id}`), signed = parse(change?.signed);
    demand(change, `the change behind ${what} is not here`);
    demand(change.binding_id === run.binding_id && change.applied_revision === revision.change_revision && signed?.content_hash === revision.content_hash
      && (revision.change_revision !== revision.revision || signed.contract_digest === revision.contract_digest), `the change behind ${what} is of another content`);
    checkSigned(revision, signed, bundle.tenant, what);
    demand(released(revision.change_revision).some(({ after }) => isInteger(parse(after).change_id, revision.change_id)), `the release of the change behind ${what} is nowhere`);
  }
  const histories = rows.filter((row) => row.table === 'history' && row.id === run.run_id);
  demand(histories.length > 0, `${what} is nowhere`);
  for (const history of histories) {
    demand(history.binding_id === run.binding_id && history.revision === run.revision, `${what} is another's`);
    demand((history.result_digest === null) === (history.lineage_ref === null), `${what} was reported without evidence`);
    if (history.lineage_ref === null) continue;
    const evidence = rows.find((row) => row.table === 'evidence' && row.kind === 'run' && ['binding_id', 'attempt_id'].every((name) => row[name] === history[name]) && row.run_id === run.run_id);
    const document = parse(evidence?.document);
    demand(isObject(document), `the evidence of ${what} is not here`);
    checkEvidence(run, revision, history, document, byName, rows, bundle);
  }
}

function verifyBundle(bytes, keys) {
  const lines = linesOf(bytes), statement = open(lines.pop(), keys), byName = readDocuments(lines, statement.subject);
  const all = [...byName.values()], of = (kind) => all.filter((one) => one.kind === kind), rows = of('row').map((one) => one.row);
  checkChain(all, statement.predicate.tenant, keys);
  for (const one of of('definition')) demand(one.content_hash === digestOf(one.canonical_json), `definition ${one.content_hash} has another hash`);
  for (const one of of('contract')) demand(one.digest === digestOf(one.canonical_json), `contract ${one.digest} has another digest`);
  of('change').forEach((change) => checkChange(change, rows));
  demand(of('run').length > 0, 'there is no run');
  const bundle = { tenant: statement.predicate.tenant, hasTables: statement.predicateType === 'urn:kpicontrol:evidence:2' };
  of('run').forEach((run) => checkRun(run, byName, rows, bundle));
  const broken = of('change').filter((change) => change.review !== null).map((change) => `, change ${change.change_id} by break-glass`).join('');
  return `${of('run').length} runs, ${all.length} documents, ${rows.length} rows${broken}`;
}

// ---- The command

function verdict(bytes, keys) {
  try {
    return [true, verifyBundle(bytes, keys)];
  } catch (error) {
    if (error instanceof Misfit) return [false, error.message];
    throw error;
  }
}

const args = process.argv.slice(2), keyFiles = [];
for (let at; (at = args.indexOf('--key')) >= 0;) keyFiles.push(args.splice(at, 2)[1]);
try {
  const each = args[0] === '--each', file = args[each ? 1 : 0];
  if (!file || keyFiles.length === 0 || args.length !== (each ? 2 : 1)) throw new Error('usage: node verify.mjs [--each] BUNDLE --key PUBLIC_KEY.pem [--key …]');
  const keys = new Map(keyFiles.map(readKey));
  if (each)
    for (const line of readFileSync(file, 'ascii').split('\n').slice(0, -1)) console.log(verdict(Buffer.from(line, 'base64'), keys).join(' '));
  else {
    const [fits, what] = verdict(readFileSync(file), keys);
    console.log(what);
    process.exitCode = fits ? 0 : 1;
  }
} catch (error) {
  console.error(error.message);
  process.exitCode = 2;
}
