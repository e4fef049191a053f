// node failures.mjs RESULTS: what failed and why, a few lines each, from Playwright's results.json.
// Printed last, where whoever reads only the end of a long log finds it.

import { readFileSync } from 'node:fs';
import { stripVTControlCharacters } from 'node:util';

const LINES_MAX = 12;

const results = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const specsOf = (suite) => [...(suite.specs ?? []), ...(suite.suites ?? []).flatMap(specsOf)];

for (const spec of results.suites.flatMap(specsOf).filter((spec) => !spec.ok)) {
  console.log(`end2end: ${spec.file}:${spec.line} › ${spec.title}`);
  const errors = spec.tests.flatMap((test) => test.results).flatMap((result) => result.errors);
  for (const { message } of errors) {
    const lines = stripVTControlCharacters(message ?? '').split('\n').filter((line) => line.trim() !== '');
    for (const line of lines.slice(0, LINES_MAX)) console.log(`  ${line}`);
  }
}
for (const { message } of results.errors) console.log(`end2end: ${stripVTControlCharacters(message ?? '')}`);
