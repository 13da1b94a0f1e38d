/** Which serializer has a value, on the way in and on the way out. */
import { failure, invalid } from "../errors.js";
import type { TypeLimits } from "./extras.js";
import { isPlain } from "./json/encoding.js";
import { JSON_SUFFIX, type Serializer } from "./serializer.js";

interface Choice {
  serializers: readonly Serializer[];
  limits: TypeLimits | undefined;
  threshold: number;
}

/** The serializer that stores a value; none for JSON. InvalidArgument when it must not, or when rows are all there is. */
export function chooseSerializer(value: unknown, { serializers, limits, threshold }: Choice): Serializer | undefined {
  const chosen = serializers.find((one) => one.test(value));
  if (!chosen) return undefined;
  limits?.checkSerializer(chosen.name, "InvalidArgument");
  if (threshold >= 0) return chosen;
  if (isPlainJson(value)) return undefined;
  const detail = `only the serializer ${chosen.name} can carry this value, and what it makes fits into no row`;
  throw invalid(`${detail}; give the backend a threshold >= 0, so that it becomes an object`);
}

/** The serializer of an object by the suffix of its name; none for JSON. Unsupported, saying what is missing. */
export function serializerFor(suffix: string, { serializers, limits }: Choice): Serializer | undefined {
  if (suffix === "" || suffix === JSON_SUFFIX) return undefined;
  const found = serializers.find((one) => one.suffix === suffix);
  if (!found) throw failure("Unsupported", unknown(suffix, serializers));
  limits?.checkSerializer(found.name, "PermissionDenied");
  return found;
}

function unknown(suffix: string, serializers: readonly Serializer[]): string {
  const known = serializers.map((one) => `${one.name} for ${one.suffix}`).join(", ") || "none";
  return `no serializer reads ${suffix}; register the one with suffix "${suffix}" in serializers (there is ${known})`;
}

/** What a row can hold at its top; what is inside is looked at when it is written. */
function isPlainJson(value: unknown): boolean {
  return typeof value !== "object" || value === null || Array.isArray(value) || isPlain(value);
}
