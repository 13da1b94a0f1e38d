/** A server that can neither be found nor started on this machine; the message says what would help. */
export class Unavailable extends Error {
  /** @param {string} server @param {string} reason @param {unknown} [cause] */
  constructor(server, reason, cause) {
    super(`${server}: ${reason}`, { cause });
    this.name = "Unavailable";
  }
}
