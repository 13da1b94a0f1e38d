import type { Codecs } from "../codecs/lookup.js";

/** What a Storage brings along besides its drivers and connections. */
export interface Kit {
  readonly codecs: Codecs;
  /** The content type that a name's suffix stands for. */
  readonly contentTypeOf: (name: string) => string | undefined;
  /** Generators that were written: each can be read once. */
  readonly written: WeakSet<object>;
}
