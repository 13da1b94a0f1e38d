import { failure } from "../../errors.js";
import type { Bytes } from "../../fs/driver.js";
import type { Source } from "../source.js";

export function encode(_bytes: Bytes, _level: number): Bytes {
  throw failure("Unsupported", "xz: not yet");
}

export async function* decode(source: Source): Bytes {
  yield* (await import("./decode.js")).decode(source);
}
