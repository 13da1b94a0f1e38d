/** Seeded random values, each in both languages. */
import fc from "fast-check";
import {
  DateTime,
  Decimal,
  Float,
  FrozenSet,
  PlainDate,
  Timedelta,
  TimeZone,
  Tuple,
  Uuid,
} from "../../../src/xcom/encoding/airflow.js";
import type { Pair } from "./values.js";

/** A value of one kind, or several below one another. */
type Node = Leaf | Branch;

interface Leaf extends Pair {
  kind: "leaf";
  /** Whether Python can hold it in a set. */
  hashable: boolean;
}

interface Branch {
  kind: "list" | "tuple" | "set" | "frozenset" | "dict" | "any order";
  items: readonly Node[];
  /** The keys of a dict. */
  names: readonly string[];
}

const part = (python: string, value: unknown, more: Partial<Leaf> = {}): Leaf => ({
  ...{ kind: "leaf", python, value, hashable: true },
  ...more,
});

const ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"];
const PENDULUM = "pendulum.tz.timezone.Timezone";

/** Python's source of a text: JSON's escapes, with characters beyond U+FFFF as themselves. */
const quoted = (text: string) => JSON.stringify(text);

const text = fc
  .string({
    unit: fc.oneof({ weight: 8, arbitrary: fc.string() }, fc.string({ unit: "binary" }), lone()),
    maxLength: 12,
  })
  .map((value) => part(quoted(value), value));

function lone() {
  return fc.integer({ min: 0xd800, max: 0xdfff }).map((unit) => String.fromCharCode(unit));
}

const small = fc.maxSafeInteger().map((value) => part(String(value), value === 0 ? 0 : value));
const large = fc
  .bigInt({ min: -(10n ** 60n), max: 10n ** 60n })
  .filter((value) => value > 2n ** 53n || value < -(2n ** 53n))
  .map((value) => part(String(value), value, { object: true }));
const fraction = fc
  .double({ noDefaultInfinity: true, noNaN: true })
  .filter((value) => !Number.isInteger(value))
  .map((value) => part(String(value), value));
/** Rows have neither `2.0` nor `-0.0`, and JavaScript reads both as integers. */
const whole = fc
  .integer()
  .map((value) => part(`${value}.0`, new Float(value), { read: value, reads: `${value}.0`, object: true }));
const special = fc.constantFrom(
  part("None", null),
  part("True", true),
  part("False", false),
  part("nan", Number.NaN, { object: true, hashable: false }),
  part("-inf", Number.NEGATIVE_INFINITY, { object: true }),
);

const DAY = 86_400_000;
const date = fc
  .integer({ min: Date.parse("0001-01-02") / DAY, max: Date.parse("9999-12-30") / DAY })
  .map((day) => new Date(day * DAY).toISOString().replace(/T.*/, ""))
  .map((iso) => part(`datetime.date.fromisoformat('${iso}')`, new PlainDate(iso)));

/** Microseconds of 1700 to 2200: further away a float, which Airflow writes, has no whole microseconds. */
const moment = fc
  .tuple(
    fc.integer({ min: Date.parse("1700-01-01") * 1000, max: Date.parse("2200-01-01") * 1000 }),
    fc.constantFrom(...ZONES),
  )
  .map(([micros, zone]) => {
    const utc = `datetime.datetime(1970, 1, 1, tzinfo=UTC) + datetime.timedelta(microseconds=${micros})`;
    const python = `(${utc}).astimezone(pendulum.timezone('${zone}'))`;
    return part(python, new DateTime(BigInt(micros), zone, PENDULUM));
  });
const timedelta = fc
  .integer({ min: -(10 ** 15), max: 10 ** 15 })
  .map((micros) => part(`datetime.timedelta(microseconds=${micros})`, new Timedelta(micros / 1e6)));
/** Python writes a Decimal as a float: fifteen digits and no zero at the end stay as they are. */
const decimal = fc
  .tuple(
    fc.integer({ min: -999_999_999, max: 999_999_999 }),
    fc.integer({ min: 0, max: 99_999 }),
    fc.integer({ min: 1, max: 9 }),
  )
  .map(([before, middle, last]) => `${before}.${String(middle).padStart(5, "0")}${last}`)
  .map((digits) => part(`decimal.Decimal('${digits}')`, new Decimal(digits)));
const uuid = fc.uuid().map((id) => part(`uuid.UUID('${id}')`, new Uuid(id)));
const zone = fc.constantFrom(...ZONES).map((name) => part(`zoneinfo.ZoneInfo('${name}')`, new TimeZone(name)));

const scalar = fc.oneof(
  ...[text, small, large, fraction, whole, special, date, moment, timedelta, decimal, uuid, zone],
);

const RESERVED = new Set(["__classname__", "__version__", "__data__", "__id__", "__type", "__var"]);
const key = fc.oneof(fc.string({ maxLength: 8 }), fc.constantFrom("__proto__", "constructor", "2026", "-0", ""));

const branch = (kind: Branch["kind"], items: readonly Node[], names: readonly string[] = []): Branch => ({
  ...{ kind, items, names },
});

const { node } = fc.letrec<{ node: Node }>((tie) => {
  const items = fc.array(tie("node"), { maxLength: 5 });
  // Python takes True for 1, so that a set would hold only one of them.
  const hashable = fc.uniqueArray(
    scalar.filter((one) => one.hashable && !("read" in one) && typeof one.value !== "boolean"),
    { maxLength: 4, selector: (one) => one.python },
  );
  const entries = fc.uniqueArray(fc.tuple(key, tie("node")), { maxLength: 5, selector: ([name]) => name });
  return {
    node: fc.oneof(
      { depthSize: "small" },
      { weight: 6, arbitrary: scalar },
      items.map((parts) => branch("list", parts)),
      items.map((parts) => branch("tuple", parts)),
      hashable.map((parts) => branch("set", parts)),
      hashable.map((parts) => branch("frozenset", parts)),
      entries.map((all) => {
        const named = all.filter(([name]) => !RESERVED.has(name));
        return branch(
          "dict",
          named.map(([, one]) => one),
          named.map(([name]) => name),
        );
      }),
    ),
  };
});

const PYTHON: Record<Branch["kind"], (items: string[], names: readonly string[]) => string> = {
  list: (items) => `[${items.join(", ")}]`,
  tuple: (items) => `tuple([${items.join(", ")}])`,
  set: (items) => `set([${items.join(", ")}])`,
  frozenset: (items) => `frozenset([${items.join(", ")}])`,
  "any order": (items) => `AnyOrder([${items.join(", ")}])`,
  dict: (items, names) => `{${items.map((one, i) => `${quoted(names[i]!)}: ${one}`).join(", ")}}`,
};
const OURS: Record<Branch["kind"], (items: unknown[], names: readonly string[]) => unknown> = {
  list: (items) => items,
  tuple: (items) => Tuple.of(...items),
  set: (items) => new Set(items),
  frozenset: (items) => new FrozenSet(items),
  "any order": (items) => items,
  dict: (items, names) => Object.fromEntries(items.map((one, i) => [names[i]!, one])),
};

function python(of: Node, leaf: (leaf: Leaf) => string): string {
  if (of.kind === "leaf") return leaf(of);
  return PYTHON[of.kind](
    of.items.map((item) => python(item, leaf)),
    of.names,
  );
}

function ours(of: Node, leaf: (leaf: Leaf) => unknown): unknown {
  if (of.kind === "leaf") return leaf(of);
  return OURS[of.kind](
    of.items.map((item) => ours(item, leaf)),
    of.names,
  );
}

/**
 * What Airflow's JSON encoder makes of tuples in an object: a list, since it knows lists and tuples itself. Airflow's
 * serializer, which keeps them, sees only the value as a whole and what is inside a class that JSON does not have.
 */
function withoutTuples(of: Node, serialized = of.kind === "tuple"): Node {
  if (of.kind === "leaf" || of.kind === "set" || of.kind === "frozenset") return of;
  const items = of.items.map((item) => withoutTuples(item, serialized));
  return { ...of, items, kind: of.kind === "tuple" && !serialized ? "list" : of.kind };
}

/**
 * What Airflow's reader makes of frozensets in an object: it restores values from the inside out, and each dict or class
 * around one restores it again, as a list.
 */
function withoutFrozenSets(of: Node, inside = false): Node {
  if (of.kind === "leaf") return of;
  const items = of.items.map((item) => withoutFrozenSets(item, inside || of.kind !== "list"));
  return { ...of, items, kind: of.kind === "frozenset" && inside ? "any order" : of.kind };
}

/** A value in both languages; `read` and `reads` are the same values as the other side reads them. */
export interface RandomPair {
  python: string;
  value: unknown;
  /** No row can carry it. */
  object: boolean;
  /** What stowage reads of Python's value. */
  read(isObject: boolean): unknown;
  /** What Python reads of stowage's value. */
  reads(isObject: boolean): string;
}

/** Returns the same values for the same seed. */
export function randomPairs(count: number, seed: number): RandomPair[] {
  return fc.sample(node, { numRuns: count, seed }).map((one) => ({
    python: python(one, (leaf) => leaf.python),
    value: ours(one, (leaf) => leaf.value),
    object: needsObject(one),
    read: (isObject) => ours(isObject ? withoutTuples(one) : one, (leaf) => ("read" in leaf ? leaf.read : leaf.value)),
    reads: (isObject) =>
      python(isObject ? withoutFrozenSets(withoutTuples(one)) : one, (leaf) => leaf.reads ?? leaf.python),
  }));
}

function needsObject(of: Node): boolean {
  return of.kind === "leaf" ? of.object === true : of.items.some(needsObject);
}

/** Returns a text that is equal for equal values only: of the same types, all the way down. */
export function canonical(value: unknown): string {
  if (value instanceof DateTime) return `DateTime(${value.microseconds}, ${value.zone})`;
  if (value instanceof Tuple) return `Tuple(${[...value].map(canonical).join()})`;
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (value instanceof Set) return `${value.constructor.name}(${[...value].map(canonical).sort().join()})`;
  if (typeof value !== "object" || value === null) return `${typeof value} ${JSON.stringify(String(value))}`;
  const entries = Object.entries(value).map(([name, one]) => `${JSON.stringify(name)}:${canonical(one)}`);
  const { name } = Object.getPrototypeOf(value).constructor;
  return `${name}{${entries.sort().join()}}`;
}
