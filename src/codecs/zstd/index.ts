import { failure } from "../../errors.js";
import type { Bytes } from "../../fs/driver.js";
import type { Source } from "../source.js";
import * as native from "./native.js";

export function encode(bytes: Bytes, level: number): Bytes {
  const zstd = native.nodeZstd();
  if (!zstd) throw failure("Unsupported", "zstd: to encode, Node 22.15 or later is needed");
  return native.encode(zstd, bytes, level);
}

export async function* decode(source: Source): Bytes {
  const zstd = native.nodeZstd();
  if (zstd) yield* native.decode(zstd, source);
  else yield* (await import("./decode.js")).decode(source);
}
