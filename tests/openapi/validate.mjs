// node validate.mjs FILE: an OpenAPI document against the specification's own JSON Schema, and whether what it refers to is there.
import { readFileSync } from 'node:fs';
import { Validator } from '@seriousme/openapi-schema-validator';
import Ajv from 'ajv/dist/2020.js';

const document = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const validator = new Validator();
const faults = [];
const verdict = await validator.validate(structuredClone(document));
if (!verdict.valid) faults.push(...[verdict.errors].flat().map(e => e.message ? `${e.instancePath ?? ''} ${e.message}` : `${e}`));

// The specification's own schema takes any object where a JSON Schema is to stand.
const schemas = new Ajv({ strict: false, logger: false });
for (const [name, schema] of Object.entries(document.components?.schemas ?? {}))
  if (!schemas.validateSchema(schema)) faults.push(`components/schemas/${name}: ${schemas.errorsText(schemas.errors)}`);

const operations = Object.entries(document.paths ?? {}).flatMap(([path, item]) =>
  Object.entries(item).filter(([, operation]) => operation?.responses).map(([method, operation]) => ({ path, method, operation })));
const seen = new Set();
for (const { path, method, operation } of operations) {
  if (seen.has(operation.operationId)) faults.push(`${method} ${path}: operationId ${operation.operationId} stands twice`);
  seen.add(operation.operationId);
  const declared = (operation.parameters ?? []).filter(p => p.in === 'path').map(p => p.name).sort();
  const used = [...path.matchAll(/\{([^}]+)\}/g)].map(m => m[1]).sort();
  if (`${declared}` !== `${used}`) faults.push(`${method} ${path}: its path has {${used}} and its parameters are {${declared}}`);
}
for (const [, reference] of JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)) {
  const found = reference.startsWith('#/') && reference.slice(2).split('/').reduce((at, name) => at?.[name.replaceAll('~1', '/').replaceAll('~0', '~')], document);
  if (!found) faults.push(`${reference} leads nowhere`);
}

faults.forEach(fault => console.log(fault));
console.log(`OpenAPI ${verdict.specification?.openapi ?? document.openapi}: ${operations.length} operations, ${faults.length} faults`);
process.exit(faults.length || !operations.length ? 1 : 0);
