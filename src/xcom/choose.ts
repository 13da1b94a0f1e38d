/** Which serializer has a value, on the way in and on the way out. */
import { failure, invalid, type StorageError } from "../errors.js";
import type { Extras, Serializers, TypeLimits } from "./extras.js";
import { isPlain } from "./json/encoding.js";
import { checkSerializers, JSON_SUFFIX, type Serializer } from "./serializer.js";

/** All values are JSON. */
export const JSON_ONLY: Serializers = {
  forValue: () => undefined,
  forSuffix(suffix) {
    if (isJson(suffix)) return undefined;
    throw unknown(suffix, "none");
  },
};

/** Reads the option `serializers` of a backend. */
export const serializers: Extras = {
  serializers: (given, limits, threshold) => new Chosen(checkSerializers(given), limits, threshold),
};

class Chosen implements Serializers {
  constructor(
    readonly all: readonly Serializer[],
    readonly limits: TypeLimits | undefined,
    readonly threshold: number,
  ) {}

  forValue(value: unknown): Serializer | undefined {
    const chosen = this.all.find((one) => one.test(value));
    if (!chosen) return undefined;
    this.limits?.checkSerializer(chosen.name, "InvalidArgument");
    if (this.threshold >= 0) return chosen;
    if (isPlainJson(value)) return undefined;
    const detail = `only the serializer ${chosen.name} can carry this value, and what it makes fits into no row`;
    throw invalid(`${detail}; give the backend a threshold >= 0, so that it becomes an object`);
  }

  forSuffix(suffix: string): Serializer | undefined {
    if (isJson(suffix)) return undefined;
    const found = this.all.find((one) => one.suffix === suffix);
    if (!found) throw unknown(suffix, this.all.map((one) => `${one.name} for ${one.suffix}`).join(", "));
    this.limits?.checkSerializer(found.name, "PermissionDenied");
    return found;
  }
}

function isJson(suffix: string): boolean {
  return suffix === "" || suffix === JSON_SUFFIX;
}

function unknown(suffix: string, known: string): StorageError {
  const mend = `register the one with suffix "${suffix}" in serializers (there is ${known})`;
  return failure("Unsupported", `no serializer reads ${suffix}; ${mend}`);
}

/** What a row can hold at its top; what is inside is looked at when it is written. */
function isPlainJson(value: unknown): boolean {
  return typeof value !== "object" || value === null || Array.isArray(value) || isPlain(value);
}
