// Prints the JSON schema of the report; `npm run schema` keeps docs/report.schema.json equal to it.
import { toJsonSchema } from '@valibot/to-json-schema';
import { ReportSchema } from '../src/report.ts';

export function reportSchema(): string {
  const schema = { title: 'The report of model-cache, version 1', ...toJsonSchema(ReportSchema) };
  return `${JSON.stringify(schema, undefined, 2)}\n`;
}

if (import.meta.main) process.stdout.write(reportSchema());
