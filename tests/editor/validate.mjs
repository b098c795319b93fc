// In: [{schema: PATH, files: [PATH of YAML]}]. Out: for each schema what ajv says about it (draft-07), about its own
// examples, and about each file. The YAML is read by the npm package yaml, not by Forestall.
import { readFileSync } from 'node:fs';
import Ajv from 'ajv';
import { parse } from 'yaml';

// Not strict: editors have keywords of their own (errorMessage, defaultSnippets), and so have we (x-…).
const ajv = () => new Ajv({ strict: false, allErrors: true, allowUnionTypes: true });

function* withExamples(node, pointer) {
  if (typeof node !== 'object' || node === null) return;
  if (!Array.isArray(node) && Array.isArray(node.examples)) yield [pointer, node.examples];
  for (const [key, value] of Object.entries(node)) {
    if (['examples', 'enum', 'defaultSnippets', 'required'].includes(key)) continue;
    yield* withExamples(value, `${pointer}/${encodeURIComponent(key.replaceAll('~', '~0').replaceAll('/', '~1'))}`);
  }
}

const words = (errors) => (errors ?? []).map((one) => `${one.instancePath} ${one.message}`);
const asked = JSON.parse(readFileSync(0, 'utf8'));
const answer = asked.map(({ schema, files }) => {
  const read = JSON.parse(readFileSync(schema, 'utf8'));
  const judge = ajv();
  const wrong = judge.validateSchema(read) ? [] : words(judge.errors);
  judge.addSchema(read, 'it');
  const validate = judge.getSchema('it');
  const examples = [];
  for (const [pointer, given] of withExamples(read, '')) {
    const own = judge.getSchema(`it#${pointer}`);
    for (const one of given) if (!own(one)) examples.push(`${pointer}: ${JSON.stringify(one)}: ${words(own.errors)}`);
  }
  return {
    schema, meta: read.$schema, wrong, examples,
    files: files.map((file) => [file, validate(parse(readFileSync(file, 'utf8'))) ? [] : words(validate.errors)]),
  };
});
process.stdout.write(JSON.stringify(answer));
