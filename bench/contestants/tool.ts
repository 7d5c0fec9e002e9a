/**
 * What runs: ours, the physical limit of taking bytes and that of proving them, what people could pick instead, and an
 * empty Node.
 */
export const TOOLS = [
  'model-cache',
  'limit',
  'proving-limit',
  's5cmd',
  'rclone',
  'aws',
  'boto3',
  'sdk',
  'node',
] as const;
export type Tool = (typeof TOOLS)[number];
