// In: {name, content} of a workflow. Out: what GitHub's own parser finds wrong with it.
import { readFileSync } from 'node:fs';
import { register } from 'node:module';

// The package is made for bundlers: it imports JSON without saying so, which node itself refuses.
const load = `export const load = (url, about, next) =>
  next(url, url.endsWith('.json') ? { ...about, importAttributes: { type: 'json' } } : about);`;
register(`data:text/javascript,${encodeURIComponent(load)}`);
const { convertWorkflowTemplate, NoOperationTraceWriter, parseWorkflow } = await import('@actions/workflow-parser');

const asked = JSON.parse(readFileSync(0, 'utf8'));
const parsed = parseWorkflow(asked, new NoOperationTraceWriter());
const errors = parsed.context.errors.getErrors().map((one) => one.message);
const jobs = parsed.value ? (await convertWorkflowTemplate(parsed.context, parsed.value)).jobs ?? [] : [];
process.stdout.write(JSON.stringify({ errors, jobs: jobs.map((job) => job.id?.value ?? String(job.id)) }));
