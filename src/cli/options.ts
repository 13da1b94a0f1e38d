/** Options shared by several commands, and their parsers. */
import { InvalidArgumentError, Option } from "commander";
import { codecs } from "../codecs/index.js";

/** `--compression NAME|infer`. */
export function compressionOption(what: string): Option {
  return new Option("--compression <codec>", what).choices([...codecs.names, "infer"]);
}

/** An option of other tools that is understood: it asks for what this one does anyway, or has a name of its own for. */
export function aliasFlag(flag: string): Option {
  return new Option(flag).hideHelp();
}

/** Parses an integer >= 0. */
export function parseCount(text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(value)) return value;
  throw new InvalidArgumentError("It must be a whole number, 0 or more.");
}

/** Parses an integer >= 1. */
export function positive(text: string): number {
  const value = parseCount(text);
  if (value > 0) return value;
  throw new InvalidArgumentError("It must be a whole number, 1 or more.");
}

/** Collects the values of an option that can be repeated. */
export function listOf(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

/** Parses a share from 0 to 1, without 0. */
export function share(text: string): number {
  const value = Number(text);
  if (/^\d*\.?\d+$/.test(text) && value > 0 && value <= 1) return value;
  throw new InvalidArgumentError("It must be a share above 0 and at most 1, such as 0.5.");
}

/** Formats a number of things: `1 file`, `2 files`. */
export function pluralize(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** `--grace TIME`, in seconds; `sweep` and `fsck` add an hour. */
export function graceOption(hasMargin = true): Option {
  const margin = hasMargin ? "; an hour is added for clocks that differ" : "";
  const what = `how long an object needs no reference: 36h or 7d${margin}`;
  const option = new Option("--grace <time>", what);
  return option.argParser(seconds).default(86_400, "24h");
}

/** `--base PATH`, as `baseOf` reads it. */
export function baseOption(): Option {
  return new Option("--base <path>", "base path, if PATH is a folder below it; else the setting");
}

/** `--as PATH`, as `namesOf` reads it. */
export function namesOption(): Option {
  const what = "another path by which rows name these objects, or PREFIX=PATH of an alias; repeatable";
  return new Option("--as <path>", what).argParser(listOf);
}

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** Parses `90`, `15m`, `2h` or `7d` into seconds. */
export function seconds(text: string): number {
  const [, count, unit = "s"] = /^(\d{1,9})([smhd])?$/.exec(text) ?? [];
  if (count === undefined) throw new InvalidArgumentError("It must be seconds, or a time such as 15m, 2h or 7d.");
  return Number(count) * UNITS[unit]!;
}

/** Formats a time as it is typed: `3 days`, `24 hours`, `90 seconds`. */
export function timeSpan(time: number): string {
  if (time > UNITS.d! && time % UNITS.d! === 0) return pluralize(time / UNITS.d!, "day");
  if (time > 0 && time % UNITS.h! === 0) return pluralize(time / UNITS.h!, "hour");
  return time > 0 && time % UNITS.m! === 0 ? pluralize(time / UNITS.m!, "minute") : pluralize(time, "second");
}

/** Formats a grace, to which an hour is added. */
export function graceSpan(grace: number): string {
  return grace > 0 ? `${timeSpan(grace)} and an hour` : "an hour";
}

/** Parses `week=7`, and adds it to the classes before it. */
export function classDays(text: string, before: Record<string, number> = {}): Record<string, number> {
  const [, name, days] = /^([^=]+)=(\d{1,5})$/.exec(text) ?? [];
  if (name === undefined) throw new InvalidArgumentError("It must be a name and whole days, such as week=7.");
  if (name in before) throw new InvalidArgumentError(`The class ${name} is given twice.`);
  return { ...before, [name]: Number(days) };
}
