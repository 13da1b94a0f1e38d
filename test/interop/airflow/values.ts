/** One value in both languages. */
import { StoragePath } from "../../../src/path.js";
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

export interface Pair {
  python: string;
  value: unknown;
  /** What is read of Python's value, where that is not `value`. */
  read?: unknown;
  /** What Python reads of our value, where that is not `python`. */
  reads?: string;
  /** No row can carry it: only as an object. */
  object?: boolean;
}

const same = (python: string, value: unknown): Pair => ({ python, value });

function nested(levels: number): unknown {
  return levels === 0 ? 1 : [nested(levels - 1)];
}

export const PAIRS: Pair[] = [
  same("None", null),
  same("True", true),
  same("'h\\u00e9llo \\U0001f600 \\x7f \\x00'", "héllo 😀 \u007f \0"),
  same("'\\ud800'", "\ud800"),
  same("[]", []),
  same("{}", {}),
  same("0", 0),
  same("-9007199254740991", -(2 ** 53 - 1)),
  same("1.5", 1.5),
  same("1e-07", 1e-7),
  same("1e+22", 1e22),
  { python: "2.0", value: new Float(2), read: 2, reads: "2.0", object: true },
  { python: "9007199254740993", value: 9007199254740993n, object: true },
  { python: "-(10 ** 30)", value: -(10n ** 30n), object: true },
  { python: "[nan, inf, -inf, -0.0]", value: [Number.NaN, Infinity, -Infinity, -0], object: true },
  same(
    "{'b': [1, {'a': None}], '1': 'x', '__proto__': {'constructor': 1}}",
    JSON.parse('{"b":[1,{"a":null}],"1":"x","__proto__":{"constructor":1}}'),
  ),
  same("(1, 'a', (2.5,))", Tuple.of<unknown>(1, "a", Tuple.of(2.5))),
  same("{1}", new Set([1])),
  same("frozenset({'x'})", new FrozenSet(["x"])),
  same("{'s': {(1, 2)}}", { s: new Set([Tuple.of(1, 2)]) }),
  same("datetime.date(2026, 1, 2)", new PlainDate("2026-01-02")),
  same(
    "pendulum.datetime(2026, 1, 2, 3, 4, 5, 678901, tz='UTC')",
    new DateTime(1767323045.678901, "UTC", "pendulum.tz.timezone.Timezone", "pendulum.datetime.DateTime"),
  ),
  same(
    "datetime.datetime(2026, 7, 2, tzinfo=pendulum.timezone('America/New_York'))",
    new DateTime(1782964800, "America/New_York", "pendulum.tz.timezone.Timezone"),
  ),
  {
    python: "datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=pendulum.timezone('UTC'))",
    value: new Date("2026-01-02T03:04:05Z"),
    read: new DateTime(1767323045, "UTC", "pendulum.tz.timezone.Timezone"),
  },
  same("datetime.timedelta(seconds=90)", new Timedelta(90)),
  same("[datetime.timedelta(days=1, microseconds=1)]", [new Timedelta(86400.000001)]),
  same("decimal.Decimal('3')", new Decimal("3")),
  same("decimal.Decimal('1.1')", new Decimal("1.1")),
  { python: "decimal.Decimal('1.10')", value: new Decimal("1.10"), read: new Decimal("1.1") },
  {
    python: "decimal.Decimal('0.1000000000000000055511151231257827')",
    value: new Decimal("0.1000000000000000055511151231257827"),
    read: new Decimal("0.1"),
  },
  same("uuid.UUID('00000000-0000-0000-0000-000000000005')", new Uuid("00000000-0000-0000-0000-000000000005")),
  same("zoneinfo.ZoneInfo('Europe/Paris')", new TimeZone("Europe/Paris")),
  {
    python: "[uuid.UUID(int=2 ** 128 - 1), decimal.Decimal('1E+3')]",
    value: [new Uuid("ffffffff-ffff-ffff-ffff-ffffffffffff"), new Decimal("1E+3")],
    // Python writes a Decimal without fraction as an int.
    read: [new Uuid("ffffffff-ffff-ffff-ffff-ffffffffffff"), new Decimal("1000")],
  },
  { python: "(lambda n: [n, -n])(10 ** 4300 - 1)", value: [10n ** 4300n - 1n, 1n - 10n ** 4300n], object: true },
  { ...same("decimal.Decimal('9' * 4300)", new Decimal("9".repeat(4300))), object: true },
  same("[datetime.date(1, 1, 1), datetime.date(9999, 12, 31), datetime.date(2024, 2, 29)]", [
    new PlainDate("0001-01-01"),
    new PlainDate("9999-12-31"),
    new PlainDate("2024-02-29"),
  ]),
  same("datetime.timedelta(days=-999999999)", new Timedelta(-999_999_999 * 86_400)),
  {
    python: "[datetime.datetime.fromtimestamp(at, tz=UTC) for at in (-62135596800, 253402300799.999)]",
    value: [new Date("0001-01-01T00:00:00Z"), new Date("9999-12-31T23:59:59.999Z")],
    read: [
      new DateTime(-62_135_596_800, "UTC", "pendulum.tz.timezone.Timezone"),
      new DateTime(253_402_300_799.999, "UTC", "pendulum.tz.timezone.Timezone"),
    ],
  },
  same(
    "datetime.datetime(1, 1, 2, tzinfo=datetime.timezone.utc).astimezone(pendulum.timezone('Asia/Tokyo'))",
    new DateTime(-62_135_510_400, "Asia/Tokyo", "pendulum.tz.timezone.Timezone"),
  ),
  same("[zoneinfo.ZoneInfo('US/Eastern'), pendulum.timezone(-86340)]", [
    new TimeZone("US/Eastern"),
    new TimeZone(-86_340, "pendulum.tz.timezone.FixedTimezone"),
  ]),
  same(
    "frozenset({datetime.date(2026, 1, 2), (1, 'a'), uuid.UUID(int=5)})",
    new FrozenSet<unknown>([
      new PlainDate("2026-01-02"),
      Tuple.of<unknown>(1, "a"),
      new Uuid("00000000-0000-0000-0000-000000000005"),
    ]),
  ),
  same("functools.reduce(lambda inner, _: [inner], range(400), 1)", nested(400)),
  same("ObjectStoragePath('file:///tmp/x')", StoragePath.parse("file:///tmp/x")),
  same("{'rows': [{'id': i, 'name': 'r\\u00e9cord %d' % i} for i in range(5000)]}", {
    rows: Array.from({ length: 5000 }, (_, id) => ({ id, name: `récord ${id}` })),
  }),
];
