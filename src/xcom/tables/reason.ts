/** What a library says of data that it cannot read. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
