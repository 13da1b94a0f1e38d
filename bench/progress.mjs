/** How long scenarios are expected to take, and where a run is. */
import { aligned } from "./report.mjs";

const MIB = 2 ** 20;
/** MiB per second that a store and a codec are about good for: they only weigh scenarios against each other. */
const STORE_MIB = {
  memory: 800,
  file: 500,
  minio: 200,
  gcs: 120,
  azure: 70,
  "line-minio": 80,
  "line-minio-tls": 80,
  "line-gcs": 60,
  "line-azure": 50,
};
const CODEC_MIB = { gzip: 40, zip: 40, zstd: 100 };
const XCOM_MIB = 8;
/** Reading is so many times faster than writing. */
const READING = 4;
/** Small operations per second when filling, listing and deleting trees. */
const FILLING = { minio: 900, gcs: 200, azure: 500, "line-minio": 900 };
const LISTING = 30_000;
/** How many subjects know a codec. */
const KNOWING = { gzip: 3, zip: 2, zstd: 1 };
/** Seconds until a subject's process is ready, half of them side by side, and until a scenario is swept. */
const START = 0.4;
const SWEEP = 0.5;

/** Seconds that `scenario` may take with so many subjects and rounds. */
export function expectedSeconds(scenario, subjects, rounds) {
  const warmUp = rounds > 1 ? (scenario.warmUp ?? 1) : 0;
  const round = roundSeconds(scenario) + fillSeconds(scenario);
  const able = Math.min(subjects, KNOWING[scenario.codec] ?? subjects);
  return SWEEP + seedSeconds(scenario) + subjects * START + able * (rounds + warmUp) * round;
}

function roundSeconds({ step, count, seconds = Number.POSITIVE_INFINITY, ...one }) {
  if (step === "list" || step === "deleteTree") return count / LISTING + 1;
  if (one.size < MIB) return seconds;
  return Math.min(seconds, (count * one.size) / MIB / speedOf(step, one));
}

function speedOf(step, { store, codec }) {
  if (step === "xcom") return XCOM_MIB;
  const faster = step === "write" ? 1 : READING;
  const coded = CODEC_MIB[codec] ?? Number.POSITIVE_INFINITY;
  return Math.min(STORE_MIB[store], coded) * faster;
}

function fillSeconds({ step, count, store, fillSeconds }) {
  return step === "deleteTree" ? count / FILLING[store] : (fillSeconds ?? 0);
}

function seedSeconds({ step, size, count, store }) {
  if (step === "list") return count / FILLING[store];
  return step === "read" || step === "bytes" ? (size * Math.min(count, 2)) / MIB / STORE_MIB[store] : 0;
}

/** @param {{ scenario: { name: string }, seconds: number }[]} chosen */
export function planTable(chosen) {
  const all = chosen.reduce((sum, { seconds }) => sum + seconds, 0);
  const rows = chosen.map(({ scenario, seconds }) => [scenario.name, clock(seconds)]);
  return aligned([["", "expected"], ...rows, [`${chosen.length} scenarios`, clock(all)]]);
}

/** A line on stderr for each scenario: how far a run is, and how long the rest may take. */
export class Progress {
  #chosen;
  #began = performance.now();
  #at = 0;

  constructor(chosen) {
    this.#chosen = chosen;
  }

  begins(name) {
    const elapsed = (performance.now() - this.#began) / 1000;
    const done = total(this.#chosen.slice(0, this.#at));
    const left = total(this.#chosen.slice(this.#at));
    // What was expected is corrected by how long the scenarios so far have taken.
    const rest = done > 0 ? (left * elapsed) / done : left;
    const place = `${this.#at + 1} of ${this.#chosen.length}`;
    console.error(`[${place}, ${clock(elapsed)} gone, about ${clock(rest)} left] ${name}`);
  }

  ended() {
    this.#at++;
  }
}

const total = (chosen) => chosen.reduce((sum, { seconds }) => sum + seconds, 0);

function clock(seconds) {
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
