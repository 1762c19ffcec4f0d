/** The ways to fail that are not findings about the input. This file imports nothing of ours. */

/** Documented exit codes of every command. */
export const ExitCode = {
  done: 0,
  /** `validate` found errors, or `diff` found differences. */
  found: 1,
  /** Usage, a missing tool or permission, a held lock; or a result that cannot be written. */
  cannotRun: 2,
  /** The input was rejected; nothing was changed. */
  inputRejected: 3,
  /** The kernel or its tool refused; nothing was changed, or it was rolled back. */
  kernelRefused: 4,
  /** A bug of ours. */
  internal: 70,
} as const;

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** The world says no: something the user can mend. */
export class UserError extends Error {
  override readonly name = "UserError";
  constructor(
    message: string,
    readonly hint: string,
    readonly exitCode: ExitCode = ExitCode.cannotRun,
  ) {
    super(message);
  }
}

/** A tool that is not on this node: it can have left nothing, either. */
export class MissingProgramError extends UserError {}

/** A listing that leaves out what others' rules keep the tool from reading. */
export class UnreadableTableError extends UserError {}

/** The system refused: a full disk, which it may say without a path, a read-only one, a missing permission. */
export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "code" in error && "errno" in error && "syscall" in error;
}

/** A bug of ours: something that cannot happen did. */
export class InternalError extends Error {
  override readonly name = "InternalError";
}

/** Makes the compiler prove that a switch covers its union. */
export function assertNever(value: never): never {
  throw new InternalError(`unexpected value ${JSON.stringify(value)}`);
}
