/** What is left of a system's error on its way between threads: errors lose their fields. */
export interface SystemFailure {
  readonly code: string | undefined;
  readonly errno: number | undefined;
  readonly syscall: string | undefined;
  readonly path: string | undefined;
  readonly message: string;
}

export function systemFailure(error: unknown): SystemFailure {
  const { code, errno, syscall, path, message } = error as NodeJS.ErrnoException;
  return { code, errno, syscall, path, message };
}

export function asSystemError({ message, ...rest }: SystemFailure): NodeJS.ErrnoException {
  return Object.assign(new Error(message), rest);
}
