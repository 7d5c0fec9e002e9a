export type Level = 'debug' | 'info' | 'warn' | 'error';

/** The lowest level that is said. */
export type LogLevel = Level | 'silent';

/** Says a message that fits into a line. */
export type Say = (level: Level, event: LogEvent, message: string, code: string | undefined) => void;

/** Stable names of what can happen; people filter the JSON log by them. */
export type LogEvent =
  | 'settings'
  | 'setup.started'
  | 'setup.output'
  | 'setup.completed'
  | 'setup.failed'
  | 'dir.chosen'
  | 'dir.refused'
  | 'store.ready'
  | 'store.missing'
  | 'store.by-sdk'
  | 'manifest.refused'
  | 'cache.reused'
  | 'restore.started'
  | 'restore.resumed'
  | 'restore.progress'
  | 'restore.item'
  | 'restore.completed'
  | 'restore.failed'
  | 'restore.empty'
  | 'restore.unmatched'
  | 'upload.started'
  | 'upload.progress'
  | 'upload.item'
  | 'upload.completed'
  | 'upload.alone'
  | 'upload.abandoned'
  | 'upload.failed'
  | 'upload.parked'
  | 'write-back.started'
  | 'write-back.waiting'
  | 'write-back.pass'
  | 'write-back.ended'
  | 'write-back.failed'
  | 'lock.made'
  | 'verify.item'
  | 'verify.completed'
  | 'environment'
  | 'report'
  | 'server.exec'
  | 'server.failed'
  | 'interrupted'
  | 'command.failed';
