// node validate.mjs FILE…: every manifest against the schemas that npm kubernetes-models was generated with from
// Kubernetes' own OpenAPI: types and required fields. (Unknown fields are the business of ManifestTests.)
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const yaml = require('js-yaml');
let bad = 0;
let all = 0;

function fault(manifest) {
  let models;
  try { models = require(`kubernetes-models/${manifest.apiVersion}/${manifest.kind}`); } catch { return 'no such kind'; }
  try { new models[manifest.kind](manifest).validate(); return null; } catch (error) { return error.message.split('\n').slice(0, 3).join('; '); }
}

for (const file of process.argv.slice(2))
  for (const manifest of yaml.loadAll(readFileSync(file, 'utf8')).filter(Boolean)) {
    all++;
    const found = fault(manifest);
    if (found) { bad++; console.log(`${file}: ${manifest.apiVersion}/${manifest.kind} ${manifest.metadata?.name}: ${found}`); }
  }
console.log(`${all} manifests, ${bad} bad`);
process.exit(bad || !all ? 1 : 0);
