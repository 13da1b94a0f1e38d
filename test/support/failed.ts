/** The error of work that has to fail; rejects when it does not. */
export function failed(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => {
      throw new Error("this has to fail, and succeeded");
    },
    (error: unknown) => error,
  );
}
